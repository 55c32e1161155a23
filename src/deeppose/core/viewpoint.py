"""How a person is seen: which way the trunk points, from which side, which joints are hidden.

Errors are told apart by that, so that a reader knows where the predictions can't be trusted.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

TRUNK, SIDE, JOINT = "trunk", "seen from", "joint"
# Degrees between the trunk, from hips to shoulders, and the vertical.
TRUNK_WORDS = {45.0: "upright", 135.0: "on its side", 180.0: "upside down"}
FRONT, BACK = "the front", "the back"
VISIBLE, OCCLUDED = "visible", "occluded"
ORDER = (*TRUNK_WORDS.values(), FRONT, BACK, VISIBLE, OCCLUDED)


def viewpoints(
    set_name: str, poses: Floats, skeleton: Skeleton, occluded: Bools | None, from_behind: Bools | None
) -> pd.DataFrame:
    """What is known of trunk direction, view and occlusion, for each joint of each example of a set.

    Parameters
    ----------
    poses
        `(n, k, 2)`, pixels; NaN where unlabelled.
    occluded
        `(n, k)`; None where a set doesn't say.
    from_behind
        `(n,)`; None where a set doesn't say.

    Returns
    -------
    One row a joint and kind of viewpoint: `set`, `example` (0-based), `joint` (its name), `kind`,
    `value`. An example whose trunk isn't labelled has none of that kind.
    """
    told = {TRUNK: _trunks(poses, skeleton)[:, None]}
    if from_behind is not None:
        told[SIDE] = np.where(from_behind, BACK, FRONT).astype(object)[:, None]
    if occluded is not None:
        told[JOINT] = np.where(occluded, OCCLUDED, VISIBLE).astype(object)
    count, joints = poses.shape[:2]
    pieces = [
        pd.DataFrame(
            {
                "set": set_name,
                "example": np.repeat(np.arange(count, dtype=np.int32), joints),
                "joint": list(skeleton.joints) * count,
                "kind": kind,
                "value": np.broadcast_to(values, (count, joints)).ravel(),
            }
        )
        for kind, values in told.items()
    ]
    return pd.concat(pieces, ignore_index=True).dropna(subset="value", ignore_index=True)


def _trunks(poses: Floats, skeleton: Skeleton) -> NDArray[np.object_]:
    """In words, `(n,)`; None where it is unknown. The pairs that make the diameter span the trunk."""
    across = np.stack([poses[:, upper] - poses[:, lower] for upper, lower in skeleton.diameter])
    right, down = across.mean(axis=0).T
    known = np.hypot(right, down) > 0
    angles = np.degrees(np.arctan2(np.abs(right), -down))
    words = np.array(list(TRUNK_WORDS.values()), dtype=object)
    found = words[np.searchsorted(list(TRUNK_WORDS), np.where(known, angles, 0.0))]
    found[~known] = None
    return found
