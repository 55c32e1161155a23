"""What was evaluated of a model: its tables of errors as files, and all rates that follow from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from deeppose.core.files import read_parquet
from deeppose.core.paths import Item
from deeppose.core.predictors import as_key, stage_name
from deeppose.core.skeleton import Skeleton
from deeppose.evaluation.error_tables import matrix, of_set, predictors
from deeppose.evaluation.rates import rates


@dataclass(frozen=True)
class Evaluation:
    """The errors of one model's predictors on its test sets, and rates by viewpoint.

    Attributes
    ----------
    model
        Its name in the params.
    joints, limbs
        From :func:`deeppose.evaluation.error_tables.error_tables`.
    by_viewpoint
        From :func:`deeppose.evaluation.viewpoint_rates.rates_by_viewpoint`.
    """

    model: str
    joints: pd.DataFrame
    limbs: pd.DataFrame
    by_viewpoint: pd.DataFrame
    skeleton: Skeleton

    def write(self, folder: Path) -> None:
        """Write the tables into a folder that is there."""
        # With sides exchanged, errors have told all that they are made for.
        joints = self.joints.drop(columns="opposite")
        joints.to_parquet(folder / "joint-errors.parquet", index=False)
        self.limbs.to_parquet(folder / "limb-errors.parquet", index=False)
        self.by_viewpoint.to_parquet(folder / "by-viewpoint.parquet", index=False)


def read_evaluation(item: Item) -> Evaluation:
    """Read what :meth:`Evaluation.write` wrote."""
    return Evaluation(
        model=item.model_name,
        joints=read_parquet(item.evaluation / "joint-errors.parquet"),
        limbs=read_parquet(item.evaluation / "limb-errors.parquet"),
        by_viewpoint=read_parquet(item.evaluation / "by-viewpoint.parquet"),
        skeleton=item.skeleton,
    )


def metrics(evaluation: Evaluation, cascade_stages: int) -> dict[str, Any]:
    """All rates by set and predictor, and what each stage gained over the one before."""
    skeleton = evaluation.skeleton
    limb_names = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    measured: dict[str, Any] = {}
    for set_name in dict.fromkeys(evaluation.joints["set"]):
        joints = of_set(evaluation.joints, set_name)
        # Not so: of a skeleton without limbs that PCP counts there are none.
        limbs = evaluation.limbs[evaluation.limbs["set"] == set_name]
        by_predictor = {
            as_key(predictor): rates(
                matrix(joints, predictor, "joint", skeleton.joints, "error"),
                matrix(limbs, predictor, "limb", limb_names, "strict"),
                matrix(limbs, predictor, "limb", limb_names, "loose"),
                skeleton,
            )
            for predictor in predictors(joints)
        }
        for stage in range(2, cascade_stages + 1):
            now, was = (by_predictor[as_key(stage_name(number))] for number in (stage, stage - 1))
            by_predictor[f"gain_of_stage_{stage}"] = {
                "pcp.ave": _gain(now["pcp"]["ave"], was["pcp"]["ave"]),
                **{key: _gain(now[key]["mean"], was[key]["mean"]) for key in now if key.startswith("pdj@")},
            }
        measured[set_name] = by_predictor
    return measured


def _gain(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
