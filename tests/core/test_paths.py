"""What an item of the pipeline says of itself, beside where its files lie."""

import numpy as np
import pandas as pd
import pytest
from project import ROOT

from deeppose.core.errors import StageError
from deeppose.core.examples import BOX_COLUMNS, Examples, write_examples
from deeppose.core.files import write_json
from deeppose.core.params_file import load_params
from deeppose.core.paths import Half, Item
from deeppose.core.skeleton import FULL_BODY


def item(**changes):
    return Item(load_params(ROOT / "params.yaml").model_copy(update=changes), "demo", "lsp")


def noted(left_out):
    write_json(item().manifest, {"archives": {}, "left_out": left_out, "peers": {}})


def test_without_a_manifest_it_says_which_stage_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match=r"manifests/lsp\.json is not there: the stage download"):
        item().read_manifest()


@pytest.mark.parametrize("manifest", [[], {"archives": {}}, {"archives": 1, "left_out": 2, "peers": 3}])
def test_a_manifest_of_something_else_is_named(tmp_path, monkeypatch, manifest):
    monkeypatch.chdir(tmp_path)
    write_json(item().manifest, manifest)
    with pytest.raises(StageError, match=r"manifests/lsp\.json is missing or damaged"):
        item().read_manifest()


@pytest.mark.parametrize("boxes", [np.ones((1, 4)), np.full((2, 4), np.nan), np.ones((2, 3))])
def test_examples_without_a_box_each_are_named(tmp_path, boxes):
    half = Half(tmp_path / "train", FULL_BODY)
    table = pd.DataFrame({"set": ["lsp"] * 2, "part": "train", "diameter": 3.0})
    table[["offset", "width", "height"]] = 9
    examples = Examples(table, np.zeros((2, 14, 2)), np.ones((2, 14), dtype=bool))
    write_examples(examples, *half.example_tables)
    pd.DataFrame(np.ones((2, 4)), columns=BOX_COLUMNS).to_parquet(half.initial_boxes)
    assert half.read_examples().boxes.tolist() == [[1.0] * 4] * 2
    pd.DataFrame(boxes, columns=BOX_COLUMNS[: boxes.shape[1]]).to_parquet(half.initial_boxes)
    with pytest.raises(StageError, match=r"train-initial-boxes\.parquet"):
        half.read_examples()


@pytest.mark.parametrize(("stage", "made"), [(0, True), (1, True), (2, True), (3, False)])
def test_stages_beyond_s_are_left_out_but_for_the_second(tmp_path, monkeypatch, stage, made):
    monkeypatch.chdir(tmp_path)
    noted({})
    why = item(cascade_stages=1).why_left_out(stage)
    assert why == ("" if made else "cascade_stages is 1: stage 3 is not used")


def test_a_model_without_a_set_that_trains_it_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noted({"lsp": "lsp_dataset.zip is missing", "parse": "people.zip is missing"})
    assert item().why_left_out(1) == "model lsp is left out: lsp_dataset.zip is missing"
    noted({"parse": "people.zip is missing"})
    assert item().why_left_out(1) == ""


@pytest.mark.parametrize(("sets", "rows"), [(None, [0, 1, 4]), (("lsp",), [0, 4]), (("lsp", "flic"), [0, 4])])
def test_normals_are_fitted_to_the_training_examples_of_the_trusted_sets(sets, rows):
    params = load_params(ROOT / "params.yaml")
    profile = params.profiles["demo"].model_copy(update={"trusted": sets})
    item = Item(params.model_copy(update={"profiles": {"demo": profile}}), "demo", "lsp")
    table = pd.DataFrame(
        {
            "set": ["lsp", "lsp-extended", "lsp", "lsp", "lsp"],
            "part": ["train", "train", "held-out", "test", "train"],
        }
    )
    examples = Examples(table, np.zeros((5, 14, 2)), np.ones((5, 14), dtype=bool))
    assert item.trusted_rows(examples).tolist() == rows
