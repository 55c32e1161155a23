"""The figure of how time and memory grow: what bench_scale.py measured, on logarithmic axes."""

import itertools
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from deeppose.report.style import JOINT_LINES, PEER_LINES, PREDICTOR_LINES, new_figure, save_plot, styled

LINES = [*PREDICTOR_LINES.values(), *PEER_LINES, *JOINT_LINES.values()]
CAPTION = (
    "So many examples to train on and as many to test on; grey: in proportion to them. Lines are level on "
    "the left, where what every run costs counts most."
)


def draw(stages: dict[str, dict[str, Any]], report: Path) -> None:
    """Write the figure beside the report, as .png and .svg."""
    save_plot(figure(stages), report.parent, report.stem)


@styled
def figure(stages: dict[str, dict[str, Any]]) -> Figure:
    """Seconds on the left, peak memory on the right, a line a stage."""
    drawn = new_figure(11, 4.6, "Time and memory of the stages against the number of examples", CAPTION)
    *panels, beside = drawn.subplots(1, 3, width_ratios=[1, 1, 0.65])
    for axes, what, unit, label in zip(
        panels, ("seconds", "peak"), (1.0, 1e9), ("Seconds", "Peak memory (GB)"), strict=True
    ):
        everything = []
        for (name, of_sizes), line in zip(stages.items(), itertools.cycle(LINES)):
            points = sorted((int(size), found[what] / unit) for size, found in of_sizes.items())
            axes.plot(*zip(*points, strict=True), label=name, **line)
            everything += points
        (few, _), (many, _) = min(everything), max(everything)
        lowest, highest = (pick(value for _, value in everything) for pick in (min, max))
        for start in (lowest, highest * few / many):
            axes.plot([few, many], [start, start * many / few], color="0.8", linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlabel="Examples", ylabel=label)
        axes.set_ylim(lowest / 1.5, highest * 1.5)
    beside.set_axis_off()
    beside.legend(*panels[0].get_legend_handles_labels(), loc="center left", borderaxespad=0)
    return drawn
