import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deeppose.core.skeleton import FULL_BODY
from deeppose.data.readers.observer_centric import observer_centric
from deeppose.data.registry import read_set

J = {name: index for index, name in enumerate(FULL_BODY.joints)}
ARMS = [J[f"{side} {name}"] for side in ("left", "right") for name in ("shoulder", "elbow", "wrist")]
LEGS = [J[f"{side} {name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle")]
MIRRORED = list(FULL_BODY.mirrored)


def person(facing: bool = True) -> np.ndarray:
    """Upright, 100 px high; who faces the camera has the left joints on the image's right."""
    heights = {
        "head top": 0,
        "neck": 15,
        "shoulder": 18,
        "elbow": 35,
        "wrist": 50,
        "hip": 50,
        "knee": 75,
        "ankle": 100,
    }
    pose = np.zeros((14, 2))
    for joint, index in J.items():
        side, _, name = joint.rpartition(" ") if joint in ("neck", "head top") else joint.partition(" ")
        name = joint if joint in heights else name
        pose[index] = [{"left": 10.0, "right": -10.0}.get(side, 0.0), heights[name]]
    return pose if facing else pose * [-1, 1]


def run(pose, unlabelled=()):
    labelled = np.ones((1, 14), dtype=bool)
    labelled[0, [J[name] for name in unlabelled]] = False
    given_pose = np.where(labelled[0, :, None], pose, np.nan)[None]
    poses, mask, counts = observer_centric(given_pose, labelled, FULL_BODY)
    return poses[0], mask[0], {key: value for key, value in counts.items() if value}


def test_who_faces_the_camera_keeps_the_labels():
    poses, mask, counts = run(person())
    np.testing.assert_array_equal(poses, person())
    assert mask.all()
    assert counts == {"up_to_neck": 1, "up_from_hips": 1, "arms_by_first_pair": 1, "legs_by_first_pair": 1}


def test_who_is_seen_from_the_back_changes_sides():
    poses, _, counts = run(person(facing=False))
    np.testing.assert_array_equal(poses, person(facing=False)[MIRRORED])
    assert counts["arms_exchanged"] == counts["legs_exchanged"] == 1


def test_a_handstand_is_judged_along_the_body():
    upside_down = person() * [-1, -1]  # turned by half a turn: still facing the camera
    np.testing.assert_array_equal(run(upside_down)[0], upside_down)
    np.testing.assert_array_equal(run(upside_down * [-1, 1])[0], (upside_down * [-1, 1])[MIRRORED])


def test_arms_and_legs_are_judged_apart():
    twisted = person()
    twisted[LEGS, 0] *= -1
    poses, _, counts = run(twisted)
    np.testing.assert_array_equal(poses[LEGS], twisted[MIRRORED][LEGS])
    np.testing.assert_array_equal(poses[ARMS], twisted[ARMS])
    assert counts["legs_exchanged"] == 1
    assert "arms_exchanged" not in counts


def test_a_cross_product_of_nought_exchanges_nothing():
    pose = person()
    pose[:, 0] = 0
    np.testing.assert_array_equal(run(pose)[0], pose)


BOTH_SHOULDERS = ("left shoulder", "right shoulder")
BOTH_HIPS = ("left hip", "right hip")
ARMS_BUT_WRISTS = ("left shoulder", "right elbow")
ALL_ARMS = tuple(FULL_BODY.joints[index] for index in ARMS)
ALL_LEGS = tuple(FULL_BODY.joints[index] for index in LEGS)


