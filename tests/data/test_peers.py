import dataclasses

import archives
import numpy as np
import pytest

from deeppose.core.errors import PredictionsError
from deeppose.core.files import sha256
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY, UPPER_BODY
from deeppose.data.peers import PEERS, SUBFOLDER, find_peers, how_to_add, peer_poses
from deeppose.data.registry import entry_named, read_set
from deeppose.evaluation.score import score

MODEC, EICHNER = PEERS
ARMS = FLIC_LABELLED.joints[:6]


@pytest.fixture
def folder(tmp_path):
    """A small FLIC, two of its four examples the test part."""
    archives.write_flic(tmp_path, [archives.flic_example(n, train=n % 2 == 0) for n in range(4)])
    return tmp_path


@pytest.fixture
def pose_set(folder):
    return read_set("flic", [folder], "oc")


def write_peer(folder, poses):
    """Poses `(n, 11, 2)`, 0-based, as the published file has them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEC.file
    path.write_bytes(archives.mat(pred=poses.transpose(2, 1, 0) + 1))
    return path


def poses_on(skeleton, found, pose_set):
    """What the file holds, checked by that set's test part."""
    ours, test = pose_set.on(skeleton), ~pose_set.train
    poses, joints, examples = peer_poses(found, ours.poses[test], ours.labelled[test], skeleton)
    assert examples.all()
    return poses, joints


def arms_alone(pose_set, factor=1.0):
    poses = pose_set.poses[~pose_set.train] * factor
    poses[:, 6:] = -1  # a constant, the corner of the image as MATLAB counts
    return poses


def test_the_registry_of_peers():
    assert len({peer.file for peer in PEERS}) == len(PEERS)
    for peer in PEERS:
        assert entry_named(peer.set).name == peer.set
        assert peer.packings
        assert peer.page.startswith("https://")


@pytest.mark.parametrize("below", ["", SUBFOLDER])
def test_a_file_is_found_in_a_folder_or_its_predictions(tmp_path, pose_set, below):
    assert find_peers([tmp_path, tmp_path / "none"]) == []
    path = write_peer(tmp_path / below, arms_alone(pose_set))
    (found,) = find_peers([tmp_path / "none", tmp_path])
    assert (found.peer, found.path, found.sha256) == (MODEC, path, sha256(path))
    assert found.packing == "unknown file"


def test_the_first_folder_counts(tmp_path, pose_set):
    first, second = tmp_path / "first", tmp_path / "second"
    write_peer(second, arms_alone(pose_set))
    assert [found.path.parent for found in find_peers([first, second])] == [second]
    write_peer(first / SUBFOLDER, arms_alone(pose_set))
    assert [found.path.parent for found in find_peers([first, second])] == [first / SUBFOLDER]
    write_peer(first, arms_alone(pose_set))
    assert [found.path.parent for found in find_peers([first, second])] == [first]


def test_how_to_add_one_names_method_place_and_page(tmp_path):
    text = how_to_add(MODEC, tmp_path)
    for part in (MODEC.method, MODEC.page, str(tmp_path / "predictions" / MODEC.file), "flic"):
        assert part in text


def test_joints_that_are_not_predicted_are_told_apart(tmp_path, pose_set):
    predicted = arms_alone(pose_set)
    predicted[1, 2] = np.nan  # a miss
    write_peer(tmp_path, predicted)
    (found,) = find_peers([tmp_path])
    poses, joints = poses_on(UPPER_BODY, found, pose_set)
    assert joints == ARMS
    assert poses.shape == (2, 10, 2)
    np.testing.assert_allclose(poses[:, :6], predicted[:, :6])
    assert np.isnan(poses[:, 6:]).all()


def test_joints_are_taken_by_name(tmp_path, pose_set):
    write_peer(tmp_path, arms_alone(pose_set))
    (found,) = find_peers([tmp_path])
    poses, joints = poses_on(FULL_BODY, found, pose_set)
    assert set(joints) == set(ARMS)
    assert joints == tuple(joint for joint in FULL_BODY.joints if joint in ARMS)
    truth = pose_set.on(FULL_BODY).poses[~pose_set.train]
    np.testing.assert_allclose(poses, truth * np.where(np.isin(FULL_BODY.joints, ARMS), 1, np.nan)[:, None])
    assert poses_on(BUFFY_STICKS, found, pose_set)[1] == ARMS


