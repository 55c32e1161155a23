import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from deeppose.core.errors import SkeletonError
from deeppose.core.skeleton import (
    BUFFY_STICKS,
    FLIC_LABELLED,
    FULL_BODY,
    SKELETONS,
    UPPER_BODY,
    Limb,
    Skeleton,
    check_skeleton,
    skeleton_from,
    skeleton_of,
)

of_all = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
EARS = Skeleton("ears", ("left ear", "right ear", "nose"), (Limb("ears", 0, 1, "ear"),), ((0, 2),))

BACK = {"diameter": [["near", "r tail"]]}

PARTS = {
    "upper arm": ("shoulder", "elbow", "arm_upper"),
    "lower arm": ("elbow", "wrist", "arm_lower"),
    "upper leg": ("hip", "knee", "leg_upper"),
    "lower leg": ("knee", "ankle", "leg_lower"),
}


@of_all
def test_mirror_swaps_the_sides_and_nothing_else(skeleton):
    for joint, other in zip(skeleton.joints, (skeleton.joints[i] for i in skeleton.mirrored), strict=True):
        side, _, kind = joint.partition(" ")
        expected = {"left": f"right {kind}", "right": f"left {kind}"}.get(side, joint)
        assert other == expected
    assert [skeleton.mirrored[i] for i in skeleton.mirrored] == list(range(len(skeleton.joints)))


@of_all
def test_limbs_join_what_their_names_say(skeleton):
    counted = [limb for limb in skeleton.limbs if limb.kind is not None]
    assert counted
    for limb in counted:
        side, _, part = limb.name.partition(" ")
        start, end, kind = PARTS[part]
        assert skeleton.joints[limb.start] == f"{side} {start}"
        assert skeleton.joints[limb.end] == f"{side} {end}"
        assert limb.kind == kind


@of_all
def test_every_limb_has_its_mirror(skeleton):
    def ends(limb):
        return frozenset((limb.start, limb.end))

    mirrored = {frozenset(skeleton.mirrored[i] for i in ends(limb)) for limb in skeleton.limbs}
    assert mirrored == {ends(limb) for limb in skeleton.limbs}
    assert len(mirrored) == len(skeleton.limbs)


@of_all
def test_kinds_pool_left_and_right(skeleton):
    assert Counter(i for group in skeleton.joint_kinds.values() for i in group) == Counter(
        range(len(skeleton.joints))
    )
    for kind, group in skeleton.joint_kinds.items():
        assert {skeleton.joints[i].removeprefix("left ").removeprefix("right ") for i in group} == {
            kind.replace("_", " ")
        }
    for limbs in skeleton.limb_kinds.values():
        assert sorted(limb.name.partition(" ")[0] for limb in limbs) == ["left", "right"]
    json.dumps(skeleton.joint_kinds)


@of_all
def test_diameter_is_a_shoulder_and_the_opposing_hip(skeleton):
    names = [tuple(skeleton.joints[i] for i in pair) for pair in skeleton.diameter]
    torso = [("left shoulder", "right hip"), ("right shoulder", "left hip")]
    # Buffy's sticks have no hips.
    assert names == ([("torso top", "torso bottom")] if skeleton is BUFFY_STICKS else torso)


@of_all
def test_published_joints(skeleton):
    count, limbs = {
        FULL_BODY.name: (14, 4),
        FLIC_LABELLED.name: (11, 2),
        UPPER_BODY.name: (10, 2),
        BUFFY_STICKS.name: (10, 2),
    }[skeleton.name]
    assert len(set(skeleton.joints)) == len(skeleton.joints) == count
    assert len(skeleton.limb_kinds) == limbs


