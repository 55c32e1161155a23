"""How a training reads the augmented set, and the weights that it starts from."""

import shutil

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from lightning_fabric import Fabric
from scale_project import make_project

from deeppose.cascade.train_stage import read_by_column, train_stage
from deeppose.core.errors import WeightsError
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item


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
