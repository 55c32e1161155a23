"""How far predictions are off, as tables of joints and of limbs: making and reading them (§4.1)."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.metrics import joint_errors, limb_errors
from deeppose.core.predictors import MEAN_POSE, is_other_method
from deeppose.core.skeleton import Skeleton


def error_tables(
    set_name: str,
    predictor: str,
    predicted: Floats,
    truth: Floats,
    labelled: Bools,
    diameters: Floats,
    skeleton: Skeleton,
    spreads: NDArray[np.float32] | None = None,
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
    spreads
        `(n, k)`, as of :class:`deeppose.core.geometry.Estimate`; None where nobody said how sure it is.

    Returns
    -------
    joints
        One row a joint: `set`, `predictor`, `example`, `joint`, `error` in true-pose diameters; NaN where
        the joint does not count. `opposite` is the error had left and right been exchanged in the
        prediction; that of a joint without a side is its error. `spread` where spreads are given.
    limbs
        One row a limb that PCP counts: `set`, `predictor`, `example`, `limb`, `strict`, `loose` in limb
        lengths.
    """
    errors = joint_errors(predicted, truth, labelled, diameters)
    exchanged = predicted[:, list(skeleton.mirrored)]
    opposite = joint_errors(exchanged, truth, labelled, diameters)
    strict, loose = limb_errors(predicted, truth, labelled, skeleton)
    limbs = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    of_joints: dict[str, NDArray[Any]] = {"error": errors, "opposite": opposite}
    if spreads is not None:
        of_joints["spread"] = spreads
    return (
        _long(set_name, predictor, "joint", skeleton.joints, of_joints),
        _long(set_name, predictor, "limb", limbs, {"strict": strict, "loose": loose}),
    )


def _long(
    set_name: str, predictor: str, what: str, names: Iterable[str], values: dict[str, NDArray[Any]]
) -> pd.DataFrame:
    names = list(names)
    count = len(next(iter(values.values())))
    table = pd.DataFrame({"set": set_name, "predictor": predictor}, index=range(count * len(names)))
    table["example"] = np.repeat(np.arange(count, dtype=np.int32), len(names))
    table[what] = names * count
    for name, array in values.items():
        table[name] = array.ravel()
    return table


def of_set(errors: pd.DataFrame, set_name: str) -> pd.DataFrame:
    """The rows of one test set.

    Raises
    ------
    PredictionsError
        If there are none.
    """
    rows = errors[errors["set"] == set_name]
    if rows.empty:
        raise PredictionsError(
            f"no errors of the set {set_name!r}: only of {sorted(errors['set'].unique())}; "
            f"add it to the model's `test` in params.yaml and run the pipeline again"
        )
    return rows


def predictors(errors: pd.DataFrame) -> list[str]:
    """The predictors of a table of errors: stages in their order, other methods, then the mean pose."""
    return sorted(
        errors["predictor"].unique(), key=lambda name: (name == MEAN_POSE, is_other_method(name), name)
    )


def matrix(errors: pd.DataFrame, predictor: str, part: str, names: Sequence[str], value: str) -> Floats:
    """One predictor's errors as an array, `(n, len(names))`, examples in ascending order.

    Parameters
    ----------
    errors
        Of one set; columns predictor, example, `part` ("joint" or "limb") and `value`.
    names
        The joints or limbs that make the columns; NaN where the table lacks one.
    """
    rows = errors[errors["predictor"] == predictor]
    wide = rows.pivot(index="example", columns=part, values=value)
    return wide.reindex(columns=list(names)).to_numpy(dtype=np.float64)
