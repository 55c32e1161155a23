"""Read the sets of a model, pack their images into one file, table the examples, report what was found.

Training images, held-out ones among them, and test images lie apart, so that a test set that is added later
trains nothing again.
"""

from run import run

from pathlib import Path

from deeppose.core.paths import Item
from deeppose.data.annotate import annotate_model


def outputs(item: Item, _: int) -> list[Path]:
    folders = [item.train.folder, item.test.folder]
    return [*folders, item.mean_colour, item.viewpoints, item.annotations_report]


def main(item: Item, _: int) -> None:
    annotate_model(item)


if __name__ == "__main__":
    run(main, outputs)
