"""Shares of 1 as texts for readers: every number is rounded once, and alike wherever it stands."""

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

# What lies beyond is the noise of floats, which must not decide on which side of a half a share lies.
DECIMALS_KEPT = 12

_NOTHING = "–"
_THREE_DECIMALS = Decimal("0.001")


def share_text(share: float | None) -> str:
    """A share with three decimals, a half rounded up; a dash for one of nothing (None, NaN)."""
    return _NOTHING if share is None or math.isnan(share) else str(_rounded(share))


def difference_text(difference: float) -> str:
    """As :func:`share_text`, of how much larger or smaller a share is, with its sign."""
    return _NOTHING if math.isnan(difference) else f"{_rounded(difference):+}".replace("-", "−")


def published_text(share: float) -> str:
    """A share of the paper as it is printed there: two decimals, three where the paper has three."""
    return str(_rounded(share)).removesuffix("0")


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
    figures = ", ".join(f"{name} {difference_text(value)}" for name, value in gains.items())
    return f"stage {stage} {verb} on stage {stage - 1}{alone}: {figures}"


def _rounded(share: float) -> Decimal:
    return Decimal(f"{share:z.{DECIMALS_KEPT}f}").quantize(_THREE_DECIMALS, ROUND_HALF_UP)
