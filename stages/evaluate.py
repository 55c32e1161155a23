"""Measure the predictions of every stage, and of the mean training pose, on every test set."""

import pandas as pd

from common import Item, run
from deeppose.evaluate import error_tables, figures
from deeppose.files import atomic_path, write_json
from deeppose.predictions import read_predictions
from deeppose.tables import matrix, of_set, predictors


def main(item: Item, _: int) -> None:
    examples = item.read_examples()
    parts = {name: examples.rows("test", name) for name in examples.sets("test")}
    parts["held-out"] = examples.rows("held-out")
    names = {"mean": "mean pose"} | {
        f"stage{stage}": f"stage {stage}" for stage in range(1, item.params.cascade_stages + 1)
    }
    tables = []
    for set_name, rows in parts.items():
        truth, labelled = examples.poses[rows], examples.labelled[rows]
        for file, predictor in names.items():
            path = item.test_predictions / f"{set_name}-{file}.parquet"
            predicted = read_predictions(path, len(rows), item.skeleton)
            tables.append(error_tables(set_name, predictor, predicted, truth, labelled, item.skeleton))
    joints, limbs = (pd.concat(kind, ignore_index=True) for kind in zip(*tables, strict=True))
    with atomic_path(item.evaluation) as folder:
        folder.mkdir()
        joints.to_parquet(folder / "joint-errors.parquet", index=False)
        limbs.to_parquet(folder / "limb-errors.parquet", index=False)
        write_json(folder / "metrics.json", metrics(item, joints, limbs))


def metrics(item: Item, joints: pd.DataFrame, limbs: pd.DataFrame) -> dict[str, object]:
    """All figures by set and predictor, and what each stage gained over the one before."""
    skeleton = item.skeleton
    limb_names = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    measured: dict[str, object] = {}
    for set_name in dict.fromkeys(joints["set"]):
        of_joints, of_limbs = of_set(joints, set_name), of_set(limbs, set_name)
        by_predictor = {}
        for predictor in predictors(of_joints):
            by_predictor[predictor.replace(" ", "_")] = figures(
                matrix(of_joints, predictor, "joint", skeleton.joints, "error"),
                matrix(of_limbs, predictor, "limb", limb_names, "strict"),
                matrix(of_limbs, predictor, "limb", limb_names, "loose"),
                skeleton,
            )
        for stage in range(2, item.params.cascade_stages + 1):
            now, before = by_predictor[f"stage_{stage}"], by_predictor[f"stage_{stage - 1}"]
            by_predictor[f"gain_of_stage_{stage}"] = {
                "pcp.ave": _gain(now["pcp"]["ave"], before["pcp"]["ave"]),
                **{
                    key: _gain(now[key]["mean"], before[key]["mean"]) for key in now if key.startswith("pdj@")
                },
            }
        measured[set_name] = by_predictor
    return measured


def _gain(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


if __name__ == "__main__":
    run(main)
