import re
import struct
import zipfile
import zlib

import archives
import cv2
import numpy as np
import pytest
from somebody import as_somebody, open_folder

from deeppose.core.errors import ArchiveError, ImageError
from deeppose.data.archives import zips
from deeppose.data.archives.zips import find_member, open_archive, read_image, read_member, verify_archive
from deeppose.data.registry import read_set


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


def test_links_are_followed_where_they_stay_inside(folder):
    (folder / ".git").mkdir()
    (folder / ".git/object").write_bytes(b"annexed")
    (folder / "c.txt").symlink_to(".git/object")
    (folder / "images").symlink_to("a")
    with open_archive(folder) as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt", "c.txt", "images/im0001.jpg"]
        assert read_member(archive, "c.txt") == b"annexed"
        assert read_image(archive, "images/im0001.jpg").shape == (16, 12, 3)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("../secret.txt", "secret.txt, outside of the folder"),
        ("..", "outside of the folder"),
        ("not-there.jpg", "not-there.jpg, which isn't there"),
        ("link", "link, which isn't there"),
    ],
)
def test_a_link_that_leads_out_or_nowhere_is_named(folder, target, told):
    (folder / "link").symlink_to(target)
    with open_archive(folder) as archive:
        for read in (archive.namelist, lambda: read_member(archive, "link")):
            with pytest.raises(ArchiveError, match=rf"set: link leads to .*{told}"):
                read()


@pytest.mark.parametrize("target", [".", "../set"])
def test_a_link_to_the_folder_around_it_is_no_member(folder, target):
    (folder / "again").symlink_to(target)
    (folder / "a/up").symlink_to("..")
    with open_archive(folder) as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt"]


def test_no_member_lies_outside_of_its_folder(folder, tmp_path):
    with open_archive(folder) as archive:
        for name in ("../secret.txt", str(tmp_path / "secret.txt"), "a", ""):
            with pytest.raises(ArchiveError, match="has no member"):
                read_member(archive, name)


def zip_with(folder, offset, value, method=zipfile.ZIP_DEFLATED):
    """A zip of one member, 16 bits of both whose headers are other ones."""
    path = folder / "some.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("joints.mat", b"labels" * 99)
    data = bytearray(path.read_bytes())
    for signature, further in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        start = data.index(signature) + offset + further
        data[start : start + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    return path


FLAGS, METHOD, NEEDED = 6, 8, 4


@pytest.mark.parametrize(
    ("offset", "value", "told"),
    [
        (FLAGS, 1, "encrypted"),
        (FLAGS, 32, "compressed patched data"),
        (METHOD, 97, "not supported"),
        (METHOD, zipfile.ZIP_LZMA, "damaged"),
        (METHOD, zipfile.ZIP_BZIP2, "damaged"),
    ],
)
def test_what_cant_be_unpacked_is_named(tmp_path, offset, value, told):
    with (
        open_archive(zip_with(tmp_path, offset, value)) as archive,
        pytest.raises(ArchiveError, match=rf"some.zip: member joints.mat .*{told}"),
    ):
        read_member(archive, "joints.mat")


def test_a_zip_of_a_later_version_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match=r"some.zip is cut short or no zip archive \(zip file version"):
        open_archive(zip_with(tmp_path, NEEDED, 255))


def test_a_member_of_many_bytes_is_refused(tmp_path, monkeypatch):
    path = archives.write_zip(tmp_path / "some.zip", {"joints.mat": bytes(2000)})
    monkeypatch.setattr(zips, "LARGEST", 1000)
    with (
        open_archive(path) as archive,
        pytest.raises(ArchiveError, match=r"member joints.mat is larger than"),
    ):
        read_member(archive, "joints.mat")


@pytest.mark.parametrize("side", [20_000, 100_000])
def test_an_image_of_too_many_pixels_is_named(tmp_path, side):
    size = struct.pack(">II", side, side) + bytes([8, 2, 0, 0, 0])
    header = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", size), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    )
    with (
        open_archive(write_image(tmp_path, b"\x89PNG\r\n\x1a\n" + header)) as archive,
        pytest.raises(ImageError, match=r"image images/im0001.jpg can't be decoded \(.*pixels"),
    ):
        read_image(archive, "images/im0001.jpg")


@pytest.mark.parametrize("top", ["", "LSP/", "a/b/"])
def test_labels_are_found_below_other_folders(tmp_path, top):
    members = {f"{top}joints.mat": b"", "__MACOSX/joints.mat": b"", "other.mat": b""}
    with open_archive(archives.write_zip(tmp_path / "some.zip", members)) as archive:
        assert find_member(archive, "joints.mat") == f"{top}joints.mat"
        assert find_member(archive, "none.mat") == "none.mat"


def test_two_labels_below_other_folders_are_named(tmp_path):
    path = archives.write_zip(tmp_path / "some.zip", {"a/joints.mat": b"", "b/joints.mat": b""})
    with (
        open_archive(path) as archive,
        pytest.raises(ArchiveError, match=r"some.zip has both a/joints.mat and b/joints.mat"),
    ):
        find_member(archive, "joints.mat")


def test_a_link_to_a_folder_stands_for_it(folder, tmp_path):
    (tmp_path / "buffy").symlink_to(folder)
    with open_archive(tmp_path / "buffy") as archive:
        assert archive.namelist() == ["a/im0001.jpg", "b.txt"]
        assert archive.filename == str(tmp_path / "buffy")


SETS = {
    "buffy": ("buffy", "data", archives.buffy_members({2: {1: archives.BUFFY_STICKS}})),
    "lsp": ("lsp_dataset", "joints.mat", archives.lsp_members(archives.lsp_joints(2))),
    "flic": ("FLIC", "FLIC/examples.mat", archives.flic_members([archives.flic_example(0, True)])),
    "parse": ("people", "people_all/labels.mat", archives.parse_members(archives.parse_points(103))),
}


@pytest.mark.parametrize("labels", [False, True], ids=["folder", "labels"])
@pytest.mark.parametrize("name", SETS)
def test_a_set_in_a_folder_that_one_may_not_read_is_not_called_another(name, labels):
    called, member, members = SETS[name]
    with open_folder() as folder:
        locked = archives.write_folder(folder / called, members) / (member if labels else "")
        locked.chmod(0)
        with as_somebody(), pytest.raises(ArchiveError) as refused:
            read_set(name, [folder], "oc")
        locked.chmod(0o700)
    assert re.fullmatch(
        rf"{folder}/\S+( member {member})? can't be read: Permission denied", str(refused.value)
    )
