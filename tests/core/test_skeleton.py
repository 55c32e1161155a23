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
)

of_all = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
EARS = Skeleton("ears", ("left ear", "right ear", "nose"), (Limb("ears", 0, 1, "ear"),), ((0, 2),))

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
        ({"joints": ("Left ear", "right ear", "nose")}, "'Left ear': a side is written first and small"),
        ({"joints": ("ear left", "ear right", "nose")}, "'ear left': a side is written first"),
        ({"joints": ("left_ear", "right_ear", "nose")}, "'left_ear': a side is written first"),
        ({"joints": ("leftEar", "rightEar", "nose")}, "'leftEar': a side is written first"),
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


@pytest.mark.parametrize("joints", [("bright spot", "upright"), ("crest", "tail")])
def test_a_word_in_a_word_is_no_side(joints):
    check_skeleton(Skeleton("plain", joints, (), ((0, 1),)))
