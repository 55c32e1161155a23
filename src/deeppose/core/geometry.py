"""Boxes, diameters and the normalisation of poses (§3, Eq. 1).

Coordinates are image pixels, x then y; x = 0 is the centre of the first column. A box is an array of
four numbers, centre x, centre y, width, height, in pixels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import GeometryError
from deeppose.core.skeleton import Skeleton

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SMALLEST_DIAMETER = 1.0
"""Pixels; a pose that has shrunk to a point has none."""


def image_box(width: int | NDArray[np.int64], height: int | NDArray[np.int64]) -> Floats:
    """The box of a whole image, `(4,)`, or of several, `(n, 4)`.

    It reaches half a pixel beyond the outer pixels' centres.
    """
    sides = np.stack([width, height], axis=-1).astype(np.float64)
    return np.concatenate([(sides - 1) / 2, sides], axis=-1)


def centred(boxes: Floats) -> Floats:
    """Boxes `(..., 4)` of first column, first row, width, height as ours, which begin with the centre."""
    return np.concatenate([boxes[..., :2] + (boxes[..., 2:] - 1) / 2, boxes[..., 2:]], axis=-1)


def from_first_column(boxes: Floats) -> Floats:
    """The inverse of :func:`centred`."""
    return np.concatenate([boxes[..., :2] - (boxes[..., 2:] - 1) / 2, boxes[..., 2:]], axis=-1)


def normalise(points: Floats, boxes: Floats) -> Floats:
    """N(y; b), Eq. 1: points in pixels, `(..., 2)`, relative to boxes `(..., 4)`.

    Inside its box a point has both coordinates in [-1/2, 1/2]. Shapes broadcast over the leading axes.

    Raises
    ------
    GeometryError
        If a box has no area.
    """
    return (points - boxes[..., :2]) / _sides(boxes)


def denormalise(points: Floats, boxes: Floats) -> Floats:
    """N⁻¹(y; b), the inverse of :func:`normalise`: back to image pixels."""
    return points * _sides(boxes) + boxes[..., :2]


def _sides(boxes: Floats) -> Floats:
    sides = boxes[..., 2:]
    bad = ~(sides > 0).all(axis=-1)
    if bad.any():
        first = boxes[bad][0] if boxes.ndim > 1 else boxes
        raise GeometryError(f"a box without area: centre x, centre y, width, height = {first.tolist()}")
    return sides


def diameter(poses: Floats, labelled: Bools, skeleton: Skeleton) -> Floats:
    """diam(y), §4.1: the distance between a shoulder and the hip of the opposing side.

    Parameters
    ----------
    poses
        `(n, k, 2)`, pixels.
    labelled
        `(n, k)`; the first of the skeleton's pairs is used whose joints are both labelled and apart.

    Returns
    -------
    `(n,)` pixels; NaN where there is no such pair.
    """
    result = np.full(len(poses), np.nan)
    for start, end in reversed(skeleton.diameter):
        usable = labelled[:, start] & labelled[:, end]
        distance = np.linalg.norm(poses[:, start] - poses[:, end], axis=-1)
        result = np.where(usable & (distance > 0), distance, result)
    return result


def joint_box_sides(
    diameters: Floats, boxes: Floats, sigma: float, smallest_share: float
) -> tuple[Floats, Bools]:
    """Sides σ·diam(y) of the joint boxes, §3.2, never under `smallest_share` of the shorter side of b⁰.

    Parameters
    ----------
    diameters
        `(n,)` pixels; NaN counts as 0, so that the smallest side is taken.
    boxes
        Initial boxes b⁰, `(n, 4)`.

    Returns
    -------
    sides
        `(n,)` pixels.
    clamped
        `(n,)`, where the smallest side was taken.
    """
    wanted = sigma * np.nan_to_num(diameters, nan=0.0)
    smallest = smallest_share * boxes[:, 2:].min(axis=-1)
    return np.maximum(wanted, smallest), wanted < smallest


def joint_boxes(
    previous: Floats, boxes: Floats, skeleton: Skeleton, sigma: float, smallest_share: float
) -> tuple[Floats, Floats, int]:
    """The boxes b_i^(s−1) of a stage s ≥ 2: square, about the joints of the previous pose (Eq. 6, 7).

    Parameters
    ----------
    previous
        `(n, k, 2)` pixels.
    boxes, sigma, smallest_share
        See :func:`joint_box_sides`, with the previous pose's own diameter.

    Returns
    -------
    boxes
        `(n·k, 4)`, joint after joint of each pose.
    sides
        `(n,)` pixels.
    clamped
        How many poses were so small that their boxes had to take the smallest side.
    """
    count, joints = previous.shape[:2]
    diameters = diameter(previous, np.ones((count, joints), dtype=bool), skeleton)
    sides, clamped = joint_box_sides(diameters, boxes, sigma, smallest_share)
    squares = square_boxes(previous, np.repeat(sides[:, None], joints, axis=1))
    return squares.reshape(-1, 4), sides, int(clamped.sum())


def refined(previous: Floats, sides: Floats, outputs: Floats, shrinkage: float = 1.0) -> Floats:
    """y_i^s = y_i^(s−1) + side · ψ_i(N(x; b_i^(s−1)); θ_s) (Eq. 6): poses `(n, k, 2)`, pixels.

    With `shrinkage`, as in boosting, joints are moved by that share of the displacement.

    Parameters
    ----------
    previous, sides
        As of :func:`joint_boxes`.
    outputs
        ψ of those boxes' crops, `(n·k, k, 2)`; only the i-th is read from joint i's crop.
    """
    return previous + of_own_joint(outputs, len(previous)) * (shrinkage * sides)[:, None, None]


def of_own_joint(outputs: Floats, count: int) -> Floats:
    """From what a network says of all joints `(n·k, k, …)` that of each crop's own, `(n, k, …)`."""
    joint = np.tile(np.arange(outputs.shape[1]), count)
    own: Floats = outputs[np.arange(len(outputs)), joint]
    return own.reshape(count, outputs.shape[1], *outputs.shape[2:])


