"""Observer-centric labels from person-centric ones: left and right as if every person faced the camera.

The rule, for the arms and the legs each: the sides are exchanged where the left joint of a pair lies on
the left of the right one, seen along the body's own axis. All poses are handled at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

GROUPS = {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", "knee", "ankle")}
NEEDED = (
    "neck",
    *(f"{side} {name}" for names in GROUPS.values() for name in names for side in ("left", "right")),
)
"""Joints that a skeleton must have for the rule."""


@dataclass(frozen=True)
class _Verdicts:
    """What the joints of one group say of each pose: cross products, NaN where a pair can't tell."""

    first: Floats
    following: Floats

    @property
    def own(self) -> Floats:
        return np.where(np.isnan(self.first), self.following, self.first)


def observer_centric(
    poses: Floats, labelled: Bools, skeleton: Skeleton
) -> tuple[Floats, Bools, dict[str, int]]:
    """Exchange left and right where the person is seen from the back.

    Up is the neck (else the middle of the shoulders) less the middle of the hips (else the one labelled
    hip, else the middle of the knees). With a_x b_y − a_y b_x as cross(a, b), y pointing down, a group is
    exchanged where cross(up, left − right) < 0. That is asked of the group's first pair (shoulders; hips),
    else of its next pairs in order (elbows, wrists; knees, ankles), else the other group decides, else the
    labels stay.

    Parameters
    ----------
    poses
        Person-centric, `(n, k, 2)` pixels.
    labelled
        `(n, k)`; unlabelled joints are never looked at, but change sides with their group.

    Returns
    -------
    poses, labelled
        New arrays of the same shapes.
    counts
        Numbers of poses: for `arms` and `legs` each `_exchanged`, and who decided: `_by_first_pair`,
        `_by_next_pairs`, `_by_other_group`, `_stay`; for the upper and the lower end of the axis, what it
        was: `up_to_neck`, `up_to_shoulders`, `up_from_hips`, `up_from_one_hip`, `up_from_knees`, and
        `up_unknown` where one of them is missing.
    """
    points = np.where(labelled[..., None], poses, np.nan)
    up, counts = _up(points, skeleton)
    verdicts = {group: _verdicts(points, up, skeleton, names) for group, names in GROUPS.items()}
    order = np.tile(np.arange(len(skeleton.joints)), (len(poses), 1))
    for (group, names), other in zip(GROUPS.items(), reversed(GROUPS), strict=True):
        mine, theirs = verdicts[group], verdicts[other].own
        exchanged = np.where(np.isnan(mine.own), theirs, mine.own) < 0
        by_first = ~np.isnan(mine.first)
        by_next = ~by_first & ~np.isnan(mine.following)
        by_other = ~by_first & ~by_next & ~np.isnan(theirs)
        counts |= {
            f"{group}_exchanged": int(exchanged.sum()),
            f"{group}_by_first_pair": int(by_first.sum()),
            f"{group}_by_next_pairs": int(by_next.sum()),
            f"{group}_by_other_group": int(by_other.sum()),
            f"{group}_stay": int((~by_first & ~by_next & ~by_other).sum()),
        }
        for left, right in _pairs(skeleton, names):
            order[exchanged, left], order[exchanged, right] = right, left
    rows = np.arange(len(poses))[:, None]
    return poses[rows, order], labelled[rows, order], counts


def _up(points: Floats, skeleton: Skeleton) -> tuple[Floats, dict[str, int]]:
    """The body's axis `(n, 2)`, NaN where it is unknown, and what it was made of."""
    neck = points[:, skeleton.joints.index("neck")]
    ((left_shoulder, right_shoulder), *_) = _pairs(skeleton, GROUPS["arms"])
    (left_hip, right_hip), (left_knee, right_knee), _ = _pairs(skeleton, GROUPS["legs"])
    hips = (points[:, left_hip] + points[:, right_hip]) / 2
    one_hip = np.where(_known(points[:, left_hip])[:, None], points[:, left_hip], points[:, right_hip])
    upper, chosen_upper = _first_known(neck, (points[:, left_shoulder] + points[:, right_shoulder]) / 2)
    lower, chosen_lower = _first_known(hips, one_hip, (points[:, left_knee] + points[:, right_knee]) / 2)
    counts = {
        name: int((chosen == index).sum())
        for names, chosen in (
            (("up_to_neck", "up_to_shoulders"), chosen_upper),
            (("up_from_hips", "up_from_one_hip", "up_from_knees"), chosen_lower),
        )
        for index, name in enumerate(names)
    }
    up = upper - lower
    return up, counts | {"up_unknown": int((~_known(up)).sum())}


def _verdicts(points: Floats, up: Floats, skeleton: Skeleton, names: tuple[str, ...]) -> _Verdicts:
    first, *following = [
        up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0]
        for left, right in _pairs(skeleton, names)
        for across in (points[:, left] - points[:, right],)
    ]
    return _Verdicts(first, _first_known(*(verdict[:, None] for verdict in following))[0][:, 0])


def _pairs(skeleton: Skeleton, names: tuple[str, ...]) -> list[tuple[int, int]]:
    joints = skeleton.joints
    return [(joints.index(f"left {name}"), joints.index(f"right {name}")) for name in names]


def _known(vectors: Floats) -> Bools:
    return ~np.isnan(vectors[:, 0])  # a point lacks both its coordinates or none


def _first_known(*candidates: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Of candidates `(n, d)` the first without NaN, and its index (-1: none, the vector is NaN)."""
    chosen = np.full_like(candidates[0], np.nan)
    index = np.full(len(chosen), -1)
    for number, candidate in reversed(list(enumerate(candidates))):
        known = _known(candidate)
        chosen[known] = candidate[known]
        index[known] = number
    return chosen, index
