"""Readers of labels in tables: a line a joint, or DeepLabCut's CollectedData, a line an image."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeppose.core.errors import AnnotationError
from deeppose.data.readers.hdf5 import hdf5_lines
from deeppose.data.readers.labelled import Labelled, Point
from deeppose.data.tables import read_rows, with_points

Row = tuple[str, list[str]]
"""Where it stands, in words, and its fields."""


def rows_of(path: Path, columns: Sequence[str]) -> list[Row]:
    """The lines of a CSV file that aren't empty, as spreadsheets of any country save them.

    Parameters
    ----------
    columns
        What the first line has, once each.

    Raises
    ------
    AnnotationError
        If it can't be read.
    TableError
        See :func:`deeppose.data.tables.read_rows` and :func:`deeppose.data.tables.with_points`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{path} can't be read: {error.strerror}") from error
    rows = read_rows(data, str(path), columns)
    # They stand below x and y, in one of the lines above the labels.
    axes = next((cells for cells in rows.cells if {"x", "y"} <= set(cells)), [])
    numbers = {place: name for place, name in enumerate(axes) if name in ("x", "y")}
    cells = with_points(rows, str(path), numbers)
    places = (f"{path}, line {line}" for line in rows.lines)
    return list(zip(places, cells, strict=True))


def read_table(path: Path, joints: Sequence[str]) -> list[Labelled]:
    """A line for each joint that can be told: image, joint, x, y in any order.

    A column `part` says train or test; a column `person` tells several in an image apart.

    Raises
    ------
    AnnotationError
        If a column is missing or a line can't be right, naming it.
    """
    (first, header), *rows = rows_of(path, ("image", "joint", "x", "y"))
    if unknown := [name for name in header if name not in ("image", "part", "person", "joint", "x", "y")]:
        raise AnnotationError(
            f"{first}: the column {unknown[0]!r} is none of image, part, person, joint, x, y"
        )
    people: dict[tuple[str, str], dict[str, Point]] = {}
    parts: dict[str, Any] = {}
    for where, fields in rows:
        row = dict(zip(header, fields, strict=True))
        image, joint, part = row["image"], row["joint"], row.get("part")
        for column, known in (("joint", joints), ("part", ("train", "test"))):
            if column in row and row[column] not in known:
                raise AnnotationError(f"{where}: {column} is {row[column]!r}, not one of {', '.join(known)}")
        points = people.setdefault((image, row.get("person", "")), {})
        if joint in points:
            raise AnnotationError(f"{where} has a joint again: {joint} of {image}")
        if parts.setdefault(image, part) != part:
            raise AnnotationError(f"{where}: {image} is in both parts")
        point = _point(where, (row["x"], row["y"]), ("x", "y"))
        if point is None:
            raise AnnotationError(
                f"{where}: x and y are empty: leave the line of a joint that can't be told out"
            )
        points[joint] = point
    return [Labelled(image, points, part=parts[image]) for (image, _), points in people.items()]


def table_joints(path: Path) -> list[str]:
    """The joints that a table names, in the order in which they come; errors as of :func:`read_table`."""
    (_, header), *rows = rows_of(path, ("image", "joint", "x", "y"))
    return list(dict.fromkeys(fields[header.index("joint")] for _, fields in rows))


def deeplabcut_joints(path: Path) -> list[str]:
    """The body parts that CollectedData names, in their order; errors as of :func:`read_deeplabcut`."""
    above, _ = _deeplabcut(path)
    return list(dict.fromkeys(_parts(above)))


def _parts(above: Mapping[str, list[str]]) -> list[str]:
    names = zip(above["bodyparts"], above["coords"], strict=True)
    return [name for name, axis in names if axis == "x"]


def _deeplabcut(path: Path) -> tuple[dict[str, list[str]], list[Row]]:
    """The lines above the labels, by what begins them, and the lines of labels."""
    rows = hdf5_lines(path) if path.suffix == ".h5" else rows_of(path, ("scorer",))
    above = {}
    while rows and rows[0][1][0] in ("scorer", "individuals", "bodyparts", "coords"):
        above[rows[0][1][0]] = rows[0][1]
        rows = rows[1:]
    if not {"bodyparts", "coords"} <= set(above) or not rows:
        raise AnnotationError(f"{path} is not laid out as DeepLabCut's CollectedData")
    return above, rows


def read_deeplabcut(path: Path, joints: Sequence[str]) -> list[Labelled]:
    """CollectedData_NAME.csv or .h5: above a line an image those of scorer, individuals, bodyparts, coords.

    An individual of whom nothing is labelled in an image is not in it.

    Raises
    ------
    AnnotationError
        If the lines above are not DeepLabCut's, lack one of the `joints`, or a line can't be right.
    """
    above, rows = _deeplabcut(path)
    names, axes = above["bodyparts"], above["coords"]
    individuals = above.get("individuals", [""] * len(names))
    if "likelihood" in axes:
        raise AnnotationError(
            f"{path} holds predictions, with likelihoods, not labels: take CollectedData_….csv"
        )
    if lacking := [joint for joint in joints if joint not in names]:
        known = ", ".join(dict.fromkeys(_parts(above)))
        raise AnnotationError(f"{path} has no body part {lacking[0]!r}, which the skeleton has, only {known}")
    # The image's path stands in one column, or in one for each of its parts.
    first = next((column for column, axis in enumerate(axes) if axis == "x"), len(axes))
    if axes[first:] != ["x", "y"] * ((len(axes) - first) // 2):
        raise AnnotationError(f"{path}: coords are not x and y in turn")
    found = []
    for where, fields in rows:
        people: dict[str, dict[str, Point]] = {}
        for column in range(first, len(fields), 2):
            point = _point(
                where, fields[column : column + 2], (f"x of {names[column]}", f"y of {names[column]}")
            )
            if point is not None and names[column] in joints:
                people.setdefault(individuals[column], {})[names[column]] = point
        image = "/".join(fields[:first]).replace("\\", "/")
        found += [Labelled(image, points) for points in people.values()]
    return found


def _point(where: str, fields: Sequence[str], columns: Sequence[str]) -> Point | None:
    """x and y; None where both are empty."""
    if all(field.lower() in ("", "nan") for field in fields):
        return None
    values = []
    for field, column in zip(fields, columns, strict=True):
        try:
            values.append(float(field))
        except ValueError:
            raise AnnotationError(f"{where}: {column} is {field!r}, not a number") from None
        if not math.isfinite(values[-1]):
            raise AnnotationError(f"{where}: {column} is {field!r}, not a finite number")
    return values[0], values[1]
