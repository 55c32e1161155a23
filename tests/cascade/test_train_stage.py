"""How a training reads the augmented set."""

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from deeppose.cascade.train_stage import read_by_column


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
