"""One variable of a MATLAB file, whatever bytes it is made of."""

import io
import math
import struct
import zlib
from typing import Any

from numpy.typing import NDArray

LARGEST = 1 << 28
"""Bytes that a file may unpack to; the largest published labels have a tenth of that."""

HEADER, TAG = 128, 8
COMPRESSED = 15
REFUSED = ("sparse", "logical", "function", "opaque", "object", "unknown")


def load_variable(data: bytes, key: str) -> tuple[NDArray[Any] | None, list[str]]:
    """The variable `key`, None if there is none, and the names of all variables.

    Raises
    ------
    ValueError
        Saying in one line why the file can't be read, or that the variable is no plain array.
    """
    from scipy.io import loadmat, whosmat

    try:
        if _unpacked_size(data) > LARGEST:
            raise ValueError(f"it unpacks to more than {LARGEST >> 20} MB")
        kinds = {name: (kind, math.prod(shape)) for name, shape, kind in whosmat(io.BytesIO(data))}
        kind, size = kinds.get(key, ("", 0))
        if kind in REFUSED or size > LARGEST:
            raise ValueError(f"{key} is {kind} and has {size} elements, a plain array is expected")
        return loadmat(io.BytesIO(data), variable_names=[key]).get(key), list(kinds)
    except NotImplementedError as error:
        raise ValueError("MATLAB's v7.3 format is not read: save it with -v7") from error
    except Exception as error:  # scipy raises whatever damaged bytes lead it into
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _unpacked_size(data: bytes) -> int:
    """Bytes of all variables of a file of version 5 once unpacked, or so many of them as are too many."""
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2 : HEADER])
    total, at = 0, HEADER
    while order is not None and at + TAG <= len(data) and total <= LARGEST:
        kind, size = struct.unpack_from(f"{order}II", data, at)
        packed = data[at + TAG : at + TAG + size]
        at += TAG + size
        if kind != COMPRESSED:
            total += len(packed)
            continue
        unpacking = zlib.decompressobj()
        while packed and total <= LARGEST:
            total += len(unpacking.decompress(packed, 1 << 20))
            packed = unpacking.unconsumed_tail
    return total
