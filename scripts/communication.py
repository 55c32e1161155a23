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
from bench_setup import network_of
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
    with torch.device("meta"):
        return parameter_count(network_of(load_params()))


def ring_seconds(size: float, machines: int, link: float) -> float:
    """What an all-reduce of `size` bytes takes over links of `link` Gbit/s, latency left out."""
    return 2 * (machines - 1) / machines * size * 8 / (link * 1e9)


def speed_up(alone: float, size: float, machines: int, link: float, *, overlap: bool, shared: bool) -> float:
    """How many times as many images a second `machines` go through as one.

    Parameters
    ----------
    alone
        Seconds of a step on one machine.
    size
        Bytes of the gradients.
    overlap
        Whether what is told is hidden behind the work wholly, or not at all.
    shared
        Whether they share that one batch, or each has as large a one of its own.
    """
    work, told = alone / machines if shared else alone, ring_seconds(size, machines, link)
    step = max(work, told) if overlap else work + told
    return alone / step * (1 if shared else machines)


def scales_to(alone: float, size: float, link: float, *, overlap: bool, shared: bool) -> int:
    """The most machines, of :data:`MACHINES`, that reach :data:`ENOUGH` of that many times one's speed."""
    times = {n: speed_up(alone, size, n, link, overlap=overlap, shared=shared) for n in MACHINES}
    return max(n for n in MACHINES if times[n] >= ENOUGH * n)


def page(measured: dict[str, Any], parameters: int) -> str:
    size, batch = parameters * BYTES_A_NUMBER, measured["batch"]
    alone = {precision: batch / speeds[FED] for precision, speeds in measured["speeds"].items()}
    ways = {True: f"sharing a batch of {batch}", False: f"a batch of {batch} on each"}
    all_reduces = [f"all-reduce of 2, {link} Gbit/s, ms" for link in LINKS]
    steps = [
        [precision, f"{1e3 * a:.1f}", *(f"{1e3 * ring_seconds(size, 2, link):.0f}" for link in LINKS)]
        for precision, a in alone.items()
    ]
    most = []
    for (precision, a), link, name in product(alone.items(), LINKS, OVERLAPS):
        reached = [scales_to(a, size, link, overlap=OVERLAPS[name], shared=shared) for shared in ways]
        words = [f"{n} or more" if n == MACHINES[-1] else str(n) for n in reached]
        most.append([precision, str(link), name, *words])
    blocks = [
        f"Made by `python scripts/communication.py`, a model, from the speeds in [{MEASURED.name}]"
        f"({MEASURED.name}), measured on: {measured['machine']}. One such GPU a machine. The paper's network "
        f"has {parameters:,} parameters, so each step {size / 1e6:,.0f} MB of gradients go round a ring: "
        "2 (n − 1) / n of that leaves each of n machines. Latency, and what else is on the network, are left "
        "out, and half a batch is taken to be half the work. Of what is told, nothing (overlap none) or all "
        "(whole) is hidden behind the work of the step. The truth lies between: only the backward pass "
        "hides any.",
        table(["precision", "step of one, ms", *all_reduces], steps),
        f"The most machines, of {', '.join(map(str, MACHINES))}, that reach {ENOUGH:.0%} of so many times "
        f"one's speed. Sharing a batch keeps the result; a batch on each makes it another training, with "
        "larger batches.",
        table(["precision", "Gbit/s", "overlap", *ways.values()], most),
    ]
    links = list(product(LINKS, OVERLAPS.items()))
    heads = ["precision", "machines", *(f"{link} Gbit/s, {name}" for link, (name, _) in links)]
    for shared, words in ways.items():
        rows = []
        for (precision, a), n in product(alone.items(), MACHINES[1:]):
            times = [speed_up(a, size, n, link, overlap=of, shared=shared) for link, (_, of) in links]
            rows.append([precision, str(n), *(f"{faster:.2f}" for faster in times)])
        blocks += [f"Times one machine's images a second, {words}:", table(heads, rows)]
    return page_of("What several machines must tell each other", *blocks)


if __name__ == "__main__":
    main()
