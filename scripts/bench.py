"""What the pipeline costs here: the demo, a `dvc repro` with nothing to do, the paper's augmented set.

    python scripts/bench.py

Works in a copy of what git tracks, with an empty cache. Times are this machine's, on this day; the ratio is
of two commands run in turn.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from project_copy import project_copy, repro, repro_command

ROUNDS = 5
LSP_EXAMPLES, BOXES = 11_000, 40


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = project_copy(Path(folder) / "project")
        seconds, memory = measured(lambda: repro(copy))
        print(
            f"demo, from archives to figures: {seconds / 60:.1f} minutes, {memory / 1e9:.2f} GB at its peak"
        )
        nothing_to_do(copy)
    seconds, memory = measured(augmented_set_in_a_process)
    print(f"augmented set of LSP, all joints labelled: {seconds:.1f} s, {memory / 1e9:.2f} GB at its peak")


def nothing_to_do(project: Path) -> None:
    """`dvc repro` with nothing to do against `dvc version`, in turn."""
    times: dict[str, list[float]] = {"repro": [], "version": []}
    for _ in range(ROUNDS):
        for name, taken in times.items():
            command = repro_command(project)
            command["args"] = [sys.executable, "-m", "dvc", name]
            started = time.monotonic()
            subprocess.run(**command, check=True)
            taken.append(time.monotonic() - started)
    ratios = [a / b for a, b in zip(times["repro"], times["version"], strict=True)]
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print(
        f"dvc repro with nothing to do: {medians['repro']:.2f} s, dvc version: {medians['version']:.2f} s; "
        f"ratio, median of {ROUNDS} rounds: {statistics.median(ratios):.2f}"
    )


def measured(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds that `work` takes, and the most memory that its processes hold at once, bytes."""
    peak, done = 0.0, threading.Event()
    me = psutil.Process()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.2):
            total = 0.0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_full_info().pss
                except psutil.Error:
                    continue  # it ended between listing and asking
            peak = max(peak, total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    work()
    seconds = time.monotonic() - started
    done.set()
    watcher.join()
    return seconds, peak


def augmented_set_in_a_process() -> None:
    """Build D_A for as many poses as LSP's training part nominally has."""
    subprocess.run([sys.executable, __file__, "augmented-set"], check=True)


def augmented_set() -> None:
    """11000 poses × 40 boxes × 2 × 14 joints, all labelled."""
    import numpy as np
    import pandas as pd

    from deeppose.augmented_set import simulated_boxes, write_augmented_set
    from deeppose.examples import BOX_COLUMNS, Examples
    from deeppose.geometry import diameter
    from deeppose.skeleton import FULL_BODY

    joints = len(FULL_BODY.joints)
    generator = np.random.default_rng(0)
    poses = generator.uniform(0, 150, (LSP_EXAMPLES, joints, 2))
    table = pd.DataFrame({"part": "train", "width": np.full(LSP_EXAMPLES, 150)})
    table[BOX_COLUMNS] = [74.5, 74.5, 150.0, 150.0]
    table["diameter"] = diameter(poses, np.ones((LSP_EXAMPLES, joints), dtype=bool), FULL_BODY)
    examples = Examples(table, poses, np.ones((LSP_EXAMPLES, joints), dtype=bool))
    normals = pd.DataFrame({"joint": np.arange(joints), "mean_x": 0.0, "mean_y": 0.0})
    normals[["var_x", "var_y", "cov_xy"]] = [25.0, 25.0, 0.0]
    tables = simulated_boxes(
        examples,
        np.arange(LSP_EXAMPLES),
        normals,
        FULL_BODY,
        sigma=2.0,
        smallest_share=0.05,
        boxes_per_joint=BOXES,
        units="pixels",
        seed=(0,),
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = write_augmented_set(Path(folder) / "augmented-set.parquet", tables)
    print(f"{rows:,} rows")


if __name__ == "__main__":
    if sys.argv[1:] == ["augmented-set"]:
        augmented_set()
    else:
        main()
