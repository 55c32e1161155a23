"""Skeletons as data: the joints of a model, which of them mirror each other, its limbs, its diameter."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from deeppose.core.errors import SkeletonError

SIDES = ("left ", "right ")


@dataclass(frozen=True)
class Limb:
    """A pair of neighbouring joints; PCP pools left and right by `kind`, and skips a limb without one."""

    name: str
    start: int
    end: int
    kind: str | None = None


@dataclass(frozen=True)
class Skeleton:
    """The joints of a pose and how they hang together.

    Attributes
    ----------
    joints
        Names, in the order of the pose's rows; a side is written first ("left wrist").
    limbs
        What stick figures show; those with a `kind` count for PCP (§4.1).
    diameter
        Pairs of joints whose distance is the pose's diameter (§4.1), the upper one first, tried in this
        order: the first pair of which both are labelled decides.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[Limb, ...]
    diameter: tuple[tuple[int, int], ...]

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the index of the one that takes its place in a mirrored image."""
        swap = {"left": "right", "right": "left"}
        names = []
        for joint in self.joints:
            side, _, rest = joint.partition(" ")
            names.append(f"{swap[side]} {rest}" if side in swap else joint)
        return tuple(self.joints.index(name) for name in names)

    @cached_property
    def joint_kinds(self) -> dict[str, tuple[int, ...]]:
        """Joint indices by kind, left and right pooled; keys are fit for JSON ("wrist", "head_top")."""
        kinds: dict[str, tuple[int, ...]] = {}
        for index, joint in enumerate(self.joints):
            for side in SIDES:
                joint = joint.removeprefix(side)
            key = joint.replace(" ", "_")
            kinds[key] = (*kinds.get(key, ()), index)
        return kinds

    @cached_property
    def limb_kinds(self) -> dict[str, tuple[Limb, ...]]:
        """The limbs that PCP counts, by kind, left and right pooled."""
        kinds: dict[str, tuple[Limb, ...]] = {}
        for limb in self.limbs:
            if limb.kind is not None:
                kinds[limb.kind] = (*kinds.get(limb.kind, ()), limb)
        return kinds


def check_skeleton(skeleton: Skeleton) -> None:
    """Check that joints are told apart, that sides mirror each other, and that limbs end at joints.

    Raises
    ------
    SkeletonError
        Naming the joint, limb or pair that is wrong.
    """
    joints = skeleton.joints
    ends = {f"limb {limb.name!r}": (limb.start, limb.end) for limb in skeleton.limbs}
    ends |= {f"diameter {pair}": pair for pair in skeleton.diameter}
    problems = [
        *(f"has the joint {name!r} twice" for name, count in Counter(joints).items() if count > 1),
        *(
            f"has the limb {n!r} twice"
            for n, count in Counter(li.name for li in skeleton.limbs).items()
            if count > 1
        ),
        *(f"has the joint {name!r}: {wanted}" for name in joints if (wanted := _side_problem(name, joints))),
        *(
            f"has a {what} from joint {start} to {end}: two of its joints 0 to {len(joints) - 1} are expected"
            for what, (start, end) in ends.items()
            if start == end or not {start, end} <= set(range(len(joints)))
        ),
        *(["has no joints"] if not joints else []),
        *(["has no diameter"] if not skeleton.diameter else []),
    ]
    if problems:
        raise SkeletonError(f"skeleton {skeleton.name!r} {problems[0]}")


def _side_problem(joint: str, joints: tuple[str, ...]) -> str:
    """Why a joint would not change sides in a mirrored image; "" if it would, or has no side."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", joint)]
    side = next((word for word in words if f"{word} " in SIDES), None)
    if side is None:
        return ""
    if not joint.startswith(f"{side} "):
        return f"a side is written first and small, {side!r} and a blank"
    other = joint.replace(side, "right" if side == "left" else "left", 1)
    return "" if other in joints else f"its counterpart {other!r} is missing"


FULL_BODY = Skeleton(
    name="full-body",
    joints=(
        "right ankle",
        "right knee",
        "right hip",
        "left hip",
        "left knee",
        "left ankle",
        "right wrist",
        "right elbow",
        "right shoulder",
        "left shoulder",
        "left elbow",
        "left wrist",
        "neck",
        "head top",
    ),
    limbs=(
        Limb("right lower leg", 1, 0, "leg_lower"),
        Limb("right upper leg", 2, 1, "leg_upper"),
        Limb("left upper leg", 3, 4, "leg_upper"),
        Limb("left lower leg", 4, 5, "leg_lower"),
        Limb("right lower arm", 7, 6, "arm_lower"),
        Limb("right upper arm", 8, 7, "arm_upper"),
        Limb("left upper arm", 9, 10, "arm_upper"),
        Limb("left lower arm", 10, 11, "arm_lower"),
        Limb("right side", 8, 2),
        Limb("left side", 9, 3),
        Limb("hips", 2, 3),
        Limb("shoulders", 8, 9),
        Limb("head", 12, 13),
    ),
    diameter=((9, 2), (8, 3)),
)

FLIC_LABELLED = Skeleton(
    name="flic-labelled",
    joints=(
        "left shoulder",
        "left elbow",
        "left wrist",
        "right shoulder",
        "right elbow",
        "right wrist",
        "left hip",
        "right hip",
        "left eye",
        "right eye",
        "nose",
    ),
    limbs=(
        Limb("left upper arm", 0, 1, "arm_upper"),
        Limb("left lower arm", 1, 2, "arm_lower"),
        Limb("right upper arm", 3, 4, "arm_upper"),
        Limb("right lower arm", 4, 5, "arm_lower"),
        Limb("left side", 0, 6),
        Limb("right side", 3, 7),
        Limb("shoulders", 0, 3),
        Limb("hips", 6, 7),
    ),
    diameter=((0, 7), (3, 6)),
)

# The paper names ten joints on FLIC, not which: of the head's three labels both eyes are taken, which mirror
# each other as all the other joints do, and not the nose between them.
UPPER_BODY = Skeleton(
    name="upper-body",
    joints=FLIC_LABELLED.joints[:10],
    limbs=FLIC_LABELLED.limbs,
    diameter=FLIC_LABELLED.diameter,
)

BUFFY_STICKS = Skeleton(
    name="buffy-sticks",
    joints=(*FLIC_LABELLED.joints[:6], "torso top", "torso bottom", "head top", "head bottom"),
    limbs=(*FLIC_LABELLED.limbs[:4], Limb("torso", 6, 7), Limb("head", 8, 9)),
    # No hips are labelled: the torso's stick stands in for the distance from shoulder to hip.
    diameter=((6, 7),),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (FULL_BODY, FLIC_LABELLED, UPPER_BODY, BUFFY_STICKS)}
