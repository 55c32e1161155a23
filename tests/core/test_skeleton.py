import json
from collections import Counter

import pytest

from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY, SKELETONS, UPPER_BODY

pytestmark = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)

PARTS = {
    "upper arm": ("shoulder", "elbow", "arm_upper"),
    "lower arm": ("elbow", "wrist", "arm_lower"),
    "upper leg": ("hip", "knee", "leg_upper"),
    "lower leg": ("knee", "ankle", "leg_lower"),
}


def test_mirror_swaps_the_sides_and_nothing_else(skeleton):
    for joint, other in zip(skeleton.joints, (skeleton.joints[i] for i in skeleton.mirrored), strict=True):
        side, _, kind = joint.partition(" ")
        expected = {"left": f"right {kind}", "right": f"left {kind}"}.get(side, joint)
        assert other == expected
    assert [skeleton.mirrored[i] for i in skeleton.mirrored] == list(range(len(skeleton.joints)))


def test_limbs_join_what_their_names_say(skeleton):
    counted = [limb for limb in skeleton.limbs if limb.kind is not None]
    assert counted
    for limb in counted:
        side, _, part = limb.name.partition(" ")
        start, end, kind = PARTS[part]
        assert skeleton.joints[limb.start] == f"{side} {start}"
        assert skeleton.joints[limb.end] == f"{side} {end}"
        assert limb.kind == kind


def test_every_limb_has_its_mirror(skeleton):
    def ends(limb):
        return frozenset((limb.start, limb.end))

    mirrored = {frozenset(skeleton.mirrored[i] for i in ends(limb)) for limb in skeleton.limbs}
    assert mirrored == {ends(limb) for limb in skeleton.limbs}
    assert len(mirrored) == len(skeleton.limbs)


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


def test_diameter_is_a_shoulder_and_the_opposing_hip(skeleton):
    names = [tuple(skeleton.joints[i] for i in pair) for pair in skeleton.diameter]
    torso = [("left shoulder", "right hip"), ("right shoulder", "left hip")]
    # Buffy's sticks have no hips.
    assert names == ([("torso top", "torso bottom")] if skeleton is BUFFY_STICKS else torso)


def test_published_joints(skeleton):
    count, limbs = {
        FULL_BODY.name: (14, 4),
        FLIC_LABELLED.name: (11, 2),
        UPPER_BODY.name: (10, 2),
        BUFFY_STICKS.name: (10, 2),
    }[skeleton.name]
    assert len(set(skeleton.joints)) == len(skeleton.joints) == count
    assert len(skeleton.limb_kinds) == limbs
