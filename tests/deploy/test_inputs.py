import io
import sys
from pathlib import Path

import cv2
import pytest
from small_cascade import photo_pixels

from deeppose.core.errors import ImageError
from deeppose.deploy.inputs import expanded, is_video, read_input


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("day/b.JPG", "day/a.png", "day/c.mp4", "day/notes.txt", "day/deep/d.png", "a[1].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def test_names_stay_in_their_order_and_are_not_looked_for():
    assert expanded(["z.png", "-", "a.png", "z.png"]) == ["z.png", "-", "a.png", "z.png"]


def test_a_folder_is_its_images_and_videos(folder):
    assert expanded(["x.png", "day"]) == ["x.png", "day/a.png", "day/b.JPG", "day/c.mp4"]
    assert expanded([str(folder / "day")])[0] == str(folder / "day" / "a.png")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("day/*.png", ["day/a.png"]),
        ("day/[ab]*", ["day/a.png", "day/b.JPG"]),
        ("day/?.*", ["day/a.png", "day/b.JPG", "day/c.mp4"]),
        ("**/d.png", ["day/deep/d.png"]),
        ("day/*", ["day/a.png", "day/b.JPG", "day/c.mp4", "day/notes.txt"]),
        ("day/a**", ["day/a.png"]),
        ("a[1].png", ["a[1].png"]),  # a file of that name is no pattern
    ],
)
def test_a_pattern_is_what_it_matches(folder, pattern, names):
    assert expanded([pattern]) == names
    whole = [str(folder / name) for name in names]
    assert expanded([str(folder / pattern)]) == whole


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.org/p.jpg", r"is an address: download it first \(curl -O https://example"),
        ("http://example.org/p.jpg", "is an address: download it first"),
        ("day/*.gif", r"nothing here matches day/\*\.gif"),
        ("day/deep/e*", r"nothing here matches"),
    ],
)
def test_what_means_no_file_is_said(name, said):
    with pytest.raises(ImageError, match=said):
        expanded(["day/a.png", name])


def test_a_folder_without_images_is_said(folder):
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match=r"empty is a folder without images \(\.avif, \.bmp"):
        expanded(["empty"])


def test_no_name_is_not_this_folder():
    """As of a shell's variable that isn't set."""
    assert expanded([""]) == [""]
    with pytest.raises(ImageError, match="can't be read"):
        read_input("")


def test_a_file_called_as_standard_input_is(folder):
    (folder / "-").mkdir()
    assert expanded(["-"]) == ["-"]


def test_videos_are_told_by_their_names():
    assert is_video("a.MP4")
    assert is_video("a/b.webm")
    assert not is_video("a.gif")


def test_a_photo_from_standard_input(monkeypatch):
    data = cv2.imencode(".png", photo_pixels()[..., ::-1])[1].tobytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert (read_input("-").pixels == photo_pixels()).all()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ImageError, match=r"standard input is no image that can be decoded \(0 bytes\)"):
        read_input("-")


def test_a_photo_from_a_file(folder):
    cv2.imwrite("p.png", photo_pixels()[..., ::-1])
    assert (read_input("p.png").pixels == photo_pixels()).all()
    with pytest.raises(ImageError, match=r"none\.png can't be read: No such file or directory"):
        read_input("none.png")
