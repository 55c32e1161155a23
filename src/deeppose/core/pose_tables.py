"""Poses in a table with one row a joint of an example: columns example, joint, x, y."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

COLUMNS = ("example", "joint", "x", "y")

Column = NDArray[Any]
"""A column's numbers, or its texts as objects."""


def check_columns(path: Path, found: list[str]) -> None:
    """That a table has each of the four columns once; else a PredictionsError."""
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
    path: Path, table: Mapping[str, Column], place: Callable[[int], str], count: int, skeleton: Skeleton
) -> Floats:
    """Poses `(count, k, 2)` from a table's columns; `place` says where in the file a row stands.

    Raises
    ------
    PredictionsError
        If there is not exactly one finite or NaN location for each joint of each example.
    """

    def refuse(bad: Bools, column: str, wanted: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            value = table[column][row]
            told = f"{column} is {str(value)[:60]!r}; {wanted} is expected"
            raise PredictionsError(f"{path}, {place(row)}: {told}")

    examples, _ = numbers_of(table["example"])
    known = (examples >= 0) & (examples < count) & (np.trunc(examples) == examples)
    refuse(~known, "example", f"a whole number from 0 to {count - 1}")
    joints = joint_indices(table["joint"], skeleton)
    wanted = f"an index from 0 to {len(skeleton.joints) - 1} or one of {', '.join(skeleton.joints)}"
    refuse(np.isnan(joints), "joint", wanted)
    poses = np.full((count, len(skeleton.joints), 2), np.nan)
    where = (examples.astype(int), joints.astype(int))
    for axis, column in enumerate(("x", "y")):
        values, text = numbers_of(table[column])
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


def numbers_of(column: Column) -> tuple[Floats, Bools]:
    """A column `(n,)` as floats, NaN where it is empty, and a mask of what is neither a number nor empty."""
    if column.dtype.kind in "iuf":
        return column.astype(np.float64), np.zeros(len(column), dtype=np.bool_)
    values = [_number(cell) for cell in column.tolist()]
    return (
        np.array([np.nan if value is None else value for value in values], dtype=np.float64),
        np.array([value is None for value in values], dtype=np.bool_),
    )


def _number(cell: object) -> float | None:
    """NaN of an empty cell, None of what is no number."""
    word = str(cell).strip()
    try:
        # Python takes 1_000 for a number, and digits of all scripts.
        return float(word or "nan") if word.isascii() and "_" not in word else None
    except ValueError:
        return None


def joint_indices(column: Column, skeleton: Skeleton) -> Floats:
    """A column `(n,)` of joint indices or names as indices; NaN where it is neither."""
    numbers, text = numbers_of(column)
    known = (numbers >= 0) & (numbers < len(skeleton.joints)) & (np.trunc(numbers) == numbers)
    if not text.any():
        return np.where(known, numbers, np.nan)
    names = {name: float(index) for index, name in enumerate(skeleton.joints)}
    named = np.array([names.get(str(cell).strip(), np.nan) for cell in column.tolist()])
    return np.where(known, numbers, named)
