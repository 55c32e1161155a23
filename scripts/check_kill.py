"""Kill `dvc repro` and `deeppose` at random moments; what follows must end with undisturbed runs' bytes.

    python scripts/check_kill.py [--short] [KILLS]

KILLS, 100 where none are given, go to the pipeline, a third as many to `deeppose predict` and `export` each;
`deeppose score` writes no file. With --short the demo is a twentieth as long. SIGKILL goes to a command and
all that it started. A pipeline that ends before it is killed is compared and begun anew. Works in copies of
what git tracks.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project_copy import check_same, hashes, project_copy, repro, repro_command, shorten

from deeppose.core.files import sha256

SEED = 2014
KILLS_A_RUN = 25
MADE = ("data/demo", "reports/demo", "logs", ".checkpoints", ".dvc/cache", ".dvc/tmp")
WRITES = {
    "predict": ["docs/astronaut.jpg", "--profile", "demo", "--output", "written/pose.png"],
    "export": ["--profile", "demo", "--output", "written/networks"],
}
WRITTEN = "written"


def main(kills: int, *, short: bool) -> None:
    moments = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = (project_copy(Path(folder) / name) for name in ("undisturbed", "killed"))
        if short:
            shorten(undisturbed)
            shorten(killed)
        started = time.monotonic()
        repro(undisturbed)
        length = time.monotonic() - started
        kill_pipeline(killed, hashes(undisturbed), kills, 2 * length / KILLS_A_RUN, moments)
        for name, arguments in WRITES.items():
            kill_command(undisturbed, [name, *arguments], kills // 3, moments)


def kill_pipeline(
    project: Path, expected: Mapping[str, str], kills: int, longest: float, moments: random.Random
) -> None:
    """Kill it so many times, each after `longest` seconds at most."""
    otherwise = "a killed run ended with other outputs"
    done = ended = 0
    while done < kills:
        if was_killed(repro_command(project), moments.uniform(0, longest)):
            done += 1
            subprocess.run([sys.executable, "scripts/mend_lock.py"], cwd=project, check=True)
        else:
            ended += 1
            check_same(expected, hashes(project), otherwise)
            for made in MADE:
                shutil.rmtree(project / made)
            (project / "dvc.lock").unlink()
    repro(project)
    check_same(expected, hashes(project), otherwise)
    print(
        f"dvc repro: {kills} kills, {ended + 1} runs ended, each with the same {len(expected)} hashes",
        flush=True,
    )


def kill_command(project: Path, arguments: list[str], kills: int, moments: random.Random) -> None:
    """Kill it so many times: a file that it writes is missing or whole."""
    command = {**repro_command(project), "args": ["deeppose", *arguments]}
    folder = project / WRITTEN
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    started = time.monotonic()
    subprocess.run(**command, check=True)
    length = time.monotonic() - started
    expected = files_of(folder)
    for _ in range(kills):
        shutil.rmtree(folder)
        folder.mkdir()
        was_killed(command, moments.uniform(0, length))
        whole = {name: digest for name, digest in files_of(folder).items() if name in expected}
        check_same(
            {name: expected[name] for name in whole}, whole, f"a killed {arguments[0]} wrote half a file"
        )
    subprocess.run(**command, check=True)
    found = {name: digest for name, digest in files_of(folder).items() if name in expected}
    check_same(expected, found, f"{arguments[0]} after kills wrote other files")
    print(
        f"deeppose {arguments[0]}: {kills} kills, {len(expected)} files whole or missing after each",
        flush=True,
    )


def was_killed(command: Mapping[str, Any], after: float) -> bool:
    """Start it and kill it, with all that it started, after so many seconds; False if it ended before."""
    with subprocess.Popen(**command, start_new_session=True) as process:
        try:
            status = process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True
    if status:
        sys.exit(f"{' '.join(command['args'])} failed: {Path(command['stdout'].name).read_text()[-2000:]}")
    return False


def files_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument != "--short"]
    main(numbers[0] if numbers else 100, short="--short" in sys.argv)
