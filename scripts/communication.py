"""To how many machines the paper's network scales, by a model of what they must tell each other.

    python scripts/communication.py

Each step all gradients go round a ring: 2 (n − 1) / n of their bytes leave each of n machines. Takes the
speed of one GPU from reports/bench/gpu.json and writes reports/bench/communication.md, a page.
"""

from itertools import product
from pathlib import Path
from typing import Any

import torch
from bench_gpu import FED
from bench_setup import papers_network
from pages import page_of, table

from deeppose.core.files import read_json, write_text
from deeppose.core.params_file import load_params
from deeppose.networks.regressor import parameter_count

MEASURED, PAGE = (Path("reports/bench") / name for name in ("gpu.json", "communication.md"))
BYTES_A_NUMBER = 4  # gradients are in single precision, whatever the products are
LINKS = (10, 100)  # Gbit/s
MACHINES = (1, 2, 4, 8, 16, 32, 64)
ENOUGH = 0.5
"""Of n machines' speed, the share that must be left for it to be called scaling."""
OVERLAPS = {"none": False, "whole": True}


def main() -> None:
    text = page(read_json(MEASURED), paper_parameters())
    write_text(PAGE, text)
    print(text)


def paper_parameters() -> int:
    """Parameters of the full-body network of `paper`."""
    with torch.device("meta"):
        return parameter_count(papers_network(load_params()))


def ring_seconds(size: float, machines: int, link: float) -> float:
    """What an all-reduce of `size` bytes takes over links of `link` Gbit/s, latency left out."""
    return 2 * (machines - 1) / machines * size * 8 / (link * 1e9)


def step_seconds(work: float, communication: float, *, overlap: bool) -> float:
    """A step of so much work on each machine: what is told is hidden behind it wholly, or not at all."""
    return max(work, communication) if overlap else work + communication


def speed_up(alone: float, size: float, machines: int, link: float, *, overlap: bool, shared: bool) -> float:
    """How many times as many images a second `machines` go through as one.

    Parameters
    ----------
    alone
        Seconds of a step on one machine.
    size
        Bytes of the gradients.
    shared
        Whether they share that one batch, or each has as large a one of its own.
    """
    work = alone / machines if shared else alone
    step = step_seconds(work, ring_seconds(size, machines, link), overlap=overlap)
    return alone / step * (1 if shared else machines)


def scales_to(alone: float, size: float, link: float, *, overlap: bool, shared: bool) -> int:
    """The most machines, of :data:`MACHINES`, that reach :data:`ENOUGH` of that many times one's speed."""
    times = {n: speed_up(alone, size, n, link, overlap=overlap, shared=shared) for n in MACHINES}
    return max(n for n in MACHINES if times[n] >= ENOUGH * n)


def page(measured: dict[str, Any], parameters: int) -> str:
    """The model's figures as Markdown."""
    size, batch = parameters * BYTES_A_NUMBER, measured["batch"]
    alone = {precision: batch / speeds[FED] for precision, speeds in measured["speeds"].items()}
    ways = {True: f"sharing a batch of {batch}", False: f"a batch of {batch} on each"}
    blocks = [
        f"Made by `python scripts/communication.py`, a model, from the speeds in [{MEASURED.name}]"
        f"({MEASURED.name}), measured on: {measured['machine']}. One such GPU a machine. The paper's network "
        f"has {parameters:,} parameters, so each step {size / 1e6:,.0f} MB of gradients go round a ring: "
        "2 (n − 1) / n of that leaves each of n machines. Latency, and what else is on the network, are left "
        "out, and half a batch is taken to be half the work. Of what is told, nothing (overlap none) or all "
        "(whole) is hidden behind the work of the step. The truth lies between: only the backward pass "
        "hides any.",
        steps_table(alone, size),
        f"The most machines, of {', '.join(map(str, MACHINES))}, that reach {ENOUGH:.0%} of so many times "
        f"one's speed. Sharing a batch keeps the result; a batch on each makes it another training, with "
        "larger batches.",
        most_table(alone, size, ways),
    ]
    for shared, words in ways.items():
        blocks.append(f"Times one machine's images a second, {words}:")
        blocks.append(speed_up_table(alone, size, shared))
    return page_of("What several machines must tell each other", *blocks)


def steps_table(alone: dict[str, float], size: float) -> str:
    rows = [
        [precision, f"{1e3 * a:.1f}", *(f"{1e3 * ring_seconds(size, 2, link):.0f}" for link in LINKS)]
        for precision, a in alone.items()
    ]
    all_reduces = [f"all-reduce of 2, {link} Gbit/s, ms" for link in LINKS]
    return table(["precision", "step of one, ms", *all_reduces], rows)


def most_table(alone: dict[str, float], size: float, ways: dict[bool, str]) -> str:
    rows = []
    for (precision, a), link, name in product(alone.items(), LINKS, OVERLAPS):
        most = [scales_to(a, size, link, overlap=OVERLAPS[name], shared=shared) for shared in ways]
        words = [f"{n} or more" if n == MACHINES[-1] else str(n) for n in most]
        rows.append([precision, str(link), name, *words])
    return table(["precision", "Gbit/s", "overlap", *ways.values()], rows)


def speed_up_table(alone: dict[str, float], size: float, shared: bool) -> str:
    links = list(product(LINKS, OVERLAPS))
    rows = []
    for (precision, a), n in product(alone.items(), MACHINES[1:]):
        times = [speed_up(a, size, n, link, overlap=OVERLAPS[name], shared=shared) for link, name in links]
        rows.append([precision, str(n), *(f"{faster:.2f}" for faster in times)])
    return table(["precision", "machines", *(f"{link} Gbit/s, {name}" for link, name in links)], rows)


if __name__ == "__main__":
    main()
