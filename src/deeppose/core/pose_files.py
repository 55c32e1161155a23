"""Poses in our own files: Parquet, one row a joint of an example, columns example, joint, x, y."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.files import write_parquet
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

COLUMNS = ("example", "joint", "x", "y")
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
    places = _numbers(table["example"])[0].astype(int), _joint_indices(table["joint"], skeleton).astype(int)
    spreads[places] = table[SPREAD]
    return poses, spreads


def read_pose_table(path: Path, count: int, skeleton: Skeleton) -> pd.DataFrame:
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
            table: pd.DataFrame = file.read([*COLUMNS, *({SPREAD} & set(names))]).to_pandas()
    except PredictionsError:
        raise
    except FileNotFoundError as error:
        raise PredictionsError(f"{path}: there is no such file") from error
    except Exception as error:  # pyarrow raises whatever damaged bytes lead it into
        why = " ".join(str(error).split())
        raise PredictionsError(f"{path}: not a readable Parquet file ({why})") from error
    return table


def write_poses(path: Path, poses: Floats, spreads: Floats | None = None) -> None:
    """Write poses `(n, k, 2)`, pixels, as Parquet, one row a joint, in the layout read back above.

    A column `spread` has how sure a network with maps is of each joint: `spreads`, `(n, k)`, as of
    :class:`deeppose.core.geometry.Estimate`; where none is known there is no such column.
    """
    table = table_of_poses(poses)
    if spreads is not None and not np.isnan(spreads).all():
        table[SPREAD] = spreads.ravel().astype(np.float32)
    write_parquet(path, table)


def table_of_poses(poses: Floats) -> pd.DataFrame:
    """Poses `(n, k, 2)`, pixels, as a table with one row a joint."""
    examples, joints = np.indices(poses.shape[:2])
    return pd.DataFrame(
        {
            "example": examples.ravel().astype(np.int32),
            "joint": joints.ravel().astype(np.int16),
            "x": poses[..., 0].ravel().astype(np.float64),
            "y": poses[..., 1].ravel().astype(np.float64),
        }
    )


def check_columns(path: Path, found: list[str]) -> None:
    """That a table has each of the four columns once."""
    wrong = [name for name in COLUMNS if found.count(name) != 1]
    if wrong:
        raise PredictionsError(
            f"{path}: the columns {', '.join(COLUMNS)} are expected, each once; "
            f"found {', '.join(found) or 'none'}"
        )


def check_rows(path: Path, found: int, count: int, skeleton: Skeleton) -> None:
    """That a table of so many rows is not far larger than that of `count` poses, before it is in memory."""
    expected = count * len(skeleton.joints)
    if found > 2 * expected:
        raise PredictionsError(
            f"{path}: more than twice the {expected} rows that are expected, {count} examples of "
            f"{len(skeleton.joints)} joints"
        )


def poses_of_table(
    path: Path, table: pd.DataFrame, place: Callable[[int], str], count: int, skeleton: Skeleton
) -> Floats:
    """Poses from a table with one row a joint; `place` says where in the file a row stands."""

    def refuse(bad: Bools, column: str, wanted: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            value = table[column].iloc[row]
            told = f"{column} is {str(value)[:60]!r}; {wanted} is expected"
            raise PredictionsError(f"{path}, {place(row)}: {told}")

    examples, _ = _numbers(table["example"])
    known = (examples >= 0) & (examples < count) & (np.trunc(examples) == examples)
    refuse(~known, "example", f"a whole number from 0 to {count - 1}")
    joints = _joint_indices(table["joint"], skeleton)
    wanted = f"an index from 0 to {len(skeleton.joints) - 1} or one of {', '.join(skeleton.joints)}"
    refuse(np.isnan(joints), "joint", wanted)
    poses = np.full((count, len(skeleton.joints), 2), np.nan)
    where = (examples.astype(int), joints.astype(int))
    for axis, column in enumerate(("x", "y")):
        values, text = _numbers(table[column])
        refuse(text | np.isinf(values), column, "a number, or NaN for a miss,")
        poses[(*where, axis)] = values
    flat = np.ravel_multi_index(where, poses.shape[:2])
    rows = np.bincount(flat, minlength=poses[..., 0].size)
    for wrong, what in ((rows > 1, "has more than one row"), (rows == 0, "has no row")):
        if wrong.any():
            example, joint = np.unravel_index(int(np.argmax(wrong)), poses.shape[:2])
            found = ", ".join(place(int(row)) for row in np.flatnonzero(flat == np.argmax(wrong)))
            raise PredictionsError(
                f"{path}: example {example}, joint {skeleton.joints[joint]!r} {what}"
                f"{found and f' ({found})'}; {len(flat)} rows were found, {len(rows)} are expected: {count} "
                f"examples of {len(skeleton.joints)} joints"
            )
    return poses


def _numbers(column: "pd.Series[Any]") -> tuple[Floats, Bools]:
    """A column as floats, NaN where it is empty, and a mask of what is neither a number nor empty."""
    if pd.api.types.is_bool_dtype(column):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=np.bool_)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    words = column.astype(str).str.strip()
    values = pd.to_numeric(words, errors="coerce").to_numpy(dtype=np.float64)
    empty = (column.isna() | words.str.lower().isin(["nan", ""])).to_numpy(dtype=np.bool_)
    return values, np.isnan(values) & ~empty


def _joint_indices(column: "pd.Series[Any]", skeleton: Skeleton) -> Floats:
    """A column of joint indices or names as indices; NaN where it is neither."""
    numbers, text = _numbers(column)
    known = (numbers >= 0) & (numbers < len(skeleton.joints)) & (numbers % 1 == 0)
    if not text.any():
        return np.where(known, numbers, np.nan)
    names = {name: float(index) for index, name in enumerate(skeleton.joints)}
    named = column.astype(str).str.strip().map(names).to_numpy(dtype=np.float64)
    return np.where(known, numbers, named)
