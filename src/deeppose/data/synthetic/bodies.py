"""Bodies for the embedded data: jointed, posed within the limits of human joints, in three dimensions.

Lengths are shares of the body's height. The body's axes are x to the person's left, y up, z forward; the
camera looks along -z, so that somebody who faces it has their left on the image's right.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeppose.core.geometry import Floats

# rows of the pose, in the published order
R_ANKLE, R_KNEE, R_HIP, L_HIP, L_KNEE, L_ANKLE = range(6)
R_WRIST, R_ELBOW, R_SHOULDER, L_SHOULDER, L_ELBOW, L_WRIST, NECK, HEAD_TOP = range(6, 14)

# left, right: the rows of an arm and of a leg from the trunk outwards
ARMS = ((L_SHOULDER, L_ELBOW, L_WRIST), (R_SHOULDER, R_ELBOW, R_WRIST))
LEGS = ((L_HIP, L_KNEE, L_ANKLE), (R_HIP, R_KNEE, R_ANKLE))

BONES = {
    "spine": 0.29,
    "shoulders": 0.115,
    "hips": 0.065,
    "upper arm": 0.165,
    "lower arm": 0.145,
    "hand": 0.06,
    "upper leg": 0.245,
    "lower leg": 0.235,
    "foot": 0.095,
    "head": 0.175,
}
BONE_SPREAD = 0.04  # standard deviation, in shares of a bone
SPINE_BENDS_AT = 0.1

Limits = Mapping[str, tuple[float, float]]

# degrees; what a body allows when it stands or walks, and when it does sports
_CALM_AND_STRONG = {
    "lean": ((-14, 14), (-35, 35)),
    "pitch": ((-8, 14), (-20, 35)),
    "bend": ((-5, 18), (-15, 45)),
    "side": ((-8, 8), (-20, 20)),
    "twist": ((-15, 15), (-35, 35)),
    "nod": ((-12, 18), (-25, 30)),
    "turn": ((-30, 30), (-55, 55)),
    "arm forward": ((-25, 55), (-45, 160)),
    "arm out": ((8, 75), (5, 150)),
    "arm in": ((-15, 55), (-50, 85)),
    "elbow": ((5, 105), (0, 140)),
    "leg forward": ((-15, 42), (-30, 110)),
    "leg out": ((1, 20), (0, 60)),
    "leg in": ((-22, 10), (-35, 20)),
    "knee": ((2, 50), (0, 125)),
    "ankle": ((-8, 20), (-10, 45)),
}
CALM, STRONG = ({name: both[which] for name, both in _CALM_AND_STRONG.items()} for which in (0, 1))
SHARE_STRONG = 0.15
SHARE_ANY_LEAN = 0.04
SHARE_FROM_THE_BACK = 0.22
SHARE_FROM_THE_SIDE = 0.16


@dataclass(frozen=True)
class Figure:
    """A posed body, in heights from the middle of the hips.

    Attributes
    ----------
    joints
        `(14, 3)` in the published order.
    pelvis, chest, head
        Rotations `(3, 3)` from the part's own axes to the camera's.
    fingers, heels, toes
        `(2, 3)`: left, right.
    """

    joints: Floats
    pelvis: Floats
    chest: Floats
    head: Floats
    fingers: Floats
    heels: Floats
    toes: Floats


def sample_figure(rng: np.random.Generator) -> Figure:
    """Pose a body: mostly upright and calm, sometimes as in sports, sometimes head over heels."""
    limits = STRONG if rng.random() < SHARE_STRONG else CALM
    bones = sample_bones(rng)
    lean = sample_angle(rng, limits["lean"])
    if rng.random() < SHARE_ANY_LEAN:
        lean = rng.uniform(-np.pi, np.pi)
    return sample_joints(rng, bones, lean, _sample_yaw(rng), limits, (limits, limits))


def sample_bones(rng: np.random.Generator) -> dict[str, float]:
    """Lengths of a body's bones, in heights."""
    return {name: length * rng.normal(1, BONE_SPREAD) for name, length in BONES.items()}


