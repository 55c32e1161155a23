"""Draw the figures of a model that show photographs: poses on test images, and initial boxes.

They are apart from the others because the photographs of the published sets are not handed on: all else can
be drawn again without them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from captions import left_out_for, stages_of, title_of, whose_left
from deeppose.core.examples import Examples
from deeppose.core.files import read_json, sha256, write_json
from deeppose.core.geometry import Floats
from deeppose.core.images import Images
from deeppose.core.paths import Item
from deeppose.core.pose_files import read_poses
from deeppose.report.catalogue import INITIAL_BOXES, Exhibit, Kind, SetExhibits, exhibits_of, picture_size
from deeppose.report.figures.faces import boxes_figure, choose_box_examples
from deeppose.report.figures.poses import Choice, choose_examples, choose_worst, stages_sheet, stick_sheet
from deeppose.report.style import save_photos
from run import run

ROWS_OF_STAGES_SHEET = 3
IMAGES_OF_STICK_SHEET = 24


@dataclass(frozen=True)
class Photographed:
    """What is drawn from: the test images with their true poses, errors of joints, each set's labels."""

    images: Images
    examples: Examples
    joints: pd.DataFrame
    labels: dict[str, str]


def outputs(item: Item, _: int) -> list[Path]:
    return [item.photographed, item.reports / "photos"]


def main(item: Item, _: int) -> None:
    examples = item.test.read_annotations()
    annotations = read_json(item.reports / "annotations.json")["sets"]
    photographed = Photographed(
        images=Images(item.test.images, examples.table),
        examples=examples,
        joints=pd.read_parquet(item.evaluation / "joint-errors.parquet"),
        labels={name: found["labels"] for name, found in annotations.items()},
    )
    folder = item.reports / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    sets = examples.sets("test")
    for name in sets:
        of_this_set = exhibits_of(name)
        for exhibit in of_this_set.exhibits:
            if exhibit.folder != folder.name:
                continue
            if reason := left_out_for(photographed.joints, of_this_set, exhibit):
                print(reason)
            else:
                DRAW[exhibit.kind](item, photographed, of_this_set, exhibit)
    if item.model.initial_box == "face" and sets:
        draw_initial_boxes(item, photographed)
    write_json(item.photographed, {path.name: about(path) for path in sorted(folder.iterdir())})


def about(path: Path) -> dict[str, Any]:
    """What the profile's report must know of a picture that may not be there when the report is made."""
    known: dict[str, Any] = {"sha256": sha256(path)}
    if path.suffix == ".png":
        known["width"], known["height"] = picture_size(path)
    return known


def draw_poses_by_stage(item: Item, photographed: Photographed, shown: SetExhibits, exhibit: Exhibit) -> None:
    stages = stages_of(item)
    choice = choose_examples(photographed.joints, shown.name, stages[-1], ROWS_OF_STAGES_SHEET)
    chosen = list(choice.examples)
    rows = photographed.examples.rows("test", shown.name)
    figure = stages_sheet(
        [photographed.images[row] for row in rows[chosen]],
        photographed.examples.poses[rows[chosen]],
        {name: predicted(item, shown.name, name, len(rows))[chosen] for name in stages},
        item.skeleton,
        choice,
        exhibit.titled(f"poses on {title_of(item, shown)} after each stage"),
        cut=shown.scenes,
    )
    save_photos(figure, item.reports / exhibit.folder, exhibit.file)


def draw_sticks(item: Item, photographed: Photographed, shown: SetExhibits, exhibit: Exhibit) -> None:
    last = stages_of(item)[-1]
    choice = choose_examples(photographed.joints, shown.name, last, IMAGES_OF_STICK_SHEET)
    draw_sheet(item, photographed, shown, exhibit, choice, "poses on")


def draw_sheet(
    item: Item,
    photographed: Photographed,
    shown: SetExhibits,
    exhibit: Exhibit,
    choice: Choice,
    what: str,
) -> None:
    """The chosen images with the poses of the last stage."""
    last = stages_of(item)[-1]
    choice = replace(choice, rule=f"{choice.rule} {whose_left(photographed.labels[shown.name])}")
    chosen = list(choice.examples)
    rows = photographed.examples.rows("test", shown.name)
    figure = stick_sheet(
        [photographed.images[row] for row in rows[chosen]],
        photographed.examples.poses[rows[chosen]],
        predicted(item, shown.name, last, len(rows))[chosen],
        item.skeleton,
        choice,
        exhibit.titled(f"{what} {title_of(item, shown)} after {last}"),
        cut=shown.scenes,
    )
    save_photos(figure, item.reports / exhibit.folder, exhibit.file)


def draw_worst(item: Item, photographed: Photographed, shown: SetExhibits, exhibit: Exhibit) -> None:
    last = stages_of(item)[-1]
    choice = choose_worst(photographed.joints, shown.name, last, IMAGES_OF_STICK_SHEET)
    draw_sheet(item, photographed, shown, exhibit, choice, "The worst tenth on")


DRAW: dict[Kind, Callable[[Item, Photographed, SetExhibits, Exhibit], None]] = {
    "poses after each stage": draw_poses_by_stage,
    "stick figures": draw_sticks,
    "worst poses": draw_worst,
}


def predicted(item: Item, set_name: str, stage: str, count: int) -> Floats:
    """What a stage ("stage 2") predicted on a test set, `(count, k, 2)` pixels."""
    path = item.test_predictions / f"{set_name}-{stage.replace(' ', '')}.parquet"
    return read_poses(path, count, item.skeleton)


def draw_initial_boxes(item: Item, photographed: Photographed) -> None:
    """The faces that initial boxes are made of, and the boxes, on test images."""
    examples, faces = item.test.read_examples(), pd.read_parquet(item.test.faces)
    chosen = pd.read_parquet(item.test.initial_boxes)["chosen"]
    offsets = examples.table["offset"].to_numpy()
    choice = choose_box_examples(examples.rows("test"), offsets, faces, list(chosen))
    scale = read_json(item.initial_boxes_report)["scale"]
    title = "Initial boxes from faces, test images"
    figure = boxes_figure(photographed.images, examples, faces, choice, scale, title)
    save_photos(figure, item.reports / INITIAL_BOXES.folder, INITIAL_BOXES.file)


if __name__ == "__main__":
    run(main, outputs)
