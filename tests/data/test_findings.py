from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeppose.core.skeleton import FULL_BODY
from deeppose.data.findings import (
    arms_against_the_naming,
    count_findings,
    equal_images_in_train_and_test,
    image_digest,
)
from deeppose.data.pose_set import PoseSet

SIDES = ("left", "right")
SIZE = [50, 100]


def pose_set(name="a", train=(True, False), labelled=None):
    count = len(train)
    poses = np.tile(np.arange(14.0)[:, None], (count, 1, 2))
    labelled = np.ones((count, 14), dtype=bool) if labelled is None else labelled
    return PoseSet(
        name=name,
        archive=Path(f"{name}.zip"),
        members=tuple(f"im{n}" for n in range(count)),
        poses=np.where(labelled[..., None], poses, np.nan),
        labelled=labelled,
        train=np.array(train),
        skeleton=FULL_BODY,
        labels="",
    )


def found(pose_set, what):
    return count_findings(pose_set, np.tile(SIZE, (len(pose_set.poses), 1)))[what]


def test_joints_outside_the_image_are_counted_up_to_half_a_pixel():
    some = pose_set()
    some.poses[0, 0] = [-0.5, 0]
    some.poses[0, 1] = [-0.51, 0]
    some.poses[0, 2] = [0, 99.51]
    some.poses[1, 3] = [49.5, 99.5]
    some.poses[1, 4] = [49.51, 0]
    assert found(some, "joints_outside_image") == 3


def test_unlabelled_joints_are_nowhere():
    labelled = np.ones((2, 14), dtype=bool)
    labelled[1, :5] = False
    some = pose_set(labelled=labelled)
    assert found(some, "unlabelled_joints") == 5
    assert found(some, "joints_outside_image") == 0


def test_examples_without_any_label_are_counted():
    labelled = np.ones((3, 14), dtype=bool)
    labelled[1] = False
    labelled[2, 1:] = False
    assert found(pose_set(train=(True,) * 3, labelled=labelled), "examples_without_labels") == 1


def test_arms_are_compared_by_where_their_labelled_joints_are():
    left, right = (
        [FULL_BODY.joints.index(f"{side} {j}") for j in ("shoulder", "elbow", "wrist")] for side in SIDES
    )
    labelled = np.ones((5, 14), dtype=bool)
    labelled[3, left] = False
    labelled[4, left[2]] = False
    some = pose_set(train=(True,) * 5, labelled=labelled)
    some.poses[:, left, 0], some.poses[:, right, 0] = 20, 10
    some.poses[1, left, 0] = 5  # against the naming
    some.poses[2, left[0], 0] = 5  # only its shoulder
    some.poses[4, left, 0] = 9, 9, 100  # all that is labelled
    assert arms_against_the_naming(some) == 2


def test_torso_boxes_outside_the_image_are_counted_up_to_half_a_pixel():
    some = pose_set(train=(True,) * 4)
    assert found(some, "torso_boxes_outside_image") is None
    boxes = np.array(
        [[24.5, 49.5, 50, 100], [24.5, 49.5, 50.1, 100], [24.6, 49.5, 50, 100], [24.5, 49.4, 50, 100]]
    )
    assert found(replace(some, torso_boxes=boxes), "torso_boxes_outside_image") == 3


def test_poses_without_a_diameter_are_counted():
    labelled = np.ones((4, 14), dtype=bool)
    labelled[1, FULL_BODY.joints.index("left shoulder")] = False  # the other diagonal serves
    labelled[2:, [8, 9]] = False
    assert found(pose_set(train=(True,) * 4, labelled=labelled), "poses_without_diameter") == 2


def test_equal_images_across_sets_are_found():
    first, second = pose_set("a", (True, False, True)), pose_set("b", (True, False))
    equal = equal_images_in_train_and_test([first, second], [["x", "y", "z"], ["y", "x"]])
    assert equal == [
        {"train": ["a: im0"], "test": ["b: im1"]},
        {"train": ["b: im0"], "test": ["a: im1"]},
    ]


def test_equal_images_in_one_part_are_no_finding():
    assert equal_images_in_train_and_test([pose_set(train=(True, True))], [["x", "x"]]) == []
    assert equal_images_in_train_and_test([pose_set(train=(False, False))], [["x", "x"]]) == []


def test_one_digest_an_example_is_needed():
    with pytest.raises(ValueError, match="shorter"):
        equal_images_in_train_and_test([pose_set()], [["x"]])


def test_a_digest_depends_on_pixels_and_shape():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert image_digest(image) == image_digest(np.asfortranarray(image))
    assert image_digest(image) != image_digest(image.reshape(4, 2, 3))
    assert image_digest(image) != image_digest(image + np.uint8(1))
