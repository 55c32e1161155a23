"""Reader of FLIC, Frames Labeled In Cinema: people in film frames, upper bodies, observer-centric.

"Left" is the side that is a person's own left when they face the camera, so it mostly lies on the image's
right: in 95.1 % of the examples for shoulders, elbows and hips alike, 93.5 % for wrists. In the packing
with 360×240 pixels a frame, left shoulders lie at x = 205 on average, right ones at 159.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import FLIC_LABELLED
from deeppose.data.archives.zips import find_member, open_archive, read_mat, read_member
from deeppose.data.pose_set import OBSERVER_CENTRIC, PoseSet

ANNOTATIONS = "FLIC/examples.mat"
COLUMNS_PUBLISHED = 29
COLUMNS_LABELLED = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]
"""Columns of `coords` for the joints of FLIC_LABELLED; nobody labelled the others."""


def read_flic(archive: Path) -> PoseSet:
    """FLIC: `examples` is a 1×n struct, one element a person; several people may share a frame.

    `coords` has NaN for a joint without a label, even for all joints of an example. `torsobox`, x1 y1 x2 y2
    as MATLAB counts, says which person is meant; it may reach beyond the frame.

    Raises
    ------
    ArchiveError
        If the archive is cut short or lacks a frame that an example names.
    AnnotationError
        If `examples` lacks a field, or one of them is not laid out as published, or a torso's box has no
        area, or an example is in both parts or in none.
    """
    with open_archive(archive) as opened:
        labels = find_member(opened, ANNOTATIONS)
        where = f"{archive}: {labels}"
        examples = read_mat(read_member(opened, labels), where, "examples").ravel()
        folder = f"{labels.removesuffix('examples.mat')}images"
        members = tuple(f"{folder}/{name}" for name in _texts(examples, "filepath", where))
        missing = set(members).difference(opened.namelist())
    if missing:
        raise ArchiveError(
            f"{archive} lacks {len(missing)} images that {labels} names, {min(missing)} for one: get "
            f"the whole archive"
        )
    poses = _poses(examples, where)
    return PoseSet(
        name="flic",
        archive=archive,
        members=members,
        poses=poses,
        labelled=~np.isnan(poses[..., 0]),
        train=_train(examples, where),
        skeleton=FLIC_LABELLED,
        labels=OBSERVER_CENTRIC,
        torso_boxes=_torso_boxes(examples, where),
    )


def _field(examples: NDArray[Any], name: str, where: str) -> NDArray[Any]:
    fields = examples.dtype.names
    if fields is None or name not in fields:
        raise AnnotationError(
            f"{where}: examples has no field {name!r}, only {fields}: not the published file"
        )
    values: NDArray[Any] = examples[name]
    return values


def _texts(examples: NDArray[Any], name: str, where: str) -> list[str]:
    values = [np.asarray(value) for value in _field(examples, name, where)]
    for example, value in enumerate(values):
        if value.dtype.kind != "U" or value.size != 1:
            raise AnnotationError(f"{where}: example {example}: {name} is {_shown(value)}, expected one text")
    return [str(value.item()) for value in values]


def _poses(examples: NDArray[Any], where: str) -> Floats:
    values = [np.asarray(value) for value in _field(examples, "coords", where)]
    for example, value in enumerate(values):
        if value.shape != (2, COLUMNS_PUBLISHED) or value.dtype.kind not in "fiu":
            found = "×".join(map(str, value.shape))
            raise AnnotationError(
                f"{where}: example {example}: coords is {found} {value.dtype}, expected "
                f"2×{COLUMNS_PUBLISHED} numbers"
            )
    coords = np.reshape(values, (-1, 2, COLUMNS_PUBLISHED)).astype(np.float64)
    points = coords[:, :, COLUMNS_LABELLED].transpose(0, 2, 1)
    bad = np.isinf(points).any(axis=-1) | (np.isnan(points[..., 0]) != np.isnan(points[..., 1]))
    if bad.any():
        example, joint = map(int, np.argwhere(bad)[0])
        raise AnnotationError(
            f"{where}: example {example}, {FLIC_LABELLED.joints[joint]}: coordinates are "
            f"{points[example, joint].tolist()}, expected two numbers, or NaN twice for no label"
        )
    return points - 1


def _torso_boxes(examples: NDArray[Any], where: str) -> Floats:
    values = [np.asarray(value) for value in _field(examples, "torsobox", where)]
    for example, value in enumerate(values):
        numbers = value.size == 4 and value.dtype.kind in "fiu" and bool(np.isfinite(value).all())
        # Differences of unsigned numbers would never be negative.
        if not numbers or not (np.diff(value.reshape(2, 2).astype(np.float64), axis=0) > 0).all():
            raise AnnotationError(
                f"{where}: example {example}: torsobox is {_shown(value)}, expected four finite numbers, x1 "
                f"y1 x2 y2, with x1 < x2 and y1 < y2"
            )
    corners = np.reshape([value.ravel().astype(np.float64) for value in values], (-1, 2, 2)) - 1
    return np.concatenate([corners.mean(axis=1), np.diff(corners, axis=1)[:, 0]], axis=1)


def _train(examples: NDArray[Any], where: str) -> Bools:
    parts = {name: _flags(examples, name, where) for name in ("istrain", "istest")}
    bad = parts["istrain"] == parts["istest"]
    if bad.any():
        example = int(np.flatnonzero(bad)[0])
        state = "both in the training and in the test part" if parts["istrain"][example] else "in no part"
        raise AnnotationError(f"{where}: example {example} is {state}: not the published file")
    return parts["istrain"]


def _flags(examples: NDArray[Any], name: str, where: str) -> Bools:
    values = [np.asarray(value) for value in _field(examples, name, where)]
    for example, value in enumerate(values):
        if value.size != 1 or value.dtype.kind not in "biuf" or value.item() not in (0, 1):
            raise AnnotationError(f"{where}: example {example}: {name} is {_shown(value)}, expected 0 or 1")
    return np.array([value.item() for value in values], dtype=np.bool_)


def _shown(value: NDArray[Any]) -> str:
    """A value in one line."""
    if value.size > 4 or value.dtype.kind not in "biufU":
        return f"{'×'.join(map(str, value.shape))} {value.dtype}"
    return str(value.tolist())
