"""How the time and the memory of each stage grow with the number of examples.

    python scripts/bench_scale.py [SIZE...]

A size is how many examples there are to train on, and as many again to test on: 1000, 10000, 100000 and
1000000 where none are given. The stages' own code runs on synthetic annotation over few images, made by
scripts/scale_project.py, each run in a process of its own, whose peak memory is the run's. Stages that go
through as many images or run a network stop at MOST_FOR_NETWORKS. Writes reports/bench/scale.json, scale.md,
scale.png, and prints the page. A million take about 5 GB where temporary files go (TMPDIR).
"""

import contextlib
import importlib
import json
import math
import pickle
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import benching
import psutil
from pages import page_of, table

STAGES = Path(__file__).resolve().parents[1] / "stages"
REPORT = Path("reports/bench/scale.json")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MOST_FOR_NETWORKS = 10_000
SMALLEST = 200  # two images that hold 100 examples each: one is held out
PROJECTED = 10_000_000
# Short runs are repeated.
ROUNDS, ENOUGH_SECONDS = 3, 20.0
STRAIGHT = 1.15  # a steeper slope is none of a straight line


class Run(NamedTuple):
    """One stage as the pipeline runs it, on one item.

    Attributes
    ----------
    script
        In stages/, without its ending.
    stage
        Of the cascade, as the script gets it.
    reads
        The tables that it reads, in data/<profile>/<model>/; none where it reads an archive.
    examples_an_image
        Where the stage reads an archive.
    few
        Whether it goes through all images, or runs a network over all examples.
    """

    script: str
    model: str
    stage: int
    reads: tuple[str, ...] = ()
    examples_an_image: int = 0
    few: bool = False


EXAMPLES = ("*/examples.parquet", "*/joints.parquet")
TRAINING = ("train/*.parquet", "train-initial-boxes.parquet")
RUNS = {
    "annotate-normalize, 100 examples an image": Run("annotate_normalize", "lsp", 0, examples_an_image=100),
    "annotate-normalize, an image each": Run("annotate_normalize", "lsp", 0, examples_an_image=1, few=True),
    "initial-boxes, full images": Run("initial_boxes", "lsp", 0, EXAMPLES),
    "initial-boxes, faces": Run("initial_boxes", "flic", 0, (*EXAMPLES, "*-faces.parquet")),
    "train-stage1, first batches": Run("train", "lsp", 1, TRAINING),
    "predict-train-stage1": Run("predict_train", "lsp", 1, TRAINING, few=True),
    "fit-displacement-normals": Run(
        "fit_displacement_normals", "lsp", 2, ("train/*.parquet", "train-predictions-stage1-*.parquet")
    ),
    "build-augmented-set": Run("build_augmented_set", "lsp", 2, TRAINING),
    "train-stage2, first batches": Run("train", "lsp", 2, (*TRAINING, "augmented-set-stage2.parquet")),
    "predict-test": Run("predict_test", "lsp", 0, (*EXAMPLES, "*-initial-boxes.parquet"), few=True),
    "evaluate": Run("evaluate", "lsp", 0, (*EXAMPLES, "test-viewpoints.parquet", "test-predictions/*")),
    # Last, since it finds no face where others need some.
    "detect-faces": Run("detect_faces", "flic", 0, EXAMPLES, few=True),
}


def main(sizes: list[int]) -> None:
    if min(sizes) < SMALLEST or len({size for size in sizes if size <= MOST_FOR_NETWORKS}) < 2:
        sys.exit(
            f"sizes of {SMALLEST} examples at least are wanted, two of them up to {MOST_FOR_NETWORKS}, where "
            f"every stage is measured; got {sizes}"
        )
    memory = psutil.virtual_memory().total
    write_report({**benching.made_on(), "memory": memory, **measured(sizes, MOST_FOR_NETWORKS)})


def write_report(report: dict[str, Any]) -> None:
    # Its parent is to be a small process: a child's peak memory begins with what its parent held.
    from scale_figure import draw

    benching.write_report(REPORT, report, page)
    draw(report["stages"], REPORT)


