"""Reader of Image Parse (also "Iterative Parsing"): full bodies, about 150 pixels high."""

from pathlib import Path

import numpy as np

from deeppose.core.errors import AnnotationError
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.archives.zips import find_member, open_archive, read_mat, read_member
from deeppose.data.pose_set import OBSERVER_CENTRIC, PoseSet
from deeppose.data.readers.full_body import numbered_images, zero_based

ANNOTATIONS = "people_all/labels.mat"
TRAIN = 100
JOINTS = len(FULL_BODY.joints)


def read_parse(archive: Path) -> PoseSet:
    """Image Parse: `ptsAll` is 14×2×n, in the order of FULL_BODY; the first hundred train, the rest tests.

    Nobody wrote down which side its "left" is. The labels are near enough observer-centric to be taken as
    such: in 95 % of the images the left arm lies on the image's right (the left hip in 79 %), as it does
    where a person faces the camera.

    Raises
    ------
    ArchiveError
        If the archive is cut short, lacks a member, or holds more or fewer images than poses.
    AnnotationError
        If `ptsAll` is missing or of another shape, or a coordinate is not finite.
    """
    with open_archive(archive) as opened:
        labels = find_member(opened, ANNOTATIONS)
        where = f"{archive}: {labels}"
        points = read_mat(read_member(opened, labels), where, "ptsAll")
        if points.ndim != 3 or points.shape[:2] != (JOINTS, 2) or points.dtype.kind not in "fiu":
            found = "×".join(map(str, points.shape))
            raise AnnotationError(f"{where}: ptsAll is {found} {points.dtype}, expected {JOINTS}×2×n numbers")
        labelled = np.ones((points.shape[2], JOINTS), dtype=np.bool_)
        poses = zero_based(points.transpose(2, 0, 1).astype(np.float64), labelled, where)
        members = numbered_images(
            opened, len(poses), labels.removesuffix("labels.mat"), "labels.mat", digits=4
        )
    train = np.arange(len(poses)) < TRAIN
    return PoseSet("parse", archive, members, poses, labelled, train, FULL_BODY, OBSERVER_CENTRIC)
