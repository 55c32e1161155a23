"""CollectedData as pandas 1 to 3 write it by PyTables 3, in both of their formats."""

import pickle
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import AnnotationError
from deeppose.data.readers.tables import deeplabcut_joints, read_deeplabcut

JOINTS = ("nose", "withers")
PATHS = ["labeled-data/film/img01.png", "labeled-data/film/img02.png", "labeled-data/film/img10.png"]
VALUES = [[1.5, 2, 3, 4, np.nan, np.nan], [np.nan, np.nan, 5, 6, 1, 1], [0.1, 1e-9, 12345.678, 7, 8, 9]]


def collected(individuals=False, divided=False):
    """Labels as DeepLabCut has them in memory; `divided` as its newer versions index them."""
    names = [("me", "ada", "nose"), ("me", "ada", "withers"), ("me", "bob", "nose")]
    if not individuals:
        names = [("me", "nose"), ("me", "withers"), ("me", "ear")]
    levels = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    columns = pd.MultiIndex.from_tuples([(*name, axis) for name in names for axis in "xy"], names=levels)
    index = pd.MultiIndex.from_tuples([tuple(path.split("/")) for path in PATHS]) if divided else PATHS
    return pd.DataFrame(np.array(VALUES), columns=columns, index=index)


def write_fixed(path, labels):
    with h5py.File(path, "w") as file:
        frame = file.create_group("df_with_missing")
        frame.attrs.update(pandas_type=b"frame", encoding=b"UTF-8", nblocks=1)
        axes = {"axis0": labels.columns, "axis1": labels.index, "block0_items": labels.columns}
        for axis, index in axes.items():
            several = isinstance(index, pd.MultiIndex)
            frame.attrs[f"{axis}_variety"] = b"multi" if several else b"regular"
            if not several:
                frame[axis] = np.array(index, dtype="S")
                continue
            frame.attrs[f"{axis}_nlevels"] = index.nlevels
            for level in range(index.nlevels):
                frame[f"{axis}_level{level}"] = np.array(index.levels[level], dtype="S")
                frame[f"{axis}_label{level}"] = index.codes[level]
        frame["block0_values"] = labels.to_numpy()


def write_table(path, labels):
    with h5py.File(path, "w") as file:
        frame = file.create_group("df_with_missing")
        axes = pickle.dumps([(1, [tuple(column) for column in labels.columns])], protocol=0)
        frame.attrs.update(pandas_type=b"frame_table", encoding=b"UTF-8", non_index_axes=np.bytes_(axes))
        rows = np.empty(len(labels), dtype=[("index", "S27"), ("values_block_0", "<f8", (labels.shape[1],))])
        rows["index"], rows["values_block_0"] = np.array(labels.index, dtype="S"), labels
        frame["table"] = rows


WRITERS = pytest.mark.parametrize("write", [write_fixed, write_table])


@pytest.mark.parametrize(
    ("individuals", "divided", "write"),
    [
        (False, False, write_fixed),
        (False, False, write_table),
        (True, True, write_fixed),
        (True, False, write_table),
    ],
)
def test_it_is_read_as_the_csv_beside_it(tmp_path, individuals, divided, write):
    labels, path = collected(individuals, divided), tmp_path / "CollectedData_me.h5"
    write(path, labels)
    labels.to_csv(path.with_suffix(".csv"))
    found = read_deeplabcut(path, JOINTS)
    assert found == read_deeplabcut(path.with_suffix(".csv"), JOINTS)
    assert len(found) == (5 if individuals else 3)
    assert deeplabcut_joints(path) == deeplabcut_joints(path.with_suffix(".csv"))


@WRITERS
def test_a_value_that_can_not_be_right_is_named(tmp_path, write):
    labels, path = collected(), tmp_path / "labels.h5"
    labels.iloc[1, 3] = np.nan
    write(path, labels)
    with pytest.raises(AnnotationError, match=re.escape(f"{path}, row 2: y of withers is '', not a number")):
        read_deeplabcut(path, JOINTS)


def test_nothing_pickled_is_run(tmp_path):
    class Bad:
        def __reduce__(self):
            return open, (str(tmp_path / "run"), "w")

    path = tmp_path / "labels.h5"
    write_table(path, collected())
    with h5py.File(path, "a") as file:
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, Bad())], protocol=0))
    with pytest.raises(AnnotationError, match=r"not laid out .*: take labels\.csv beside it"):
        read_deeplabcut(path, JOINTS)
    assert not (tmp_path / "run").exists()


def without_a_level(file, frame):
    del frame["block0_items_level1"]


def another_block(file, frame):
    frame["block1_values"] = np.zeros((3, 1))


def an_image_less(file, frame):
    del frame["axis1"]
    frame["axis1"] = np.array(PATHS[1:], dtype="S")


def a_column_without_a_name(file, frame):
    frame["block0_items_label1"][0] = -1


def gigabytes(file, frame):
    del frame["block0_values"]
    frame.create_dataset("block0_values", (10**8, 6), dtype="f8", chunks=True)


def another_key(file, frame):
    file.move("df_with_missing", "df")


@pytest.mark.parametrize(
    "spoil",
    [without_a_level, another_block, an_image_less, a_column_without_a_name, gigabytes, another_key],
)
def test_what_is_not_laid_out_so_is_refused(tmp_path, spoil):
    path = tmp_path / "labels.h5"
    write_fixed(path, collected())
    with h5py.File(path, "a") as file:
        spoil(file, file["df_with_missing"])
    with pytest.raises(AnnotationError, match=r"not laid out .*: take labels\.csv beside it"):
        read_deeplabcut(path, JOINTS)


@WRITERS
def test_a_damaged_file_is_refused_or_read(tmp_path, write):
    path = tmp_path / "labels.h5"
    write(path, collected())
    data, random, refused = path.read_bytes(), np.random.default_rng(1), 0
    for _ in range(100):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 8):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged[: random.integers(len(data) // 2, 2 * len(data))])
        try:
            read_deeplabcut(path, JOINTS)
        except AnnotationError:
            refused += 1
    assert 30 < refused < 100


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"labels\.h5 can't be read: there is no such file"):
        read_deeplabcut(tmp_path / "labels.h5", JOINTS)
