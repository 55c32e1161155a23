"""Predicted poses in files: ours as Parquet, anybody's as .npz, .csv, .parquet or .mat.

A file holds every joint of every example of a set's test part, in that part's order; a coordinate that
is NaN is a miss, a row that is not there is an error. All layouts are 0-based (x = 0 is the centre of the
first pixel column) but .mat, which is 1-based as MATLAB counts.
"""

import csv
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deeppose.core.errors import PredictionsError
from deeppose.core.files import atomic_path
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("example", "joint", "x", "y")
MATLAB_FIRST_PIXEL = 1.0


def read_predictions(path: Path, count: int, skeleton: Skeleton) -> Floats:
    """Read predicted poses, whatever of the four layouts they are in.

    Parameters
    ----------
    path
        `.npz`: array `pred`, (examples, joints, 2). `.csv`, `.parquet`: columns example, joint (index or
        name), x, y, one row a joint. `.mat`: array `pred`, (2, joints, examples), 1-based.
    count
        Examples that are expected.

    Returns
    -------
    `(count, k, 2)`, pixels, 0-based; NaN is a miss.

    Raises
    ------
    PredictionsError
        If the file is missing, broken, or holds not exactly one finite or NaN location for each joint of
        each example.
    """
    readers = {".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet, ".mat": _read_mat}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PredictionsError(f"{path}: predictions are read from {', '.join(readers)}, not {path.suffix!r}")
    if not path.is_file():
        raise PredictionsError(f"{path}: there is no such file")
    return reader(path, count, skeleton)


def write_predictions(path: Path, poses: Floats) -> None:
    """Write poses `(n, k, 2)`, pixels, as Parquet, one row a joint, in the layout read back above."""
    import pandas as pd

    examples, joints = np.indices(poses.shape[:2])
    table = pd.DataFrame(
        {
            "example": examples.ravel().astype(np.int32),
            "joint": joints.ravel().astype(np.int16),
            "x": poses[..., 0].ravel().astype(np.float64),
            "y": poses[..., 1].ravel().astype(np.float64),
        }
    )
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def predicted_joints(poses: Floats) -> Bools:
    """Which joints a method predicts at all, `(k,)`, from its poses `(n, k, 2)`.

    It doesn't predict a joint that is NaN in every image, or the same constant in all of several images.
    """
    missing = np.isnan(poses).any(axis=-1).all(axis=0)
    constant = (poses == poses[:1]).all(axis=(0, 2)) & (len(poses) > 1)
    predicted: Bools = ~(missing | constant)
    return predicted


def _read_npz(path: Path, count: int, skeleton: Skeleton) -> Floats:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            keys = list(arrays)
            pred = arrays["pred"] if "pred" in keys else None
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise PredictionsError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    poses = _array(path, pred, keys, (count, len(skeleton.joints), 2), "examples, joints, x and y")
    _check_finite(path, poses, skeleton)
    return poses


def _read_mat(path: Path, count: int, skeleton: Skeleton) -> Floats:
    from scipy.io import loadmat

    try:
        arrays = loadmat(path)
    except NotImplementedError as error:
        raise PredictionsError(f"{path}: MATLAB's v7.3 format is not read: save it with -v7") from error
    except Exception as error:  # scipy raises whatever broken bytes lead it into
        raise PredictionsError(f"{path}: not a readable .mat file ({error})") from error
    keys = [key for key in arrays if not key.startswith("__")]
    shape = (2, len(skeleton.joints), count)
    pred = _array(path, arrays.get("pred"), keys, shape, "x and y, joints, examples")
    poses = pred.transpose(2, 1, 0) - MATLAB_FIRST_PIXEL
    _check_finite(path, poses, skeleton)
    return poses


def _array(path: Path, pred: Any, keys: list[str], shape: tuple[int, ...], axes: str) -> Floats:  # noqa: ANN401
    """The array `pred`, whatever a file holds under that name, checked and as floats."""
    if pred is None:
        raise PredictionsError(f"{path}: no array `pred`; it holds {', '.join(keys) or 'nothing'}")
    if pred.dtype.kind not in "fiu":
        raise PredictionsError(f"{path}: `pred` holds {pred.dtype}, not real numbers")
    if pred.shape != shape:
        raise PredictionsError(f"{path}: `pred` has shape {pred.shape}; {shape} is expected ({axes})")
    poses: Floats = pred.astype(np.float64)
    return poses


def _check_finite(path: Path, poses: Floats, skeleton: Skeleton) -> None:
    infinite = np.argwhere(np.isinf(poses))
    if len(infinite):
        example, joint, axis = infinite[0]
        raise PredictionsError(
            f"{path}: example {example}, joint {skeleton.joints[joint]!r}: {'xy'[axis]} is infinite; "
            f"a miss is written as NaN"
        )


def _read_csv(path: Path, count: int, skeleton: Skeleton) -> Floats:
    import pandas as pd

    lines, rows = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise PredictionsError(
                        f"{path}, line {reader.line_num}: {len(row)} fields where the first line has "
                        f"{len(header)}"
                    )
                lines.append(f"line {reader.line_num}")
                rows.append([field.strip() for field in row])
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise PredictionsError(f"{path}: not a readable CSV file in UTF-8 ({error})") from error
    _check_columns(path, header)
    table = pd.DataFrame(rows, columns=header, dtype="str")
    return _poses(path, table, lines.__getitem__, count, skeleton)


def _read_parquet(path: Path, count: int, skeleton: Skeleton) -> Floats:
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, NotImplementedError) as error:
        raise PredictionsError(f"{path}: not a readable Parquet file ({error})") from error
    _check_columns(path, [str(name) for name in table.columns])
    return _poses(path, table, "row {}".format, count, skeleton)


