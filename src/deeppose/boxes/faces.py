"""Tables of the faces in a model's images."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from deeppose.boxes.face_detector import FaceDetector
from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Floats
from deeppose.core.images import Images

FACE_COLUMNS = ["x", "y", "width", "height"]
MOST_THREADS = 16
"""Each has a network and its memory."""


def detect_faces(images: Path, examples: Examples) -> pd.DataFrame:
    """The faces of all images that examples are of, as of :func:`faces_table`; each image once."""
    pixels = Images(images, examples.table.drop_duplicates("offset").sort_values("offset"))
    detector = FaceDetector(threads=min(os.cpu_count() or 1, MOST_THREADS))
    found = detector.detect((pixels[row] for row in range(len(pixels))), len(pixels))
    return faces_table(pixels.offsets, found)


def faces_table(offsets: Indices, found: Sequence[Floats]) -> pd.DataFrame:
    """One row a face, in the order of the images and then of :meth:`FaceDetector.detect`.

    Parameters
    ----------
    offsets
        For each image where it lies in the file of images, `(n,)`, rising.
    found
        For each image its faces, `(faces, 5)`.

    Returns
    -------
    Columns `offset`, `x`, `y` (centre), `width`, `height` (pixels), `score`.
    """
    flat = np.concatenate([np.empty((0, 5)), *found])
    table = pd.DataFrame(flat, columns=[*FACE_COLUMNS, "score"])
    table.insert(0, "offset", np.repeat(offsets, [len(faces) for faces in found]))
    return table
