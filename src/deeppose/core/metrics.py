"""PCP and PDJ, the paper's two measures (§4.1), from errors that are computed once.

An error is a distance in a unit of the true pose: its limb's length (PCP) or its diameter (PDJ). NaN
marks what doesn't count (an unlabelled joint, a pose without a diameter), inf a missing prediction.
"""

import numpy as np

from deeppose.core.errors import GeometryError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

# A distance at the threshold counts as detected; dividing by a length must not push it over.
ROUNDING = 1e-9


def joint_errors(predicted: Floats, truth: Floats, labelled: Bools, diameters: Floats) -> Floats:
    """Distance of each predicted joint to the true one, what PDJ counts.

    Parameters
    ----------
    predicted, truth
        Poses, `(n, k, 2)`, pixels. A prediction with a NaN is a miss.
    labelled
        `(n, k)`.
    diameters
        Of the true poses, `(n,)` pixels; NaN where a pose has none.

    Returns
    -------
    `(n, k)` in diameters; NaN where the joint doesn't count, inf where the prediction is missing.

    Raises
    ------
    GeometryError
        If the shapes don't belong together.
    """
    _check_poses(predicted, truth, labelled)
    if diameters.shape != (len(truth),):
        raise GeometryError(f"diameters of shape {diameters.shape} for poses of shape {truth.shape}")
    distances = _distances(predicted, truth)
    counts = labelled & (diameters > 0)[:, None]
    return _in_units(distances, diameters[:, None], counts)


def limb_errors(
    predicted: Floats, truth: Floats, labelled: Bools, skeleton: Skeleton
) -> tuple[Floats, Floats]:
    """Distances of the predicted ends of each limb to the true ends, what PCP counts.

    Parameters
    ----------
    predicted, truth
        Poses, `(n, k, 2)`, pixels. A limb with a NaN at either end is a miss.
    labelled
        `(n, k)`; a limb counts where both of its ends are labelled.

    Returns
    -------
    strict, loose
        The larger of the two ends' distances, and their mean, `(n, L)` in true limb lengths, for the L
        limbs that have a kind, in the skeleton's order; NaN where the limb doesn't count, inf where the
        prediction is missing. A true limb of length 0 is met by no distance but 0.

    Raises
    ------
    GeometryError
        If the shapes don't belong together.
    """
    _check_poses(predicted, truth, labelled)
    _check_columns(labelled, len(skeleton.joints), f"the joints of {skeleton.name}")
    limbs = [limb for limb in skeleton.limbs if limb.kind is not None]
    starts, ends = [limb.start for limb in limbs], [limb.end for limb in limbs]
    distances = _distances(predicted, truth)
    lengths = _distances(truth[:, starts], truth[:, ends])
    counts = labelled[:, starts] & labelled[:, ends]
    strict = np.maximum(distances[:, starts], distances[:, ends])
    loose = (distances[:, starts] + distances[:, ends]) / 2
    return _in_units(strict, lengths, counts), _in_units(loose, lengths, counts)


def pcp(errors: Floats, skeleton: Skeleton, threshold: float = 0.5) -> dict[str, float | None]:
    """Percentage of correct parts (§4.1), as a share of 1, for each kind of limb and their mean, "ave".

    Parameters
    ----------
    errors
        `(n, L)` from :func:`limb_errors`; its strict ones give the paper's PCP.

    Returns
    -------
    Share of the limbs with an error of at most `threshold`, left and right pooled; None where no limb of
    the kind counts. "ave" is the mean over the kinds that have a share.
    """
    names = [limb.kind for limb in skeleton.limbs if limb.kind is not None]
    _check_columns(errors, len(names), f"the limbs of {skeleton.name} that PCP counts")
    shares = {
        kind: share_within(errors[:, [index for index, name in enumerate(names) if name == kind]], threshold)
        for kind in skeleton.limb_kinds
    }
    return {**shares, "ave": _mean(list(shares.values()))}


def pdj(errors: Floats, skeleton: Skeleton, threshold: float) -> dict[str, float | None]:
    """Percent of detected joints (§4.1), as a share of 1, for each kind of joint.

    Parameters
    ----------
    errors
        `(n, k)` from :func:`joint_errors`.

    Returns
    -------
    Share of the joints with an error of at most `threshold`, left and right pooled; None where no joint
    of the kind counts.
    """
    _check_columns(errors, len(skeleton.joints), f"the joints of {skeleton.name}")
    return {
        kind: share_within(errors[:, list(joints)], threshold)
        for kind, joints in skeleton.joint_kinds.items()
    }


def mean_pdj(errors: Floats, threshold: float) -> float | None:
    """Mean of the joints' PDJ, what the paper judges hyper-parameters by (§4.1); None if no joint counts."""
    return _mean([share_within(column, threshold) for column in errors.T])


def share_within(errors: Floats, threshold: float) -> float | None:
    """Share of the errors that count, of any shape, that are at most `threshold`; None if none counts."""
    counted = int((~np.isnan(errors)).sum())
    return int(within(errors, threshold).sum()) / counted if counted else None


def within(errors: Floats, threshold: float) -> Bools:
    """Which of the errors, of any shape, count and are at most `threshold`."""
    detected: Bools = errors <= threshold * (1 + ROUNDING)
    return detected


def _distances(points: Floats, others: Floats) -> Floats:
    """`(...)` distances between points `(..., 2)`; inf where a coordinate of `points` is NaN."""
    difference = points - others
    distances: Floats = np.hypot(difference[..., 0], difference[..., 1])
    distances[np.isnan(points).any(axis=-1)] = np.inf
    return distances


def _in_units(distances: Floats, units: Floats, counts: Bools) -> Floats:
    units = np.broadcast_to(units, distances.shape)
    errors = np.full(distances.shape, np.nan)
    np.divide(distances, units, out=errors, where=counts & (units > 0))
    without_length = counts & (units == 0)
    errors[without_length] = np.where(distances[without_length] > 0, np.inf, 0)
    return errors


def _mean(shares: list[float | None]) -> float | None:
    present = [share for share in shares if share is not None]
    return sum(present) / len(present) if present else None


def _check_poses(predicted: Floats, truth: Floats, labelled: Bools) -> None:
    if truth.ndim != 3 or truth.shape[-1] != 2:
        raise GeometryError(f"true poses of shape {truth.shape}: (examples, joints, 2) is wanted")
    if predicted.shape != truth.shape:
        raise GeometryError(f"predicted poses of shape {predicted.shape} for true ones of {truth.shape}")
    if labelled.shape != truth.shape[:2]:
        raise GeometryError(f"a labelled mask of shape {labelled.shape} for poses of shape {truth.shape}")


def _check_columns(array: Floats | Bools, columns: int, what: str) -> None:
    if array.ndim != 2 or array.shape[1] != columns:
        raise GeometryError(f"an array of shape {array.shape} for {what}, which are {columns}")
