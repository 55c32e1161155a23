"""Evaluate an item: errors of every stage, of the mean training pose and of other methods (§4.1)."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.examples import Examples, Indices
from deeppose.core.files import read_parquet
from deeppose.core.geometry import Bools, Floats
from deeppose.core.paths import Item
from deeppose.core.pose_files import read_poses
from deeppose.core.predictors import MEAN_POSE
from deeppose.data.peers import find_peers, peer_poses
from deeppose.data.registry import ENTRIES
from deeppose.evaluation.error_tables import error_tables
from deeppose.evaluation.evaluation import Evaluation
from deeppose.evaluation.viewpoint_rates import rates_by_viewpoint


def evaluate(item: Item) -> Evaluation:
    """The errors on every test set, on its customary parts, and on the held-out images."""
    train, test = item.train.read_annotations(), item.test.read_annotations()
    sets = {name: (test, test.rows("test", name)) for name in test.sets("test")}
    sets["held-out"] = (train, train.rows("held-out"))
    tables = []
    for set_name, (examples, rows) in sets.items():
        files = examples.table["file"].iloc[rows]
        subsets = next((entry.subsets for entry in ENTRIES if entry.name == set_name), {})
        parts = {name: files.str.contains(pattern).to_numpy(bool) for name, pattern in subsets.items()}
        for predictor, poses, predicts, spreads in predictions_on(item, set_name, examples, rows):
            for part_name, chosen in {set_name: np.ones(len(rows), dtype=bool), **parts}.items():
                if not predicts[chosen].any(axis=1).all():
                    # Who predicts some of the images alone has no figure on all of them.
                    continue
                part = rows[chosen]
                truth, labelled = examples.poses[part], examples.labelled[part] & predicts[chosen]
                of_part = (poses[chosen], truth, labelled, examples.diameters[part])
                sure = None if spreads is None else spreads[chosen]
                tables.append(error_tables(part_name, predictor, *of_part, item.skeleton, sure))
    joints, limbs = (pd.concat(kind, ignore_index=True) for kind in zip(*tables, strict=True))
    del tables
    by_viewpoint = rates_by_viewpoint(joints, read_parquet(item.viewpoints))
    return Evaluation(item.model_name, joints, limbs, by_viewpoint, item.skeleton)


def predictions_on(
    item: Item, set_name: str, examples: Examples, rows: Indices
) -> Iterator[tuple[str, Floats, Bools, NDArray[np.float32] | None]]:
    """Who predicts a set, the poses `(n, k, 2)`, which joints are predicted at all, `(n, k)`, and spreads."""
    joints = item.skeleton.joints
    for predictor in (MEAN_POSE, *item.stage_names):
        path = item.test_prediction(set_name, predictor)
        poses, spreads = read_poses(path, len(rows), item.skeleton)
        yield predictor, poses, np.ones((len(rows), len(joints)), dtype=bool), spreads
    noted = item.read_manifest()["peers"]
    peers = find_peers(item.archive_folders())
    wanted = {name for name, about in noted.items() if about["set"] == set_name}
    if gone := wanted - {found.peer.file for found in peers}:
        raise PredictionsError(f"{min(gone)} is no longer there: put it back, or {item.look_again}")
    for found in peers:
        if found.peer.file not in wanted:
            continue
        if found.sha256 != noted[found.peer.file]["sha256"]:
            raise PredictionsError(f"{found.path} has changed since it was noted: {item.look_again}")
        truth, labelled = examples.poses[rows], examples.labelled[rows]
        poses, names, predicted = peer_poses(found, truth, labelled, item.skeleton)
        predicts = predicted[:, None] & [joint in names for joint in joints]
        yield found.peer.method, poses, predicts, None
