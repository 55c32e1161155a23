"""All images of a model in one flat file of RGB bytes, read by memory map."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import ImageError
from deeppose.core.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

Pixels = NDArray[np.uint8]


class ImageSource(Protocol):
    """Whatever gives images by number: :class:`Images`, or a list of them."""

    def __getitem__(self, row: int, /) -> Pixels:
        """Image `(height, width, 3)`, RGB."""


class Placed(NamedTuple):
    """Where an image lies in the file, and its size in pixels."""

    offset: int
    width: int
    height: int


def write_images(path: Path, images: Iterable[Pixels]) -> list[Placed]:
    """Write images, each `(height, width, 3)` RGB, one after the other; say where each lies."""
    places = []
    offset = 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for image in images:
            height, width, _ = image.shape
            file.write(image.tobytes())
            places.append(Placed(offset, width, height))
            offset += image.size
    return places


class Images:
    """The images of a table of examples, by row; pixels are read from disk when they are touched."""

    def __init__(self, path: Path, examples: "pd.DataFrame") -> None:
        """Open the file.

        Parameters
        ----------
        examples
            With columns `offset`, `width`, `height`, as :func:`write_images` gave them.

        Raises
        ------
        ImageError
            If the file is missing or shorter than the table says, or the table says what can't be.
        """
        self.offsets = examples["offset"].to_numpy(np.int64)
        self.widths = examples["width"].to_numpy(np.int64)
        self.heights = examples["height"].to_numpy(np.int64)
        needed = int((self.offsets + self.widths * self.heights * 3).max(initial=0))
        size = path.stat().st_size if path.is_file() else 0
        if needed > size:
            raise ImageError(
                f"{path} has {size} bytes, its table needs {needed}: remove it and run `dvc repro` again"
            )
        if min(column.min(initial=0) for column in (self.offsets, self.widths, self.heights)) < 0:
            raise ImageError(
                f"the table of {path} has images at negative places: remove it and run `dvc repro`"
            )
        # A file of no images is empty, and can't be mapped.
        self._pixels: Pixels = np.memmap(path, dtype=np.uint8, mode="r") if size else np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, row: int) -> Pixels:
        """The image of one example, `(height, width, 3)` RGB."""
        height, width = int(self.heights[row]), int(self.widths[row])
        start = int(self.offsets[row])
        return self._pixels[start : start + height * width * 3].reshape(height, width, 3)
