import re

import archives
import cv2
import numpy as np
import pytest

from deeppose.core.errors import ArchiveError, ImageError
from deeppose.data.archives.zips import open_archive, read_image, read_member, verify_archive


def write_image(folder, data):
    return archives.write_zip(folder / "some.zip", {"images/im0001.jpg": data})


def test_an_image_is_rgb(tmp_path):
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV's order is BGR
    with open_archive(write_image(tmp_path, cv2.imencode(".png", red)[1].tobytes())) as archive:
        image = read_image(archive, "images/im0001.jpg")
    assert image.shape == (4, 6, 3)
    assert image.dtype == np.uint8
    assert image[0, 0].tolist() == [255, 0, 0]


def test_a_grey_image_has_three_channels(tmp_path):
    grey = cv2.imencode(".jpg", np.full((4, 6), 77, dtype=np.uint8))[1].tobytes()
    with open_archive(write_image(tmp_path, grey)) as archive:
        assert read_image(archive, "images/im0001.jpg").shape == (4, 6, 3)


def test_a_noted_orientation_is_ignored(tmp_path):
    plain = archives.jpeg(0, width=12, height=16)
    turned = (  # an Exif segment that says: turn by a quarter
        b"\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
        b"\x00\x00\x00\x00"
    )
    data = plain[:2] + turned + plain[2:]
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (12, 16, 3)
    with open_archive(write_image(tmp_path, data)) as archive:
        assert read_image(archive, "images/im0001.jpg").shape == (16, 12, 3)


@pytest.mark.parametrize("data", [b"", b"no image at all"])
def test_what_is_no_image_is_named(tmp_path, data):
    with (
        open_archive(write_image(tmp_path, data)) as archive,
        pytest.raises(ImageError, match=r"some.zip: image images/im0001.jpg can't be decoded"),
    ):
        read_image(archive, "images/im0001.jpg")


def test_a_missing_member_is_named(tmp_path):
    with (
        open_archive(write_image(tmp_path, b"")) as archive,
        pytest.raises(ArchiveError, match=r"some.zip has no member joints.mat"),
    ):
        read_member(archive, "joints.mat")


def test_a_damaged_member_is_named(tmp_path):
    path = write_image(tmp_path, b"the bytes of an image")
    path.write_bytes(path.read_bytes().replace(b"bytes", b"bites"))
    with pytest.raises(ArchiveError, match=r"some.zip: member images/im0001.jpg is damaged"):
        verify_archive(path)


@pytest.fixture
def folder(tmp_path):
    """A folder with two members; beside it lies what is none."""
    (tmp_path / "secret.txt").write_bytes(b"not a member")
    return archives.write_folder(tmp_path / "set", {"b.txt": b"B", "a/im0001.jpg": archives.jpeg(1)})


def test_a_folder_is_read_like_an_archive(folder):
    with open_archive(folder) as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt"]
        assert archive.filename == str(folder)
        assert read_member(archive, "b.txt") == b"B"
        assert read_image(archive, "a/im0001.jpg").shape == (16, 12, 3)
        with pytest.raises(ArchiveError, match=re.escape(f"{folder} has no member c.txt")):
            read_member(archive, "c.txt")


def test_no_member_lies_outside_of_its_folder(folder, tmp_path):
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inside.txt").symlink_to(folder / "b.txt")
    with open_archive(folder) as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt", "inside.txt"]
        for name in ("link.txt", "up/secret.txt", "../secret.txt", str(tmp_path / "secret.txt"), "a", ""):
            with pytest.raises(ArchiveError, match="has no member"):
                read_member(archive, name)
        assert read_member(archive, "inside.txt") == b"B"


def test_a_link_to_a_folder_stands_for_it(folder, tmp_path):
    (tmp_path / "buffy").symlink_to(folder)
    with open_archive(tmp_path / "buffy") as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt"]
        assert archive.filename == str(tmp_path / "buffy")
