import io

import archives
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from deeppose.core.errors import AnnotationError, PredictionsError
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.archives import matlab
from deeppose.data.archives.matlab import load_variable
from deeppose.data.prediction_files import read_predictions
from deeppose.data.readers.lsp import read_lsp

CELL = np.empty((1, 2), dtype=object)
CELL[:] = [[np.ones(3), "none"]]
BAD = {
    "sparse": csc_array(np.ones((3, 14))),
    "logical": np.ones((3, 14, 2), dtype=bool),
    "cell": CELL,
    "text": "none",
    "struct": {"x": 1.0},
    "complex": np.ones((3, 14, 2)) * 1j,
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, value):
    members = archives.lsp_members(archives.lsp_joints(2)) | {"joints.mat": archives.mat(joints=value)}
    with pytest.raises(AnnotationError, match=r"lsp_dataset.zip: joints.mat") as labels:
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))
    (tmp_path / "p.mat").write_bytes(archives.mat(pred=value))
    with pytest.raises(PredictionsError, match=r"p.mat: ") as predictions:
        read_predictions(tmp_path / "p.mat", ["0", "1"], FULL_BODY)
    assert all(len(str(error.value).splitlines()) == 1 for error in (labels, predictions))


def packed(**variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def test_what_unpacks_to_much_is_refused_before_it_is_unpacked(monkeypatch):
    data = packed(pred=np.zeros((2, 14, 500)), other=np.zeros(3))
    found, names = load_variable(data, "pred")
    assert found.shape == (2, 14, 500)
    assert names == ["pred", "other"]
    monkeypatch.setattr(matlab, "LARGEST", 100_000)
    for large in (data, archives.mat(pred=np.zeros((2, 14, 500))), packed(a=1.0, pred=np.zeros(50_000))):
        with pytest.raises(ValueError, match="it unpacks to more than"):
            load_variable(large, "pred")


def test_a_cell_that_claims_many_elements_is_refused():
    data = bytearray(archives.mat(pred=CELL))
    claimed = (1, 2)
    at = data.index(b"".join(size.to_bytes(4, "little") for size in claimed))
    data[at : at + 8] = (1 << 20).to_bytes(4, "little") + (1 << 12).to_bytes(4, "little")
    with pytest.raises(ValueError, match="4294967296 elements can't be in"):
        load_variable(bytes(data), "pred")


def numbers(dtype):
    shapes = arrays.array_shapes(min_dims=2, max_dims=4, max_side=4)
    return arrays.arrays(dtype, shapes)


TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\0"), min_size=1, max_size=9)
PLAIN = st.sampled_from(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")).flatmap(numbers) | TEXTS
NAMES = st.from_regex("[a-z][a-z0-9]{0,20}", fullmatch=True)
STRUCTS = st.dictionaries(NAMES, PLAIN, min_size=1, max_size=3)


def assert_same(found, expected):
    assert found.dtype.names == expected.dtype.names
    assert found.size == expected.size
    if expected.dtype.names:
        for name in expected.dtype.names:
            assert_same(found[name], expected[name])
    elif expected.dtype == object:
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@given(st.lists(PLAIN | STRUCTS, min_size=1, max_size=3), st.booleans())
def test_values_are_those_that_scipy_reads(values, compressed):
    cells = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        cells[0, place] = value
    file = io.BytesIO()
    savemat(file, {"first": values[0], "cells": cells}, do_compression=compressed)
    for key in ("first", "cells"):
        found, names = load_variable(file.getvalue(), key)
        assert names == ["first", "cells"]
        assert_same(found, loadmat(io.BytesIO(file.getvalue()), mat_dtype=True)[key])


@given(st.data())
def test_damaged_bytes_are_a_value_error_of_one_line(data):
    whole = bytearray(archives.mat(pred={"x": np.ones((2, 3)), "name": "some text", "cell": CELL}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole
    try:
        load_variable(bytes(cut), "pred")
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_logical_and_complex_arrays_and_those_of_other_byte_order():
    flags, _ = load_variable(archives.mat(flags=np.array([[True, False]])), "flags")
    assert flags.dtype == bool
    assert flags.tolist() == [[True, False]]
    waves, _ = load_variable(archives.mat(waves=np.array([[1 + 2j]])), "waves")
    assert waves.tolist() == [[1 + 2j]]
    # An 8-bit 1×2 array "n" as a machine of the other byte order writes it.
    words = (14, 48, 6, 8, 9, 0, 5, 8, 1, 2)
    name_and_values = b"\0\1\0\1n\0\0\0" + b"\0\2\0\2\7\x09\0\0"
    data = b"MATLAB".ljust(124) + b"\1\0MI" + b"".join(word.to_bytes(4, "big") for word in words)
    found, _ = load_variable(data + name_and_values, "n")
    assert found.tolist() == [[7, 9]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not of MATLAB's version 5"),
        (bytes(200), "not of MATLAB's version 5"),
        (b"MATLAB 7.3".ljust(124) + b"\0\2IM" + b"\x89HDF", "v7.3 format is not read: save it with -v7"),
        (b"MATLAB 5.0".ljust(124) + b"\0\1IM" + b"\x0f\0\0\0\4\0\0\0abcd", "damaged"),
    ],
)
def test_other_files_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        load_variable(data, "pred")


def test_the_rest_of_a_struct_is_read_beside_what_is_no_plain_array():
    data = archives.mat(s={"odd": csc_array(np.eye(2)), "x": np.ones((1, 2))})
    found, _ = load_variable(data, "s")
    assert found[0, 0]["odd"] is matlab.UNREAD
    assert found[0, 0]["x"].tolist() == [[1, 1]]


def test_a_text_without_characters_has_no_rows():
    data = archives.mat(text="n")
    shape = b"".join(size.to_bytes(4, "little") for size in (1, 1))
    empty = data.replace(shape, b"\xff\xff\xff\x7f" + bytes(4)).replace(
        b"\x10\0\1\0n", bytes.fromhex("10000000") + b"\0"
    )
    found, _ = load_variable(empty, "text")
    assert found.tolist() == []


def test_cells_in_cells_have_an_end():
    nested = "deep"
    for _ in range(2 * matlab.DEEPEST):
        outer = np.empty((1, 1), dtype=object)
        outer[0, 0] = nested
        nested = outer
    with pytest.raises(ValueError, match="in each other"):
        load_variable(archives.mat(nested=nested), "nested")
