"""N(x; b): the part of an image that a box covers, at the network's input size (§3)."""

import cv2
import numpy as np

from deeppose.core.geometry import Floats
from deeppose.core.images import Pixels


def crop(
    image: Pixels,
    box: Floats,
    size: int,
    padding: tuple[int, int, int],
    *,
    mirrored: bool = False,
    angle: float = 0.0,
) -> Pixels:
    """Cut `box` out of `image` and bring it to `size` × `size`.

    The box's full width and height are mapped to the square, so a box that is no square changes its
    aspect. Where the crop shrinks the image it is averaged over the pixels it covers, so nothing aliases.

    Parameters
    ----------
    image
        `(height, width, 3)` uint8.
    box
        `(4,)`, centre x, centre y, width, height in pixels; it may reach beyond the image.
    padding
        The colour of what lies outside the image.
    mirrored
        Swap left and right of the crop, after all else.
    angle
        By how much the box is turned about its centre, radians, from the x axis towards the y axis.

    Returns
    -------
    `(size, size, 3)` uint8.
    """
    centre_x, centre_y, width, height = (float(value) for value in box)
    left, top = centre_x - width / 2, centre_y - height / 2
    # One output pixel of margin, so that interpolation at the crop's edge still sees the image.
    margin_x, margin_y = width / size + 1, height / size + 1
    if angle:
        along, across = abs(np.cos(angle)), abs(np.sin(angle))
        margin_x += (along * width + across * height - width) / 2
        margin_y += (across * width + along * height - height) / 2
    x0 = max(0, int(np.floor(left - margin_x)))
    y0 = max(0, int(np.floor(top - margin_y)))
    x1 = min(image.shape[1], int(np.ceil(left + width + margin_x)) + 1)
    y1 = min(image.shape[0], int(np.ceil(top + height + margin_y)) + 1)
    if x0 >= x1 or y0 >= y1:
        return np.full((size, size, 3), padding, dtype=np.uint8)
    region: Pixels = np.ascontiguousarray(image[y0:y1, x0:x1])

    # warpAffine samples single points: shrink by area first, to about the crop's own resolution.
    columns = min(x1 - x0, max(1, round((x1 - x0) * size / width)))
    rows = min(y1 - y0, max(1, round((y1 - y0) * size / height)))
    if columns < x1 - x0 or rows < y1 - y0:
        shrunk = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_AREA)
        region = shrunk.astype(np.uint8, copy=False)
    scale_x, scale_y = columns / (x1 - x0), rows / (y1 - y0)

    # From the crop's pixel u to the shrunk region's: (left + (u + ½)·width/size − x0)·scale − ½.
    step_x, step_y = width / size * scale_x, height / size * scale_y
    first_x = (left + 0.5 - x0) * scale_x + 0.5 * step_x - 0.5
    first_y = (top + 0.5 - y0) * scale_y + 0.5 * step_y - 0.5
    if mirrored:
        first_x, step_x = first_x + (size - 1) * step_x, -step_x
    inverse = [[step_x, 0.0, first_x], [0.0, step_y, first_y]]
    if angle:
        # A turn in the image about the box's centre follows, in the region one between axes that may be
        # scaled differently. Written out, since BLAS makes products of matrices, whose last bits hang on the
        # processor.
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        middle_x, middle_y = (centre_x + 0.5 - x0) * scale_x - 0.5, (centre_y + 0.5 - y0) * scale_y - 0.5
        away_x, away_y = first_x - middle_x, first_y - middle_y
        x_of_y, y_of_x = -sin * scale_x / scale_y, sin * scale_y / scale_x
        inverse = [
            [cos * step_x, x_of_y * step_y, middle_x + cos * away_x + x_of_y * away_y],
            [y_of_x * step_x, cos * step_y, middle_y + y_of_x * away_x + cos * away_y],
        ]
    result = cv2.warpAffine(
        region,
        np.array(inverse),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=padding,
    )
    return result.astype(np.uint8, copy=False)
