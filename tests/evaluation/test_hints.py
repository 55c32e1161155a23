"""Each mistake in predictions is told by what it costs, and nothing is told of right files."""

from pathlib import Path

import archives
import cv2
import numpy as np
import pytest

from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.pose_set import PoseSet
from deeppose.evaluation.score import score

COUNT, WIDTH, HEIGHT = 40, 120, 160
MIRRORED = list(FULL_BODY.mirrored)


def pose_set(archive=Path("none.zip")):
    """As many examples to train on as to test on, each with an image of its own."""
    poses = np.random.default_rng(0).uniform((0, 0), (WIDTH - 1, HEIGHT - 1), (2 * COUNT, 14, 2))
    return PoseSet(
        name="lsp",
        archive=archive,
        members=tuple(f"im{number:04d}.png" for number in range(2 * COUNT)),
        poses=poses,
        labelled=np.ones(poses.shape[:2], dtype=bool),
        train=np.arange(2 * COUNT) < COUNT,
        skeleton=FULL_BODY,
        labels="observer-centric as published",
    )


@pytest.fixture
def hints(tmp_path):
    """What is told of poses in a file."""

    def told(pose_set, poses):
        write_poses(tmp_path / "p.parquet", poses)
        return score(pose_set, tmp_path / "p.parquet", "oc").hints

    return told


@pytest.fixture
def predicted():
    """Predictions that are right for most joints, and far off for the others."""
    generator = np.random.default_rng(1)
    poses = pose_set().poses[COUNT:] + generator.normal(0, 3, (COUNT, 14, 2))
    far = generator.random((COUNT, 14)) < 0.3
    poses[far] += 500
    return poses


WRONG = {
    "sides": (lambda poses: poses[:, MIRRORED], "with left and right exchanged this would be 0.6"),
    "axes": (lambda poses: poses[..., ::-1], "with x and y exchanged this would be 0.6"),
    "a row above": (
        lambda poses: np.roll(poses, 1, axis=0),
        "shifted by one row: with each pose one example earlier this would be 0.6",
    ),
    "a row below": (
        lambda poses: np.roll(poses, -1, axis=0),
        "shifted by one row: with each pose one example later this would be 0.6",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_by_what_the_file_would_score_without(hints, predicted, change, said):
    (hint,) = hints(pose_set(), change(predicted))
    assert hint.startswith(said)
    assert "(mean PDJ at 0.2, now 0.0" in hint or "(mean PDJ at 0.2, now 0.1" in hint


def test_nothing_is_told_of_a_right_file(hints, predicted):
    assert hints(pose_set(), predicted) == ()
    assert hints(pose_set(), pose_set().poses[COUNT:]) == ()


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_told_of_a_method_that_guesses(hints, seed):
    guesses = np.random.default_rng(seed).uniform(0, WIDTH, (COUNT, 14, 2))
    assert hints(pose_set(), guesses) == ()
    assert hints(pose_set(), np.tile(guesses[:1], (COUNT, 1, 1))) == ()
    assert hints(pose_set(), np.full((COUNT, 14, 2), np.nan)) == ()


def test_joints_that_are_not_predicted_hide_nothing(hints, predicted):
    predicted[:, [12, 13]] = np.nan
    (hint,) = hints(pose_set(), predicted[:, MIRRORED])
    assert hint.startswith("with left and right exchanged this would be 0.6")


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (1, "counted from 1: with one pixel less in x and y"),
        (-1, "off by one: with one pixel more in x and y"),
    ],
)
def test_a_pixel_is_told_of_where_all_else_is_exact(hints, predicted, pixels, said):
    truth = pose_set().poses[COUNT:]
    assert hints(pose_set(), truth + pixels) == (f"{said}, 1.00 of the joints would be exact (now 0.00)",)
    assert hints(pose_set(), predicted + pixels) == ()


def test_shares_of_the_images(hints, tmp_path):
    sides = [(WIDTH + number, HEIGHT) for number in range(2 * COUNT)]
    images = {
        name: cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()
        for name, (width, height) in zip(pose_set().members, sides, strict=True)
    }
    truth = pose_set(archives.write_zip(tmp_path / "set.zip", images))
    shares = (truth.poses[COUNT:] + 0.5) / np.array(sides)[COUNT:, None]
    told = "all coordinates lie between 0 and 1: pixels are expected"
    assert hints(truth, shares) == (f"{told}; times the images' sides this would be 1.00",)
    assert hints(pose_set(), shares) == (told,)
