import re

import archives
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import diameter
from deeppose.data.readers.lsp import read_lsp, read_lsp_extended, read_lsp_observer_centric


def test_lsp_is_read(tmp_path):
    joints = archives.lsp_joints(6)
    pose_set = read_lsp(archives.write_lsp(tmp_path, joints))
    assert pose_set.poses.shape == (6, 14, 2)
    assert pose_set.poses[4, 3, 1] == joints[1, 3, 4] - 1
    assert pose_set.labelled.all()
    assert pose_set.train.tolist() == [True] * 3 + [False] * 3
    assert pose_set.members[0] == "images/im0001.jpg"
    assert pose_set.members[5] == "images/im0006.jpg"
    assert pose_set.labels == "person-centric as published"
    assert pose_set.exchanged == {}


def test_occluded_joints_of_lsp_are_labelled(tmp_path):
    joints = archives.lsp_joints(2)
    joints[2] = 1
    assert read_lsp(archives.write_lsp(tmp_path, joints)).labelled.all()


def test_lsp_extended_is_read(tmp_path):
    joints = archives.extended_joints(3)
    pose_set = read_lsp_extended(archives.write_lsp_extended(tmp_path, joints))
    labelled = joints[:, 2].T == 1
    np.testing.assert_array_equal(pose_set.labelled, labelled)
    np.testing.assert_array_equal(pose_set.poses[labelled], joints[:, :2].transpose(2, 0, 1)[labelled] - 1)
    assert np.isnan(pose_set.poses[~labelled]).all()
    assert (~labelled).any()
    assert pose_set.train.all()
    assert pose_set.members == ("images/im00001.jpg", "images/im00002.jpg", "images/im00003.jpg")


def test_garbage_at_unlabelled_joints_may_be_anything(tmp_path):
    joints = archives.extended_joints(2)
    joints[3] = np.array([np.nan, np.inf, 0.0])[:, None]
    pose_set = read_lsp_extended(archives.write_lsp_extended(tmp_path, joints))
    assert not pose_set.labelled[:, 3].any()


@given(count=st.integers(1, 4), seed=st.integers(0, 99))
def test_both_sets_give_one_member_a_pose(tmp_path_factory, count, seed):
    folder = tmp_path_factory.mktemp("sets")
    lsp = read_lsp(archives.write_lsp(folder, archives.lsp_joints(count, seed)))
    extended = read_lsp_extended(archives.write_lsp_extended(folder, archives.extended_joints(count, seed)))
    for pose_set in (lsp, extended):
        assert len(set(pose_set.members)) == len(pose_set.poses) == len(pose_set.train) == count
        np.testing.assert_array_equal(np.isnan(pose_set.poses).any(axis=-1), ~pose_set.labelled)
    assert lsp.train.sum() == count // 2


def test_observer_centric_labels_are_read(tmp_path):
    joints = archives.lsp_joints(2)
    poses = read_lsp_observer_centric(archives.write_lsp_oc(tmp_path, joints))
    np.testing.assert_array_equal(poses, joints[:2].T - 1)


BAD_LSP = {
    "nan": lambda joints: joints.__setitem__((0, 13, 1), np.nan),
    "infinite": lambda joints: joints.__setitem__((1, 13, 1), np.inf),
}


@pytest.mark.parametrize("damage", BAD_LSP.values(), ids=BAD_LSP)
def test_a_labelled_joint_without_coordinates_is_named(tmp_path, damage):
    joints = archives.lsp_joints(2)
    damage(joints)
    with pytest.raises(
        AnnotationError, match=r"lsp_dataset.zip: joints.mat: example 1, head top is labelled"
    ):
        read_lsp(archives.write_lsp(tmp_path, joints))
    with pytest.raises(AnnotationError, match=r"lsp-joints-OC.mat: example 1, head top"):
        read_lsp_observer_centric(archives.write_lsp_oc(tmp_path, joints))


