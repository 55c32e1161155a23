"""Find the faces that initial boxes are made of (§4.1); where b⁰ is the full image there are none to find."""

from run import run

from pathlib import Path

from deeppose.boxes.faces import detect_faces
from deeppose.core.files import leave_empty, write_parquet
from deeppose.core.paths import Item


def outputs(item: Item, _: int) -> list[Path]:
    return [item.train.faces, item.test.faces]


def main(item: Item, stage: int) -> None:
    if item.model.initial_box != "face":
        why = f"initial_box of {item.model_name} is the {item.model.initial_box}: no faces are looked for"
        leave_empty(outputs(item, stage), why)
        return
    for half in (item.train, item.test):
        write_parquet(half.faces, detect_faces(half.images, half.read_annotations()))


if __name__ == "__main__":
    run(main, outputs)
