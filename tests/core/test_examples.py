import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import StageError
from deeppose.core.examples import (
    BOX_COLUMNS,
    Examples,
    choose_held_out,
    mean_pose,
    read_examples,
    write_examples,
)
from deeppose.core.skeleton import FULL_BODY

JOINTS = len(FULL_BODY.joints)


def examples_of(boxes, poses, labelled, sets=None, parts=None):
    table = pd.DataFrame(
        {
            "set": sets or ["lsp"] * len(boxes),
            "part": parts or ["train"] * len(boxes),
            "file": [f"images/im{n}.jpg" for n in range(len(boxes))],
            "width": np.arange(len(boxes), dtype=np.int32) + 50,
            "height": 60,
            "offset": 0,
            "diameter": 30.0,
        }
    )
    table[BOX_COLUMNS] = np.asarray(boxes, dtype=np.float64)
    return Examples(table, np.where(labelled[..., None], poses, np.nan), labelled)


@pytest.fixture
def examples():
    rng = np.random.default_rng(5)
    boxes = np.column_stack([rng.uniform(0, 9, (4, 2)), rng.uniform(1, 99, (4, 2))])
    poses, labelled = rng.normal(size=(4, JOINTS, 2)), rng.random((4, JOINTS)) < 0.7
    sets, parts = ["lsp", "ext", "ext", "lsp"], ["train", "held-out", "train", "test"]
    return examples_of(boxes, poses, labelled, sets, parts)


def drawn(images, count, seed):
    return choose_held_out(images, np.ones(len(images), dtype=bool), count, seed)


@pytest.mark.parametrize(("candidates", "count"), [(1000, 50), (60, 59), (7, 1)])
def test_as_many_are_held_out_as_asked_for(candidates, count):
    chosen = drawn(np.arange(candidates), count, 2014)
    assert chosen.shape == (candidates,)
    assert chosen.sum() == count


def test_people_of_one_image_are_held_out_together():
    images = np.array([70, 70, 10, 30, 30, 30, 20])
    for seed in range(20):
        chosen = drawn(images, 2, seed)
        assert len(set(images[chosen])) == 2
        assert not set(images[chosen]) & set(images[~chosen])


def test_candidates_alone_are_held_out_and_others_change_no_draw():
    images = np.arange(60)
    candidates = images % 3 == 0
    chosen = choose_held_out(images, candidates, 5, 7)
    assert chosen.sum() == 5
    assert not chosen[~candidates].any()
    np.testing.assert_array_equal(chosen[candidates], drawn(images[candidates], 5, 7))


def test_the_seed_alone_decides_which_are_held_out():
    np.testing.assert_array_equal(drawn(np.arange(1000), 50, 1), drawn(np.arange(1000), 50, 1))
    assert not np.array_equal(drawn(np.arange(1000), 50, 1), drawn(np.arange(1000), 50, 2))
    # They come from everywhere, and every example may be one of them.
    times = np.sum([drawn(np.arange(20), 5, seed) for seed in range(200)], axis=0)
    assert times.min() > 20
    assert times.max() < 90


def test_what_is_written_is_read_back_exactly(examples, tmp_path):
    paths = tmp_path / "examples.parquet", tmp_path / "joints.parquet"
    write_examples(examples, *paths)
    read = read_examples(*paths, FULL_BODY)
    pd.testing.assert_frame_equal(read.table, examples.table)
    np.testing.assert_array_equal(read.poses, examples.poses)
    np.testing.assert_array_equal(read.labelled, examples.labelled)
    assert np.isnan(read.poses).any()
    assert read.labelled.dtype == bool
    np.testing.assert_array_equal(read.boxes, examples.boxes)


def test_tables_that_dont_belong_together_are_named(examples, tmp_path):
    paths = tmp_path / "examples.parquet", tmp_path / "joints.parquet"
    write_examples(examples, *paths)
    pd.read_parquet(paths[1]).iloc[:-JOINTS].to_parquet(paths[1])
    with pytest.raises(StageError, match=rf"joints.parquet has {3 * JOINTS} rows for the 4 examples of"):
        read_examples(*paths, FULL_BODY)


def test_boxes_are_added_in_the_order_of_the_examples(examples):
    boxes = pd.DataFrame(np.arange(16.0).reshape(4, 4), columns=BOX_COLUMNS)
    np.testing.assert_array_equal(examples.with_boxes(boxes).boxes, boxes)


def test_joints_are_written_one_row_each(examples, tmp_path):
    write_examples(examples, tmp_path / "examples.parquet", tmp_path / "joints.parquet")
    flat = pd.read_parquet(tmp_path / "joints.parquet")
    assert flat["example"].tolist() == [n for n in range(4) for _ in range(JOINTS)]
    assert flat["joint"].tolist() == list(range(JOINTS)) * 4
    example, joint = np.argwhere(examples.labelled)[-1]
    row = flat[(flat["example"] == example) & (flat["joint"] == joint)].iloc[0]
    assert (row["x"], row["y"], row["labelled"]) == (*examples.poses[example, joint], True)


def test_written_twice_the_bytes_are_the_same(examples, tmp_path):
    for name in "ab":
        write_examples(examples, tmp_path / f"{name}1", tmp_path / f"{name}2")
    for number in "12":
        assert (tmp_path / f"a{number}").read_bytes() == (tmp_path / f"b{number}").read_bytes()


def test_rows_and_sets_of_a_part(examples):
    assert examples.rows("train").tolist() == [0, 2]
    assert examples.rows("train", "ext").tolist() == [2]
    assert examples.rows("test", "ext").tolist() == []
    assert examples.sets("train") == ["lsp", "ext"]
    assert examples.sets("held-out") == ["ext"]
    assert examples.widths.tolist() == [50, 51, 52, 53]


def test_mean_pose_by_hand():
    boxes = [(50, 100, 100, 200), (10, 20, 20, 40), (0, 0, 8, 8)]
    poses = np.zeros((3, JOINTS, 2))
    labelled = np.ones((3, JOINTS), dtype=bool)
    poses[0, 0], poses[1, 0] = (75, 200), (10, 10)  # normalised (0.25, 0.5) and (0, −0.25)
    poses[0, 1], poses[1, 1] = (0, 0), (15, 30)  # (−0.5, −0.5) and (0.25, 0.25)
    labelled[0, 1] = False
    poses[2] = 1e6  # not among the rows asked for
    mean = mean_pose(examples_of(boxes, poses, labelled), np.array([0, 1]))
    assert mean.shape == (JOINTS, 2)
    np.testing.assert_allclose(mean[:2], [(0.125, 0.125), (0.25, 0.25)])
    np.testing.assert_allclose(mean[2:], -0.5)


def test_a_point_at_an_unlabelled_joint_is_no_part_of_the_mean():
    labelled = np.ones((2, JOINTS), dtype=bool)
    labelled[1, 0] = False
    examples = examples_of([(0, 0, 2, 2)] * 2, np.ones((2, JOINTS, 2)), labelled)
    examples.poses[1, 0] = 1e6
    assert mean_pose(examples, np.arange(2)).tolist() == [[0.5, 0.5]] * JOINTS


def test_rows_of_a_set_so_often_others_once(examples):
    rows = np.array([3, 1, 0, 2])
    assert examples.repeated(rows, {"ext": 3}).tolist() == [3, 1, 1, 1, 0, 2, 2, 2]
    assert examples.repeated(rows, {}).tolist() == rows.tolist()
