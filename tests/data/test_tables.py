"""Tables as spreadsheets and scripts write them: the same cells, or refused by their place."""

import re

import numpy as np
import pytest

from deeppose.core.errors import PredictionsError, TableError
from deeppose.core.skeleton import Skeleton
from deeppose.data.prediction_files import read_predictions
from deeppose.data.tables import read_rows, read_table, with_points

COLUMNS = ("example", "joint", "x", "y")
SKELETON = Skeleton("two", ("left ear", "right ear"), (), ((0, 1),))
HEADER = "example,joint,x,y"
PLAIN = f"{HEADER}\n0,left ear,31.5,40\n0,right ear,1088,35.25\n1,0,-3,4.5\n1,1,,0.5\n"
POSES = np.array([[[31.5, 40], [1088, 35.25]], [[-3, 4.5], [np.nan, 0.5]]])
GERMAN = PLAIN.replace(",", ";").replace(".", ",")
TABBED = PLAIN.replace(",", "\t")
QUOTED = re.sub(r"[^,\n]+", r'"\g<0>"', PLAIN)

# What is read, as the bytes of a file.
READ = {
    "commas": PLAIN.encode(),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "semicolons, decimal commas": GERMAN.encode(),
    "tabs": TABBED.encode(),
    "tabs, decimal commas": TABBED.replace(".", ",").encode(),
    "commas, quoted decimal commas": re.sub(r"(\d+)\.(\d+)", r'"\1,\2"', PLAIN).encode(),
    "a mark of UTF-8": b"\xef\xbb\xbf" + PLAIN.encode(),
    "a mark of UTF-8, semicolons, decimal commas": b"\xef\xbb\xbf" + GERMAN.encode(),
    "a mark of UTF-8, quoted header": b"\xef\xbb\xbf" + QUOTED.encode(),
    "UTF-16 of Windows, tabs": TABBED.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16, semicolons, decimal commas": GERMAN.encode("utf-16"),
    "Latin-1": PLAIN.replace("y\n", "y,maß\n").replace("5\n", "5,\n").replace("40", "40,ü").encode("cp1252"),
    "line ends of Windows": PLAIN.replace("\n", "\r\n").encode(),
    "line ends of old Macs": PLAIN.replace("\n", "\r").encode(),
    "no line end at the end": PLAIN.rstrip().encode(),
    "a header with blanks": PLAIN.replace(HEADER, " example , joint,x ,\ty").encode(),
    "a quoted header": PLAIN.replace(HEADER, '"example","joint","x","y"').encode(),
    "a quoted header with blanks": PLAIN.replace(HEADER, '"example", "joint" , "x","y "').encode(),
    "all quoted": QUOTED.encode(),
    "cells with blanks": PLAIN.replace(",", " , ").encode(),
    "the delimiter named for Excel": b"sep=;\r\n" + GERMAN.encode(),
    "blank first lines": ("\n,,,\n" + PLAIN).encode(),
    "blank lines between": PLAIN.replace("\n", "\n\n").encode(),
    "empty cells at each end": PLAIN.replace("\n", ",,\n").encode(),
    "exponents with decimal commas": GERMAN.replace("31,5", "3,15E+01").encode(),
    "numbers of examples with decimals": GERMAN.replace("\n0;", "\n0,0;").replace("\n1;", "\n1,0;").encode(),
    "another order, another column": (
        b"y,note,x,joint,example\n40,,31.5,0,0\n35.25,a,1088,1,0\n4.5,,-3,0,1\n.5,,,1,1"
    ),
}  # fmt: skip

