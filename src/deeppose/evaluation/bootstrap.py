"""How much a rate hangs on which examples a test set holds: a bootstrap over its examples."""

import zlib
from collections.abc import Sequence

import numpy as np

from deeppose.core.geometry import Floats
from deeppose.core.metrics import ROUNDING

RESAMPLES = 500
NOTE = (
    f"Half the width of the 95 % interval, 1.96 standard errors over {RESAMPLES} bootstrap resamples of the "
    "test examples. What another training would give is not in it."
)
"""What ± and the bands around curves mean, for readers."""

_WITHIN_95_PERCENT = 1.96
# Beyond these decimals processors may differ.
_DECIMALS = 6


def resample_weights(examples: int, seed: int, name: str) -> Floats:
    """How often each resample takes each example, `(RESAMPLES, examples)`; `name` is the set's.

    Predictors on one set share the weights, so that they are compared on the same resamples.
    """
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    taken = generator.integers(examples, size=(RESAMPLES, examples))
    return np.stack([np.bincount(rows, minlength=examples) for rows in taken]).astype(np.float64)


class Resamples:
    """One predictor's errors on all resamples of a set.

    Parameters
    ----------
    errors
        `(n, parts)`; NaN where a part doesn't count.
    thresholds
        A part is detected where its error is at most this, `(t,)`.
    weights
        From :func:`resample_weights`.
    """

    def __init__(self, errors: Floats, thresholds: Floats, weights: Floats) -> None:
        within = errors[..., None] <= thresholds * (1 + ROUNDING)
        # Sums of whole numbers are exact: they come out the same whatever multiplies the matrices.
        detected = weights @ within.reshape(len(errors), -1).astype(np.float64)
        self._detected = detected.reshape(len(weights), *within.shape[1:])
        self._counted = weights @ (~np.isnan(errors)).astype(np.float64)

    def half_widths(self, groups: Sequence[Sequence[int]]) -> Floats:
        """Half the widths of the 95 % intervals of a mean rate, `(t,)`, NaN where nothing counts.

        The mean is over groups of parts, each pooled; a group of which nothing counts is left out.
        """
        detected = np.stack([self._detected[:, list(group)].sum(axis=1) for group in groups], axis=1)
        counted = np.stack([self._counted[:, list(group)].sum(axis=1) for group in groups], axis=1)
        known = (counted > 0).any(axis=0)
        if not known.any():
            return np.full(detected.shape[-1], np.nan)
        with np.errstate(invalid="ignore"):
            rates = (detected[:, known] / counted[:, known, None]).mean(axis=1)
        widths: Floats = np.round(_WITHIN_95_PERCENT * np.nanstd(rates, axis=0), _DECIMALS)
        return widths
