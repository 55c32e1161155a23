"""Photos as people have them: any size, format and orientation, decoded with care."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeppose.core.errors import ImageError
from deeppose.core.images import Pixels

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


def read_photo(path: Path) -> Photo:
    """Decode a photo, the right way up, as its EXIF orientation says.

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
    return decode_photo(data, str(path))


def decode_photo(data: bytes, path: str) -> Photo:
    """As :func:`read_photo`, of a file's bytes; `path` is what errors call it."""
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
