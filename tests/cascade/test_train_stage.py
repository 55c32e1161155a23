"""How a training reads the augmented set, and the weights that it starts from."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import small_training
from lightning_fabric import Fabric
from project import ROOT
from scale_project import make_project

import deeppose.cascade.train_stage as stage_module
from deeppose.cascade.train_stage import describe, read_by_column, train_stage, training_table, trusted_part
from deeppose.core.errors import AnnotationError, WeightsError
from deeppose.core.images import Images
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.networks.weights import build_network


def test_a_table_read_by_column_is_the_table(tmp_path):
    table = pd.DataFrame(
        {
            "example": np.arange(7, dtype=np.int32),
            "mirrored": np.arange(7) % 2 == 0,
            "joint": np.arange(7, dtype=np.int16),
            "box_x": np.linspace(0, 1, 7, dtype=np.float32),
        }
    )
    # The stage before writes a piece for each joint.
    with pyarrow.parquet.ParquetWriter(tmp_path / "set.parquet", pyarrow.Schema.from_pandas(table)) as writer:
        for part in (table[:3], table[3:]):
            writer.write_table(pyarrow.Table.from_pandas(part, preserve_index=False))
    pd.testing.assert_frame_equal(read_by_column(tmp_path / "set.parquet"), table)


def test_a_stage_does_not_start_from_weights_of_another(tmp_path, monkeypatch):
    make_project(tmp_path / "project", 20)
    monkeypatch.chdir(tmp_path / "project")
    item = Item(load_params(), "demo", "lsp")
    assert item.profile.stage2.start == "previous"
    shutil.copy(item.weights(2), item.weights(1))
    with pytest.raises(WeightsError, match=r"stage1\.safetensors holds weights of stage 2 .*not of stage 1"):
        train_stage(item, 2, Fabric(accelerator="cpu", devices=1))


def test_a_refinement_scales_and_turns_its_boxes_as_params_say(tmp_path, monkeypatch):
    make_project(tmp_path / "project", 20)
    monkeypatch.chdir(tmp_path / "project")
    item = Item(load_params(), "demo", "lsp")
    changes = {"others": 0.3, "scale": 0.1, "rotation": 7.0, "shrinkage": {"lsp": 0.5}}
    moved = item.profile.stage2.model_copy(update=changes)
    profiles = {"demo": item.profile.model_copy(update={"stage2": moved})}
    item = replace(item, params=item.params.model_copy(update={"profiles": profiles}))
    columns = ["example", "mirrored", "joint", "box_x", "box_y", "side", "target_x", "target_y"]
    monkeypatch.setattr(
        stage_module, "read_by_column", lambda path: pd.DataFrame(columns=columns, dtype=float)
    )
    examples = item.train.read_examples()
    network = build_network(**describe(item, 2)["network"])
    table = training_table(item, 2, examples, Images(item.train.images, examples.table), network)
    assert (table.others, table.scale, table.rotation) == (0.3, 0.1, 7.0)
    assert (table.size, table.seed) == (network.size, (item.params.seed, 2))
    assert describe(item, 2)["shrinkage"] == 0.5
    assert "shrinkage" not in describe(item, 3)


# The last part


def item_with(trusted_from, trusted):
    params = load_params(ROOT / "params.yaml")
    demo = params.profiles["demo"]
    changes = {
        "training": demo.training.model_copy(update={"trusted_from": (1.0, trusted_from, 1.0)}),
        "trusted": trusted,
    }
    profiles = {"demo": demo.model_copy(update=changes)}
    return Item(params.model_copy(update={"profiles": profiles}), "demo", "lsp")


@pytest.fixture
def table():
    """Eight examples of which the first and the last two are LSP's own, the last held out."""
    table = small_training.table()
    sets = ["lsp", *["lsp-extended"] * 5, "lsp", "lsp"]
    examples = table.examples
    named = examples.table.assign(set=sets, part=["train"] * 7 + ["held-out"])
    return replace(
        table, examples=replace(examples, table=named), training_rows=np.array([0, 0, 1, 2, 3, 4, 5, 6, 6])
    )


def test_from_a_share_of_the_steps_on_trusted_sets_train_alone(table):
    last = trusted_part(item_with(0.4, ("lsp", "flic")), 2, table, table.examples, 1000)
    assert (last.start, last.rows.tolist()) == (400, [0, 1, 7, 8])
    assert trusted_part(item_with(0.4, ("lsp", "flic")), 3, table, table.examples, 1000) is None


@pytest.mark.parametrize(("share", "sets"), [(1.0, ("lsp",)), (0.4, ("lsp", "lsp-extended"))])
def test_without_a_share_or_a_set_less_trusted_there_is_one_part(table, share, sets):
    assert trusted_part(item_with(share, sets), 2, table, table.examples, 1000) is None


def test_trusted_sets_that_are_all_held_out_are_refused(table):
    left = replace(table, training_rows=np.array([1, 2, 3]))
    said = r"trusted_from is 0\.4 for stage 2, but no example of a trusted set is left: lower model\.lsp"
    with pytest.raises(AnnotationError, match=said):
        trusted_part(item_with(0.4, ("lsp",)), 2, left, table.examples, 1000)


def test_a_stage_is_trained_in_its_parts(tmp_path, monkeypatch):
    make_project(tmp_path / "project", 20)
    monkeypatch.chdir(tmp_path / "project")
    item = Item(load_params(), "demo", "lsp")
    parts = []

    def noted(*arguments, last, **options):
        parts.append(last)
        raise InterruptedError

    monkeypatch.setattr("deeppose.cascade.train_stage.train", noted)
    monkeypatch.setattr("deeppose.cascade.train_stage.trusted_part", lambda *of: of)
    with pytest.raises(InterruptedError):
        train_stage(item, 1, Fabric(accelerator="cpu", devices=1))
    ((of, stage, table, examples, steps),) = parts
    assert (of, stage, steps) == (item, 1, item.profile.stage1.steps["lsp"])
    assert table.examples.table.equals(examples.table)
