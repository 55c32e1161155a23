"""Find the faces in the images of a model whose initial boxes are made of them."""

import os

from common import Item, run
from deeppose.core.files import atomic_path, write_text

# Each has a network and its memory.
MOST_THREADS = 16


def main(item: Item, _: int) -> None:
    if item.model.initial_box == "image":
        print(f"initial_box of {item.model_name} is the image: no faces are looked for")
        for half in (item.train, item.test):
            write_text(half.faces, "")
        return
    from deeppose.boxes.faces import FaceDetector, faces_table
    from deeppose.core.images import Images

    detector = FaceDetector(threads=min(os.cpu_count() or 1, MOST_THREADS))
    for half in (item.train, item.test):
        table = half.read_annotations().table
        pixels = Images(half.images, table.drop_duplicates("offset").sort_values("offset"))
        found = detector.detect((pixels[row] for row in range(len(pixels))), len(pixels))
        with atomic_path(half.faces) as temporary:
            faces_table(pixels.offsets, found).to_parquet(temporary, index=False)


if __name__ == "__main__":
    run(main)
