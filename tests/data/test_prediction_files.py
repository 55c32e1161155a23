import csv
import io
import os
from pathlib import Path

import archives
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from deeppose.core.errors import PredictionsError
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY
from deeppose.data.prediction_files import predicted_joints, read_predictions

COUNT = 3
NUMBERS = [str(number) for number in range(COUNT)]


@pytest.fixture
def poses():
    poses = np.random.default_rng(0).uniform(0, 200, (COUNT, 14, 2))
    poses[1, 6] = np.nan
    return poses


def rows(poses, named=False):
    return [
        [str(example), FULL_BODY.joints[joint] if named else str(joint), repr(float(x)), repr(float(y))]
        for example, pose in enumerate(poses)
        for joint, (x, y) in enumerate(pose)
    ]


def write_csv(path: Path, lines, header=("example", "joint", "x", "y")):
    text = io.StringIO()
    csv.writer(text).writerows([header, *lines])
    path.write_text(text.getvalue())
    return path


def read(path):
    return read_predictions(path, NUMBERS, FULL_BODY).poses


def test_own_parquet_round_trip(tmp_path, poses):
    path = tmp_path / "folder" / "predictions.parquet"
    write_poses(path, poses)
    np.testing.assert_array_equal(read(path), poses)
    table = pd.read_parquet(path)
    assert table.dtypes.astype(str).to_dict() == {
        "example": "int32",
        "joint": "int16",
        "x": "float64",
        "y": "float64",
    }
    assert table.loc[14 + 3].tolist() == [1, 3, *poses[1, 3]]


def test_writing_is_deterministic(tmp_path, poses):
    for name in ("a.parquet", "b.parquet"):
        write_poses(tmp_path / name, poses)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_npz(tmp_path, poses):
    np.savez(tmp_path / "p.npz", pred=poses, other=np.zeros(3))
    np.testing.assert_array_equal(read(tmp_path / "p.npz"), poses)


def test_mat_is_one_based_and_transposed(tmp_path, poses):
    pred = np.zeros((2, 14, COUNT))
    pred[0], pred[1] = poses[..., 0].T + 1, poses[..., 1].T + 1
    savemat(tmp_path / "p.mat", {"pred": pred})
    np.testing.assert_allclose(read(tmp_path / "p.mat"), poses, rtol=0, atol=1e-12)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_csv(tmp_path, poses, named, shuffled):
    lines = rows(poses, named)
    if shuffled:
        np.random.default_rng(1).shuffle(lines)
    np.testing.assert_array_equal(read(write_csv(tmp_path / "p.csv", lines)), poses)


def test_csv_as_pandas_writes_it(tmp_path, poses):
    table = pd.DataFrame(rows(poses, named=True), columns=["example", "joint", "x", "y"])
    table = table.astype({"example": float, "x": float, "y": float})
    table.to_csv(tmp_path / "p.csv")
    np.testing.assert_array_equal(read(tmp_path / "p.csv"), poses)


def test_csv_with_byte_order_mark_and_blank_last_line(tmp_path, poses):
    path = write_csv(tmp_path / "p.csv", rows(poses))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    np.testing.assert_array_equal(read(path), poses)


@pytest.mark.parametrize("names", ["str", "category"])
def test_parquet_with_names(tmp_path, poses, names):
    table = pd.DataFrame(rows(poses, named=True), columns=["example", "joint", "x", "y"])
    table = table.astype({"example": int, "joint": names, "x": float, "y": float})
    table.to_parquet(tmp_path / "p.parquet")
    np.testing.assert_array_equal(read(tmp_path / "p.parquet"), poses)


KINDS = {
    "indexed": lambda table: table.set_index("example"),
    "nullable": lambda table: table.astype({"example": "Int64", "x": "Float64"}),
    "binary": lambda table: table.assign(joint=table["joint"].str.encode("utf-8")),
    "texts": lambda table: table.astype({"example": str, "x": str}),
    "float32": lambda table: table.astype({"example": "float32"}),
}


