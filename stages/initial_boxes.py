"""Give each example its initial box b⁰: the full image, or a face enlarged by one fixed scaler (§4.1)."""

from run import run

from pathlib import Path

from deeppose.boxes.faces import FACE_COLUMNS
from deeppose.boxes.initial_boxes import assign_boxes
from deeppose.core.files import read_parquet, write_json, write_parquet, write_text
from deeppose.core.paths import Item


def outputs(item: Item, _: int) -> list[Path]:
    boxes = [item.train.initial_boxes, item.test.initial_boxes]
    return [*boxes, item.initial_box_rule, item.containment, item.initial_boxes_report]


def main(item: Item, _: int) -> None:
    halves, faces = (item.train, item.test), []
    if item.model.initial_box == "face":
        faces = [read_parquet(half.faces, ["offset", *FACE_COLUMNS, "score"]) for half in halves]
    examples = [half.read_annotations() for half in halves]
    made, rule, report, curve = assign_boxes(
        examples,
        faces,
        item.model.face,
        item.profile.joints_in_box,
        tight=item.profile.tight_boxes,
        recrops=item.profile.recrops.get(item.model_name, 0),
        annotated=item.model.initial_box == "annotation",
    )
    for half, boxes in zip(halves, made, strict=True):
        write_parquet(half.initial_boxes, boxes)
    write_text(item.containment, "" if curve is None else curve.to_csv(index=False, float_format="%.6g"))
    write_json(item.initial_box_rule, rule)
    write_json(item.initial_boxes_report, report)


if __name__ == "__main__":
    run(main, outputs)