@of_all
def test_ours_fit_together(skeleton):
    check_skeleton(skeleton)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": ("left ear", "right ear", "left ear")}, "has the joint 'left ear' twice"),
        ({"joints": ("left ear", "nose", "tail")}, "'left ear': its counterpart 'right ear' is missing"),
        ({"joints": ("ear_L", "nose", "tail")}, "'ear_L': its counterpart 'ear_R' is missing"),
        ({"joints": ("Left ear", "left ear", "nose")}, "has the joint 'left ear' twice"),
        ({"pairs": ()}, "has the joint 'left ear', which is in none of its pairs"),
        ({"pairs": ((0, 1), (1, 2))}, "has the joint 'right ear' in two pairs"),
        ({"pairs": ((0, 1), (2, 3))}, "pair (2, 3) from joint 2 to 3"),
        (
            {"joints": ("left ear", "right  ear", "nose")},
            "'left ear': its counterpart 'right ear' is missing",
        ),
        ({"joints": ()}, "from joint 0 to 1"),
        ({"joints": (), "limbs": (), "diameter": ()}, "has no joints"),
        ({"limbs": (Limb("ears", 0, 5),)}, "limb 'ears' from joint 0 to 5: two of its joints 0 to 2"),
        ({"limbs": (Limb("ears", -1, 1),)}, "limb 'ears' from joint -1 to 1"),
        ({"limbs": (Limb("ears", 1, 1),)}, "limb 'ears' from joint 1 to 1"),
        ({"limbs": (Limb("ears", 0, 1), Limb("ears", 1, 2))}, "has the limb 'ears' twice"),
        ({"diameter": ((0, 3),)}, "diameter (0, 3) from joint 0 to 3"),
        ({"diameter": ()}, "has no diameter"),
    ],
)
def test_what_does_not_fit_together_is_named(change, told):
    check_skeleton(EARS)
    with pytest.raises(SkeletonError, match=f"skeleton 'ears' .*{re.escape(told)}"):
        check_skeleton(replace(EARS, **change))


@pytest.mark.parametrize(
    "joints",
    [
        ("left ear", "right ear", "nose"),
        ("Left ear", "right ear", "nose"),
        ("left_ear", "right_ear", "nose"),
        ("leftEar", "rightEar", "nose"),
        ("EarLeft", "EarRight", "nose"),
        ("front left ear", "front right ear", "nose"),
        ("l_ear", "r_ear", "nose"),
        ("ear_L", "ear_R", "nose"),
        ("L ear", "R ear", "nose"),
    ],
)
def test_sides_are_found_in_names(joints):
    skeleton = Skeleton("ears", joints, (), ((0, 2),))
    check_skeleton(skeleton)
    assert skeleton.mirrored == (1, 0, 2)
    (ears, nose) = skeleton.joint_kinds.values()
    assert (ears, nose) == ((0, 1), (2,))


def test_pairs_are_taken_where_names_do_not_tell():
    horse = skeleton_of("horse", {"joints": ["near", "off", "r tail"], "pairs": [["near", "off"]], **BACK})
    assert horse.mirrored == (1, 0, 2)
    assert horse.joint_kinds == {"near_off": (0, 1), "r_tail": (2,)}
    assert skeleton_from(horse.described) == horse


def test_ours_are_described_by_their_names_and_others_whole():
    assert skeleton_from(FULL_BODY.described) is FULL_BODY
    assert FULL_BODY.described == "full-body"
    renamed = replace(FULL_BODY, name="mine")
    assert skeleton_from(json.loads(json.dumps(renamed.described))) == renamed
    assert skeleton_from(EARS.described) == EARS


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (7, "is 7, not a section"),
        ({"joints": ["near", "off"], "limb": {}}, "has 'limb', not just joints, pairs, limbs, diameter"),
        ({"diameter": []}, "joints is None, not a list of joints"),
        ({"joints": ["near", False]}, "joints has False, which is no name"),
        ({"joints": ["near", "off"]}, "diameter is None, not a list of [joint, joint]"),
        ({"joints": ["near", "off"], "diameter": [["near"]]}, "diameter is ['near'], not [joint, joint]"),
        (
            {"joints": ["near", "off"], "diameter": [["near", "tail"]]},
            "diameter names 'tail', which is none of",
        ),
        ({"joints": ["near", "off"], "limbs": {"a": ["near", "far"]}}, "limb 'a' names 'far'"),
        ({"joints": ["near", "off"], "limbs": ["a"]}, "has limbs that are no section"),
        (
            {"joints": ["near", "off"], "pairs": [["near", "of"]], "diameter": [["near", "off"]]},
            "pairs names 'of'",
        ),
    ],
)
def test_an_entry_that_is_none_is_refused(entry, told):
    with pytest.raises(SkeletonError, match=f"skeleton 'horse'.*{re.escape(told)}"):
        skeleton_of("horse", entry)


def test_one_of_no_such_name_is_refused():
    with pytest.raises(SkeletonError, match="skeleton 'horse' is none of full-body"):
        skeleton_from("horse")


@pytest.mark.parametrize("joints", [("bright spot", "upright"), ("crest", "tail")])
def test_a_word_in_a_word_is_no_side(joints):
    check_skeleton(Skeleton("plain", joints, (), ((0, 1),)))
