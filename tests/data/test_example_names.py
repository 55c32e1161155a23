"""Examples that are named by their images."""

import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import PredictionsError
from deeppose.core.skeleton import Skeleton
from deeppose.data.example_names import SHARED, ExampleNames
from deeppose.data.prediction_files import read_predictions

MEMBERS = ("top/e2/000001.jpg", "top/e3/000001.jpg", "top/e3/Film 5.JPG", "top/e3/000001.jpg")
SKELETON = Skeleton("two", ("left ear", "right ear"), (), ((0, 1),))


@pytest.mark.parametrize(
    ("name", "examples"),
    [
        ("top/e2/000001.jpg", [0]),
        ("e3/000001", [1, 3]),
        ("Film 5.jpg", [2]),
        ("film 5", [2]),
        ("film 5.png", [2]),
        ("/home/me/top/e2/000001.jpg", [0]),
        (r"C:\sets\top\e3\Film 5.JPG", [2]),
    ],
)
def test_a_path_or_its_end_names_an_image(name, examples):
    assert ExampleNames(MEMBERS).find(name) == examples


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("000001.jpg", r"'000001.jpg', which may be top/e2/000001 or top/e3/000001: write its whole path"),
        ("e4/000001.jpg", r"'e4/000001.jpg'; an image of the test part, such as top/e2/000001.jpg, or the"),
        ("film", r"'film'; an image .* or the example's number from 0 to 3 is expected"),
        ("", r"''; an image"),
        ("x" * 999, r"^'x{60}'; an image"),
    ],
)
def test_what_names_none_or_several_is_said(name, said):
    with pytest.raises(PredictionsError, match=said):
        ExampleNames(MEMBERS).find(name)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_by_images(tmp_path, suffix):
    named = [("e2/000001.jpg", 1.0), ("3", 4.0), ("Film 5", 3.0), ("1", 2.0)]
    rows = [(name, joint, x, 7.0) for name, x in named for joint in (1, 0)]
    table = pd.DataFrame(rows, columns=["example", "joint", "x", "y"])
    path = tmp_path / f"p{suffix}"
    table.to_csv(path) if suffix == ".csv" else table.to_parquet(path)
    poses, remarks = read_predictions(path, MEMBERS, SKELETON)
    assert poses[..., 0].tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert remarks == ()


def test_examples_of_one_image_share_its_prediction(tmp_path):
    names = ["top/e2/000001.jpg", "top/e3/000001.jpg", "Film 5.jpg"]
    text = "\n".join(f"{name},{joint},{n},5" for n, name in enumerate(names) for joint in (0, 1))
    (tmp_path / "p.csv").write_text(f"example,joint,x,y\n{text}\n")
    poses, remarks = read_predictions(tmp_path / "p.csv", MEMBERS, SKELETON)
    np.testing.assert_array_equal(poses[:, 0, 0], [0, 1, 2, 1])
    assert remarks == (SHARED,)


def test_an_unknown_image_is_named_with_its_line(tmp_path):
    (tmp_path / "p.csv").write_text("example,joint,x,y\n0,0,1,1\nim9.jpg,1,1,1\n")
    with pytest.raises(
        PredictionsError, match=r"p\.csv, line 3: example is 'im9\.jpg'; an image of the test"
    ):
        read_predictions(tmp_path / "p.csv", MEMBERS, SKELETON)


def test_a_column_of_lists_is_no_name(tmp_path):
    table = pd.DataFrame({"example": [[1], [2]], "joint": 0, "x": 0.0, "y": 0.0})
    table.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match=r"p\.parquet, row 0: example is '\[1\]'"):
        read_predictions(tmp_path / "p.parquet", MEMBERS, SKELETON)
