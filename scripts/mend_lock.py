"""Mend what a kill left of the files that DVC writes in place; called by `make repro`.

A kill in that moment leaves one cut short, and DVC then refuses to start. In place of a broken dvc.lock comes
the committed one: nothing is lost, what ran since comes back from DVC's run cache. The record of who reads
and writes which file just now is of no use once its process is dead, so a broken one is removed.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid

LOCK = Path("dvc.lock")
READERS_AND_WRITERS = Path(".dvc/tmp/rwlock")


def main() -> None:
    if is_broken(LOCK, lambda text: COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(text))):
        command = ["git", "show", f"HEAD:{LOCK}"]
        committed = subprocess.run(command, capture_output=True, text=True, check=False)
        LOCK.unlink()
        if committed.returncode == 0:
            LOCK.write_text(committed.stdout, encoding="utf-8")
        print(f"{LOCK} was cut short by a kill: the committed one is back")
    if is_broken(READERS_AND_WRITERS, json.loads):
        READERS_AND_WRITERS.unlink()
        print(f"{READERS_AND_WRITERS} was cut short by a kill: it is removed")


def is_broken(path: Path, read: Callable[[str], object]) -> bool:
    """Whether DVC would refuse what a file holds; one that isn't there is none."""
    if path.is_file():
        try:
            read(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, Invalid, ValueError):
            return True
    return False


if __name__ == "__main__":
    main()
