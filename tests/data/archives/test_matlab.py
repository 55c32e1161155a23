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


def test_what_unpacks_to_much_is_refused_before_it_is_unpacked(monkeypatch):
    data = written(True, pred=np.zeros((2, 14, 500)), other=np.zeros(3))
    found, names = load_variable(data, "pred")
    assert found.shape == (2, 14, 500)
    assert names == ["pred", "other"]
    monkeypatch.setattr(matlab, "LARGEST", 100_000)
    loose, small_first = archives.mat(pred=np.zeros((2, 14, 500))), written(True, a=1, pred=np.zeros(50_000))
    for large in (data, loose, small_first):
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
    return arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=4, max_side=4))


NUMBERS = st.sampled_from(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")).flatmap(numbers)
CHARACTERS = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1)
ROWS = st.just(np.array(["ab", "cd", "ef"]))
PLAIN = NUMBERS | TEXTS | ROWS | numbers(bool)
NAMES = st.from_regex("[a-z][a-z0-9]{0,20}", fullmatch=True)
STRUCTS = st.dictionaries(NAMES, PLAIN, min_size=1, max_size=3)


@st.composite
def structs(draw):
    fields = [(name, object) for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))]
    table = np.empty(draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=3)), dtype=fields)
    for name, _ in fields:
        for place in np.ndindex(table.shape):
            table[name][place] = draw(PLAIN)
    return table


@st.composite
def cells(draw, values):
    found = np.empty(draw(arrays.array_shapes(min_dims=2, max_dims=3, max_side=2)), dtype=object)
    for place in np.ndindex(found.shape):
        found[place] = draw(values)
    return found


ANY = PLAIN | STRUCTS | structs() | cells(PLAIN | STRUCTS | cells(PLAIN))


def written(compressed=False, **variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=compressed)
    return file.getvalue()


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


@given(ANY, ANY, st.booleans())
def test_values_are_those_that_scipy_reads(one, other, compressed):
    data = written(compressed, one=one, other=other)
    for key in ("one", "other"):
        found, names = load_variable(data, key)
        assert names == ["one", "other"]
        assert_same(found, loadmat(io.BytesIO(data))[key])


WHOLE = {"x": np.arange(60.0).reshape(2, 30), "name": "some text", "cell": CELL}


@pytest.mark.parametrize("compressed", [False, True])
@given(st.data())
def test_damaged_bytes_are_a_value_error_of_one_line(compressed, data):
    damaged = bytearray(written(compressed, pred=WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    try:
        found, _ = load_variable(bytes(cut), "pred")
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        return
    if compressed and found is not None:
        assert_same(found, loadmat(io.BytesIO(written(pred=WHOLE)))["pred"])


def test_each_byte_of_a_compressed_variable_counts():
    data = written(True, pred=np.random.default_rng(0).random((2, 14, 4)))
    for at in range(136, len(data)):
        for bad in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], data[:at]):
            with pytest.raises(ValueError, match="damaged"):
                load_variable(bad, "pred")


def words(*numbers):
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def file_of(*variables):
    """A file of uncompressed variables, of which the contents are given."""
    matrices = [words(14, len(variable)) + variable for variable in variables]
    return b"MATLAB 5.0".ljust(124) + b"\0\1IM" + b"".join(matrices)


def array_head(kind, *shape, name=b"pred"):
    padding = bytes(-4 * len(shape) % 8)
    return words(6, 8, kind, 0, 5, 4 * len(shape), *shape) + padding + text(name)


def text(name):
    return words(1, len(name)) + name.ljust(8, b"\0")


CLAIMS = {
    "axes": array_head(6, *[1 << 30] * 100_000),
    "elements of a cell": array_head(1, 1 << 20, 1 << 10),
    "numbers": array_head(6, 1 << 15, 1 << 15) + words(9, 8, 0, 0),
    "fields": array_head(2, 0, 0) + words(0x40005, 2, 1, 1 << 20) + bytes(1 << 20),
    "a negative side": array_head(6, 0xFFFFFFFF, 0xFFFFFFFF) + words(9, 8, 0, 0),
    "a name of two lines": array_head(6, 1, 1, name=b"a\nb") + words(9, 8, 0, 0),
}


@pytest.mark.parametrize("variable", CLAIMS.values(), ids=CLAIMS)
def test_what_claims_too_much_is_refused_at_once(variable):
    with pytest.raises(ValueError, match="it is damaged: ") as refused:
        load_variable(file_of(variable), "pred")
    assert len(str(refused.value)) < 200


def test_a_text_of_too_many_or_no_characters_is_not_read():
    for shape, characters in (((1, 1), b""), ((5000, 1), b"n" * 5000), ((2, 1, 1), b"ab")):
        variable = array_head(4, *shape) + words(16, len(characters)) + characters
        assert load_variable(file_of(variable), "pred")[0] is matlab.UNREAD
    variable = array_head(4, 0x7FFFFFFF, 0) + words(16, 0)
    assert load_variable(file_of(variable), "pred")[0] is matlab.UNREAD


@pytest.mark.parametrize("name", [b"s", b"not", b"note", b"pred"])
def test_an_opaque_variable_is_refused_alone(name):
    opaque = words(6, 8, 17, 0) + text(name) + text(b"MCOS")
    number = array_head(6, 1, 1) + words(9, 8) + np.float64(7).tobytes()
    if name == b"pred":
        with pytest.raises(ValueError, match="pred is opaque, a plain array is expected"):
            load_variable(file_of(opaque), "pred")
    else:
        found, names = load_variable(file_of(opaque, number), "pred")
        assert found.tolist() == [[7]]
        assert names == [name.decode(), "pred"]


def test_a_variable_that_is_there_twice_is_refused():
    number = array_head(6, 1, 1) + words(9, 8) + np.float64(7).tobytes()
    with pytest.raises(ValueError, match="pred is there twice"):
        load_variable(file_of(number, number), "pred")


def test_logical_arrays_and_those_of_other_byte_order():
    flags, _ = load_variable(written(flags=np.array([[True, False]])), "flags")
    assert flags.dtype == bool
    assert flags.tolist() == [[True, False]]
    # An 8-bit 1×2 array "n" as a machine of the other byte order writes it.
    head = (14, 48, 6, 8, 9, 0, 5, 8, 1, 2)
    name_and_values = b"\0\1\0\1n\0\0\0" + b"\0\2\0\2\7\x09\0\0"
    data = b"MATLAB".ljust(124) + b"\1\0MI" + b"".join(word.to_bytes(4, "big") for word in head)
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


def test_cells_in_cells_have_an_end():
    nested = "deep"
    for _ in range(2 * matlab.DEEPEST):
        outer = np.empty((1, 1), dtype=object)
        outer[0, 0] = nested
        nested = outer
    with pytest.raises(ValueError, match="in each other"):
        load_variable(archives.mat(nested=nested), "nested")
