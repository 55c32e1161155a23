"""PDJ by viewpoint: the trunk's direction, front or back, visible or occluded."""

import numpy as np
import pandas as pd

from deeppose.core.metrics import share_within
from deeppose.core.viewpoint import JOINT, ORDER
from deeppose.evaluation.rates import PDJ_THRESHOLDS


def rates_by_viewpoint(joint_errors: pd.DataFrame, viewpoints: pd.DataFrame) -> pd.DataFrame:
    """PDJ (§4.1) by trunk direction, view and occlusion, all joints pooled.

    And the share of poses in which left was taken for right (§4.2), as far as errors tell.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error, opposite, from
        :func:`deeppose.evaluation.error_tables.error_tables`.
    viewpoints
        From :func:`deeppose.core.viewpoint.viewpoints`, of any number of sets.

    Returns
    -------
    Columns set, predictor, kind, value, joints (how many count), one a threshold (`pdj@0.2`), poses (how many
    have a joint that counts) and exchanged: the share of them whose mean error falls once left and right are
    exchanged, NaN for occlusion, which is one of single joints. Values in the order of
    :data:`deeppose.core.viewpoint.ORDER`.
    """
    rows = []
    # One predictor and kind at a time: all errors beside all viewpoints would be many times the errors.
    for set_name, predictor in joint_errors[["set", "predictor"]].drop_duplicates().itertuples(index=False):
        own = (joint_errors["set"] == set_name) & (joint_errors["predictor"] == predictor)
        errors = joint_errors.loc[own, ["example", "joint", "error", "opposite"]]
        for kind in viewpoints.loc[viewpoints["set"] == set_name, "kind"].unique():
            of_kind = (viewpoints["set"] == set_name) & (viewpoints["kind"] == kind)
            seen = viewpoints.loc[of_kind, ["example", "joint", "value"]]
            known = errors.merge(seen, on=["example", "joint"])
            for value, group in known.groupby("value", sort=False):
                distances = group["error"].to_numpy(np.float64)
                detected = {f"pdj@{t}": share_within(distances, t) for t in PDJ_THRESHOLDS}
                joints = int((~np.isnan(distances)).sum())
                described = {"set": set_name, "predictor": predictor, "kind": kind, "value": value}
                means = group.groupby("example")[["error", "opposite"]].mean().dropna()
                nearer = (means["opposite"] < means["error"]).mean() if kind != JOINT else np.nan
                counted = {"joints": joints, **detected, "poses": len(means), "exchanged": nearer}
                rows.append(described | counted)
    rows.sort(key=lambda row: (row["set"], row["kind"], ORDER.index(row["value"]), row["predictor"]))
    rate_columns = [f"pdj@{t}" for t in PDJ_THRESHOLDS]
    columns = ["set", "predictor", "kind", "value", "joints", *rate_columns, "poses", "exchanged"]
    return pd.DataFrame(rows, columns=columns)
