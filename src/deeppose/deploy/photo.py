"""A trained cascade on a single photo."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from deeppose.boxes.faces import FaceDetector
from deeppose.boxes.initial_boxes import enlarged
from deeppose.cascade.prediction import Predictor, predict_stage
from deeppose.core.errors import GeometryError, ImageError
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import Floats, image_box
from deeppose.core.images import Pixels
from deeppose.core.predictors import stage_name
from deeppose.core.skeleton import Described, Skeleton, skeleton_from
from deeppose.networks.fused import merged
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import load_stage

BATCH = 64
MOST_PIXELS = {"JPEG": 64, "MPO": 64, "JPEG2000": 24, "AVIF": 24}
"""Of a photo by its format, in millions: with more, 1.2 GB are not enough for it, torch and the cascade."""
MOST_PIXELS_PROGRESSIVE, MOST_PIXELS_ELSE = 45, 32
"""Of a progressive JPEG, which is decoded by way of all its coefficients, and of other formats."""
MOST_BYTES = 100_000_000
SENSOR_BITS = 12
"""Cameras of so many bits leave the upper ones of 16 empty: such a picture would be black."""
HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")}


class Photo(NamedTuple):
    """A photo as decoded.

    Attributes
    ----------
    pixels
        `(height, width, 3)`, RGB.
    remarks
        What was done to it that not everybody expects, in words.
    """

    pixels: Pixels
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """Somebody in a photo.

    Attributes
    ----------
    box
        The initial box b⁰, `(4,)`.
    face
        The face that it was made of, `(4,)` as a box, and its score; None where no face was looked for.
    """

    box: Floats
    face: tuple[Floats, float] | None = None


@dataclass(frozen=True)
class Cascade:
    """The networks of all stages, with what came with their weights."""

    stages: tuple[tuple[Regressor, dict[str, Any]], ...]
    skeleton: Skeleton

    def people(self, photo: Pixels) -> list[Person]:
        """Who is in a photo, by the kind of initial box that the cascade was trained on (§4.1).

        The full image is one person; of faces each is one, enlarged as in training, the most confident
        first, and there may be none.

        Raises
        ------
        GeometryError
            If it was trained on boxes that labels give.

        Parameters
        ----------
        photo
            `(height, width, 3)`, RGB.
        """
        initial_box = self.stages[0][1]["initial_box"]
        if initial_box["kind"] == "annotation":
            raise GeometryError("the boxes that the model starts from are given: say by --box where it is")
        if initial_box["kind"] == "image":
            return [Person(image_box(photo.shape[1], photo.shape[0]))]
        (faces,) = FaceDetector(threads=1).detect([photo])
        return [
            Person(enlarged(face[:4], initial_box["scale"]), (face[:4], float(face[4]))) for face in faces
        ]

    def predict(self, photo: Pixels, box: Floats) -> dict[str, Floats]:
        """The pose after each stage.

        Parameters
        ----------
        photo
            `(height, width, 3)`, RGB.
        box
            The initial box b⁰, `(4,)`.

        Returns
        -------
        By stage ("stage 1") the pose, `(k, 2)` pixels.
        """
        height, width, _ = photo.shape
        table = pd.DataFrame([{"width": width, "height": height, **dict(zip(BOX_COLUMNS, box, strict=True))}])
        joints = len(self.skeleton.joints)
        example = Examples(table, np.zeros((1, joints, 2)), np.ones((1, joints), dtype=bool))
        row = np.zeros(1, dtype=np.int64)
        poses: dict[str, Floats] = {}
        pose: Floats | None = None
        for network, description in self.stages:
            average = self.skeleton.mirrored if description["average_mirrored"] else None
            predictor = Predictor(BATCH, 0, torch.device("cpu"), average)
            pose, _ = predict_stage(network, description, predictor, [photo], example, row, pose)
            poses[stage_name(description["stage"])] = pose[0]
        return poses


def load_cascade(weights: Sequence[Path], skeleton: Described | None = None) -> Cascade:
    """Load the weights of stages 1, 2, ….

    Parameters
    ----------
    skeleton
        What their joints must be of; None: that of stage 1.

    Raises
    ------
    WeightsError
        See :func:`deeppose.networks.weights.load_stage`.
    """
    stages = []
    for number, path in enumerate(weights, start=1):
        network, description = load_stage(path, number, skeleton)
        skeleton = description["skeleton"]
        stages.append((merged(network, torch.device("cpu")), description))
    return Cascade(tuple(stages), skeleton_from(stages[0][1]["skeleton"]))


def read_photo(path: Path) -> Photo:
    """Decode a photo, the right way up.

    Raises
    ------
    ImageError
        If it is missing, can't be decoded, or is so large that it would take gigabytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise ImageError(f"{path} has more than {MOST_BYTES // 10**6} MB: save it as JPEG, or smaller")
    undecoded = f"{path} is no image that can be decoded ({len(data)} bytes)"
    if data[4:12] in HEIC:
        raise ImageError(f"{undecoded}: it is HEIC, save it as JPEG or PNG")
    try:
        (width, height), most, several = _measured(data)
    except Exception as error:  # what Pillow stumbles over, whatever that may be
        raise ImageError(undecoded) from error
    if width * height > most * 1e6:
        raise ImageError(
            f"{path} is {width}×{height} pixels, more than {most} million of its format: save it smaller"
        )
    remarks = [f"{path} holds several pictures: the first is taken"] if several else []
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(undecoded)
    del data
    if pixels.dtype == np.uint16:
        bits = max(int(pixels.max()).bit_length(), 8)
        if bits > SENSOR_BITS:
            bits = 16
        else:
            remarks.append(f"{path} uses {bits} of 16 bits: the brightest that they hold is taken for white")
        pixels >>= bits - 8
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ImageError(f"{path} holds {pixels.dtype}, not 8 or 16 bits a colour: save it as JPEG or PNG")
    # In place, and by hand: OpenCV's IMREAD_COLOR_RGB spoils 16 bits of a TIFF.
    blue = pixels[..., 0].copy()
    pixels[..., 0] = pixels[..., 2]
    pixels[..., 2] = blue
    return Photo(pixels, tuple(remarks))


def _measured(data: bytes) -> tuple[tuple[int, int], int, bool]:
    """Width and height, how many millions of pixels it may have, whether other pictures follow; undecoded."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(io.BytesIO(data)) as image:
            # Beside a telephone's JPEG lie previews of it.
            several = getattr(image, "is_animated", False) and image.format != "MPO"
            most = MOST_PIXELS.get(image.format or "", MOST_PIXELS_ELSE)
            if "progressive" in image.info:
                most = min(most, MOST_PIXELS_PROGRESSIVE)
            size = image.size
            if image.format == "PNG":
                # Else libpng says for itself what is damaged.
                image.verify()
    finally:
        Image.MAX_IMAGE_PIXELS = before
    return size, most, several