def test_a_labelled_joint_of_lsp_extended_without_coordinates_is_named(tmp_path):
    joints = archives.extended_joints(2)
    joints[5, :, 1] = [np.nan, 3, 1]
    with pytest.raises(AnnotationError, match=r"example 1, left ankle is labelled .* \[nan, 3.0\]"):
        read_lsp_extended(archives.write_lsp_extended(tmp_path, joints))


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, np.nan])
def test_the_third_value_is_nought_or_one(tmp_path, value):
    lsp, extended = archives.lsp_joints(2), archives.extended_joints(2)
    lsp[2, 6, 1] = extended[6, 2, 1] = value
    message = f"example 1, right wrist: the value beside x and y is {value}"
    with pytest.raises(AnnotationError, match=message):
        read_lsp(archives.write_lsp(tmp_path, lsp))
    with pytest.raises(AnnotationError, match=message):
        read_lsp_extended(archives.write_lsp_extended(tmp_path, extended))


def test_the_layouts_are_not_mistaken_for_each_other(tmp_path):
    with pytest.raises(AnnotationError, match=r"joints is 14×3×2 .*expected 3×14×n"):
        read_lsp(archives.write_lsp(tmp_path, archives.extended_joints(2)))
    with pytest.raises(AnnotationError, match=r"joints is 3×14×2 .*expected 14×3×n"):
        read_lsp_extended(archives.write_lsp_extended(tmp_path, archives.lsp_joints(2)))


def test_joints_that_are_no_numbers(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(1)) | {"joints.mat": archives.mat(joints="none")}
    with pytest.raises(AnnotationError, match="expected 3×14×n numbers"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


def test_a_missing_variable(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(1)) | {"joints.mat": archives.mat(poses=1)}
    with pytest.raises(AnnotationError, match=r"joints.mat has no variable 'joints'"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


@pytest.mark.parametrize("data", [b"", b"<html>", archives.mat(joints=archives.lsp_joints(2))[:300]])
def test_a_damaged_mat_file(tmp_path, data):
    members = archives.lsp_members(archives.lsp_joints(2)) | {"joints.mat": data}
    with pytest.raises(AnnotationError, match=r"joints.mat can't be read as a MATLAB file"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


def test_a_missing_mat_file(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(2))
    del members["joints.mat"]
    with pytest.raises(ArchiveError, match=r"has no member joints.mat"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


def test_a_missing_image_is_named(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(3))
    del members["images/im0002.jpg"]
    with pytest.raises(ArchiveError, match=r"2 images for the 3 poses .* missing is images/im0002.jpg"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


def test_an_image_too_many(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(2)) | {"images/im0003.jpg": b""}
    with pytest.raises(ArchiveError, match="3 images for the 2 poses"):
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_an_archive_cut_short(tmp_path, share):
    path = archives.write_lsp(tmp_path, archives.lsp_joints(3))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ArchiveError, match=re.escape(f"{path} is cut short")):
        read_lsp(path)


def test_an_unreadable_file(tmp_path):
    with pytest.raises(ArchiveError, match=r"no.mat can't be read"):
        read_lsp_observer_centric(tmp_path / "no.mat")
    with pytest.raises(ArchiveError, match=r"no.zip can't be read"):
        read_lsp(tmp_path / "no.zip")


def test_a_single_pose_as_matlab_writes_it(tmp_path):
    file = tmp_path / "one.mat"
    savemat(file, {"joints": archives.lsp_joints(1)[..., 0]})
    assert loadmat(file)["joints"].ndim == 2
    assert read_lsp_observer_centric(file).shape == (1, 14, 2)


@pytest.mark.realdata
def test_the_published_lsp(mirror):
    pose_set = read_lsp(mirror / "lsp_dataset.zip")
    assert pose_set.poses.shape == (2000, 14, 2)
    assert pose_set.train.sum() == 1000
    assert pose_set.train[:1000].all()
    np.testing.assert_allclose(pose_set.poses[0, 0], [28.74645941, 142.34544031])
    assert diameter(pose_set.poses, pose_set.labelled, pose_set.skeleton).min() == pytest.approx(
        2.55, abs=0.01
    )


@pytest.mark.realdata
def test_the_published_lsp_extended(mirror):
    pose_set = read_lsp_extended(mirror / "lspet_dataset.zip")
    assert pose_set.poses.shape == (10000, 14, 2)
    assert pose_set.train.all()
    assert (~pose_set.labelled).mean() == pytest.approx(0.12, abs=0.001)
    assert pose_set.labelled.all(axis=1).sum() == 3945
    diameters = diameter(pose_set.poses, pose_set.labelled, pose_set.skeleton)
    assert np.isnan(diameters).sum() == 1705
    assert np.nanmin(diameters) == pytest.approx(0.74, abs=0.01)
