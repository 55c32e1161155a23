"""DeepLabCut's CollectedData_NAME.h5, which holds what the .csv beside it does, as that is laid out.

Read by h5py: pandas would run whatever code a pickled attribute holds.
"""

import io
import math
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError
from deeppose.core.geometry import Floats

if TYPE_CHECKING:
    import h5py

FRAME = "df_with_missing"
LEVELS = {3: ("scorer", "bodyparts", "coords"), 4: ("scorer", "individuals", "bodyparts", "coords")}
"""What names a column, by how many names it has."""
MOST_BYTES = 64 << 20
"""Of an array as it is in memory: with more, what is no table would take gigabytes."""

Names = list[tuple[str, ...]]


def hdf5_lines(path: Path) -> list[tuple[str, list[str]]]:
    """The lines that the .csv has: those that name the columns, and one an image.

    Returns
    -------
    Of each line where it stands, in words, and its fields; an image's path is in as many as in the .csv.

    Raises
    ------
    AnnotationError
        If it can't be read, or pandas didn't write it as it does for DeepLabCut.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            frame = file[FRAME]
            columns, images, values = _table(frame) if "table" in frame else _blocks(frame)
        (count,) = {len(column) for column in columns}
        levels = LEVELS[count]
        if values.shape != (len(images), len(columns)):
            raise ValueError(f"{values.shape} values")
    except FileNotFoundError as error:
        raise AnnotationError(f"{path} can't be read: there is no such file") from error
    except Exception as error:  # h5py raises whatever damaged bytes lead it into
        beside = path.with_suffix(".csv").name
        raise AnnotationError(
            f"{path} is not laid out as DeepLabCut's CollectedData: take {beside} beside it"
        ) from error
    blank = [""] * (max(map(len, images), default=1) - 1)
    above = [[level, *blank, *names] for level, names in zip(levels, zip(*columns, strict=True), strict=True)]
    below = [
        [*image, *("" if math.isnan(value) else repr(value) for value in row)]
        for image, row in zip(images, values.tolist(), strict=True)
    ]
    return [
        (f"{path}, row {number}", line) for number, line in enumerate(above + below, start=1 - len(above))
    ]


def _blocks(frame: "h5py.Group") -> tuple[Names, Names, Floats]:
    """Columns, images and values as pandas' format "fixed" has them."""
    if "block1_values" in frame:
        raise ValueError("columns of several types")
    return _axis(frame, "block0_items"), _axis(frame, "axis1"), _read(frame["block0_values"])


def _axis(frame: "h5py.Group", name: str) -> Names:
    """The names along an axis, each of several levels."""
    if name in frame:
        return [(text,) for text in _texts(_read(frame[name]))]
    levels = []
    for level in range(int(frame.attrs[f"{name}_nlevels"])):
        known = np.array(_texts(_read(frame[f"{name}_level{level}"])), dtype=object)
        numbers = _read(frame[f"{name}_label{level}"]).astype(int)
        if (numbers < 0).any():
            raise ValueError("a column or image without a name")
        levels.append(known[numbers])
    return list(zip(*levels, strict=True))


def _table(frame: "h5py.Group") -> tuple[Names, Names, Floats]:
    """Columns, images and values as pandas' format "table" has them."""
    ((_, columns),) = _Plain(io.BytesIO(frame.attrs["non_index_axes"])).load()
    table = frame["table"]
    if set(table.dtype.names) != {"index", "values_block_0"}:
        raise ValueError("columns of several types")
    rows = _read(table)
    return columns, [(text,) for text in _texts(rows["index"])], rows["values_block_0"]


def _read(dataset: "h5py.Dataset") -> NDArray[Any]:
    if dataset.nbytes > MOST_BYTES:
        raise ValueError(f"{dataset.nbytes} bytes")
    array: NDArray[Any] = dataset[()]
    return array


def _texts(array: NDArray[np.bytes_]) -> list[str]:
    return [text.decode() for text in array.tolist()]


class _Plain(pickle.Unpickler):
    """Lists, tuples, texts and numbers alone: nothing that runs code."""

    def find_class(self, module_name: str, global_name: str) -> Any:  # noqa: ANN401
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is no plain value")
