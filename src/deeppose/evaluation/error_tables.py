"""How far predictions are off, as tables of joints and of limbs, and the figures read from them (§4.1)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from deeppose.core.geometry import Bools, Floats
from deeppose.core.metrics import joint_errors, limb_errors, mean_pdj, pcp, pdj, share_within
from deeppose.core.skeleton import Skeleton
from deeppose.core.viewpoint import JOINT, ORDER
from deeppose.report.tables import PDJ_THRESHOLDS


def error_tables(
    set_name: str,
    predictor: str,
    predicted: Floats,
    truth: Floats,
    labelled: Bools,
    diameters: Floats,
    skeleton: Skeleton,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors of one predictor on one set.

    Parameters
    ----------
    predicted, truth
        `(n, k, 2)`, pixels.
    labelled
        `(n, k)`.
    diameters
        Of the true poses, `(n,)` pixels; NaN where a pose has none.

    Returns
    -------
    joints
        One row a joint: `set`, `predictor`, `example`, `joint`, `error` in true-pose diameters; NaN where
        the joint does not count. `opposite` is the error had left and right been exchanged in the
        prediction; that of a joint without a side is its error.
    limbs
        One row a limb that PCP counts: `set`, `predictor`, `example`, `limb`, `strict`, `loose` in limb
        lengths.
    """
    errors = joint_errors(predicted, truth, labelled, diameters)
    exchanged = predicted[:, list(skeleton.mirrored)]
    opposite = joint_errors(exchanged, truth, labelled, diameters)
    strict, loose = limb_errors(predicted, truth, labelled, skeleton)
    limbs = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    joints_table = _long(
        set_name, predictor, "joint", skeleton.joints, {"error": errors, "opposite": opposite}
    )
    limbs_table = _long(set_name, predictor, "limb", limbs, {"strict": strict, "loose": loose})
    return joints_table, limbs_table


def _long(
    set_name: str, predictor: str, what: str, names: Iterable[str], values: dict[str, Floats]
) -> pd.DataFrame:
    names = list(names)
    count = len(next(iter(values.values())))
    table = pd.DataFrame({"set": set_name, "predictor": predictor}, index=range(count * len(names)))
    table["example"] = np.repeat(np.arange(count, dtype=np.int32), len(names))
    table[what] = names * count
    for name, array in values.items():
        table[name] = array.ravel()
    return table


def figures(errors: Floats, strict: Floats, loose: Floats, skeleton: Skeleton) -> dict[str, Any]:
    """PCP at 0.5, strict and loose, and PDJ of one predictor on one set: shares, None if nothing counts.

    Parameters
    ----------
    errors
        `(n, k)`, true-pose diameters.
    strict, loose
        `(n, limbs)`, limb lengths.
    """
    by_threshold = {
        f"pdj@{t}": {**pdj(errors, skeleton, t), "mean": mean_pdj(errors, t)} for t in PDJ_THRESHOLDS
    }
    return {"pcp": pcp(strict, skeleton), "pcp_loose": pcp(loose, skeleton), **by_threshold}


def shares_by_circumstance(
    joint_errors: pd.DataFrame, seen: pd.DataFrame, thresholds: tuple[float, ...]
) -> pd.DataFrame:
    """Of the joints seen under each circumstance the share that is detected (PDJ, §4.1), all joints pooled.

    And of the poses the share in which left was taken for right (§4.2), as far as errors tell.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error, opposite, from :func:`error_tables`.
    seen
        From :func:`deeppose.core.viewpoint.circumstances`, of any number of sets.

    Returns
    -------
    Columns set, predictor, kind, value, joints (how many count), one a threshold (`pdj@0.2`), poses (how many
    have a joint that counts) and exchanged: the share of them whose mean error falls once left and right are
    exchanged, NaN where the circumstance is one of single joints. Values in the order of
    :data:`deeppose.core.viewpoint.ORDER`.
    """
    rows = []
    # One predictor and kind at a time: all errors beside all circumstances would be many times the errors.
    for set_name, predictor in joint_errors[["set", "predictor"]].drop_duplicates().itertuples(index=False):
        own = (joint_errors["set"] == set_name) & (joint_errors["predictor"] == predictor)
        errors = joint_errors.loc[own, ["example", "joint", "error", "opposite"]]
        for kind in seen.loc[seen["set"] == set_name, "kind"].unique():
            of_kind = (seen["set"] == set_name) & (seen["kind"] == kind)
            known = errors.merge(seen.loc[of_kind, ["example", "joint", "value"]], on=["example", "joint"])
            for value, group in known.groupby("value", sort=False):
                distances = group["error"].to_numpy(np.float64)
                shares = {f"pdj@{t}": share_within(distances, t) for t in thresholds}
                joints = int((~np.isnan(distances)).sum())
                described = {"set": set_name, "predictor": predictor, "kind": kind, "value": value}
                means = group.groupby("example")[["error", "opposite"]].mean().dropna()
                nearer = (means["opposite"] < means["error"]).mean() if kind != JOINT else np.nan
                counted = {"joints": joints, **shares, "poses": len(means), "exchanged": nearer}
                rows.append(described | counted)
    rows.sort(key=lambda row: (row["set"], row["kind"], ORDER.index(row["value"]), row["predictor"]))
    shares_of = [f"pdj@{t}" for t in thresholds]
    columns = ["set", "predictor", "kind", "value", "joints", *shares_of, "poses", "exchanged"]
    return pd.DataFrame(rows, columns=columns)