# What is refused, and what is said of it.
REFUSED = {
    "points among commas": (GERMAN.replace("35,25", "35.25"), r"line 3: y is '35\.25', and line 2 has"),
    "marks of thousands": (GERMAN.replace("1088", "1.088,5"), r"line 3: x is '1\.088,5', and line 2 has"),
    "thousands or decimals": (
        PLAIN.replace(".5", "").replace(".25", "").replace("1088", '"1,088"'),
        r"line 3: x is '1,088': is that a mark of thousands",
    ),
    "decimal commas among commas": (PLAIN.replace("31.5", "31,5"), r"line 2: 5 fields where the header"),
    "a unit": (GERMAN.replace("35,25", "35,25 px"), r"line 3: y is '35,25 px'"),
    "a date that was a number": (GERMAN.replace("4,5", "04. Mai"), r"line 4: y is '04\. Mai'"),
    "a word for nothing": (PLAIN.replace("1,1,,", "1,1,#NV,"), r"line 5: x is '#NV'"),
    "a cell too few": (PLAIN.replace("31.5,40", "31.5"), r"line 2: 3 fields where the header has 4"),
    "a quote that isn't closed": (PLAIN.replace("left ear", '"left ear'), r"line 2: a quote is not closed"),
    "pipes": (PLAIN.replace(",", "|"), r"line 1: the columns .* found example\|joint\|x\|y"),
    "a title above": ("My predictions\n" + PLAIN, r"line 1: the columns .* found My predictions"),
    "a column twice": (PLAIN.replace("joint", "x", 1), r"line 1: the columns .* found example, x, x, y"),
    "UTF-16 without its mark": (PLAIN.encode("utf-16-le"), r"line 1: a zero byte"),
    "half of UTF-16": (PLAIN.encode("utf-16")[:-1], r"begins as UTF-16, but is none: truncated"),
    "bytes of no character": (PLAIN.encode() + b"\x81", r"line 6: the byte 0x81 is of no character"),
    "a cell without end": (PLAIN + "x" * 200_000, r"line 6: field larger than field limit"),
    "no end of cells": (PLAIN + "," * 20_000, r"line 6: more than 10000 fields"),
    "many bytes": (b"x" * ((64 << 20) + 1), r"is larger than 64 MB"),
    "nothing": ("", r"line 1: the columns .* found none"),
}  # fmt: skip


def read(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_predictions(path, [str(number) for number in range(len(POSES))], SKELETON).poses


@pytest.mark.parametrize("data", READ.values(), ids=READ)
def test_the_same_poses_however_they_are_written(tmp_path, data):
    np.testing.assert_array_equal(read(tmp_path / "p.csv", data), POSES)


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named_by_line_and_column(tmp_path, data, said):
    with pytest.raises(PredictionsError, match=rf"p\.csv,? ?{said}") as refused:
        read(tmp_path / "p.csv", data)
    assert len(str(refused.value).splitlines()) == 1


def test_thousands_between_semicolons_are_decimals():
    table = read_table(b"x;y\n1,088;987\n", "p.csv", ("x", "y"), ("x", "y"))
    assert table.columns == {"x": ["1.088"], "y": ["987"]}


def test_lines_are_counted_with_empty_ones_and_the_delimiters_own():
    table = read_table(b"sep=;\n\nx;y\n;\n1;2\r\n\r\n3;4", "p.csv", ("x",))
    assert [table.place(row) for row in (0, 1)] == ["line 5", "line 7"]
    with pytest.raises(TableError, match=r"p\.csv, line 8: 1 fields where the header has 2"):
        read_table(b"sep=;\n\nx;y\n;\n1;2\r\n\r\n3;4\n5", "p.csv", ("x",))


def test_rows_of_several_headers():
    data = "scorer;me;me\ncoords;x;y\nim 1.jpg;1,5;2\n;;\nim2.jpg;;\n".encode("utf-16")
    rows = read_rows(data, "CollectedData.csv", ("scorer",))
    assert rows.lines == [1, 2, 3, 5]
    cells = with_points(rows, "CollectedData.csv", {1: "x", 2: "y"})
    assert cells[2:] == [["im 1.jpg", "1.5", "2"], ["im2.jpg", "", ""]]


def test_other_columns_than_those_of_poses():
    data = "image;joint;x;y\nÄpfel/ö 1.jpg;nose;1,5;2\n".encode("cp1252")
    table = read_table(data, "joints.csv", ("image", "joint", "x", "y"), ("x", "y"))
    assert [texts[0] for texts in table.columns.values()] == ["Äpfel/ö 1.jpg", "nose", "1.5", "2"]
