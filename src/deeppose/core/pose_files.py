"""Poses in our own files: Parquet, laid out as :mod:`deeppose.core.pose_tables` says."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.files import write_parquet
from deeppose.core.geometry import Floats
from deeppose.core.pose_tables import (
    COLUMNS,
    Column,
    check_columns,
    check_rows,
    joint_indices,
    numbers_of,
    poses_of_table,
)
from deeppose.core.skeleton import Skeleton

if TYPE_CHECKING:
    import pandas as pd

SPREAD = "spread"


def read_poses(path: Path, count: int, skeleton: Skeleton) -> tuple[Floats, NDArray[np.float32] | None]:
    """Read poses from a Parquet file, and how sure a network was of each joint.

    Parameters
    ----------
    path
        Columns example, joint (index or name), x, y, one row a joint, in any order.
    count
        Examples that are expected.

    Returns
    -------
    poses
        `(count, k, 2)`, pixels, 0-based; NaN is a miss.
    spreads
        `(count, k)`, diameters, where :func:`write_poses` put any.

    Raises
    ------
    PredictionsError
        If the file is missing, broken, or holds not exactly one finite or NaN location for each joint of
        each example.
    """
    table = read_pose_table(path, count, skeleton)
    poses = poses_of_table(path, table, "row {}".format, count, skeleton)
    if SPREAD not in table:
        return poses, None
    spreads = np.empty(poses.shape[:2], np.float32)
    places = numbers_of(table["example"])[0].astype(int), joint_indices(table["joint"], skeleton).astype(int)
    spreads[places] = table[SPREAD]
    return poses, spreads


def read_pose_table(path: Path, count: int, skeleton: Skeleton) -> dict[str, Column]:
    """As :func:`read_poses`, the table as it stands in the file, its columns and number of rows checked."""
    # Other layouts are scored without it; it takes 170 MB.
    from pyarrow.parquet import ParquetFile

    try:
        # Arrow itself takes no name that is not UTF-8.
        with path.open("rb") as opened:
            file = ParquetFile(opened)
            names = file.schema_arrow.names
            check_columns(path, names)
            check_rows(path, file.metadata.num_rows, count, skeleton)
            table = file.read([*COLUMNS, *({SPREAD} & set(names))]).to_pandas(ignore_metadata=True)
    except PredictionsError:
        raise
    except FileNotFoundError as error:
        raise PredictionsError(f"{path}: there is no such file") from error
    except Exception as error:  # pyarrow raises whatever damaged bytes lead it into
        why = " ".join(str(error).split())
        raise PredictionsError(f"{path}: not a readable Parquet file ({why})") from error
    return {name: _column(table[name]) for name in table}


def _column(column: "pd.Series[Any]") -> Column:
    """Numbers with NaN for nulls; of another type texts, empty for nulls."""
    if column.dtype.kind in "iuf":
        return column.to_numpy()
    texts = ["" if empty else cell for cell, empty in zip(column, column.isna(), strict=True)]
    return np.array(
        [cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in texts],
        dtype=object,
    )


def write_poses(path: Path, poses: Floats, spreads: Floats | None = None) -> None:
    """Write poses `(n, k, 2)`, pixels, as Parquet, one row a joint, in the layout read back above.

    A column `spread` has how sure a network with maps is of each joint: `spreads`, `(n, k)`, as of
    :class:`deeppose.core.geometry.Estimate`; where none is known there is no such column.
    """
    table = table_of_poses(poses)
    if spreads is not None and not np.isnan(spreads).all():
        table[SPREAD] = spreads.ravel().astype(np.float32)
    write_parquet(path, table)


def table_of_poses(poses: Floats) -> "pd.DataFrame":
    """Poses `(n, k, 2)`, pixels, as a table with one row a joint."""
    import pandas as pd

    examples, joints = np.indices(poses.shape[:2])
    return pd.DataFrame(
        {
            "example": examples.ravel().astype(np.int32),
            "joint": joints.ravel().astype(np.int16),
            "x": poses[..., 0].ravel().astype(np.float64),
            "y": poses[..., 1].ravel().astype(np.float64),
        }
    )