@pytest.mark.parametrize("changed", KINDS.values(), ids=KINDS)
def test_parquet_of_other_types(tmp_path, poses, changed):
    table = pd.DataFrame(rows(poses, named=True), columns=["example", "joint", "x", "y"])
    changed(table.astype({"example": int, "x": float, "y": float})).to_parquet(tmp_path / "p.parquet")
    np.testing.assert_array_equal(read(tmp_path / "p.parquet"), poses)


def test_a_null_in_parquet_is_a_miss_in_x_and_an_error_in_example(tmp_path, poses):
    table = pd.DataFrame(rows(poses, named=True), columns=["example", "joint", "x", "y"])
    table = table.astype({"example": "Int64", "x": "Float64", "y": float})
    table.assign(x=table["x"].mask(table.index == 1)).to_parquet(tmp_path / "p.parquet")
    assert np.isnan(read(tmp_path / "p.parquet")[0, 1]).tolist() == [True, False]
    table.assign(example=table["example"].mask(table.index == 1)).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match=r"row 1: example is 'nan'"):
        read(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, 2, "twelve", r"p\.csv, line 2: x is 'twelve'; a number, or NaN for a miss, is expected"),
        (5, 3, "12,5", r"line 7: y is '12,5'"),
        (4, 2, "inf", r"line 6: x is 'inf'"),
        (4, 2, "1e400", r"line 6: x is '1e400'"),
        (4, 2, "1_000", r"line 6: x is '1_000'"),
        (4, 2, "0x10", r"line 6: x is '0x10'"),
        (4, 2, "３", r"line 6: x is '３'"),
        (2, 1, "inf", r"line 4: joint is 'inf'"),
        (1, 0, "3", r"line 3: example is '3'; a whole number from 0 to 2"),
        (1, 0, "-1", r"line 3: example is '-1'"),
        (1, 0, "0.5", r"line 3: example is '0\.5'"),
        (1, 0, "", r"line 3: example is ''"),
        (2, 1, "14", r"line 4: joint is '14'; an index from 0 to 13 or one of right ankle"),
        (2, 1, "-1", r"line 4: joint is '-1'"),
        (2, 1, "left foot", r"line 4: joint is 'left foot'"),
        (2, 1, "1", r"example 0, joint 'right knee' has more than one row \(line 3, line 4\); 42 rows"),
    ],
)
def test_csv_errors_name_the_line(tmp_path, poses, row, column, value, message):
    lines = rows(poses)
    lines[row][column] = value
    with pytest.raises(PredictionsError, match=message):
        read(write_csv(tmp_path / "p.csv", lines))


def test_csv_line_numbers_count_blank_lines(tmp_path, poses):
    lines = rows(poses)
    lines[20][2] = "x"
    path = write_csv(tmp_path / "p.csv", lines)
    path.write_text(path.read_text().replace("\n0,5,", "\n\n0,5,"))
    with pytest.raises(PredictionsError, match="line 23: x is 'x'"):
        read(path)


def test_csv_row_cut_short(tmp_path, poses):
    path = write_csv(tmp_path / "p.csv", [*rows(poses)[:-1], ["2", "13", "5"]])
    with pytest.raises(PredictionsError, match="line 43: 3 fields where the header has 4"):
        read(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_missing_row(tmp_path, poses, suffix):
    lines = rows(poses)
    del lines[14 + 11]
    path = tmp_path / f"p{suffix}"
    if suffix == ".csv":
        write_csv(path, lines)
    else:
        pd.DataFrame(lines, columns=["example", "joint", "x", "y"]).astype(float).to_parquet(path)
    message = "example 1, joint 'left wrist' has no row; 41 rows were found, 42 are expected: 3 examples"
    with pytest.raises(PredictionsError, match=message):
        read(path)


def test_no_rows(tmp_path):
    with pytest.raises(PredictionsError, match="example 0, joint 'right ankle' has no row; 0 rows"):
        read(write_csv(tmp_path / "p.csv", []))


@pytest.mark.parametrize(
    ("header", "found"),
    [(("example", "joint", "x", "z"), "example, joint, x, z"), (("example", "joint", "x", "x"), "x, x")],
)
def test_wrong_columns(tmp_path, poses, header, found):
    with pytest.raises(PredictionsError, match=f"columns example, joint, x, y are expected.*{found}"):
        read(write_csv(tmp_path / "p.csv", rows(poses), header))


def test_parquet_errors_name_the_row(tmp_path, poses):
    table = pd.DataFrame(rows(poses), columns=["example", "joint", "x", "y"])
    table.loc[7, "y"] = "far"
    table.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match="row 7: y is 'far'"):
        read(tmp_path / "p.parquet")


