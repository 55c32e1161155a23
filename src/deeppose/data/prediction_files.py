"""Anybody's predicted poses in files: .npz, .csv, .parquet or .mat.

A file holds every joint of every example of a set's test part, in that part's order; a coordinate that
is NaN is a miss, a row that is not there is an error. All layouts are 0-based (x = 0 is the centre of the
first pixel column) but .mat, which is 1-based as MATLAB counts.
"""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import ArchiveError, PredictionsError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.pose_files import check_columns, check_rows, poses_of_table, read_poses
from deeppose.core.skeleton import Skeleton
from deeppose.data.archives.matlab import LARGEST, load_variable
from deeppose.data.archives.zips import open_archive, read_member

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
    readers = {".npz": _read_npz, ".csv": _read_csv, ".parquet": read_poses, ".mat": _read_mat}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PredictionsError(f"{path}: predictions are read from {', '.join(readers)}, not {path.suffix!r}")
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise PredictionsError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise PredictionsError(f"{str(path)!r} can't be looked at: {error}") from error
    if not path.is_file():
        raise PredictionsError(f"{path} is no file but a folder or the like")
    if size > LARGEST:
        raise PredictionsError(
            f"{path} is larger than {LARGEST >> 20} MB, which no test set's predictions are"
        )
    return reader(path, count, skeleton)


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
        with open_archive(path) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist()]
            data = read_member(archive, "pred.npy") if "pred" in keys else None
        pred = None if data is None else np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except ArchiveError as error:
        raise PredictionsError(f"{path}: not a readable .npz ({error})") from error
    except Exception as error:  # numpy raises whatever a damaged header leads it into
        raise PredictionsError(f"{path}: `pred` is not a readable plain array ({error})") from error
    poses = _array(path, pred, keys, (count, len(skeleton.joints), 2), "examples, joints, x and y")
    _check_finite(path, poses, skeleton)
    return poses


def _read_mat(path: Path, count: int, skeleton: Skeleton) -> Floats:
    try:
        pred, keys = load_variable(path.read_bytes(), "pred")
    except (OSError, ValueError) as error:
        raise PredictionsError(f"{path}: not a readable .mat file ({error})") from error
    shape = (2, len(skeleton.joints), count)
    poses = (
        _array(path, pred, keys, shape, "x and y, joints, examples").transpose(2, 1, 0) - MATLAB_FIRST_PIXEL
    )
    _check_finite(path, poses, skeleton)
    return poses


def _array(
    path: Path, pred: NDArray[Any] | None, keys: list[str], shape: tuple[int, ...], axes: str
) -> Floats:
    """The array `pred`, checked and as floats."""
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
            header: list[str] = []
            for row in reader:
                if not any(row):
                    continue
                if not header:
                    header = [name.strip() for name in row]
                    continue
                if len(row) != len(header):
                    raise PredictionsError(
                        f"{path}, line {reader.line_num}: {len(row)} fields where the first line has "
                        f"{len(header)}"
                    )
                lines.append(f"line {reader.line_num}")
                rows.append([field.strip() for field in row])
                check_rows(path, len(rows), count, skeleton)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise PredictionsError(f"{path}: not a readable CSV file in UTF-8 ({error})") from error
    check_columns(path, header)
    table = pd.DataFrame(rows, columns=header, dtype="str")
    return poses_of_table(path, table, lines.__getitem__, count, skeleton)
