"""Rates, from 0 to 1, as text for readers: every number is rounded once, and alike wherever it stands."""

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from deeppose.core.predictors import stage_name

# What lies beyond is the noise of floats, which must not decide on which side of a half a rate lies.
DECIMALS_KEPT = 12

_NOTHING = "–"
_THREE_DECIMALS = Decimal("0.001")


def rate_text(rate: float | None) -> str:
    """A rate with three decimals, a half rounded up; a dash where nothing counts (None, NaN)."""
    return _NOTHING if rate is None or math.isnan(rate) else str(_rounded(rate))


def difference_text(difference: float) -> str:
    """As :func:`rate_text`, of how much larger or smaller a rate is, with its sign."""
    return _NOTHING if math.isnan(difference) else f"{_rounded(difference):+}".replace("-", "−")


def published_text(rate: float) -> str:
    """A rate of the paper as it is printed there: two decimals, three where the paper has three."""
    return str(_rounded(rate)).removesuffix("0")


def gain_text(stage: int, gain: Mapping[str, float | None]) -> str:
    """Whether a stage improves on the one before, in a sentence.

    Parameters
    ----------
    gain
        As metrics.json has it: `pdj@0.1` and `pcp.ave`, how much larger they became; None where either
        counts nothing.
    """
    names = {"pdj@0.1": "PDJ at 0.1", "pcp.ave": "mean PCP"}
    gains = {name: math.nan if (value := gain[key]) is None else value for key, name in names.items()}
    better = [name for name, value in gains.items() if not math.isnan(value) and _rounded(value) > 0]
    verb = "improves" if better else "does not improve"
    alone = f" in {better[0]} alone" if len(better) == 1 else ""
    shown = ", ".join(f"{name} {difference_text(value)}" for name, value in gains.items())
    return f"{stage_name(stage)} {verb} on {stage_name(stage - 1)}{alone}: {shown}"


def _rounded(rate: float) -> Decimal:
    return Decimal(f"{rate:z.{DECIMALS_KEPT}f}").quantize(_THREE_DECIMALS, ROUND_HALF_UP)
