"""Variables of MATLAB files of version 5, which MATLAB writes with -v6 and -v7.

scipy reads them, too, but takes 113 MB; all else that scoring takes is 390.
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
DEEPEST = 16
"""Cells and structs in each other; published ones have three."""

HEADER, TAG = 128, 8
HEAD = 1 << 12
"""Bytes in which a variable's name must have come."""
ORDERS = {b"IM": "<", b"MI": ">"}
V7_3 = 2
COMPRESSED, MATRIX = 15, 14
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CELL, STRUCT, TEXT = 1, 2, 4
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
READ = {CELL, STRUCT, TEXT, *NUMBERS}
OTHERS = {3: "an object", 5: "sparse", 16: "a function", 17: "opaque"}
COMPLEX, LOGICAL = 0x800, 0x200
EMPTY: NDArray[np.float64] = np.empty((0, 0))
UNREAD: NDArray[np.object_] = np.full((1, 1), None, dtype=object)
"""Stands for an object, function or sparse array in a cell or struct, of which the rest may be wanted."""


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Head(NamedTuple):
    """What an array says of itself before its values."""

    kind: int
    flags: int
    shape: tuple[int, ...]
    name: str


def load_variable(data: bytes, key: str) -> tuple[NDArray[Any] | None, list[str]]:
    """The variable `key`, None if there is none, and the names of all variables.

    Numbers have the type of their class in MATLAB, logical ones bool. Cells are arrays of objects, structs
    have a field of objects for each of theirs; of texts there is a string for each row. What is none of these
    is :data:`UNREAD` within a cell or struct.

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
            names.append(head.name)
            if head.name == key and head.kind not in READ:
                raise ValueError(f"{key} is {OTHERS.get(head.kind, 'unknown')}, a plain array is expected")
            if head.name == key:
                found = reader.array(_whole(element), DEEPEST)
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    return found, names


class _Reader(NamedTuple):
    """Reads elements; what is damaged is a ValueError, or one of struct, zlib or a text's encoding."""

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
        flags, shape, name = (_next(elements).data for _ in range(3))
        (bits,) = struct.unpack_from(f"{self.order}I", flags)
        sizes = np.frombuffer(shape, f"{self.order}i4").tolist()
        return _Head(bits & 0xFF, bits, tuple(sizes), bytes(name).decode("latin-1"))

    def array(self, data: memoryview, depth: int) -> NDArray[Any]:
        if not data:
            return EMPTY
        if depth == 0:
            raise ValueError(f"more than {DEEPEST} cells or structs in each other")
        elements = self.elements(data)
        head = self.head(elements)
        count = math.prod(head.shape)
        if head.kind in NUMBERS:
            values = self.numbers(elements, NUMBERS[head.kind], count)
            if head.flags & COMPLEX:
                values = values + 1j * self.numbers(elements, NUMBERS[head.kind], count)
            return (values != 0 if head.flags & LOGICAL else values).reshape(head.shape, order="F")
        if head.kind == TEXT:
            return self.texts(_next(elements), head.shape)
        if head.kind not in (CELL, STRUCT):
            return UNREAD
        fields = self.fields(elements) if head.kind == STRUCT else [""]
        if not 0 <= count * max(len(fields), 1) * TAG <= len(data):
            raise ValueError(f"it is damaged: {count} elements can't be in {len(data)} bytes")
        cells = np.empty((count, len(fields)), dtype=object)
        for place in np.ndindex(cells.shape):
            cells[place] = self.array(_matrix(_next(elements)), depth - 1)
        if head.kind == CELL:
            return cells.reshape(head.shape, order="F")
        structs = np.empty(count, dtype=[(field, object) for field in fields])
        for field, column in zip(fields, cells.T, strict=True):
            structs[field] = column
        return structs.reshape(head.shape, order="F")

    def numbers(self, elements: Iterator[_Element], dtype: str, count: int) -> NDArray[Any]:
        kind, data = _next(elements)
        if kind not in STORED:
            raise ValueError(f"it is damaged: numbers are of the unknown type {kind}")
        values = np.frombuffer(data, f"{self.order}{STORED[kind]}")
        if len(values) != count:
            raise ValueError(f"it is damaged: {len(values)} numbers where there should be {count}")
        return values.astype(dtype)

    def texts(self, element: _Element, shape: tuple[int, ...]) -> NDArray[np.str_]:
        utf16 = "utf-16-le" if self.order == "<" else "utf-16-be"
        encodings = {1: "latin-1", 2: "latin-1", 4: utf16, 16: "utf-8", 17: utf16}
        text = bytes(element.data).decode(encodings.get(element.kind, "utf-8"))
        if len(shape) != 2 or len(text) != math.prod(shape):
            raise ValueError(f"it is damaged: a text of {len(text)} characters is said to be {shape}")
        rows = range(shape[0] if text else 0)
        return np.array([text[row :: shape[0]] for row in rows], dtype=np.str_)

    def fields(self, elements: Iterator[_Element]) -> list[str]:
        """The names of a struct's fields."""
        length, names = (_next(elements).data for _ in range(2))
        (size,) = struct.unpack_from(f"{self.order}i", length)
        if size < 1:
            raise ValueError(f"it is damaged: names of fields have {size} bytes")
        starts = range(0, len(names), size)
        return [bytes(names[at : at + size]).split(b"\0")[0].decode("latin-1") for at in starts]


def _next(elements: Iterator[_Element]) -> _Element:
    element = next(elements, None)
    if element is None:
        raise ValueError("it is cut short")
    return element


def _matrix(element: _Element) -> memoryview:
    if element.kind != MATRIX:
        raise ValueError(f"it is damaged: an array is expected where type {element.kind} stands")
    return element.data


def _whole(element: _Element) -> memoryview:
    """All of a variable."""
    data = _unpacked(element, LARGEST)
    if len(data) > LARGEST:
        raise ValueError(f"it unpacks to more than {LARGEST >> 20} MB")
    return data


def _unpacked(element: _Element, most: int) -> memoryview:
    """A variable; of a compressed one that is longer, a byte more than `most`."""
    if element.kind != COMPRESSED:
        return _matrix(element)
    unpacking = zlib.decompressobj()
    return memoryview(unpacking.decompress(element.data, TAG + most + 1))[TAG:]
