"""What the pipeline costs here: the demo from archives to figures, by stage, and a `dvc repro` of nothing.

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

from deeppose.core.files import read_json
from deeppose.core.params_file import load_params
from deeppose.core.paths import runs_log

OUTPUT = Path("reports/bench/demo.json")
ROUNDS = 5
MEMORY, MOST_OF_A_STAGE = "Each stage at its peak, GB", 1.7
"""The bound is promised in docs/reliability.md."""
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
    sections = [Section("The pipeline on synthetic people", rows), memory_by_stage(copy)]
    report = report_of("What the demo costs", "python scripts/bench_demo.py", sections, load_params().threads)
    write_report(OUTPUT, report)


def memory_by_stage(project: Path) -> Section:
    """What each stage held at most, of its models the one with the most, as the run in `project` noted it."""
    peaks: dict[str, float] = {}
    for name, run in read_json(project / runs_log("demo")).items():
        stage = name.partition("@")[0]
        peaks[stage] = max(peaks.get(stage, 0.0), run["peak_bytes"] / 1e9)
    note = "Of the model that takes more. Mapped images and torch's own libraries count, which stages share."
    rows = [Row(stage, peak, at_most=MOST_OF_A_STAGE) for stage, peak in peaks.items()]
    return Section(MEMORY, rows, note)


def dvc(project: Path, command: str) -> None:
    subprocess.run(**{**repro_command(project), "args": [sys.executable, "-m", "dvc", command]}, check=True)


if __name__ == "__main__":
    main()
