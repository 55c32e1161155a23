"""Write the tables and plot the figures of a model from its evaluation, training logs and displacements.

Figures that show photographs are another stage's. Writes tables as CSV, Markdown and LaTeX, figures as PNG
and SVG with their curves as CSV, and the checksum of each file.
"""

from run import run

from pathlib import Path

from deeppose.core.paths import Item
from deeppose.report.plots import plot


def outputs(item: Item, _: int) -> list[Path]:
    return [item.plotted, item.reports / "tables", item.reports / "figures"]


def main(item: Item, _: int) -> None:
    plot(item)


if __name__ == "__main__":
    run(main, outputs)
