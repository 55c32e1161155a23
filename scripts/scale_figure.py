"""The figure of how time and memory grow: what bench_scale.py measured, on logarithmic axes."""

from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from deeppose.report.style import new_figure, save_picture, styled

MARKERS = "osD^vP*X<>"
DASHES = ("-", "--", ":")
CAPTION = (
    "So many examples to train on and as many to test on; grey: in proportion to them. Lines are level for "
    "few examples, where what every run costs counts most."
)


def draw(stages: dict[str, dict[str, Any]], report: Path) -> None:
    save_picture(figure(stages), report.parent, report.stem)


@styled
def figure(stages: dict[str, dict[str, Any]]) -> Figure:
    """Seconds and peak memory, a line a stage, told apart by colour, marker and dashes."""
    plotted = new_figure(13, 5.2, "Time and memory of the stages against the number of examples", CAPTION)
    panels = plotted.subplots(1, 2)
    colours = colormaps["tab20"].colors[::2] + colormaps["Dark2"].colors
    sizes = {"linewidth": 1.5, "markersize": 5}
    looks = [
        {"color": colour, "marker": marker, "linestyle": dashes, **sizes}
        for colour, marker, dashes in zip(colours, cycle(MARKERS), cycle(DASHES), strict=False)
    ]
    axes_of = {("seconds", 1.0, "Seconds"): panels[0], ("peak", 1e9, "Peak memory (GB)"): panels[1]}
    for (what, unit, label), axes in axes_of.items():
        everything = []
        for (name, of_sizes), look in zip(stages.items(), cycle(looks), strict=False):
            points = sorted((int(size), found[what] / unit) for size, found in of_sizes.items())
            axes.plot(*zip(*points, strict=True), label=name, **look)
            everything += points
        (few, _), (many, _) = min(everything), max(everything)
        lowest, highest = (pick(value for _, value in everything) for pick in (min, max))
        for start in (lowest, highest * few / many):
            axes.plot([few, many], [start, start * many / few], color="0.8", linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlabel="Examples", ylabel=label)
        axes.set_ylim(lowest / 1.5, highest * 1.5)
    handles, names = panels[0].get_legend_handles_labels()
    plotted.legend(handles, names, loc="outside right center")
    return plotted
