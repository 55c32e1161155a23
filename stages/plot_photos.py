"""Plot the figures of a model that show photographs: poses on test images, and initial boxes.

They are apart from the others because the photographs of the published sets are not handed on.
"""

from run import run

from pathlib import Path

from deeppose.core.paths import Item
from deeppose.report.photos import plot_photos


def outputs(item: Item, _: int) -> list[Path]:
    return [item.photographed, item.reports / "photos"]


def main(item: Item, _: int) -> None:
    plot_photos(item)


if __name__ == "__main__":
    run(main, outputs)
