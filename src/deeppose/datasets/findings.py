"""What is odd in the sets: labels outside their image, poses without a diameter, images in both parts.

The functions take image sizes and digests from the caller, who reads every image once anyway.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeppose.datasets.poseset import PoseSet
from deeppose.geometry import diameter


@dataclass(frozen=True)
class EqualImages:
    """Examples that show the very same image, though some train and some test: `set: member` names."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def image_digest(image: NDArray[np.uint8]) -> str:
    """What images `(height, width, 3)` share if they are equal pixel by pixel, however they are packed."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def unlabelled_joints(pose_set: PoseSet) -> int:
    """How many joints, over all examples, have no label."""
    return int((~pose_set.labelled).sum())


def joints_outside_image(pose_set: PoseSet, sizes: NDArray[np.integer]) -> int:
    """How many labelled joints lie outside their image.

    Parameters
    ----------
    sizes
        Width and height of each example's image, `(n, 2)` pixels; an image reaches half a pixel beyond
        its outer pixels' centres.
    """
    inside = (pose_set.poses >= -0.5) & (pose_set.poses <= sizes[:, None] - 0.5)
    return int((pose_set.labelled & ~inside.all(axis=-1)).sum())


def poses_without_diameter(pose_set: PoseSet) -> int:
    """How many poses have neither of the two diagonals that may serve as the diameter (§4.1)."""
    return int(np.isnan(diameter(pose_set.poses, pose_set.labelled, pose_set.skeleton)).sum())


def equal_images_in_train_and_test(
    pose_sets: Sequence[PoseSet], digests: Sequence[Sequence[str]]
) -> list[EqualImages]:
    """The images that are both in the training part of a set and in the test part of the same or another.

    Parameters
    ----------
    digests
        For each set the :func:`image_digest` of each example's image.

    Returns
    -------
    One element an image, in the order of the first example that shows it.
    """
    shown: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for pose_set, its_digests in zip(pose_sets, digests, strict=True):
        rows = zip(pose_set.members, pose_set.train.tolist(), its_digests, strict=True)
        for member, train, digest in rows:
            parts = shown.setdefault(digest, ({}, {}))
            parts[0 if train else 1][f"{pose_set.name}: {member}"] = None
    return [EqualImages(tuple(train), tuple(test)) for train, test in shown.values() if train and test]
