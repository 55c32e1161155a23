import hashlib
import json
import os
import shutil

import archives
import pytest

from deeppose.data.archives import checksums
from deeppose.data.archives.checksums import archive_sha256


@pytest.fixture
def hashed(monkeypatch):
    """The files that were really read, in order."""
    files = []

    def count(path):
        files.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(checksums, "sha256", count)
    return files


def test_a_file_is_hashed_once(tmp_path, hashed):
    archive, cache = tmp_path / "a.zip", tmp_path / "store" / ".checksums.json"
    archive.write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert [archive_sha256(archive, cache) for _ in range(3)] == [expected] * 3
    assert len(hashed) == 1


def test_two_files_are_remembered_apart(tmp_path, hashed):
    cache = tmp_path / "cache.json"
    files = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]))
    first = [archive_sha256(file, cache) for file in files]
    assert [archive_sha256(file, cache) for file in files] == first
    assert first[0] != first[1]
    assert hashed == files


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_file_is_hashed_again(tmp_path, hashed, change):
    archive, cache = tmp_path / "a.zip", tmp_path / "cache.json"
    archive.write_bytes(b"abc")
    os.utime(archive, ns=(10**18, 10**18))
    archive_sha256(archive, cache)
    archive.write_bytes(b"abcd" if change == "size" else b"xyz")
    os.utime(archive, ns=(10**18, 10**18 if change == "size" else 10**18 + 1))
    assert archive_sha256(archive, cache) == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert len(hashed) == 2


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"KEY": 5}', '{"KEY": {"size": 3}}', "\x00"])
def test_a_damaged_cache_is_made_again(tmp_path, hashed, damage):
    archive, cache = tmp_path / "a.zip", tmp_path / "cache.json"
    archive.write_bytes(b"abc")
    cache.write_text(damage.replace("KEY", str(archive)))
    expected = hashlib.sha256(b"abc").hexdigest()
    assert archive_sha256(archive, cache) == expected
    assert json.loads(cache.read_text())[str(archive)]["sha256"] == expected


def test_without_a_cache_it_is_hashed_anew(tmp_path, hashed):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"abc")
    assert archive_sha256(archive) == archive_sha256(archive)
    assert len(hashed) == 2
    assert list(tmp_path.iterdir()) == [archive]


def test_a_folder_has_a_checksum_of_its_names_and_bytes(tmp_path):
    members = {"data/a.txt": b"A", "images/b.jpg": b"B"}
    folder = archives.write_folder(tmp_path / "one", members)
    first = archive_sha256(folder)
    other = archives.write_folder(tmp_path / "two", dict(reversed(members.items())))
    assert archive_sha256(other) == first
    different = [
        {"data/a.txt": b"A", "images/b.jpg": b"b"},
        {"data/a.txt": b"A", "images/c.jpg": b"B"},
        {"data/a.txt": b"A"},
        members | {"c": b""},
        {"data/a.txt": b"AB", "images/b.jpg": b""},
    ]
    sums = []
    for changed in different:
        shutil.rmtree(other)
        sums.append(archive_sha256(archives.write_folder(other, changed)))
    assert len({first, *sums}) == 6


def test_a_folder_is_hashed_anew_each_time(tmp_path):
    cache = tmp_path / "cache.json"
    folder = archives.write_folder(tmp_path / "buffy", {"data/a.txt": b"A"})
    first = archive_sha256(folder, cache)
    stamp = (folder / "data" / "a.txt").stat()
    (folder / "data" / "a.txt").write_bytes(b"B")
    os.utime(folder / "data" / "a.txt", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert archive_sha256(folder, cache) != first
