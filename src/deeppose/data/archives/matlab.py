"""Variables of MATLAB files of version 5, which MATLAB writes with -v6 and -v7.

scipy reads them, too, but would add 113 MB to the 390 MB that scoring takes.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST = 1 << 28
"""Bytes that a variable may unpack to; the largest published labels have a tenth of that."""
DEEPEST, MOST_AXES, MOST_ROWS, MOST_FIELDS = 16, 32, 4096, 4096
"""Of arrays in each other, of an array's axes, of a text's rows and of a struct's fields: with more a small
file would take gigabytes, or hours."""
LONGEST_NAME = 2048
LONGEST_SHOWN = 60

HEADER, TAG = 128, 8
HEAD = 1 << 12
"""Bytes in which a variable's name must have come."""
ORDERS = {b"IM": "<", b"MI": ">"}
V7_3 = 2
COMPRESSED, MATRIX = 15, 14
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CELL, STRUCT, TEXT, OPAQUE, NUMBERS = 1, 2, 4, 17, range(6, 16)
OTHERS = {3: "an object", 5: "sparse", 16: "a function", OPAQUE: "opaque"}
COMPLEX, LOGICAL = 0x800, 0x200
EMPTY: NDArray[np.float64] = np.empty((0, 0))
UNREAD: NDArray[np.object_] = np.full((1, 1), None, dtype=object)
"""Stands in a cell or struct, of which the rest may be wanted, for what is none of the arrays read here."""


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Head(NamedTuple):
    """What an array says of itself before its values."""

    kind: int
    flags: int
    shape: tuple[int, ...]
    name: str

    @property
    def unread(self) -> str | None:
        """What it is, if it isn't read."""
        if self.kind in NUMBERS:
            return "complex" if self.flags & COMPLEX else None
        return None if self.kind in (CELL, STRUCT, TEXT) else OTHERS.get(self.kind, "of an unknown class")


class _RefusedError(ValueError):
    """Of what is not damaged."""


