"""How a person is seen: which way the trunk points, from which side, which joints are hidden.

Errors are told apart by that, so that a reader knows where the predictions can't be trusted.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.geometry import Bools, Floats
from deeppose.metrics import share_within
from deeppose.skeleton import Skeleton

TRUNK, SIDE, JOINT = "trunk", "seen from", "joint"
# Degrees between the trunk, from hips to shoulders, and the vertical.
TRUNK_WORDS = {45.0: "upright", 135.0: "on its side", 180.0: "upside down"}
FRONT, BACK = "the front", "the back"
VISIBLE, OCCLUDED = "visible", "occluded"
ORDER = (*TRUNK_WORDS.values(), FRONT, BACK, VISIBLE, OCCLUDED)


def circumstances(
    set_name: str,
    poses: Floats,
    skeleton: Skeleton,
    occluded: Bools | None,
    from_behind: Bools | None,
) -> pd.DataFrame:
    """The circumstances that are known of each joint of each example of a set.

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
    One row a joint and kind of circumstance: `set`, `example` (0-based), `joint` (its name), `kind`,
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


def shares_by_circumstance(
    joint_errors: pd.DataFrame, seen: pd.DataFrame, thresholds: tuple[float, ...]
) -> pd.DataFrame:
    """Of the joints seen under each circumstance the share that is detected (PDJ, §4.1), all joints pooled.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error: multiples of the true pose's diameter, NaN where the
        joint doesn't count.
    seen
        From :func:`circumstances`, of any number of sets.

    Returns
    -------
    Columns set, predictor, kind, value, joints (how many count), and one a threshold (`pdj@0.2`).
    """
    known = joint_errors.merge(seen, on=["set", "example", "joint"])
    known["value"] = pd.Categorical(known["value"], list(ORDER))
    rows = []
    groups = known.groupby(["set", "kind", "predictor", "value"], sort=True, observed=True)["error"]
    for (set_name, kind, predictor, value), errors in groups:
        distances = errors.to_numpy(np.float64)
        shares = {f"pdj@{t}": share_within(distances, t) for t in thresholds}
        joints = int((~np.isnan(distances)).sum())
        described = {"set": set_name, "predictor": predictor, "kind": kind, "value": value}
        rows.append({**described, "joints": joints, **shares})
    columns = ["set", "predictor", "kind", "value", "joints", *(f"pdj@{t}" for t in thresholds)]
    return pd.DataFrame(rows, columns=columns)


def _trunks(poses: Floats, skeleton: Skeleton) -> NDArray[np.object_]:
    """In words, `(n,)`; None where it isn't labelled. The pairs that make the diameter span the trunk."""
    across = np.stack([poses[:, upper] - poses[:, lower] for upper, lower in skeleton.diameter])
    known = ~np.isnan(across).any(axis=(0, 2))
    right, down = across.mean(axis=0).T
    angles = np.degrees(np.arctan2(np.abs(right), -down))
    words = np.array(list(TRUNK_WORDS.values()), dtype=object)
    found = words[np.searchsorted(list(TRUNK_WORDS), np.where(known, angles, 0.0))]
    found[~known] = None
    return found
