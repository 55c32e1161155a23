"""What is evaluated where other people's predictions are: they take the examples, not the archive."""

import json

import archives
import numpy as np
import pandas as pd
import pytest
from project import ROOT

from deeppose.core.errors import PredictionsError
from deeppose.core.examples import TORSO_COLUMNS, Examples, write_examples
from deeppose.core.files import sha256, write_parquet
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FLIC_LABELLED, UPPER_BODY
from deeppose.core.viewpoint import viewpoints
from deeppose.data.peers import PEERS
from deeppose.evaluation import evaluate as module
from deeppose.evaluation.evaluate import evaluate, predictions_on

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
        return {name: (poses, predicts) for name, poses, predicts, _ in found}

    return predicted


def test_a_peer_is_measured_without_the_sets_archive(peers, examples):
    found = peers()
    assert list(found) == ["mean pose", "stage 1", "stage 2", "stage 3", MODEC.method]
    poses, predicts = found[MODEC.method]
    assert predicts.tolist() == [[True] * 6 + [False] * 4] * COUNT
    truth, labelled = examples.poses[1:, ARMS], examples.labelled[1:, ARMS]
    np.testing.assert_allclose(poses[:, ARMS][labelled], truth[labelled])


def test_spreads_come_with_the_predictions_of_networks_with_maps(peers, examples):
    peers()
    item = Item(load_params(ROOT / "params.yaml"), "cpu", "flic")
    rows, spreads = examples.rows("test", "flic"), np.arange(COUNT * 10.0).reshape(COUNT, 10)
    write_poses(item.test_prediction("flic", "stage 1"), examples.poses[rows], spreads)
    of_stage, of_next = [found[3] for found in predictions_on(item, "flic", examples, rows)][1:3]
    np.testing.assert_array_equal(of_stage, spreads)
    assert of_next is None


def test_spreads_are_those_of_their_joints_in_any_order_of_rows(peers, examples):
    peers()
    item = Item(load_params(ROOT / "params.yaml"), "cpu", "flic")
    rows, spreads = examples.rows("test", "flic"), np.arange(COUNT * 10.0).reshape(COUNT, 10)
    path = item.test_prediction("flic", "stage 1")
    write_poses(path, examples.poses[rows], spreads)
    shuffled = pd.read_parquet(path).sample(frac=1, random_state=0)
    by_name = shuffled.assign(joint=[UPPER_BODY.joints[joint] for joint in shuffled["joint"]])
    for table in (shuffled, by_name):
        table.to_parquet(path)
        np.testing.assert_array_equal(list(predictions_on(item, "flic", examples, rows))[1][3], spreads)


def test_a_peer_that_was_noted_and_is_gone_is_named(peers, tmp_path, monkeypatch):
    monkeypatch.setattr("deeppose.evaluation.evaluate.find_peers", lambda folders: [])
    with pytest.raises(PredictionsError, match=r"flic_oc_Sapp_CVPR13\.mat is no longer there: put it back"):
        peers()


def test_a_peer_of_images_of_another_size_is_refused(peers):
    with pytest.raises(PredictionsError, match=r"does not belong to the images of flic .* by 2\.00"):
        peers(0.5)


def test_who_predicts_some_images_alone_has_figures_on_them_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    item = Item(load_params(ROOT / "params.yaml"), "cpu", "flic")
    poses = np.random.default_rng(0).uniform(5, 35, (3, len(UPPER_BODY.joints), 2))
    labelled = np.ones(poses.shape[:2], dtype=bool)
    table = pd.DataFrame({"set": "buffy", "part": "test", "diameter": 10.0, "offset": [0, 1, 2]}).assign(
        file=[f"images/buffy_s5e{episode}/000001.jpg" for episode in (2, 3, 5)],
        **dict.fromkeys(("width", "height"), 40),
        **dict.fromkeys(TORSO_COLUMNS, np.nan),
    )
    write_examples(Examples(table, poses, labelled), *item.test.example_tables)
    trained = table.assign(set="flic", part=["train", "train", "held-out"])
    write_examples(Examples(trained, poses, labelled), *item.train.example_tables)
    write_parquet(item.viewpoints, viewpoints("buffy", poses, UPPER_BODY, None, None))
    looked_at = np.array([True, False, True])[:, None] & labelled

    def predicted(item, set_name, examples, rows):
        yield "stage 1", examples.poses[rows], np.ones((len(rows), len(UPPER_BODY.joints)), dtype=bool), None
        if set_name == "buffy":
            yield "another", poses, looked_at, None

    monkeypatch.setattr(module, "predictions_on", predicted)
    joints = evaluate(item).joints
    measured = joints.groupby(["set", "predictor"])["example"].nunique().to_dict()
    assert measured == {
        ("buffy", "stage 1"): 3,
        ("buffy-276", "another"): 2,
        ("buffy-276", "stage 1"): 2,
        ("held-out", "stage 1"): 1,
    }