def measured(sizes: list[int], most_for_networks: int) -> dict[str, Any]:
    """By stage and size: `seconds`, `peak` and what it read, bytes; and what was `killed`."""
    found: dict[str, dict[str, Any]] = {name: {} for name in RUNS}
    killed = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / "project"
            try:
                child("make-project", project, size)
            except KilledError:
                killed.append(f"making {size:,} examples")
                continue
            for name, run in RUNS.items():
                if run.few and size > most_for_networks:
                    continue
                try:
                    found[name][str(size)] = of_size(name, size, project)
                except KilledError:
                    killed.append(f"{name}, {size:,} examples")
                    print(f"{killed[-1]}: killed, as by a system that has no memory left", flush=True)
    return {"stages": found, "killed": killed}


def of_size(name: str, size: int, project: Path) -> dict[str, Any]:
    """One stage in the project, or in one that it reads an archive of."""
    with tempfile.TemporaryDirectory() as folder:
        if examples := RUNS[name].examples_an_image:
            project = Path(folder) / "archive"
            child("make-archive", project, size, examples)
        found = in_rounds(name, project)
    print(f"{name}, {size:,} examples: {found['seconds']:.2f} s", flush=True)
    return found


class KilledError(Exception):
    """A run was killed, as by a system that has no memory left."""


def in_rounds(name: str, project: Path) -> dict[str, Any]:
    rounds: list[dict[str, Any]] = []
    while len(rounds) < ROUNDS and sum(one["seconds"] for one in rounds) < ENOUGH_SECONDS:
        rounds.append(json.loads(child("run", name, project).splitlines()[-1]))
    seconds = statistics.median(one["seconds"] for one in rounds)
    return {**rounds[-1], "seconds": seconds, "peak": max(one["peak"] for one in rounds)}


def child(*arguments: object) -> str:
    """What this script prints when it is called with these arguments."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGKILL:
        raise KilledError(command)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    return done.stdout


def run_here(name: str, project: Path) -> dict[str, Any]:
    """One stage in the folder `project`; the peak memory is that of this process and its children."""
    run = RUNS[name]
    sys.path.append(str(STAGES))
    module = importlib.import_module(run.script)
    from deeppose.core.params_file import load_params
    from deeppose.core.paths import Item
    from deeppose.data import annotate

    item = Item(load_params(), "demo", run.model)
    read = sum(path.stat().st_size for pattern in run.reads for path in item.folder.glob(pattern))
    if run.examples_an_image:
        annotate.read_set = lambda *_: pickle.load((project / "set.pickle").open("rb"))
        read = (project / "set.pickle").stat().st_size
    seconds = benching.timed(lambda: module.main(item, run.stage))()
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"seconds": seconds, "peak": sum(peaks) * 1024, "read": read}


def slope(of_sizes: dict[str, Any], what: str) -> float:
    """Of the logarithm against that of the number of examples, between the two largest sizes."""
    (few, before), (many, after) = last_two(of_sizes, what)
    return math.log(after / before) / math.log(many / few)


def an_example(of_sizes: dict[str, Any], what: str) -> float:
    """How much another example adds, between the two largest sizes."""
    (few, before), (many, after) = last_two(of_sizes, what)
    return (after - before) / (many - few)


def projected(of_sizes: dict[str, Any], what: str) -> float:
    """At PROJECTED examples: on the line through the two largest sizes, or on their power if it is steep."""
    _, (many, after) = last_two(of_sizes, what)
    steepness = slope(of_sizes, what)
    if steepness > STRAIGHT:
        return after * (PROJECTED / many) ** steepness
    return after + max(an_example(of_sizes, what), 0.0) * (PROJECTED - many)


def last_two(of_sizes: dict[str, Any], what: str) -> list[tuple[int, float]]:
    return sorted((int(size), float(found[what])) for size, found in of_sizes.items())[-2:]


def page(report: dict[str, Any]) -> str:
    """The report as Markdown, its stages in the pipeline's order."""
    stages = dict(sorted(report["stages"].items(), key=lambda stage: [*RUNS, stage[0]].index(stage[0])))
    steeper = [name for name, of_sizes in stages.items() if slope(of_sizes, "seconds") > STRAIGHT]
    of_seconds = {
        "slope": lambda of: f"{slope(of, 'seconds'):.2f}",
        f"{PROJECTED:,}, projected": lambda of: f"{projected(of, 'seconds'):,.0f}",
    }
    of_memory = {
        "bytes an example more": lambda of: f"{an_example(of, 'peak'):,.0f}",
        "of the tables that it reads, on disk": lambda of: f"{an_example(of, 'read'):,.0f}",
        f"{PROJECTED:,}, projected, GB": lambda of: f"{projected(of, 'peak') / 1e9:,.1f}",
    }
    return page_of(
        "How time and memory grow",
        f"Made by `python scripts/bench_scale.py` at commit {report['revision']}, on: {report['machine']}, "
        f"{report['memory'] / 1e9:.0f} GB of memory. So many examples to train on, and as many to test on, "
        "of synthetic annotation over few images; networks are small, trainings take a few steps. Medians of "
        f"up to {ROUNDS} runs, each in a process of its own. Slope: of the logarithm of the seconds against "
        "that of the examples, between the two largest sizes: 1 on a straight line, less where what every "
        "run costs still counts. Projected: on the line through the two largest sizes, or on their power "
        f"where the slope is over {STRAIGHT}.",
        "## Seconds",
        stages_table(stages, "seconds", 1, ".2f", of_seconds),
        "## Peak memory, MB",
        stages_table(stages, "peak", 1e6, ",.0f", of_memory),
        f"Steeper than a straight line: {', '.join(steeper) or 'none'}. "
        f"Killed, as by a system that has no memory left: {'; '.join(report['killed']) or 'none'}.",
        bottleneck(stages, report["memory"]),
    )


