"""Make the initial box of every example: the full image, or the person's face, enlarged."""

import pandas as pd

from common import Item, run
from deeppose.examples import BOX_COLUMNS
from deeppose.files import atomic_path, write_json, write_text
from deeppose.initial_boxes import face_boxes, image_boxes


def main(item: Item, _: int) -> None:
    examples = item.read_annotations()
    if item.model.initial_box == "face" and item.model.face is not None:
        faces = pd.read_parquet(item.faces)
        made = face_boxes(examples, faces, item.model.face, item.profile.joints_in_box)
    else:
        made = image_boxes(examples)
    boxes = pd.DataFrame(made.boxes, columns=BOX_COLUMNS).assign(chosen=made.chosen)
    with atomic_path(item.initial_boxes) as temporary:
        boxes.to_parquet(temporary, index=False)
    curve = "" if made.containment is None else made.containment.to_csv(index=False, float_format="%.6g")
    write_text(item.containment, curve)
    write_json(item.initial_boxes_report, made.report)


if __name__ == "__main__":
    run(main)
