import archives
import numpy as np
import pytest
from scipy.sparse import csc_array

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.data.readers.flic import read_flic

SIDES = ("left", "right")


@pytest.fixture
def examples():
    return [
        archives.flic_example(0, train=True),
        archives.flic_example(1, train=False),
        archives.flic_example(2, train=True, file="a-film-00000000.jpg"),
    ]


def test_it_is_read(tmp_path, examples):
    examples[1]["coords"][:, 5] = np.nan
    pose_set = read_flic(archives.write_flic(tmp_path, examples))
    assert pose_set.poses.shape == (3, 11, 2)
    for row, column in enumerate(archives.FLIC_COLUMNS):
        np.testing.assert_array_equal(pose_set.poses[0, row], examples[0]["coords"][:, column] - 1)
    assert pose_set.skeleton.joints[7] == "right hip"
    assert pose_set.train.tolist() == [True, False, True]
    assert pose_set.members == tuple(f"FLIC/images/a-film-0000000{n}.jpg" for n in (0, 1, 0))
    assert pose_set.labels == "observer-centric as published"
    unlabelled = np.argwhere(~pose_set.labelled).tolist()
    assert unlabelled == [[1, 5]]
    assert np.isnan(pose_set.poses[1, 5]).all()


def test_torso_boxes_are_centre_and_size(tmp_path, examples):
    examples[1]["torsobox"] = np.array([[-4, 4, 9.5, 30]], dtype=np.float32)  # beyond the frame: kept
    pose_set = read_flic(archives.write_flic(tmp_path, examples))
    assert pose_set.torso_boxes.tolist() == [[5, 7, 6, 8], [1.75, 16, 13.5, 26], [5, 7, 6, 8]]
    assert pose_set.taking(np.array([1])).torso_boxes.tolist() == [[1.75, 16, 13.5, 26]]


def test_an_example_may_have_no_label_at_all(tmp_path, examples):
    examples[2]["coords"][:] = np.nan
    pose_set = read_flic(archives.write_flic(tmp_path, examples))
    assert pose_set.labelled.any(axis=1).tolist() == [True, True, False]
    assert np.isnan(pose_set.poses[2]).all()


@pytest.mark.parametrize("field", ["coords", "filepath", "torsobox", "istrain", "istest"])
def test_a_missing_field_is_named(tmp_path, examples, field):
    fewer = [{name: value for name, value in example.items() if name != field} for example in examples]
    with pytest.raises(AnnotationError, match=rf"FLIC/examples.mat: examples has no field '{field}'"):
        read_flic(archives.write_flic(tmp_path, fewer))


CELL = np.empty((1, 1), dtype=object)
CELL[0, 0] = np.ones(3)
BAD_FIELDS = {
    "coords of another shape": ({"coords": np.zeros((29, 2))}, "example 1: coords is 29×2 .*expected 2×29"),
    "coords that are no numbers": ({"coords": "none"}, "example 1: coords is 1 .*expected 2×29"),
    "half a label": ({"coords": np.array([[1.0] * 29, [np.nan] * 29])}, "example 1, left shoulder: .*nan"),
    "infinite": ({"coords": np.full((2, 29), np.inf)}, "example 1, left shoulder: .*inf"),
    "both parts": ({"istrain": 1, "istest": 1}, "example 1 is both in the training and in the test part"),
    "no part": ({"istrain": 0, "istest": 0}, "example 1 is in no part"),
    "no flag": ({"istest": 2}, "example 1: istest is .*expected 0 or 1"),
    "torso of three numbers": ({"torsobox": [3, 4, 9]}, "example 1: torsobox is .*expected four finite"),
    "torso that is no numbers": (
        {"torsobox": "none"},
        "example 1: torsobox is .*'none'.*expected four finite",
    ),
    "torso with NaN": ({"torsobox": [3, 4, np.nan, 9]}, "example 1: torsobox is .*nan.*expected four finite"),
    "torso without width": (
        {"torsobox": [3, 4, 3, 9]},
        r"example 1: torsobox is \[\[3, 4, 3, 9\]\].*x1 < x2",
    ),
    "torso upside down": ({"torsobox": [3, 9, 5, 4]}, r"example 1: torsobox is \[\[3, 9, 5, 4\]\].*y1 < y2"),
    "torso of unsigned numbers, reversed": (
        {"torsobox": np.array([9, 12, 3, 4], dtype=np.uint8)},
        r"example 1: torsobox is .*x1 < x2",
    ),
    "flag of several values": (
        {"istrain": CELL},
        "example 1: istrain is 1×1 object, expected 0 or 1",
    ),
    "file names": ({"filepath": np.ones((40, 40))}, "example 1: filepath is 40×40 float64, expected one"),
    "sparse coords": ({"coords": csc_array(np.ones((2, 29)))}, "example 1: coords is .*expected 2×29"),
    "far away": ({"coords": np.full((2, 29), 1e308)}, r"example 1, FLIC/.*: left shoulder lies at \[1e\+308"),
    "file name as a number": ({"filepath": 5}, "example 1: filepath is .*expected one text"),
}


@pytest.mark.parametrize(("change", "message"), BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_bad_field_is_named(tmp_path, examples, change, message):
    members = archives.flic_members(examples)
    examples[1] |= change
    members["FLIC/examples.mat"] = archives.flic_members(examples)["FLIC/examples.mat"]
    with pytest.raises(AnnotationError, match=message):
        read_flic(archives.write_zip(tmp_path / "FLIC.zip", members))


def test_a_struct_of_another_kind(tmp_path):
    members = {"FLIC/examples.mat": archives.mat(examples=np.ones(3))}
    with pytest.raises(AnnotationError, match="examples has no field 'filepath'"):
        read_flic(archives.write_zip(tmp_path / "FLIC.zip", members))


def test_a_missing_frame_is_named(tmp_path, examples):
    members = archives.flic_members(examples)
    del members["FLIC/images/a-film-00000001.jpg"]
    with pytest.raises(ArchiveError, match=r"lacks 1 images .*a-film-00000001.jpg"):
        read_flic(archives.write_zip(tmp_path / "FLIC.zip", members))


@pytest.mark.realdata
def test_the_published_set(mirror):
    pose_set = read_flic(mirror / "FLIC.zip")
    assert pose_set.poses.shape == (5003, 11, 2)
    assert pose_set.labelled.all()
    assert pose_set.train.sum() == 3987
    assert len(set(pose_set.members)) == 4552
    train = {member for member, part in zip(pose_set.members, pose_set.train, strict=True) if part}
    test = {member for member, part in zip(pose_set.members, pose_set.train, strict=True) if not part}
    assert len(train & test) == 2
    np.testing.assert_allclose(pose_set.torso_boxes[0], [132.63992, 143.67098, 48.02574, 72.0386], atol=1e-4)
    left, right = (pose_set.poses[:, pose_set.skeleton.joints.index(f"{side} shoulder"), 0] for side in SIDES)
    assert (left > right).mean() == pytest.approx(0.951, abs=0.001)
