"""Give each example its initial box: the full image, or the enlarged face."""

from typing import Any

import pandas as pd

from common import Item, run
from deeppose.boxes.initial_boxes import face_boxes, fix_scaler, image_boxes
from deeppose.core.examples import BOX_COLUMNS
from deeppose.core.files import atomic_path, write_json, write_text


def main(item: Item, _: int) -> None:
    halves = (item.train, item.test)
    examples = [half.read_annotations() for half in halves]
    rule: dict[str, object] = {"kind": "image"}
    curve = ""
    report: dict[str, Any] = {}
    if item.model.initial_box == "face" and item.model.face is not None:
        faces = [pd.read_parquet(half.faces) for half in halves]
        scaler = fix_scaler(examples[0], faces[0], item.model.face, item.profile.joints_in_box)
        made = [
            face_boxes(of_half, found, item.model.face, scaler.scale)
            for of_half, found in zip(examples, faces, strict=True)
        ]
        rule = {"kind": "face", "scale": scaler.scale}
        curve = scaler.containment.to_csv(index=False, float_format="%.6g")
        report = {"scale": scaler.scale, "share_contained": scaler.share_contained}
    else:
        made = [image_boxes(of_half) for of_half in examples]
    for half, boxes in zip(halves, made, strict=True):
        with atomic_path(half.initial_boxes) as temporary:
            table = pd.DataFrame(boxes.boxes, columns=BOX_COLUMNS).assign(chosen=boxes.chosen)
            table.to_parquet(temporary, index=False)
    of_train, of_test = (boxes.counts for boxes in made)
    report |= {what: of_train[what] | of_test[what] for what in of_train}
    write_json(item.initial_box_rule, rule)
    write_text(item.containment, curve)
    write_json(item.initial_boxes_report, report)


if __name__ == "__main__":
    run(main)
