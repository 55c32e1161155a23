"""The figures of a model that show photographs: poses on test images, and initial boxes.

They are apart from the others because the photographs of the published sets are not handed on: all else can
be made again without them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from deeppose.core.examples import Examples
from deeppose.core.files import read_json, read_parquet, sha256, write_json
from deeppose.core.images import Images
from deeppose.core.paths import Item
from deeppose.core.pose_files import read_poses
from deeppose.report.captions import Source, read_source
from deeppose.report.catalogue import INITIAL_BOXES, Entry, SetCatalogue, catalogue_of
from deeppose.report.figures.faces import boxes_figure, choose_box_examples
from deeppose.report.figures.poses import choose_examples, stages_sheet, stick_sheet
from deeppose.report.style import picture_size, save_picture

ROWS_OF_STAGES_SHEET = 3
IMAGES_OF_STICK_SHEET = 24


def plot_photos(item: Item) -> None:
    """Make every figure of the catalogue that shows photographs, and note what is known of each file."""
    examples = item.test.read_annotations()
    source, images = read_source(item), Images(item.test.images, examples.table)
    folder = item.reports / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    sets = examples.sets("test")
    for shown in map(catalogue_of, sets):
        for entry in shown.entries:
            if entry.folder != folder.name:
                continue
            if reason := source.why_left_out(shown, entry):
                print(reason)
            else:
                _plot_poses(source, images, examples, shown, entry)
    if item.model.initial_box == "face" and sets:
        _plot_initial_boxes(item, images)
    write_json(item.photographed, {path.name: _known(path) for path in sorted(folder.iterdir())})


def _known(path: Path) -> dict[str, Any]:
    """What the profile's report must know of a picture that may not be there when the report is made."""
    known: dict[str, Any] = {"sha256": sha256(path)}
    if path.suffix == ".png":
        known["width"], known["height"] = picture_size(path)
    return known


def _plot_poses(
    source: Source, images: Images, examples: Examples, shown: SetCatalogue, entry: Entry
) -> None:
    """Poses by stage, or those of the last stage as stick figures, on images that a rule chooses."""
    item, last, title = source.item, source.item.stage_names[-1], source.title(shown)
    by_stage, worst = entry.kind == "poses by stage", entry.kind == "worst poses"
    count = ROWS_OF_STAGES_SHEET if by_stage else IMAGES_OF_STICK_SHEET
    choice = choose_examples(source.evaluation.joints, shown.name, last, count, worst=worst)
    chosen, rows = list(choice.examples), examples.rows("test", shown.name)
    pictures = [images[row] for row in rows[chosen]]
    truth = examples.poses[rows[chosen]]
    poses = {
        stage: read_poses(item.test_prediction(shown.name, stage), len(rows), item.skeleton)[0][chosen]
        for stage in (item.stage_names if by_stage else [last])
    }
    if by_stage:
        title = entry.titled(f"poses on {title} after each stage")
        figure = stages_sheet(pictures, truth, poses, item.skeleton, choice, title, cut=shown.scenes)
    else:
        what = "The worst tenth on" if worst else "poses on"
        title = entry.titled(f"{what} {title} after {last}")
        choice = replace(choice, rule=f"{choice.rule} {source.whose_left(shown)}")
        figure = stick_sheet(pictures, truth, poses[last], item.skeleton, choice, title, cut=shown.scenes)
    save_picture(figure, item.reports / entry.folder, entry.file)


def _plot_initial_boxes(item: Item, images: Images) -> None:
    examples, faces = item.test.read_examples(), read_parquet(item.test.faces)
    chosen = read_parquet(item.test.initial_boxes)["chosen"]
    offsets = examples.table["offset"].to_numpy()
    choice = choose_box_examples(examples.rows("test"), offsets, faces, list(chosen))
    scale = read_json(item.initial_boxes_report)["scale"]
    title = "Initial boxes from faces, test images"
    figure = boxes_figure(images, examples, faces, choice, scale, title)
    save_picture(figure, item.reports / INITIAL_BOXES.folder, INITIAL_BOXES.file)