def load_variable(data: bytes, key: str) -> tuple[NDArray[Any] | None, list[str]]:
    """The variable `key`, None if there is none, and the names of all variables.

    Numbers have the type that they are stored in, as with scipy, logical ones bool. A cell is an array of
    objects; a struct has a field of objects for each of its own; a text is an array with one string a row.
    Anything else inside a cell or struct is :data:`UNREAD`.

    Raises
    ------
    ValueError
        Saying in one line why the file can't be read, or what kind of variable is not read.
    """
    order = ORDERS.get(data[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError("it is not of MATLAB's version 5: save it with -v7")
    if data[HEADER - 4 : HEADER - 2] in (bytes([0, V7_3]), bytes([V7_3, 0])):
        raise ValueError("MATLAB's v7.3 format is not read: save it with -v7")
    reader, found, names = _Reader(order), None, []
    try:
        for element in reader.elements(memoryview(data)[HEADER:]):
            head = reader.head(reader.elements(_unpacked(element, HEAD)))
            if head.name:  # what has none belongs to MATLAB's objects
                names.append(head.name)
            if head.name != key:
                continue
            if found is not None:
                raise _RefusedError(f"{key} is there twice")
            if head.unread is not None:
                raise _RefusedError(f"{key} is {head.unread}, a plain array is expected")
            found = reader.array(_whole(element), DEEPEST)
    except _RefusedError:
        raise
    except (struct.error, zlib.error, ValueError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    return found, names


class _Reader(NamedTuple):
    """Reads elements; what is damaged is a ValueError, or one of struct or zlib."""

    order: str

    def elements(self, data: memoryview) -> Iterator[_Element]:
        at = 0
        while at < len(data):
            kind, size = struct.unpack_from(f"{self.order}II", data, at)
            start = at + TAG
            if small := kind >> 16:  # up to four bytes stand in the tag itself
                kind, size, start = kind & 0xFFFF, small, at + TAG // 2
            yield _Element(kind, data[start : start + size])
            at = start + size
            if kind != COMPRESSED:
                at += -at % TAG

    def head(self, elements: Iterator[_Element]) -> _Head:
        (bits,) = struct.unpack_from(f"{self.order}I", _next(elements).data)
        kind = bits & 0xFF
        sizes = b"" if kind == OPAQUE else _next(elements).data
        if len(sizes) > MOST_AXES * 4:
            raise ValueError(f"an array has {len(sizes) // 4} axes")
        shape = tuple(np.frombuffer(sizes, f"{self.order}i4").tolist())
        name = bytes(_next(elements).data).decode("latin-1")
        if min(shape, default=0) < 0 or len(name) > LONGEST_NAME or not (name.isidentifier() or name == ""):
            raise ValueError(f"an array {name[:LONGEST_SHOWN]!r} of shape {shape}")
        return _Head(kind, bits, shape, name)

    def array(self, data: memoryview, depth: int) -> NDArray[Any]:
        if not data:
            return EMPTY
        if depth == 0:
            raise _RefusedError(f"more than {DEEPEST} cells or structs lie in each other")
        elements = self.elements(data)
        head = self.head(elements)
        if head.unread is not None:
            return UNREAD
        if head.kind in NUMBERS:
            values = self.numbers(_next(elements), math.prod(head.shape))
            return (values != 0 if head.flags & LOGICAL else values).reshape(head.shape, order="F")
        if head.kind == TEXT:
            return self.texts(_next(elements), head.shape)
        fields = self.fields(elements) if head.kind == STRUCT else [""]
        count = math.prod(head.shape)
        if count * max(len(fields), 1) * TAG > len(data):
            raise ValueError(f"{count} elements can't be in {len(data)} bytes")
        cells = np.empty((count, len(fields)), dtype=object)
        for place in np.ndindex(cells.shape):
            cells[place] = self.array(_matrix(_next(elements)), depth - 1)
        if head.kind == CELL:
            return cells.reshape(head.shape, order="F")
        structs = np.empty(count, dtype=[(field, object) for field in fields])
        for field, column in zip(fields, cells.T, strict=True):
            structs[field] = column
        return structs.reshape(head.shape, order="F")

    def numbers(self, element: _Element, count: int) -> NDArray[Any]:
        if element.kind not in STORED:
            raise ValueError(f"numbers are of the unknown type {element.kind}")
        dtype = STORED[element.kind]
        values = np.frombuffer(element.data, f"{self.order}{dtype}")
        if len(values) != count:
            raise ValueError(f"{len(values)} numbers stand where there should be {count}")
        return values.astype(dtype)

    def texts(self, element: _Element, shape: tuple[int, ...]) -> NDArray[Any]:
        utf16 = "utf-16-le" if self.order == "<" else "utf-16-be"
        encodings = {1: "latin-1", 2: "latin-1", 4: utf16, 17: utf16}
        text = bytes(element.data).decode(encodings.get(element.kind, "utf-8"), errors="replace")
        # MATLAB counts a character beyond the first 65,536 twice.
        if len(shape) != 2 or len(text) != math.prod(shape) or shape[0] > MOST_ROWS:
            return UNREAD
        return np.array([text[row :: shape[0]] for row in range(shape[0])], dtype=np.str_)

    def fields(self, elements: Iterator[_Element]) -> list[str]:
        """The names of a struct's fields."""
        length, names = (_next(elements).data for _ in range(2))
        (size,) = struct.unpack_from(f"{self.order}i", length)
        if size < 1 or len(names) > MOST_FIELDS * size:
            raise ValueError(f"names of fields have {len(names)} bytes, {size} each")
        starts = range(0, len(names), size)
        return [bytes(names[at : at + size]).split(b"\0")[0].decode("latin-1") for at in starts]


def _next(elements: Iterator[_Element]) -> _Element:
    element = next(elements, None)
    if element is None:
        raise ValueError("it is cut short")
    return element


def _matrix(element: _Element) -> memoryview:
    if element.kind != MATRIX:
        raise ValueError(f"type {element.kind} stands where an array is expected")
    return element.data


def _whole(element: _Element) -> memoryview:
    """All of a variable."""
    data = _unpacked(element, LARGEST)
    if len(data) > LARGEST:
        raise _RefusedError(f"it unpacks to more than {LARGEST >> 20} MB")
    return data


def _unpacked(element: _Element, most: int) -> memoryview:
    """A variable; of a compressed one that is longer, a byte more than `most`."""
    if element.kind != COMPRESSED:
        return _matrix(element)
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(element.data, TAG + most + 1)
    # Else zlib's checksum would not have been looked at.
    if len(data) <= TAG + most and not unpacking.eof:
        raise ValueError("a compressed variable is cut short")
    return memoryview(data)[TAG:]