def _check_columns(path: Path, found: list[str]) -> None:
    wrong = [name for name in COLUMNS if found.count(name) != 1]
    if wrong:
        raise PredictionsError(
            f"{path}: the columns {', '.join(COLUMNS)} are expected, each once; "
            f"found {', '.join(found) or 'none'}"
        )


def _poses(
    path: Path, table: "pd.DataFrame", place: Callable[[int], str], count: int, skeleton: Skeleton
) -> Floats:
    """Poses from a table with one row a joint; `place` says where in the file a row stands."""

    def refuse(bad: Bools, column: str, wanted: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            value = table[column].iloc[row]
            raise PredictionsError(f"{path}, {place(row)}: {column} is {str(value)!r}; {wanted} is expected")

    examples, _ = _numbers(table["example"])
    known = (examples >= 0) & (examples < count) & (examples % 1 == 0)
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
    _check_complete(path, where, place, poses.shape[:2], skeleton)
    return poses


def _check_complete(
    path: Path,
    where: tuple[np.ndarray, np.ndarray],
    place: Callable[[int], str],
    shape: tuple[int, ...],
    skeleton: Skeleton,
) -> None:
    """Refuse a joint that has two rows, or none."""
    flat = np.ravel_multi_index(where, shape)
    rows = np.bincount(flat, minlength=shape[0] * shape[1])
    for wrong, what in ((rows > 1, "has more than one row"), (rows == 0, "has no row")):
        if not wrong.any():
            continue
        example, joint = np.unravel_index(int(np.argmax(wrong)), shape)
        found = ", ".join(place(int(row)) for row in np.flatnonzero(flat == np.argmax(wrong)))
        raise PredictionsError(
            f"{path}: example {example}, joint {skeleton.joints[joint]!r} {what}{found and f' ({found})'}; "
            f"{len(flat)} rows were found, {shape[0] * shape[1]} are expected: {shape[0]} examples of "
            f"{shape[1]} joints"
        )


def _numbers(column: "pd.Series[Any]") -> tuple[Floats, Bools]:
    """A column as floats, NaN where it is empty, and a mask of what is neither a number nor empty."""
    import pandas as pd

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
