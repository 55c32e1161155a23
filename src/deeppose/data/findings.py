"""What is odd in the sets: labels outside their image, poses without a diameter, images in both parts, ….

The functions take image sizes and digests from the caller, who reads every image once anyway.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeppose.core.geometry import diameter
from deeppose.data.pose_set import PoseSet


def image_digest(image: NDArray[np.uint8]) -> str:
    """What images `(height, width, 3)` share if they are equal pixel by pixel, however they are packed."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def count_findings(pose_set: PoseSet, sizes: NDArray[np.integer]) -> dict[str, int | None]:
    """How many labels are missing or lie outside their image, by what is counted.

    Parameters
    ----------
    sizes
        Width and height of each example's image, `(n, 2)` pixels; an image reaches half a pixel beyond
        its outer pixels' centres.

    Returns
    -------
    `examples_without_labels` (with no labelled joint at all), `unlabelled_joints` and `joints_outside_image`
    over all examples, `torso_boxes_outside_image` (None where the set has no such boxes), and
    `poses_without_diameter`, which have neither of the two diagonals that may serve as it (§4.1).
    """
    poses, labelled, boxes = pose_set.poses, pose_set.labelled, pose_set.torso_boxes
    joints_inside = ((poses >= -0.5) & (poses <= sizes[:, None] - 0.5)).all(axis=-1)
    boxes_outside = None
    if boxes is not None:
        low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
        boxes_outside = int(((low < -0.5) | (high > sizes - 0.5)).any(axis=1).sum())
    return {
        "examples_without_labels": int((~labelled.any(axis=1)).sum()),
        "unlabelled_joints": int((~labelled).sum()),
        "joints_outside_image": int((labelled & ~joints_inside).sum()),
        "torso_boxes_outside_image": boxes_outside,
        "poses_without_diameter": int(np.isnan(diameter(poses, labelled, pose_set.skeleton)).sum()),
    }


def arms_against_the_naming(pose_set: PoseSet) -> int | None:
    """How many examples have their left arm on the image's left of their right arm; None without arms.

    Observer-centric names put it on the image's right. An arm is where its labelled joints are on average;
    examples with an arm that has none don't count.
    """
    joints = pose_set.skeleton.joints
    names = [[f"{side} {joint}" for joint in ("shoulder", "elbow", "wrist")] for side in ("left", "right")]
    if not all(name in joints for arm in names for name in arm):
        return None
    left, right = (
        np.ma.array(pose_set.poses[:, arm, 0], mask=~pose_set.labelled[:, arm]).mean(axis=1).filled(np.nan)
        for arm in ([joints.index(name) for name in arm] for arm in names)
    )
    return int((left < right).sum())


def equal_images_in_train_and_test(
    pose_sets: Sequence[PoseSet], digests: Sequence[Sequence[str]]
) -> list[dict[str, list[str]]]:
    """The images that are both in the training part of a set and in the test part of the same or another.

    Parameters
    ----------
    digests
        For each set the :func:`image_digest` of each example's image.

    Returns
    -------
    One element an image, in the order of the first example that shows it: by `train` and `test` the examples
    that show it, `set: member`.
    """
    shown: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for pose_set, its_digests in zip(pose_sets, digests, strict=True):
        rows = zip(pose_set.members, pose_set.train.tolist(), its_digests, strict=True)
        for member, train, digest in rows:
            parts = shown.setdefault(digest, ({}, {}))
            parts[0 if train else 1][f"{pose_set.name}: {member}"] = None
    return [{"train": list(train), "test": list(test)} for train, test in shown.values() if train and test]
