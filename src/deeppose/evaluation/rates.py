"""The rates that the paper reports, PCP and PDJ, read from tables of errors (§4.1)."""

from typing import Any

import numpy as np

from deeppose.core.geometry import Floats
from deeppose.core.metrics import mean_pdj, pcp, pdj
from deeppose.core.skeleton import Skeleton

PDJ_THRESHOLDS = (0.1, 0.2, 0.5)
CURVE_THRESHOLDS = np.arange(51) / 100
"""In diameters."""


def rates(errors: Floats, strict: Floats, loose: Floats, skeleton: Skeleton) -> dict[str, Any]:
    """PCP at 0.5, strict and loose, and PDJ of a predictor on a set, 0 to 1; None where nothing counts.

    Parameters
    ----------
    errors
        `(n, k)`, true-pose diameters.
    strict, loose
        `(n, limbs)`, limb lengths.
    """
    pdjs = {f"pdj@{t}": {**pdj(errors, skeleton, t), "mean": mean_pdj(errors, t)} for t in PDJ_THRESHOLDS}
    return {"pcp": pcp(strict, skeleton), "pcp_loose": pcp(loose, skeleton), **pdjs}
