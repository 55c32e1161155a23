import zipfile

import archives
import numpy as np
import pytest
from archives import BUFFY_STICKS as STICKS

from deeppose.core.errors import ArchiveError, PredictionsError
from deeppose.core.skeleton import BUFFY_STICKS as SKELETON
from deeppose.data.readers.buffy import read_buffy, sticks_to_pose
from deeppose.data.readers.buffy_estimates import (
    estimated_poses,
    labelled_window,
    overlap,
    person_found,
    read_estimates,
)

# From the head's top, 20, to the torso's middle, 75, 0.9 as high as wide, about x = 60.25; 1-based.
WINDOW = (60.25 - 55 / 1.8, 20, 60.25 + 55 / 1.8, 75)
ELSEWHERE = (0, 0, 20, 18)


def moved(by):
    return np.array(STICKS, dtype=float) + by


def archive_of(tmp_path, frames, top="BUFFY/", **changed):
    """Three labelled frames; `frames` are the estimates by episode and frame."""
    members = archives.buffy_members({2: {63: STICKS, 64: STICKS}, 3: {7: STICKS}}, top, "_original")
    members[f"{top}techrep2010_buffy_results.mat"] = archives.buffy_estimates(frames, **changed)
    return archives.write_zip(tmp_path / "buffy.zip", members)


def test_the_person_in_the_labelled_window_is_taken_whoever_comes_first(tmp_path):
    people = [(moved(30), ELSEWHERE), (moved(2), WINDOW)]
    archive = archive_of(tmp_path, {(2, 63): people, (2, 64): []})
    poses, predicted = estimated_poses(archive)
    truth = read_buffy(archive).poses
    np.testing.assert_allclose(poses[0], truth[0] + 2)
    assert np.isnan(poses[1:]).all()
    assert predicted.tolist() == [True, True, False]


def test_sides_are_those_of_the_labels(tmp_path):
    archive = archive_of(tmp_path, {(2, 63): [(STICKS, WINDOW)]})
    poses, _ = estimated_poses(archive)
    assert poses[0, SKELETON.joints.index("left wrist")].tolist() == [89, 94]


@pytest.mark.parametrize(("x", "found"), [(0, True), (20, True), (20.5, False), (-20.5, False)])
def test_windows_that_share_half_of_their_union_or_less_are_others(x, found):
    # Of two windows as large, one moved by a third: half of the union.
    window = np.reshape(WINDOW, (2, 2)) + np.array([x, 0])
    pose = sticks_to_pose(np.reshape(np.array(STICKS, dtype=float), (6, 2, 2)))
    assert (person_found([(np.zeros((6, 2, 2)), window)], pose) is not None) == found


def test_the_labelled_window_by_hand():
    pose = sticks_to_pose(np.reshape(np.array(STICKS, dtype=float), (6, 2, 2)))
    np.testing.assert_allclose(labelled_window(pose), np.reshape(WINDOW, (2, 2)))


def test_windows_without_area_overlap_nothing():
    assert overlap(np.zeros((2, 2)), np.zeros((2, 2))) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lacking": "stickmen"}, r"episode 2, frame 63 has no field 'stickmen', only"),
        ({"lacking": "episode"}, r"frame 0 has no field 'episode'"),
        ({"lacking": "det"}, r"episode 2, frame 63 has no field 'det'"),
        ({"parts": 5}, r"frame 63: coor is 4×5 float64, expected 4×6 finite numbers"),
        ({"window": (1, 2, np.nan, 4)}, r"frame 63: det is 1×4 float64, expected 4 finite numbers"),
    ],
)
def test_another_layout_is_refused(tmp_path, changed, message):
    archive = archive_of(tmp_path, {(2, 63): [(STICKS, WINDOW)]}, **changed)
    with pytest.raises(PredictionsError, match=message):
        read_estimates(archive)


def test_an_older_version_lacks_them(tmp_path):
    path = archives.write_zip(tmp_path / "buffy.zip", archives.buffy_members({2: {63: STICKS}}))
    with pytest.raises(ArchiveError, match="no member techrep2010_buffy_results"):
        read_estimates(path)


@pytest.mark.realdata
def test_the_packages_own_evaluation_comes_out(mirror):
    """Its README: detection rate 0.9529, PCP 0.8327 of the people who are found."""
    archive = mirror / "buffy.zip"
    if not archive.is_file():
        pytest.skip(f"buffy.zip is not in {mirror}")
    estimates = read_estimates(archive)
    found, correct = [], []
    for frame, labelled in published_sticks(archive).items():
        if frame in estimates:
            sticks = person_found(estimates[frame], sticks_to_pose(labelled))
            found.append(sticks is not None)
            correct += [] if sticks is None else correct_sticks(sticks, labelled)
    assert len(found) == 276
    assert np.mean(found) == pytest.approx(0.9529, abs=5e-5)
    assert np.mean(correct) == pytest.approx(0.8327, abs=5e-5)


def published_sticks(archive):
    """By episode and frame: a pose has one elbow where two sticks have ends of their own."""
    sticks = {}
    with zipfile.ZipFile(archive) as opened:
        for episode in (2, 5, 6):
            lines = opened.read(f"BUFFY/data/buffy_s5e{episode}_sticks.txt").decode().split("\n")
            rows = [np.array(line.split(), dtype=float) for line in lines if line.strip()]
            for first in range(0, len(rows), 7):
                sticks[episode, int(rows[first][0])] = np.reshape(rows[first + 1 : first + 7], (6, 2, 2))
    return sticks


def correct_sticks(estimated, labelled):
    """As the package counts: along a stick and across, the mean over its ends is below half its length."""
    correct = []
    for ours, true in zip(estimated, labelled, strict=True):
        if np.linalg.norm(ours[0] - true[1]) < np.linalg.norm(ours[0] - true[0]):
            ours = ours[::-1]
        along = (true[1] - true[0]) / np.linalg.norm(true[1] - true[0])
        away = np.abs((ours - true) @ np.stack([along, [-along[1], along[0]]], axis=1))
        correct.append(bool((away.mean(axis=0) < 0.5 * np.linalg.norm(true[1] - true[0])).all()))
    return correct
