"""The few numbers that a run is compared by with others: what `dvc metrics` and `dvc exp` show."""

from collections.abc import Mapping
from typing import Any

from deeppose.core.predictors import as_key, stage_name
from deeppose.report.catalogue import catalogue_of

_DECIMALS = 4


def headline(
    metrics: Mapping[str, Mapping[str, Any]], tested: Mapping[str, tuple[str, ...]], cascade_stages: int
) -> dict[str, float]:
    """For each test set its first measure after each stage, and PDJ after the last.

    The first measure is mean strict PCP where the catalogue has a table of it, as the paper has for LSP and
    Image Parse, else mean PDJ at 0.2. With the paper's four sets these are 18 numbers.

    Parameters
    ----------
    metrics
        By model, set and predictor, as in metrics.json.
    tested
        By model its test sets.
    """
    found: dict[str, float | None] = {}
    for model, sets in metrics.items():
        for name in (name for name in tested[model] if name in sets):
            key = name if not any(taken.startswith(f"{name}_") for taken in found) else f"{model}_{name}"
            of_stages = [sets[name][as_key(stage_name(stage))] for stage in range(1, cascade_stages + 1)]
            has_pcp = any(entry.kind == "pcp table" for entry in catalogue_of(name).entries)
            for stage, of_stage in enumerate(of_stages, start=1):
                if has_pcp:
                    found[f"{key}_pcp_{stage}"] = of_stage["pcp"]["ave"]
                else:
                    found[f"{key}_pdj@0.2_{stage}"] = of_stage["pdj@0.2"]["mean"]
            for threshold in ("0.2", "0.1") if has_pcp else ("0.1",):
                found[f"{key}_pdj@{threshold}"] = of_stages[-1][f"pdj@{threshold}"]["mean"]
    return {key: round(value, _DECIMALS) for key, value in found.items() if value is not None}
