"""What is evaluated where other people's predictions are: they take the examples, not the archive."""

import json

import archives
import numpy as np
import pandas as pd
import pytest
from project import ROOT

from deeppose.core.errors import PredictionsError
from deeppose.core.examples import Examples
from deeppose.core.files import sha256
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FLIC_LABELLED, UPPER_BODY
from deeppose.data.peers import PEERS
from deeppose.evaluation.evaluate import predictions_on

MODEC = PEERS[0]
COUNT = 3
ARMS = slice(0, 6)


@pytest.fixture
def examples():
    """FLIC's test part, a joint of it unlabelled, below an example of another set."""
    poses = np.random.default_rng(0).uniform(5, 35, (1 + COUNT, len(UPPER_BODY.joints), 2))
    labelled = np.ones(poses.shape[:2], dtype=bool)
    labelled[2, 1] = False
    poses[~labelled] = np.nan
    return Examples(pd.DataFrame({"set": ["buffy"] + ["flic"] * COUNT, "part": "test"}), poses, labelled)


@pytest.fixture
def peers(tmp_path, monkeypatch, examples):
    """A function that gives, by name, whose poses there are beside a file of MODEC's, scaled by a factor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPPOSE_MIRROR", str(tmp_path / "mirror"))
    item = Item(load_params(ROOT / "params.yaml"), "cpu", "flic")
    rows = examples.rows("test", "flic")

    def predicted(factor=1.0):
        for file in ("mean", "stage1", "stage2", "stage3"):
            write_poses(item.test_predictions / f"flic-{file}.parquet", examples.poses[rows])
        poses = np.full((COUNT, len(FLIC_LABELLED.joints), 2), -1.0)
        poses[:, ARMS] = np.nan_to_num(examples.poses[rows, ARMS], nan=20) * factor
        path = tmp_path / "mirror" / MODEC.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(archives.mat(pred=poses.transpose(2, 1, 0) + 1))
        item.manifest.parent.mkdir(parents=True, exist_ok=True)
        noted = {path.name: {"sha256": sha256(path), "set": "flic"}}
        item.manifest.write_text(json.dumps({"archives": {}, "left_out": {}, "peers": noted}))
        found = predictions_on(item, "flic", examples, rows)
        return {name: (poses, predicts) for name, poses, predicts in found}

    return predicted


def test_a_peer_is_measured_without_the_sets_archive(peers, examples):
    found = peers()
    assert list(found) == ["mean pose", "stage 1", "stage 2", "stage 3", MODEC.method]
    poses, predicts = found[MODEC.method]
    assert predicts.tolist() == [[True] * 6 + [False] * 4] * COUNT
    truth, labelled = examples.poses[1:, ARMS], examples.labelled[1:, ARMS]
    np.testing.assert_allclose(poses[:, ARMS][labelled], truth[labelled])


def test_a_peer_that_was_noted_and_is_gone_is_named(peers, tmp_path, monkeypatch):
    monkeypatch.setattr("deeppose.evaluation.evaluate.find_peers", lambda folders: [])
    with pytest.raises(PredictionsError, match=r"flic_oc_Sapp_CVPR13\.mat is no longer there: put it back"):
        peers()


def test_a_peer_of_images_of_another_size_is_refused(peers):
    with pytest.raises(PredictionsError, match=r"does not belong to the images of flic .* by 2\.00"):
        peers(0.5)