def test_figures_of_joints_that_are_not_predicted_are_none(tmp_path, pose_set):
    write_peer(tmp_path, arms_alone(pose_set))
    poses, _ = poses_on(FLIC_LABELLED, find_peers([tmp_path])[0], pose_set)
    write_poses(tmp_path / "p.parquet", poses)
    figures = score(pose_set, tmp_path / "p.parquet", "oc").rates
    assert figures["pdj"]["0.2"]["hip"] is None
    assert figures["pdj"]["0.2"]["wrist"] == 1


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.42, 2.0, -1.0])
def test_predictions_for_images_of_another_size_are_refused(tmp_path, pose_set, factor):
    write_peer(tmp_path, arms_alone(pose_set, factor))
    (found,) = find_peers([tmp_path])
    with pytest.raises(
        PredictionsError, match=rf"does not belong to the images of flic .* by {1 / factor:.2f}"
    ):
        poses_on(UPPER_BODY, found, pose_set)


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.4])
def test_poses_a_little_too_large_or_small_are_only_poor(tmp_path, pose_set, factor):
    write_peer(tmp_path, arms_alone(pose_set, factor))
    poses, _ = poses_on(UPPER_BODY, find_peers([tmp_path])[0], pose_set)
    np.testing.assert_allclose(poses[:, 0], pose_set.poses[~pose_set.train, 0] * factor)


def test_misses_everywhere_are_refused(tmp_path, pose_set):
    write_peer(tmp_path, np.full((2, 11, 2), np.nan))
    with pytest.raises(PredictionsError, match="multiplied by nan"):
        poses_on(UPPER_BODY, find_peers([tmp_path])[0], pose_set)


def test_predictions_for_another_number_of_images_are_refused(tmp_path, pose_set):
    write_peer(tmp_path, pose_set.poses)
    with pytest.raises(PredictionsError, match=r"shape \(2, 11, 4\); \(2, 11, 2\) is expected"):
        poses_on(UPPER_BODY, find_peers([tmp_path])[0], pose_set)


def test_a_peer_in_the_archive_of_its_set(tmp_path):
    sticks = archives.BUFFY_STICKS
    members = archives.buffy_members({2: {1: sticks, 2: sticks}, 3: {1: sticks}})
    path = archives.write_zip(tmp_path / "buffy.zip", members)
    assert find_peers([tmp_path]) == []  # an older version of the package
    window = np.array([30, 20, 91, 75])
    estimates = archives.buffy_estimates({(2, 1): [(sticks, window)], (2, 2): []})
    archives.write_zip(path, members | {EICHNER.file: estimates})
    (found,) = find_peers([tmp_path])
    assert (found.peer, found.path) == (EICHNER, path)
    ours = read_set("buffy", [tmp_path], "oc").on(UPPER_BODY)
    poses, joints, examples = peer_poses(found, ours.poses, ours.labelled, UPPER_BODY)
    assert joints == ARMS
    assert examples.tolist() == [True, True, False]
    np.testing.assert_allclose(poses[0, :6], ours.poses[0, :6])
    assert np.isnan(poses[1:]).all()
    path.write_bytes(b"no zip archive")
    assert find_peers([tmp_path]) == []


@pytest.mark.realdata
def test_the_published_predictions(mirror):
    found = {peer.peer.file: peer for peer in find_peers([mirror])}
    if MODEC.file not in found:
        pytest.skip(f"{MODEC.file} is not in {mirror}")
    modec = found[MODEC.file]
    assert modec.packing == "scaled to images at half size"
    pose_set = read_set("flic", [mirror], "oc")
    poses, joints = poses_on(UPPER_BODY, modec, pose_set)
    assert poses.shape == (1016, 10, 2)
    assert joints == ARMS
    assert not np.isnan(poses[:, :6]).any()
    np.testing.assert_allclose(poses[0, 0], [194.20147705, 114.73316193])
    published_scale = dataclasses.replace(pose_set, poses=2 * pose_set.poses + 0.5, torso_boxes=None)
    with pytest.raises(PredictionsError, match="does not belong"):
        poses_on(UPPER_BODY, modec, published_scale)
