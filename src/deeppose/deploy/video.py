"""Videos, by OpenCV's own reader and writer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from deeppose.core.errors import ImageError, OutputError
from deeppose.core.files import atomic_path
from deeppose.core.images import Pixels

# Read when the first video is opened. What is wrong with a video is said by who asks for its frames.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

FRAME_RATE = 25.0
"""Frames a second of a video that doesn't say."""


class Video:
    """A video to read.

    Attributes
    ----------
    frames
        How many it says it has; 0 if it doesn't.
    rate
        Frames a second.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises
        ------
        ImageError
            If it is missing or can't be decoded.
        """
        if not path.is_file():
            raise ImageError(f"{path} is not there, or no file")
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._path, self._video = path, cv2.VideoCapture(str(path))
        self.frames = max(0, int(self._video.get(cv2.CAP_PROP_FRAME_COUNT)))
        rate: float = self._video.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else FRAME_RATE

    def __iter__(self) -> Iterator[Pixels]:
        """The frames, each `(height, width, 3)`, RGB.

        Raises
        ------
        ImageError
            If there is none.
        """
        read, frame = self._video.read()
        if not read:
            raise ImageError(f"{self._path} is no video that can be decoded")
        while read:
            yield np.ascontiguousarray(frame[..., ::-1])
            read, frame = self._video.read()
        self._video.release()


class VideoWriter:
    """Writes pictures of one size as MPEG-4."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: Pixels) -> None:
        """Append a picture `(h, w, 3)`, RGB; a last row or column that makes a side odd is left out."""
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), code, self._rate, (width, height))
            if not self._writer.isOpened():
                raise OutputError(f"OpenCV writes no video of {width}×{height} pixels here: draw without -o")
        self._writer.write(np.ascontiguousarray(picture[:height, :width, ::-1]))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def new_video(path: Path, rate: float) -> Iterator[VideoWriter]:
    """Write a video: at `path` is the whole of it, or what was there before."""
    with atomic_path(path) as temporary:
        # OpenCV tells the container by the name; what a kill leaves is found by the folder's.
        temporary.mkdir()
        unfinished, whole = temporary / "video.mp4", temporary.with_suffix(".whole")
        writer = VideoWriter(unfinished, rate)
        try:
            yield writer
        finally:
            writer.close()
        unfinished.replace(whole)
        temporary.rmdir()
        whole.replace(temporary)
