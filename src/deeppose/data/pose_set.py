"""A data set as read: names of images in an archive, and the poses that belong to them."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError, ImageError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton, check_skeleton

PERSON_CENTRIC = "person-centric as published"
OBSERVER_CENTRIC = "observer-centric as published"
AS_LABELLED = "left and right as labelled"
OBSERVER_CENTRIC_BY_RULE = "observer-centric by the rule"

FARTHEST = 1e6
"""Pixels from an image's corner beyond which a coordinate is no label."""


@dataclass(frozen=True)
class PoseSet:
    """The labels of `n` examples with `k` joints; images stay in their archive.

    Attributes
    ----------
    name
        The set's name in the registry.
    archive
        The zip archive, or the folder, that holds the images.
    members
        Member name of each example's image, `(n,)`; two examples may share an image.
    poses
        `(n, k, 2)`, pixels, x = 0 the centre of the first column; NaN where unlabelled.
    labelled
        `(n, k)`.
    train
        `(n,)`, True in the training part, False in the test part.
    labels
        Which labels these are, in words for tables.
    exchanged
        What the observer-centric rule did, counts by group and fallback; empty where it was not used.
    torso_boxes
        `(n, 4)`, centre x, centre y, width, height in pixels: which person of the image is meant; NaN where
        one has none. None where a set doesn't say.
    occluded
        `(n, k)`, joints that are labelled though they can't be seen. None where a set doesn't say.
    boxes
        `(n, 4)`, centre x, centre y, width, height in pixels: the whole of who is meant; NaN where one has
        none. None where a set has no boxes.
    sizes
        `(n, 2)`, width and height of each image as its labels say, 0 where they don't. None where a set's
        never do.
    upright
        Whether images are turned as a camera noted in them, as in prediction; else they are taken as stored.
    from_behind
        `(n,)`, whether the person is seen from the back, told by the arms: where observer-centric labels
        exchange the sides of person-centric ones. None where only one of the two kinds was looked at.
    """

    name: str
    archive: Path
    members: tuple[str, ...]
    poses: Floats
    labelled: Bools
    train: Bools
    skeleton: Skeleton
    labels: str
    exchanged: dict[str, int] = field(default_factory=dict)
    torso_boxes: Floats | None = None
    occluded: Bools | None = None
    from_behind: Bools | None = None
    boxes: Floats | None = None
    sizes: NDArray[np.int64] | None = None
    upright: bool = False

    def __post_init__(self) -> None:
        """Check what every reader must give.

        Raises
        ------
        AnnotationError
            If there is no example, or a labelled joint or a box lies nowhere near an image.
        SkeletonError
            If joints or limbs of the skeleton don't fit together.
        """
        check_skeleton(self.skeleton)
        if len(self.poses) == 0:
            raise AnnotationError(f"{self.archive} labels no example")
        boxes = [np.zeros((len(self.poses), 4)) if b is None else b for b in (self.torso_boxes, self.boxes)]
        points = np.concatenate([self.poses, *(box.reshape(-1, 2, 2) for box in boxes)], axis=1)
        has_box = [~np.isnan(box).all(axis=1, keepdims=True) for box in boxes for _ in range(2)]
        counted = np.concatenate([self.labelled, *has_box], axis=1)
        far = counted & ~(np.abs(points) <= FARTHEST).all(axis=-1)
        if far.any():
            example, joint = map(int, np.argwhere(far)[0])
            names = (*self.skeleton.joints, *["the torso's box"] * 2, *["the box"] * 2)
            raise AnnotationError(
                f"{self.archive}: example {example}, {self.members[example]}: {names[joint]} lies at "
                f"{points[example, joint].tolist()}, which is in no image"
            )

    def taking(self, rows: NDArray[np.integer]) -> "PoseSet":
        """The set of these examples alone, `(m,)` row numbers, in this order."""
        return replace(
            self,
            members=tuple(self.members[row] for row in rows),
            poses=self.poses[rows],
            labelled=self.labelled[rows],
            train=self.train[rows],
            torso_boxes=None if self.torso_boxes is None else self.torso_boxes[rows],
            occluded=None if self.occluded is None else self.occluded[rows],
            from_behind=None if self.from_behind is None else self.from_behind[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
            sizes=None if self.sizes is None else self.sizes[rows],
        )

    def on(self, skeleton: Skeleton) -> "PoseSet":
        """The set with the joints of `skeleton`, found by name; those that this set lacks are unlabelled."""
        poses = np.full((len(self.poses), len(skeleton.joints), 2), np.nan)
        labelled = np.zeros(poses.shape[:2], dtype=bool)
        occluded = None if self.occluded is None else np.zeros_like(labelled)
        known = [name for name in skeleton.joints if name in self.skeleton.joints]
        here, there = (
            [joints.index(name) for name in known] for joints in (skeleton.joints, self.skeleton.joints)
        )
        poses[:, here], labelled[:, here] = self.poses[:, there], self.labelled[:, there]
        if occluded is not None and self.occluded is not None:
            occluded[:, here] = self.occluded[:, there]
        return replace(self, poses=poses, labelled=labelled, occluded=occluded, skeleton=skeleton)

    def check_sizes(self, found: NDArray[np.int64]) -> None:
        """Check that images are as large as their labels say, if they do.

        Parameters
        ----------
        found
            `(n, 2)`, width and height as decoded.

        Raises
        ------
        ImageError
            Naming the first that isn't: its labels belong to another image, or to this one turned.
        """
        if self.sizes is None:
            return
        wrong = np.flatnonzero(((self.sizes != found) & (self.sizes > 0)).any(axis=1))
        if len(wrong) == 0:
            return
        row = int(wrong[0])
        said, has = (f"{width}×{height}" for width, height in (self.sizes[row], found[row]))
        turned = (self.sizes[row] == found[row][::-1]).all() and self.upright
        why = (
            "it was labelled lying as it is stored, but is turned upright here, as in prediction: save it "
            "again without its EXIF orientation"
            if turned
            else "the labels are of another image, or of this one at another size"
        )
        raise ImageError(f"{self.archive}: {self.members[row]} is {has} pixels, {said} by its labels: {why}")
