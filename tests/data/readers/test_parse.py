import re

import archives
import numpy as np
import pytest

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.data.readers.parse import read_parse


def test_it_is_read(tmp_path):
    points = archives.parse_points(103)
    pose_set = read_parse(archives.write_parse(tmp_path, points))
    assert pose_set.poses.shape == (103, 14, 2)
    assert pose_set.poses[101, 3].tolist() == (points[3, :, 101] - 1).tolist()
    assert pose_set.labelled.all()
    assert pose_set.train.tolist() == [True] * 100 + [False] * 3
    assert pose_set.members[0] == "people_all/im0001.jpg"
    assert pose_set.members[102] == "people_all/im0103.jpg"
    assert pose_set.skeleton.name == "full-body"
    assert pose_set.labels == "observer-centric as published"
    assert pose_set.torso_boxes is None


@pytest.mark.parametrize(
    ("points", "found"),
    [
        (archives.parse_points(3).transpose(1, 0, 2), "2×14×3 float64"),
        (archives.parse_points(3)[:13], "13×2×3 float64"),
        (archives.parse_points(3)[..., 0], "14×2 float64"),
        ("none", r"1 <U4"),
    ],
    ids=["axes exchanged", "a joint too few", "one pose", "text"],
)
def test_another_shape_is_named(tmp_path, points, found):
    members = archives.parse_members(archives.parse_points(3))
    members["people_all/labels.mat"] = archives.mat(ptsAll=points)
    with pytest.raises(AnnotationError, match=rf"labels.mat: ptsAll is {found}, expected 14×2×n numbers"):
        read_parse(archives.write_zip(tmp_path / "people.zip", members))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_joint_without_coordinates_is_named(tmp_path, value):
    points = archives.parse_points(3)
    points[12, 1, 2] = value
    message = r"people.zip: people_all/labels.mat: example 2, neck is labelled but its coordinates are \["
    with pytest.raises(AnnotationError, match=message):
        read_parse(archives.write_parse(tmp_path, points))


def test_a_missing_variable(tmp_path):
    members = archives.parse_members(archives.parse_points(2))
    members["people_all/labels.mat"] = archives.mat(joints=1)
    with pytest.raises(AnnotationError, match=r"labels.mat has no variable 'ptsAll'"):
        read_parse(archives.write_zip(tmp_path / "people.zip", members))


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("people_all/labels.mat", "has no member people_all/labels.mat"),
        (
            "people_all/im0002.jpg",
            "2 images for the 3 poses of its labels.mat; the first one missing is people_all/im0002.jpg",
        ),
    ],
)
def test_a_missing_member_is_named(tmp_path, absent, message):
    members = archives.parse_members(archives.parse_points(3))
    del members[absent]
    with pytest.raises(ArchiveError, match=message):
        read_parse(archives.write_zip(tmp_path / "people.zip", members))


def test_an_archive_cut_short(tmp_path):
    path = archives.write_parse(tmp_path, archives.parse_points(3))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ArchiveError, match=re.escape(f"{path} is cut short")):
        read_parse(path)


@pytest.mark.realdata
def test_the_published_set(mirror):
    pose_set = read_parse(mirror / "people.zip")
    assert pose_set.poses.shape == (305, 14, 2)
    assert pose_set.train.sum() == 100
    np.testing.assert_allclose(pose_set.poses[0, 13], [77.74242513, 54.50402242])
    joints = pose_set.skeleton.joints
    side = {
        joint: pose_set.poses[:, joints.index(f"left {joint}"), 0]
        > pose_set.poses[:, joints.index(f"right {joint}"), 0]
        for joint in ("shoulder", "elbow", "hip")
    }
    assert side["shoulder"].mean() == pytest.approx(0.951, abs=0.001)
    assert side["elbow"].mean() == pytest.approx(0.954, abs=0.001)
    assert side["hip"].mean() == pytest.approx(0.787, abs=0.001)