def stages_table(
    stages: dict[str, Any], what: str, unit: float, style: str, further: dict[str, Callable[[Any], str]]
) -> str:
    """A row a stage: a figure for each size, a dash where there is none, and what `further` says of it."""
    sizes = sorted({int(size) for of in stages.values() for size in of})
    rows = []
    for name, of in stages.items():
        figures = [format(of[str(n)][what] / unit, style) if str(n) in of else "–" for n in sizes]
        rows.append([name, *figures, *(words(of) for words in further.values())])
    return table(["stage", *(f"{size:,}" for size in sizes), *further], rows)


def bottleneck(stages: dict[str, Any], available: int) -> str:
    """What gives out first at PROJECTED examples, in a sentence or two."""
    memory = {name: projected(of_sizes, "peak") for name, of_sizes in stages.items()}
    seconds = {name: projected(of_sizes, "seconds") for name, of_sizes in stages.items()}
    hungriest, slowest = max(memory, key=memory.__getitem__), max(seconds, key=seconds.__getitem__)
    enough = memory[hungriest] <= available
    return (
        f"At {PROJECTED:,} examples {hungriest} would hold the most, {memory[hungriest] / 1e9:,.0f} GB, "
        f"{'within' if enough else 'beyond'} the {available / 1e9:.0f} GB of this machine, and {slowest} "
        f"would take the longest, {seconds[slowest] / 3600:,.1f} hours: the first bottleneck is "
        f"{'the time of ' + slowest if enough else 'the memory of ' + hungriest}."
    )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or ["all"]
    if command == "run":
        # A stage prints too: what it found stands on the last line.
        folder = Path(arguments[1])
        with contextlib.chdir(folder):
            print("\n" + json.dumps(run_here(arguments[0], folder)))
    elif command == "make-project":
        importlib.import_module("scale_project").make_project(Path(arguments[0]), int(arguments[1]))
    elif command == "make-archive":
        importlib.import_module("scale_project").make_archive(Path(arguments[0]), *map(int, arguments[1:]))
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