@pytest.mark.parametrize("shape", [(COUNT, 13, 2), (COUNT + 1, 14, 2), (2, 14, COUNT), (COUNT, 14, 3)])
def test_npz_of_wrong_shape(tmp_path, shape):
    np.savez(tmp_path / "p.npz", pred=np.zeros(shape))
    with pytest.raises(PredictionsError) as caught:
        read(tmp_path / "p.npz")
    assert f"`pred` has shape {shape}; (3, 14, 2) is expected" in str(caught.value)


def test_mat_of_wrong_shape(tmp_path):
    savemat(tmp_path / "p.mat", {"pred": np.zeros((2, 29, COUNT))})
    with pytest.raises(PredictionsError, match=r"shape \(2, 29, 3\); \(2, 11, 3\) is expected"):
        read_predictions(tmp_path / "p.mat", NUMBERS, FLIC_LABELLED)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_missing_key(tmp_path, suffix):
    path = tmp_path / f"p{suffix}"
    (np.savez if suffix == ".npz" else lambda path, poses: savemat(path, {"arr_0": poses}))(path, np.zeros(3))
    with pytest.raises(PredictionsError, match="no array `pred`; it holds arr_0"):
        read(path)


@pytest.mark.parametrize("value", [np.full((COUNT, 14, 2), "a"), np.zeros((COUNT, 14, 2), dtype=complex)])
def test_npz_without_numbers(tmp_path, value):
    np.savez(tmp_path / "p.npz", pred=value)
    with pytest.raises(PredictionsError, match="not real numbers"):
        read(tmp_path / "p.npz")


def npy(claimed, dtype="<f8", data=b""):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {claimed}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


NPZ = {
    "no array": ({"pred": b"0 0"}, "has no member pred.npy"),
    "text": ({"pred.npy": b"no array"}, "`pred` is not a readable plain array"),
    "claims 834 GiB": ({"pred.npy": npy((10**11, 1))}, "`pred` is not a readable plain array"),
    "claims 8 GiB": ({"pred.npy": npy((10**9, 1))}, "`pred` is not a readable plain array"),
    "unknown kind": ({"pred.npy": npy((3,), "<q9")}, "`pred` is not a readable plain array"),
    "flags": ({"pred.npy": npy((COUNT, 14, 2), "|b1", bytes(COUNT * 28))}, "holds bool, not real numbers"),
}


@pytest.mark.parametrize(("members", "told"), NPZ.values(), ids=NPZ)
def test_npz_of_something_else(tmp_path, members, told):
    with pytest.raises(PredictionsError, match=rf"p\.npz.*{told}"):
        read(archives.write_zip(tmp_path / "p.npz", members))


def test_npz_that_is_encrypted(tmp_path, poses):
    path = tmp_path / "p.npz"
    np.savez(path, pred=poses)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[6] |= 1
    path.write_bytes(data)
    with pytest.raises(PredictionsError, match=r"p\.npz: not a readable .*pred.npy .*encrypted"):
        read(path)


@pytest.mark.parametrize("column", ["example", "joint", "x", "y"])
def test_parquet_of_flags_is_refused(tmp_path, poses, column):
    table = pd.DataFrame(rows(poses), columns=["example", "joint", "x", "y"]).astype(float)
    table[column] = True
    table.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match=rf"row 0: {column} is 'True'"):
        read(tmp_path / "p.parquet")


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".mat"])
def test_a_folder_is_told_from_a_missing_file(tmp_path, suffix):
    (tmp_path / f"p{suffix}").mkdir()
    with pytest.raises(PredictionsError, match="is no file but a folder"):
        read(tmp_path / f"p{suffix}")


