"""What the pipeline costs here: the demo from archives to figures, and a `dvc repro` with nothing to do.

    python scripts/bench_demo.py

Works in a copy of what git tracks, with an empty cache. Writes reports/bench/demo.json and demo.md, a page of
it, and prints the page.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benching import Row, Section, in_turn, measured, report_of, timed, write_report
from project_copy import project_copy, repro, repro_command

from deeppose.core.params_file import load_params

OUTPUT = Path("reports/bench/demo.json")
ROUNDS = 5
REPRO, VERSION = "repro", "version"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = project_copy(Path(folder) / "project")
        seconds, memory = measured(lambda: repro(copy), interval=2.0)
        turns = in_turn({command: timed(partial(dvc, copy, command)) for command in (REPRO, VERSION)}, ROUNDS)
    rows = [
        Row("the demo, from archives to figures, minutes", seconds / 60, ".1f", at_most=12),
        Row("GB at its peak, all processes", memory / 1e9, at_most=4),
        Row("`dvc repro` with nothing to do, s", turns.median(REPRO)),
        Row("`dvc version`, s", turns.median(VERSION)),
        Row("the one in times of the other", turns.ratio(REPRO, VERSION), at_most=4),
    ]
    sections = [Section("The pipeline on synthetic people", rows)]
    report = report_of("What the demo costs", "python scripts/bench_demo.py", sections, load_params().threads)
    write_report(OUTPUT, report)


def dvc(project: Path, command: str) -> None:
    subprocess.run(**{**repro_command(project), "args": [sys.executable, "-m", "dvc", command]}, check=True)


if __name__ == "__main__":
    main()
