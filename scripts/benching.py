"""How benchmarks measure and what they write: things run in turn, memory watched, rows of a table.

Each ratio is of things that were run one after the other in the same round, the median over the rounds, so
that what else the machine does meets all of them alike.
"""

import gc
import platform
import statistics
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from timeit import timeit
from typing import Any

import psutil
from pages import page_of, table

from deeppose.core.files import read_json, write_json, write_text
from deeppose.provenance import git_revision, machine

LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python-headless")
INTERVAL = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Row:
    """One figure of a table, and what it should be at least or at most."""

    what: str
    figure: float
    style: str = ".2f"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """In words, with the verdict; "" where there is none."""
        least = self.at_least is not None
        bound = self.at_least if least else self.at_most
        if bound is None:
            return ""
        met = self.figure >= bound if least else self.figure <= bound
        shown = format(bound, ".0%" if self.style.endswith("%") else "g")
        return f"at {'least' if least else 'most'} {shown}: {'met' if met else 'not met'}"


@dataclass(frozen=True)
class Section:
    """A table under a title, and below it what a reader must know of how it was measured."""

    title: str
    rows: Sequence[Row]
    note: str = ""


@dataclass(frozen=True)
class Turns:
    """Seconds that each of several things took, by round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Seconds of one of them."""
        return statistics.median(self.seconds[name])

    def ratio(self, one: str, other: str) -> float:
        """How many times as long `one` takes as `other`, the median over the rounds."""
        pairs = zip(self.seconds[one], self.seconds[other], strict=True)
        return statistics.median(a / b for a, b in pairs)


def in_turn(works: Mapping[str, Callable[[], float]], rounds: int) -> Turns:
    """Run all works, one after the other, in each of so many rounds, after one that isn't counted.

    Each gives the seconds that it took, see :func:`timed`.
    """
    taken = [{name: work() for name, work in works.items()} for _ in range(rounds + 1)]
    return Turns({name: [seconds[name] for seconds in taken[1:]] for name in works})


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """What runs `work` and gives the seconds that it took."""
    return partial(timeit, work, setup=gc.enable, number=1)


def measured(work: Callable[[], object], interval: float = INTERVAL) -> tuple[float, float]:
    """Seconds that `work` takes, and the most memory that the processes it starts hold at once, bytes.

    To look at a process of gigabytes stops it for milliseconds: what runs long is looked at less often.
    """
    me = psutil.Process()
    with peak_of(lambda: sum(map(share_of_memory, me.children(recursive=True))), interval) as peak:
        seconds = timed(work)()
    return seconds, peak[0]


def share_of_memory(process: psutil.Process) -> float:
    """Bytes that a process holds, its part of what it shares with others."""
    try:
        return float(process.memory_full_info().pss)
    except psutil.Error:
        return 0.0  # it ended between listing and asking


def own_memory() -> float:
    """Bytes that this process holds and that stand in no file: mapped images can be dropped at any time."""
    held = psutil.Process().memory_info()
    return float(held.rss - held.shared)


@contextmanager
def peak_of(held: Callable[[], float], interval: float = INTERVAL) -> Iterator[list[float]]:
    """Watch a number of bytes while the block runs; a list of one, its highest value when it has ended."""
    peak, done = [held()], threading.Event()

    def watch() -> None:
        while not done.wait(interval):
            peak[0] = max(peak[0], held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak[0] = max(peak[0], held())


def made_on(*, gpu: bool = False) -> dict[str, str]:
    return {"machine": machine(gpu=gpu), "revision": git_revision()}


def report_of(title: str, command: str, sections: Iterable[Section], threads: int) -> dict[str, Any]:
    """What is written as JSON: the sections, the machine, and the versions of what ran."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
    shown = [
        {**vars(section), "rows": [vars(row) | {"target": row.target} for row in section.rows]}
        for section in sections
    ]
    told = {"title": title, "command": command, "versions": versions, "threads": threads}
    return {**made_on(), **told, "sections": shown}


def page(report: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    blocks = [
        f"Made by `{report['command']}` at commit {report['revision']}, on: {report['machine']}, "
        f"{report['threads']} threads; {versions}. Ratios are of things run in turn, medians of "
        "several rounds."
    ]
    for section in report["sections"]:
        cells = [[row["what"], format(row["figure"], row["style"]), row["target"]] for row in section["rows"]]
        blocks += [f"## {section['title']}", *filter(None, [section["note"]])]
        blocks.append(table(["", "figure", "target"], cells, words=(0, 2)))
    return page_of(report["title"], *blocks)


def write_report(
    target: Path, report: Mapping[str, Any], page: Callable[[dict[str, Any]], str] = page
) -> None:
    """Write the report as JSON and, beside it, the page of what then stands in the file; print the page."""
    write_json(target, report)
    text = page(read_json(target))
    write_text(target.with_suffix(".md"), text)
    print(text)
