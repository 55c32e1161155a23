"""What every reader's set must hold, whoever wrote the reader."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeppose.core.errors import AnnotationError, SkeletonError
from deeppose.core.skeleton import FLIC_LABELLED, Limb
from deeppose.data.pose_set import PoseSet


@pytest.fixture
def pose_set():
    joints = len(FLIC_LABELLED.joints)
    return PoseSet(
        name="flic",
        archive=Path("FLIC.zip"),
        members=("a.jpg", "b.jpg"),
        poses=np.ones((2, joints, 2)),
        labelled=np.ones((2, joints), dtype=bool),
        train=np.array([True, False]),
        skeleton=FLIC_LABELLED,
        labels="",
        torso_boxes=np.ones((2, 4)),
    )


@pytest.mark.parametrize("value", [1e308, -2e6, np.inf, np.nan])
def test_a_label_far_from_any_image_is_named(pose_set, value):
    poses, torsos = pose_set.poses.copy(), pose_set.torso_boxes.copy()
    poses[1, 2, 0] = torsos[0, 3] = value
    with pytest.raises(AnnotationError, match=r"FLIC.zip: example 1, b.jpg: left wrist lies at "):
        replace(pose_set, poses=poses)
    with pytest.raises(AnnotationError, match=r"FLIC.zip: example 0, a.jpg: the torso's box lies at "):
        replace(pose_set, torso_boxes=torsos)
    labelled = pose_set.labelled.copy()
    labelled[1, 2] = False
    replace(pose_set, poses=poses, labelled=labelled)


def test_a_set_of_nothing_is_named(pose_set):
    with pytest.raises(AnnotationError, match=r"FLIC.zip labels no example"):
        pose_set.taking(np.zeros(0, dtype=int))


def test_a_skeleton_that_cant_be_is_named(pose_set):
    skeleton = replace(FLIC_LABELLED, limbs=(Limb("arm", 0, 11),))
    with pytest.raises(SkeletonError, match="limb 'arm' from joint 0 to 11"):
        replace(pose_set, skeleton=skeleton)