@pytest.mark.parametrize("name", ["x" * 300, "nul\0", "file/below"])
def test_a_name_that_cant_be_looked_at(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(PredictionsError, match="can't be looked at"):
        read(tmp_path / f"{name}.csv")


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".mat"])
def test_a_name_that_is_not_utf8(tmp_path, poses, suffix):
    plain = tmp_path / f"p{suffix}"
    if suffix == ".npz":
        np.savez(plain, pred=poses)
    elif suffix == ".mat":
        savemat(plain, {"pred": poses.transpose(2, 1, 0) + 1})
    else:
        write_poses(plain, poses)
    np.testing.assert_allclose(
        read(plain.rename(os.fsdecode(f"{tmp_path}/".encode() + b"\xff" + suffix.encode()))), poses
    )


def test_csv_with_blank_first_lines(tmp_path, poses):
    path = write_csv(tmp_path / "p.csv", rows(poses))
    path.write_text("\n,,,\n" + path.read_text())
    np.testing.assert_array_equal(read(path), poses)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_far_too_many_rows_are_refused_before_they_are_read(tmp_path, poses, suffix):
    path, lines = tmp_path / f"p{suffix}", rows(poses) * 3
    if suffix == ".csv":
        write_csv(path, [*lines, ["no", "row"]])
    else:
        pd.DataFrame(lines, columns=["example", "joint", "x", "y"]).to_parquet(path)
    with pytest.raises(PredictionsError, match=r"more than twice the 42 rows .* 3 examples of 14 joints"):
        read(path)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".mat"])
def test_a_file_of_many_bytes_is_refused(tmp_path, suffix):
    with (tmp_path / f"p{suffix}").open("wb") as file:
        file.truncate(1 << 29)
    with pytest.raises(PredictionsError, match="is larger than 256 MB"):
        read(tmp_path / f"p{suffix}")


def test_npz_with_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "p.npz", pred=np.array([{}], dtype=object))
    with pytest.raises(PredictionsError, match=r"`pred` is not a readable plain array"):
        read(tmp_path / "p.npz")


def test_npy_under_the_name_of_npz(tmp_path, poses):
    with (tmp_path / "p.npz").open("wb") as file:
        np.save(file, poses)
    with pytest.raises(PredictionsError, match=r"not a readable \.npz"):
        read(tmp_path / "p.npz")


def test_infinite_location(tmp_path, poses):
    poses[2, 11, 1] = np.inf
    np.savez(tmp_path / "p.npz", pred=poses)
    with pytest.raises(PredictionsError, match="example 2, joint 'left wrist': y is infinite"):
        read(tmp_path / "p.npz")


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".parquet", ".csv"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage" * 40])
def test_broken_files(tmp_path, suffix, content):
    path = tmp_path / f"p{suffix}"
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match=str(path)):
        read(path)


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".parquet"])
def test_files_cut_short(tmp_path, poses, suffix):
    path = tmp_path / f"p{suffix}"
    if suffix == ".npz":
        np.savez(path, pred=poses)
    elif suffix == ".mat":
        savemat(path, {"pred": poses.T})
    else:
        write_poses(path, poses)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PredictionsError, match="not a readable"):
        read(path)


def test_no_such_file(tmp_path):
    with pytest.raises(PredictionsError, match="there is no such file"):
        read(tmp_path / "p.npz")


def test_unknown_layout(tmp_path):
    with pytest.raises(PredictionsError, match=r"\.npz, \.csv, \.parquet, \.mat, \.json, not '\.txt'"):
        read(tmp_path / "p.txt")


def test_predicted_joints(poses):
    poses[:, 0] = 0.25
    poses[:, 1] = np.nan
    poses[:, 2] = [[1, 2], [1, 2], [1, 3]]
    poses[:, 3] = [[np.nan, np.nan], [1, 2], [1, 2]]
    expected = np.ones(14, dtype=bool)
    expected[:2] = False
    np.testing.assert_array_equal(predicted_joints(poses), expected)


def test_one_pose_is_no_constant():
    assert predicted_joints(np.zeros((1, 14, 2))).all()
