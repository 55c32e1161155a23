"""COCO's keypoint results: whose joints, of which example, the most confident of several."""

import json

import numpy as np
import pytest

from deeppose.core.errors import PredictionsError
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY
from deeppose.data import coco_results
from deeppose.data.coco_results import COCO, MPII, read_coco_results
from deeppose.data.example_names import SHARED

MEMBERS = ("images/im1001.jpg", "images/im1002.jpg", "images/im1003.jpg")


def keypoints(count, x=0.0):
    """Joint i lies at (x + i, 100 + i)."""
    return [value for i in range(count) for value in (x + i, 100 + i, 2)]


def result(image, count=17, x=0.0, **more):
    return {"image_id": image, "keypoints": keypoints(count, x), "category_id": 1, **more}


def read(tmp_path, results, members=MEMBERS, skeleton=FULL_BODY):
    (tmp_path / "r.json").write_text(results if isinstance(results, str) else json.dumps(results))
    return read_coco_results(tmp_path / "r.json", members, skeleton)


@pytest.mark.parametrize(
    ("skeleton", "joints", "lacking"),
    [
        (FULL_BODY, COCO, {"neck", "head top"}),
        (FULL_BODY, MPII, set()),
        (FLIC_LABELLED, COCO, set()),
        (FLIC_LABELLED, MPII, {"left eye", "right eye", "nose"}),
        (BUFFY_STICKS, COCO, {"torso top", "torso bottom", "head top", "head bottom"}),
        (BUFFY_STICKS, MPII, {"torso top", "torso bottom", "head bottom"}),
    ],
)
def test_joints_are_matched_by_name(tmp_path, skeleton, joints, lacking):
    poses, remarks = read(tmp_path, [result("im1001.jpg", len(joints), score=0.5)], MEMBERS[:1], skeleton)
    for name, point in zip(skeleton.joints, poses[0], strict=True):
        if name in lacking:
            assert np.isnan(point).all()
        else:
            assert point.tolist() == [joints.index(name), 100 + joints.index(name)]
    whose = "COCO's" if joints == COCO else "MPII's"
    assert remarks == [f"the {len(joints)} keypoints are taken for {whose} joints"]


def test_the_orders_are_those_of_the_data_sets():
    assert COCO[:7] == (
        "nose",
        "left eye",
        "right eye",
        "left ear",
        "right ear",
        "left shoulder",
        "right shoulder",
    )
    assert COCO[-2:] == ("left ankle", "right ankle")
    assert len(COCO) == len(set(COCO)) == 17
    assert len(MPII) == len(set(MPII)) == 16


def test_as_many_as_the_set_has_are_its_own(tmp_path):
    poses, remarks = read(tmp_path, [result(n, 14, x=10.0 * n) for n in (2, 0, 1)])
    np.testing.assert_array_equal(poses[:, :, 0], 10.0 * np.arange(3)[:, None] + np.arange(14))
    assert remarks == ["the 14 keypoints are taken for the set's own joints"]


def test_the_surest_of_several_counts_and_a_missing_one_is_missed(tmp_path):
    scores = [("im1001.jpg", 0.2), ("images/im1001", 0.9), (0, 0.9), (2, 0.1)]
    results = [result(image, x=n, score=score) for n, (image, score) in enumerate(scores)]
    poses, remarks = read(tmp_path, results)
    hip = FULL_BODY.joints.index("left hip")
    assert poses[[0, 2], hip, 0].tolist() == [1 + 11, 3 + 11]
    assert np.isnan(poses[1]).all()
    assert remarks[1:] == [
        "several results for 1 of 3 examples: of each the one with the highest score counts",
        "no result for 1 of 3 examples: all of their joints are missed",
    ]


def test_examples_of_one_image_share_its_result(tmp_path):
    poses, remarks = read(tmp_path, [result("a/1.jpg")], ("a/1.jpg", "a/1.jpg"))
    np.testing.assert_array_equal(poses[0], poses[1])
    assert remarks[-1] == SHARED


def test_three_zeros_are_a_miss_and_a_nan_is(tmp_path):
    values = keypoints(17)
    values[:3], values[15] = [0, 0, 0], float("nan")
    poses, _ = read(tmp_path, [{"image_id": 0, "keypoints": values}], skeleton=FLIC_LABELLED)
    missed = np.isnan(poses[0]).any(axis=1)
    assert [FLIC_LABELLED.joints[joint] for joint in np.flatnonzero(missed)] == ["left shoulder", "nose"]


BAD = {
    "no JSON": ("[{]", r"r\.json, line 1, column 3: not valid JSON"),
    "brackets": ("[" * 100_000, r"r\.json: not a readable JSON file"),
    "many digits": ("[" + "9" * 5000 + "]", r"r\.json: not a readable JSON file"),
    "an object": ({"annotations": []}, r"r\.json: a list of results is expected"),
    "nothing": ([], r"r\.json: a list of results is expected"),
    "no result": ([result(0), 3], r"result 1: an object with image_id, keypoints and score is expected"),
    "no image": ([{"keypoints": keypoints(17)}], r"result 0: an object with image_id"),
    "an unknown image": ([result("im9.jpg")], r"result 0: image_id is 'im9\.jpg'; an image of the test part"),
    "a number beyond": ([result(3)], r"result 0: image_id is '3'; .* number from 0 to 2 is expected"),
    "a flag for a number": ([result(True)], r"result 0: image_id is 'True'"),
    "other joints": ([result(0, 15)], r"result 0: 15 keypoints; COCO's 17, MPII's 16 or the set's own 14"),
    "mixed joints": ([result(0), result(1, 16)], r"result 1: 16 keypoints, where result 0 has 17"),
    "two numbers a joint": ([{"image_id": 0, "keypoints": [1, 2]}], r"result 0: keypoints are not finite"),
    "words": ([{"image_id": 0, "keypoints": ["1"] * 51}], r"result 0: keypoints are not finite numbers"),
    "no list": ([{"image_id": 0, "keypoints": 5}], r"result 0: keypoints are not finite numbers"),
    "infinite": ([{"image_id": 0, "keypoints": [1e999] * 51}], r"result 0: keypoints are not finite"),
    "beyond floats": ([{"image_id": 0, "keypoints": [10**400] * 51}], r"result 0: keypoints are not finite"),
    "a score in words": ([result(0, score="high")], r"result 0: score is 'high', not a finite number"),
    "a score of NaN": ([result(0, score=float("nan"))], r"result 0: score is 'nan'"),
    "several without scores": ([result(0), result(0)], r"result 1: a second result for its image, without"),
}


def test_a_file_of_many_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_results, "MOST_BYTES", 2)
    with pytest.raises(PredictionsError, match=r"r\.json is larger than"):
        read(tmp_path, [1, 2])


@pytest.mark.parametrize(("results", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_of_the_result(tmp_path, results, said):
    with pytest.raises(PredictionsError, match=said) as refused:
        read(tmp_path, results)
    assert len(str(refused.value).splitlines()) == 1