class Estimate(NamedTuple):
    """Poses after a stage.

    Attributes
    ----------
    poses
        `(n, k, 2)` pixels.
    spreads
        `(n, k)`, the standard deviation of each joint's place on its map, in diameters of the pose; NaN of
        networks without maps.
    """

    poses: Floats
    spreads: Floats

    def chosen(self, which: list[int]) -> "Estimate":
        """Those of some of the poses."""
        return Estimate(self.poses[which], self.spreads[which])


def estimate_of(poses: Floats, variances: Floats, skeleton: Skeleton) -> Estimate:
    """Poses, and the spreads that follow from the variances of their joints' places, pixels squared.

    Both are `(n, k, 2)`; variances are NaN of networks without maps.
    """
    diameters = diameter(poses, np.ones(poses.shape[:2], dtype=bool), skeleton)
    diameters = np.maximum(np.nan_to_num(diameters), SMALLEST_DIAMETER)
    return Estimate(poses, np.sqrt(variances.sum(axis=-1)) / diameters[:, None])


def pose_boxes(poses: Floats, margin: float, images: Floats) -> Floats:
    """Boxes about poses `(n, k, 2)`, with `margin` of their longer side around, cut at the image's edges.

    Parameters
    ----------
    images
        The boxes of the whole images, `(n, 4)` or `(4,)`.

    Returns
    -------
    `(n, 4)`, of whole pixels: so a pose's last digits don't change the crop.
    """
    low, high = poses.min(axis=1), poses.max(axis=1)
    beyond = margin * (high - low).max(axis=1, keepdims=True)
    first, last = (images[..., :2] + images[..., 2:] * side for side in (-0.5, 0.5))
    low = np.clip(np.floor(low - beyond + 0.5) - 0.5, first, last - 1)
    high = np.clip(np.ceil(high + beyond + 0.5) - 0.5, low + 1, last)
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def turn_about(points: Floats, centres: Floats, angles: Floats) -> Floats:
    """Points `(..., k, 2)` turned about `centres` `(..., 2)` by `angles` `(...)`, radians, x towards y."""
    away = points - centres[..., None, :]
    cos, sin = np.cos(angles)[..., None], np.sin(angles)[..., None]
    turned = np.stack([cos * away[..., 0] - sin * away[..., 1], sin * away[..., 0] + cos * away[..., 1]], -1)
    return centres[..., None, :] + turned


def enlarged(boxes: Floats, factor: float) -> Floats:
    """Boxes `(..., 4)` with `factor` times their sides, about their own centres."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] * factor], axis=-1)


def square_boxes(centres: Floats, sides: Floats) -> Floats:
    """Square boxes `(..., 4)` from centres `(..., 2)` and sides `(...)`."""
    return np.concatenate([centres, np.stack([sides, sides], axis=-1)], axis=-1)


def mirror_poses(poses: Floats, widths: NDArray[np.integer], skeleton: Skeleton) -> Floats:
    """Poses `(n, k, 2)` as they stand in the mirrored images of `widths` `(n,)`; left and right swap."""
    mirrored = poses[:, list(skeleton.mirrored)].copy()
    mirrored[..., 0] = (widths[:, None] - 1) - mirrored[..., 0]
    return mirrored


def mirror_labels(labelled: Bools, skeleton: Skeleton) -> Bools:
    """Which joints `(n, k)` are labelled in the mirrored images, where left and right joints swap."""
    return labelled[:, list(skeleton.mirrored)]


def mirror_boxes(boxes: Floats, widths: NDArray[np.integer]) -> Floats:
    """Boxes `(n, 4)` as they stand in the mirrored images of `widths` `(n,)`."""
    mirrored = boxes.copy()
    mirrored[:, 0] = (widths - 1) - mirrored[:, 0]
    return mirrored