def sample_angle(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """An angle between two limits in degrees, in radians."""
    return float(np.radians(rng.uniform(*limits)))


def sample_joints(
    rng: np.random.Generator,
    bone: Mapping[str, float],
    lean: float,
    yaw: float,
    limits: Limits,
    arm_limits: tuple[Limits, Limits],
) -> Figure:
    """Pose a body whose pelvis leans and turns by the given angles, radians.

    Parameters
    ----------
    rng
        Decides the other angles.
    bone
        Lengths, in heights.
    lean, yaw
        To the side in the image, and about the body's own length: at 0 it faces the camera.
    limits, arm_limits
        Degrees; those of the left and of the right arm are given apart.
    """

    def angle(name: str, limits: Limits = limits) -> float:
        return sample_angle(rng, limits[name])

    pelvis = about("z", lean) @ about("y", yaw) @ about("x", angle("pitch"))
    chest = pelvis @ about("x", angle("bend")) @ about("z", angle("side")) @ about("y", angle("twist"))
    head = chest @ about("x", angle("nod")) @ about("y", angle("turn"))

    joints = np.zeros((14, 3))
    fingers, heels, toes = np.zeros((3, 2, 3))
    joints[NECK] = pelvis @ (0, SPINE_BENDS_AT, 0) + chest @ (0, bone["spine"] - SPINE_BENDS_AT, 0)
    joints[HEAD_TOP] = joints[NECK] + head @ (0, bone["head"], 0)
    for side, (sign, arm, leg, own) in enumerate(zip((1, -1), ARMS, LEGS, arm_limits, strict=True)):
        upper = chest @ about("x", -angle("arm forward", own)) @ about("z", sign * angle("arm out", own))
        upper = upper @ about("y", -sign * angle("arm in", own))
        lower = upper @ about("x", -angle("elbow", own))
        joints[arm[0]] = joints[NECK] + chest @ (sign * bone["shoulders"], -0.025, 0)
        joints[arm[1]] = joints[arm[0]] + upper @ (0, -bone["upper arm"], 0)
        joints[arm[2]] = joints[arm[1]] + lower @ (0, -bone["lower arm"], 0)
        fingers[side] = joints[arm[2]] + lower @ (0, -bone["hand"], 0)

        thigh = pelvis @ about("x", -angle("leg forward")) @ about("z", sign * angle("leg out"))
        thigh = thigh @ about("y", -sign * angle("leg in"))
        shin = thigh @ about("x", angle("knee"))
        foot = shin @ about("x", angle("ankle"))
        joints[leg[0]] = pelvis @ (sign * bone["hips"], 0, 0)
        joints[leg[1]] = joints[leg[0]] + thigh @ (0, -bone["upper leg"], 0)
        joints[leg[2]] = joints[leg[1]] + shin @ (0, -bone["lower leg"], 0)
        heels[side] = joints[leg[2]] + foot @ (0, -0.022, -0.012)
        toes[side] = joints[leg[2]] + foot @ (0, -0.034, bone["foot"])
    return Figure(joints, pelvis, chest, head, fingers, heels, toes)


def about(axis: str, angle: float) -> Floats:
    """The right-handed rotation `(3, 3)` by `angle`, radians, about "x", "y" or "z"."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = np.cos(angle)
    rotation[second, first] = np.sin(angle)
    rotation[first, second] = -np.sin(angle)
    return rotation


def _sample_yaw(rng: np.random.Generator) -> float:
    kind = rng.random()
    degrees = rng.normal(0, 28)
    if kind < SHARE_FROM_THE_BACK:
        degrees += 180
    elif kind < SHARE_FROM_THE_BACK + SHARE_FROM_THE_SIDE:
        degrees += rng.choice((-80, 80))
    return float(np.radians(degrees))
