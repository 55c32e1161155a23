import dataclasses
import errno
import hashlib
import http.server
import re
import threading
import zipfile

import archives
import pytest
import requests

from deeppose.core.errors import ArchiveError, DiskFullError, MissingArchiveError
from deeppose.core.files import sha256
from deeppose.data.archives import download as module
from deeppose.data.archives.checksums import archive_sha256
from deeppose.data.archives.download import ATTEMPTS, download, obtain
from deeppose.data.readers.lsp import read_lsp
from deeppose.data.registry import Counts, entry_named


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`, with ranges; drops the connection half-way as often as `drops` says."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.drops = 0
        self.ranges = True
        self.status = 200
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/lsp_dataset.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        content = self.server.content
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = len(content)
        if self.server.drops:
            self.server.drops -= 1
            end = (start + end) // 2
        self.wfile.write(content[start:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "CHUNK", 64)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(tmp_path, server):
    """A small LSP, which the server offers."""
    folder = tmp_path / "published"
    folder.mkdir()
    path = archives.write_lsp(folder, archives.lsp_joints(4))
    server.content = path.read_bytes()
    return path


@pytest.fixture
def entry(server, archive):
    """An entry for that small LSP."""
    with zipfile.ZipFile(archive) as opened:
        joints = opened.read("joints.mat")
    return dataclasses.replace(
        entry_named("lsp"),
        urls=(server.url,),
        published_sha256=sha256(archive),
        annotations_sha256=hashlib.sha256(joints).hexdigest(),
        counts=Counts(examples=4, train=2, test=2, images=4),
    )


def test_a_folder_goes_before_the_address(tmp_path, server, archive, entry):
    obtained = obtain(
        entry, [tmp_path / "empty", archive.parent, tmp_path / "target"], tmp_path / "sums.json"
    )
    assert obtained.path == archive
    assert obtained.source == str(archive.parent)
    assert obtained.packing == "published archive"
    assert obtained.sha256 == sha256(archive)
    assert server.asked == []
    assert not (tmp_path / "target").exists()


def test_a_folder_may_stand_for_an_archive(tmp_path):
    folder = archives.write_folder(
        tmp_path / "Buffy V3", archives.buffy_members({2: {1: archives.BUFFY_STICKS}})
    )
    obtained = obtain(entry_named("buffy"), [tmp_path, tmp_path / "target"], tmp_path / "sums.json")
    assert obtained.path == folder
    assert obtained.sha256 == archive_sha256(folder)
    assert obtained.packing == "unknown packing"
    assert obtained.source == str(tmp_path)


def test_a_missing_buffy_names_what_to_put_there(tmp_path):
    with pytest.raises(
        MissingArchiveError,
        match=r"buffy\*.zip or a folder buffy\* .*no address .*get it from https://www.robots",
    ):
        obtain(entry_named("buffy"), [tmp_path, tmp_path / "target"])


def test_it_is_downloaded_once(tmp_path, server, archive, entry):
    obtained = obtain(entry, [tmp_path / "empty", tmp_path / "target"])
    assert obtained.path == tmp_path / "target" / "lsp_dataset.zip"
    assert obtained.path.read_bytes() == archive.read_bytes()
    assert obtained.source == server.url
    assert obtain(entry, [tmp_path / "empty", tmp_path / "target"]).source == str(tmp_path / "target")
    assert server.asked == [None]
    assert [file.name for file in (tmp_path / "target").iterdir()] == ["lsp_dataset.zip"]


def test_a_dropped_connection_goes_on_where_it_stopped(tmp_path, server, archive):
    server.drops = 2
    target = tmp_path / "lsp_dataset.zip"
    download(server.url, target, sha256(archive))
    assert target.read_bytes() == archive.read_bytes()
    first, *later = server.asked
    assert first is None
    starts = [int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) for wanted in later]
    assert len(starts) == 2
    for start, share in zip(starts, (1 / 2, 3 / 4), strict=True):
        assert 0 <= share * len(server.content) - start <= 2 * module.CHUNK


def test_the_next_run_goes_on_too(tmp_path, server, archive):
    server.drops = ATTEMPTS
    target = tmp_path / "lsp_dataset.zip"
    with pytest.raises(requests.RequestException):
        download(server.url, target, sha256(archive))
    assert not target.exists()
    had = (tmp_path / "lsp_dataset.zip.part").stat().st_size
    assert 0 < had < len(server.content)
    server.asked.clear()
    download(server.url, target, sha256(archive))
    assert server.asked == [f"bytes={had}-"]
    assert target.read_bytes() == archive.read_bytes()


def test_a_server_without_ranges_sends_all_again(tmp_path, server, archive):
    server.drops, server.ranges = 1, False
    target = tmp_path / "lsp_dataset.zip"
    download(server.url, target, sha256(archive))
    assert target.read_bytes() == archive.read_bytes()


def test_a_part_that_is_whole_already_is_taken(tmp_path, server, archive):
    target = tmp_path / "lsp_dataset.zip"
    (tmp_path / "lsp_dataset.zip.part").write_bytes(server.content)
    download(server.url, target, sha256(archive))
    assert target.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("known", [True, False], ids=["checksum known", "checksum unknown"])
def test_something_else_than_the_archive_is_refused(tmp_path, server, archive, entry, known):
    server.content = b"<html>this page has moved</html>"
    entry = entry if known else dataclasses.replace(entry, published_sha256=None)
    target = tmp_path / "target"
    with pytest.raises(MissingArchiveError) as error:
        obtain(entry, [tmp_path / "empty", target])
    wanted = sha256(archive) if known else "no whole archive"
    for part in (server.url, wanted, entry.page, str(target / "lsp_dataset.zip"), str(tmp_path / "empty")):
        assert part in str(error.value)
    assert list(target.iterdir()) == []


def test_without_a_known_checksum_the_members_are_checked(tmp_path, server, archive):
    target = tmp_path / "lsp_dataset.zip"
    download(server.url, target, None)
    assert len(read_lsp(target).poses) == 4
    target.unlink()
    server.content = server.content.replace(b"drawn by a test", b"drawn by a tent")
    with pytest.raises(MissingArchiveError, match=r"member README.txt is damaged"):
        download(server.url, target, None)


def test_a_refusal_is_not_asked_again(tmp_path, server, entry):
    server.status = 404
    with pytest.raises(MissingArchiveError, match="404"):
        obtain(entry, [tmp_path / "target"])
    assert server.asked == [None]


def test_a_server_in_trouble_is_asked_again(tmp_path, server, entry):
    server.status = 503
    with pytest.raises(MissingArchiveError, match="503"):
        obtain(entry, [tmp_path / "target"])
    assert len(server.asked) == ATTEMPTS


def test_the_second_address_is_tried(tmp_path, server, archive, entry):
    entry = dataclasses.replace(entry, urls=("http://127.0.0.1:1/none.zip", server.url))
    assert obtain(entry, [tmp_path / "target"]).source == server.url


def test_without_an_address_the_page_is_named(tmp_path, entry):
    with pytest.raises(
        MissingArchiveError, match=r"no address of the file itself is known; get it from https://sam"
    ):
        obtain(dataclasses.replace(entry, urls=()), [tmp_path / "target"])


def test_wrong_contents_stop(tmp_path, archive, entry):
    other = dataclasses.replace(entry, annotations_sha256="0" * 64, published_sha256=None, repacked=())
    with pytest.raises(ArchiveError, match="published is 0000"):
        obtain(other, [archive.parent, tmp_path / "target"])


def test_a_full_disk_keeps_what_came(tmp_path, server, archive, monkeypatch):
    part = tmp_path / "lsp_dataset.zip.part"

    def full(url, part):
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_fetch_rest", full)
    with pytest.raises(DiskFullError, match=r"downloading lsp_dataset.zip"):
        download(server.url, tmp_path / "lsp_dataset.zip", None)
    assert part.read_bytes() == b"half"
