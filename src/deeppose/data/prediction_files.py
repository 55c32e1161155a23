"""Anybody's predicted poses in files: .npz, .csv, .parquet, .mat or .json.

A file holds every joint of every example of a set's test part, in that part's order or by the names of its
images. A coordinate that is NaN is a miss; a row that is not there is an error, a result of COCO's is a miss.
All layouts are 0-based (x = 0 is the centre of the first pixel column) but .mat, which is 1-based as MATLAB
counts.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import ArchiveError, PredictionsError, TableError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.pose_files import read_pose_table
from deeppose.core.pose_tables import COLUMNS, Column, check_rows, poses_of_table
from deeppose.core.skeleton import Skeleton
from deeppose.data.archives.matlab import LARGEST, load_variable
from deeppose.data.archives.zips import open_archive, read_member
from deeppose.data.coco_results import read_coco_results
from deeppose.data.example_names import SHARED, ExampleNames
from deeppose.data.tables import LONGEST_SHOWN, read_table

MATLAB_FIRST_PIXEL = 1.0


class Predictions(NamedTuple):
    """A file of predictions as read.

    Attributes
    ----------
    poses
        `(n, k, 2)`, pixels, 0-based; NaN is a miss.
    remarks
        What was made of the file that not everybody expects, in words.
    """

    poses: Floats
    remarks: tuple[str, ...] = ()


def read_predictions(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    """Read predicted poses, whatever of the five layouts they are in.

    Parameters
    ----------
    path
        `.npz`: array `pred`, (examples, joints, 2). `.csv`, `.parquet`: columns example (number or image),
        joint (index or name), x, y, one row a joint. `.mat`: array `pred`, (2, joints, examples), 1-based.
        `.json`: see :mod:`deeppose.data.coco_results`.
    members
        The image of each example that is expected, `(n,)`.

    Raises
    ------
    PredictionsError
        If the file is missing, broken, or holds not exactly one finite or NaN location for each joint of
        each example.
    """
    readers: dict[str, Callable[[Path, Sequence[str], Skeleton], Predictions]] = {
        ".npz": _read_npz,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".mat": _read_mat,
        ".json": _read_json,
    }
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
    return reader(path, members, skeleton)


def predicted_joints(poses: Floats) -> Bools:
    """Which joints a method predicts at all, `(k,)`, from its poses `(n, k, 2)`.

    It doesn't predict a joint that is NaN in every image, or the same constant in all of several images.
    """
    missing = np.isnan(poses).any(axis=-1).all(axis=0)
    constant = (poses == poses[:1]).all(axis=(0, 2)) & (len(poses) > 1)
    predicted: Bools = ~(missing | constant)
    return predicted


def _read_npz(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    try:
        with open_archive(path) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist()]
            data = read_member(archive, "pred.npy") if "pred" in keys else None
        pred = None if data is None else np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except ArchiveError as error:
        raise PredictionsError(f"{path}: not a readable .npz ({error})") from error
    except Exception as error:  # numpy raises whatever a damaged header leads it into
        raise PredictionsError(f"{path}: `pred` is not a readable plain array ({error})") from error
    shape = (len(members), len(skeleton.joints), 2)
    poses = _array(path, pred, keys, shape, "examples, joints, x and y")
    _check_finite(path, poses, skeleton)
    return Predictions(poses)


def _read_mat(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    try:
        pred, keys = load_variable(path.read_bytes(), "pred")
    except (OSError, ValueError) as error:
        raise PredictionsError(f"{path}: not a readable .mat file ({error})") from error
    shape = (2, len(skeleton.joints), len(members))
    poses = (
        _array(path, pred, keys, shape, "x and y, joints, examples").transpose(2, 1, 0) - MATLAB_FIRST_PIXEL
    )
    _check_finite(path, poses, skeleton)
    return Predictions(poses)


def _array(
    path: Path, pred: NDArray[Any] | None, keys: list[str], shape: tuple[int, ...], axes: str
) -> Floats:
    """The array `pred`, checked and as floats."""
    if pred is None:
        raise PredictionsError(
            f"{path}: no array `pred`; it holds {', '.join(keys)[:LONGEST_SHOWN] or 'nothing'}"
        )
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


def _read_json(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    poses, remarks = read_coco_results(path, members, skeleton)
    return Predictions(poses, tuple(remarks))


def _read_csv(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    def check(rows: int) -> None:
        check_rows(path, rows, len(members), skeleton)

    try:
        table = read_table(path.read_bytes(), str(path), COLUMNS, COLUMNS, check)
    except OSError as error:
        raise PredictionsError(f"{path} can't be read: {error.strerror}") from error
    except TableError as error:
        raise PredictionsError(str(error)) from error
    columns = {name: np.array(cells, dtype=object) for name, cells in table.columns.items()}
    return _of_table(path, columns, table.place, members, skeleton)


def _read_parquet(path: Path, members: Sequence[str], skeleton: Skeleton) -> Predictions:
    table = read_pose_table(path, len(members), skeleton)
    return _of_table(path, table, "row {}".format, members, skeleton)


def _of_table(
    path: Path,
    table: Mapping[str, Column],
    place: Callable[[int], str],
    members: Sequence[str],
    skeleton: Skeleton,
) -> Predictions:
    """The poses of a table whose examples are numbered or named by their images."""
    if table["example"].dtype != object:
        return Predictions(poses_of_table(path, table, place, len(members), skeleton))
    names = ExampleNames(members)
    given = [str(example).strip() for example in table["example"]]
    found: dict[str, list[Any]] = {}
    for row, example in enumerate(given):
        try:
            if example not in found:
                found[example] = [example] if _is_number(example) else names.find(example)
        except PredictionsError as error:
            raise PredictionsError(f"{path}, {place(row)}: example is {error}") from error
    # A row for each of the examples that an image shows.
    rows = np.repeat(np.arange(len(given)), [len(found[example]) for example in given])
    numbered = {name: table[name][rows] for name in COLUMNS}
    numbered["example"] = np.array([str(one) for example in given for one in found[example]], dtype=object)
    poses = poses_of_table(path, numbered, lambda row: place(int(rows[row])), len(members), skeleton)
    return Predictions(poses, (SHARED,) if len(rows) > len(given) else ())


def _is_number(example: str) -> bool:
    """Whether it is to be judged as a number, as an empty cell is."""
    try:
        float(example or "nan")
    except ValueError:
        return False
    return True
