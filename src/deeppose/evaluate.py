"""How far predictions are off, as tables of joints and of limbs, and the figures read from them (§4.1)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from deeppose.geometry import Bools, Floats
from deeppose.metrics import joint_errors, limb_errors, mean_pdj, pcp, pdj
from deeppose.skeleton import Skeleton

PDJ_THRESHOLDS = (0.1, 0.2, 0.5)


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
        the joint does not count.
    limbs
        One row a limb that PCP counts: `set`, `predictor`, `example`, `limb`, `strict`, `loose` in limb
        lengths.
    """
    errors = joint_errors(predicted, truth, labelled, diameters)
    strict, loose = limb_errors(predicted, truth, labelled, skeleton)
    limbs = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    joints_table = _long(set_name, predictor, "joint", skeleton.joints, {"error": errors})
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
