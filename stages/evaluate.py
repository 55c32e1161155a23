"""Measure the predictions of every stage, of the mean training pose and of peers, on every test set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deeppose.core.errors import PredictionsError
from deeppose.core.examples import Examples, Indices
from deeppose.core.files import atomic_path, write_json
from deeppose.core.geometry import Bools, Floats
from deeppose.core.paths import Item
from deeppose.core.pose_files import read_poses
from deeppose.data.peers import find_peers, peer_poses
from deeppose.data.subsets import subsets_of
from deeppose.evaluation.error_tables import error_tables, figures, shares_by_circumstance
from deeppose.evaluation.formatting import gain_text
from deeppose.report.tables import PDJ_THRESHOLDS, matrix, of_set, predictors
from run import run


def outputs(item: Item, _: int) -> list[Path]:
    return [item.evaluation]


def main(item: Item, _: int) -> None:
    train, test = item.train.read_annotations(), item.test.read_annotations()
    sets = {name: (test, test.rows("test", name)) for name in test.sets("test")}
    sets["held-out"] = (train, train.rows("held-out"))
    tables = []
    for set_name, (examples, rows) in sets.items():
        for predictor, poses, predicts in predicted(item, set_name, examples, rows):
            for shown, chosen in with_subsets(set_name, examples, rows).items():
                part = rows[chosen]
                tables.append(
                    error_tables(
                        shown,
                        predictor,
                        poses[chosen],
                        examples.poses[part],
                        examples.labelled[part] & predicts,
                        examples.diameters[part],
                        item.skeleton,
                    )
                )
    joints, limbs = (pd.concat(kind, ignore_index=True) for kind in zip(*tables, strict=True))
    del tables
    with atomic_path(item.evaluation) as folder:
        folder.mkdir()
        joints.to_parquet(folder / "joint-errors.parquet", index=False)
        limbs.to_parquet(folder / "limb-errors.parquet", index=False)
        apart = shares_by_circumstance(joints, pd.read_parquet(item.circumstances), PDJ_THRESHOLDS)
        apart.to_parquet(folder / "by-circumstance.parquet", index=False)
        measured = metrics(item, joints, limbs)
        write_json(folder / "metrics.json", measured)
    for stage in range(2, item.params.cascade_stages + 1):
        print(f"held-out images: {gain_text(stage, measured['held-out'][f'gain_of_stage_{stage}'])}")


def predicted(
    item: Item, set_name: str, examples: Examples, rows: Indices
) -> Iterator[tuple[str, Floats, Bools]]:
    """Who predicts a set, the poses `(n, k, 2)`, and which joints are predicted at all, `(k,)`."""
    joints = item.skeleton.joints
    files = {"mean pose": "mean"} | {
        f"stage {stage}": f"stage{stage}" for stage in range(1, item.params.cascade_stages + 1)
    }
    for predictor, file in files.items():
        path = item.test_predictions / f"{set_name}-{file}.parquet"
        yield predictor, read_poses(path, len(rows), item.skeleton), np.ones(len(joints), dtype=bool)
    noted = item.read_manifest()["peers"]
    for found in find_peers(item.archive_folders()):
        if found.path.name not in noted or found.peer.set != set_name:
            continue
        if found.sha256 != noted[found.path.name]["sha256"]:
            raise PredictionsError(f"{found.path} has changed since it was noted: run `dvc repro` again")
        truth, labelled = examples.poses[rows], examples.labelled[rows]
        poses, names = peer_poses(found, truth, labelled, item.skeleton)
        yield found.peer.method, poses, np.array([joint in names for joint in joints])


def with_subsets(set_name: str, examples: Examples, rows: Indices) -> dict[str, Bools]:
    """The set, and its customary parts: which of its rows each takes."""
    files = examples.table["file"].iloc[rows]
    chosen: dict[str, Bools] = {set_name: np.ones(len(rows), dtype=bool)}
    for subset, pattern in subsets_of(set_name).items():
        chosen[subset] = files.str.contains(pattern).to_numpy(bool)
    return chosen


def metrics(item: Item, joints: pd.DataFrame, limbs: pd.DataFrame) -> dict[str, Any]:
    """All figures by set and predictor, and what each stage gained over the one before."""
    skeleton = item.skeleton
    limb_names = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    measured: dict[str, Any] = {}
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
    run(main, outputs)
