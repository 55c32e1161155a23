"""Readers of Leeds Sports Pose, its extended training set, and LSP's published observer-centric labels.

Both sets label the fourteen joints of :data:`deeppose.core.skeleton.FULL_BODY`, in its order. The third value
beside x and y means "occluded" in LSP and "labelled" in LSP extended.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.archives.zips import find_member, open_archive, read_mat, read_member
from deeppose.data.pose_set import PERSON_CENTRIC, PoseSet
from deeppose.data.readers.full_body import numbered_images, zero_based

JOINTS = len(FULL_BODY.joints)
ANNOTATIONS = "joints.mat"


def read_lsp(archive: Path) -> PoseSet:
    """LSP: `joints` is 3×14×n; all joints are labelled, occluded ones too; the first half trains.

    Returns
    -------
    Person-centric, as published.

    Raises
    ------
    ArchiveError
        If the archive is cut short, lacks a member, or holds more or fewer images than poses.
    AnnotationError
        If `joints` is missing or of another shape, or a coordinate is not finite.
    """
    with open_archive(archive) as opened:
        labels = find_member(opened, ANNOTATIONS)
        where = f"{archive}: {labels}"
        joints = _joints(read_member(opened, labels), where, (3, JOINTS, None))
        poses, labelled = _lsp_poses(joints, where)
        members = numbered_images(opened, len(poses), _beside(labels), ANNOTATIONS, digits=4)
    train = np.arange(len(poses)) < len(poses) // 2
    return PoseSet(
        "lsp", archive, members, poses, labelled, train, FULL_BODY, PERSON_CENTRIC, occluded=joints[2].T == 1
    )


def read_lsp_extended(archive: Path) -> PoseSet:
    """LSP extended: `joints` is 14×3×n, the third column 1 where the joint is labelled; all of it trains.

    Returns
    -------
    Person-centric, as published.

    Raises
    ------
    ArchiveError, AnnotationError
        As :func:`read_lsp`.
    """
    with open_archive(archive) as opened:
        labels = find_member(opened, ANNOTATIONS)
        where = f"{archive}: {labels}"
        joints = _joints(read_member(opened, labels), where, (JOINTS, 3, None)).transpose(2, 0, 1)
        labelled = joints[..., 2] == 1
        poses = zero_based(joints[..., :2], labelled, where)
        members = numbered_images(opened, len(poses), _beside(labels), ANNOTATIONS, digits=5)
    train = np.ones(len(poses), dtype=np.bool_)
    return PoseSet("lsp-extended", archive, members, poses, labelled, train, FULL_BODY, PERSON_CENTRIC)


def read_lsp_observer_centric(path: Path) -> Floats:
    """The published observer-centric labels of LSP, laid out as LSP's own `joints.mat`.

    Returns
    -------
    `(n, 14, 2)` pixels, in the order of LSP's images.

    Raises
    ------
    ArchiveError
        If the file can't be read.
    AnnotationError
        As :func:`read_lsp`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror}") from error
    return _lsp_poses(_joints(data, str(path), (3, JOINTS, None)), str(path))[0]


def _beside(labels: str) -> str:
    """What names of images begin with, by the name of the labels' member."""
    return f"{labels.removesuffix(ANNOTATIONS)}images/"


def _lsp_poses(joints: Floats, where: str) -> tuple[Floats, Bools]:
    labelled = np.ones((joints.shape[2], JOINTS), dtype=np.bool_)
    return zero_based(joints.transpose(2, 1, 0)[..., :2], labelled, where), labelled


def _joints(data: bytes, where: str, shape: tuple[int | None, ...]) -> Floats:
    """The variable `joints`, whose shape (None: any length) and flags are checked."""
    joints: NDArray[Any] = read_mat(data, where, "joints")
    wanted = "×".join("n" if size is None else str(size) for size in shape)
    if joints.ndim == 2:  # MATLAB drops a last axis of length 1
        joints = joints[..., None]
    fits = joints.ndim == len(shape) and all(
        size in (None, found) for size, found in zip(shape, joints.shape, strict=True)
    )
    if not fits or joints.dtype.kind not in "fiu":
        found = "×".join(map(str, joints.shape))
        raise AnnotationError(f"{where}: joints is {found} {joints.dtype}, expected {wanted} numbers")
    flags = joints[2] if shape[0] == 3 else joints[:, 2]
    bad = ~np.isin(flags, (0, 1))
    if bad.any():
        joint, example = map(int, np.argwhere(bad)[0])
        raise AnnotationError(
            f"{where}: example {example}, {FULL_BODY.joints[joint]}: the value beside x and y is "
            f"{flags[joint, example]}, expected 0 or 1"
        )
    return joints.astype(np.float64)