@pytest.mark.parametrize(
    ("unlabelled", "decided"),
    [
        (("left shoulder",), {"arms_by_next_pairs", "legs_by_first_pair", "up_to_neck", "up_from_hips"}),
        (ARMS_BUT_WRISTS, {"arms_by_next_pairs", "legs_by_first_pair", "up_to_neck", "up_from_hips"}),
        (ALL_ARMS, {"arms_by_other_group", "legs_by_first_pair", "up_to_neck", "up_from_hips"}),
        (("neck",), {"arms_by_first_pair", "legs_by_first_pair", "up_to_shoulders", "up_from_hips"}),
        (("left hip",), {"arms_by_first_pair", "legs_by_next_pairs", "up_to_neck", "up_from_one_hip"}),
        (("right hip",), {"arms_by_first_pair", "legs_by_next_pairs", "up_to_neck", "up_from_one_hip"}),
        (BOTH_HIPS, {"arms_by_first_pair", "legs_by_next_pairs", "up_to_neck", "up_from_knees"}),
        (
            ("left hip", "right knee", "left ankle"),
            {"arms_by_first_pair", "legs_by_other_group", "up_to_neck", "up_from_one_hip"},
        ),
        (("neck", "left shoulder"), {"arms_stay", "legs_stay", "up_from_hips", "up_unknown"}),
        ((*BOTH_HIPS, "left knee"), {"arms_stay", "legs_stay", "up_to_neck", "up_unknown"}),
        (
            (*BOTH_SHOULDERS, "left elbow", "left wrist", "left hip", "left knee", "left ankle"),
            {"arms_stay", "legs_stay", "up_to_neck", "up_from_one_hip"},
        ),
    ],
)
def test_who_decides_where_labels_lack(unlabelled, decided):
    back = person(facing=False)
    poses, mask, counts = run(back, unlabelled)
    staying = {name for name in decided if name.endswith("_stay")}
    exchanged = set() if staying else {"arms_exchanged", "legs_exchanged"}
    assert set(counts) == decided | exchanged
    labelled = np.array([name not in unlabelled for name in FULL_BODY.joints])
    expected_mask = labelled if staying else labelled[MIRRORED]
    expected = back if staying else back[MIRRORED]
    np.testing.assert_array_equal(mask, expected_mask)
    np.testing.assert_array_equal(poses[mask], expected[mask])


def test_what_stands_at_an_unlabelled_joint_is_never_looked_at():
    labelled = np.ones((1, 14), dtype=bool)
    labelled[0, J["neck"]] = False
    pose = person(facing=False)[None]
    pose[0, J["neck"]] = [0, 1e6]
    poses, _, counts = observer_centric(pose, labelled, FULL_BODY)
    np.testing.assert_array_equal(poses[0], pose[0][MIRRORED])
    assert counts["up_to_shoulders"] == 1


coordinates = st.integers(-50, 50).map(float)
many_poses = arrays(np.float64, (5, 14, 2), elements=coordinates)
many_masks = arrays(np.bool_, (5, 14))


@given(many_poses, many_masks)
def test_doing_it_twice_changes_nothing_more(poses, labelled):
    once, mask, _ = observer_centric(poses, labelled, FULL_BODY)
    twice, mask_twice, counts = observer_centric(once, mask, FULL_BODY)
    np.testing.assert_array_equal(twice, once)
    np.testing.assert_array_equal(mask_twice, mask)
    assert counts["arms_exchanged"] == counts["legs_exchanged"] == 0


@given(many_poses, many_masks)
def test_each_group_of_each_pose_is_decided_once(poses, labelled):
    *_, counts = observer_centric(poses, labelled, FULL_BODY)
    for group in ("arms", "legs"):
        deciders = ("by_first_pair", "by_next_pairs", "by_other_group", "stay")
        assert sum(counts[f"{group}_{decider}"] for decider in deciders) == len(poses)


@given(many_poses, many_masks)
def test_a_pose_gets_the_same_whatever_stands_beside_it(poses, labelled):
    together, _, counts = observer_centric(poses, labelled, FULL_BODY)
    apart = [observer_centric(poses[[n]], labelled[[n]], FULL_BODY) for n in range(len(poses))]
    np.testing.assert_array_equal(together, np.concatenate([pose for pose, _, _ in apart]))
    assert counts == {key: sum(one[2][key] for one in apart) for key in counts}


@pytest.mark.realdata
def test_it_agrees_with_the_published_labels(mirror):
    person_centric = read_set("lsp", [mirror], "pc")
    published = read_set("lsp-oc", [mirror], "oc")
    poses, labelled, _ = observer_centric(person_centric.poses, person_centric.labelled, FULL_BODY)
    agree = np.isclose(poses, published.poses).all(axis=-1)
    assert labelled.all()
    assert agree.mean() >= 0.993


@pytest.mark.realdata
def test_lsp_extended_needs_every_fallback(mirror):
    person_centric = read_set("lsp-extended", [mirror], "pc")
    needed = [J[name] for name in ("neck", *BOTH_SHOULDERS, *BOTH_HIPS)]
    assert (~person_centric.labelled[:, needed].all(axis=1)).sum() == 4714
    exchanged = read_set("lsp-extended", [mirror], "oc").exchanged
    assert all(exchanged.values())
    assert exchanged["arms_stay"] == exchanged["legs_stay"] == 1075
