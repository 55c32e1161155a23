import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from somebody import as_somebody, open_folder

from deeppose.core.errors import DiskFullError, OutputError, StageError
from deeppose.core.files import (
    atomic_path,
    check_outputs,
    read_csv,
    read_json,
    read_notes,
    read_parquet,
    sha256,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


DAMAGED = {
    "empty": b"",
    "cut short": b'{"a": 1',
    "no text": b"\xff\xfe\0",
    "deep": b"[" * 100_000,
    "missing": None,
}


@pytest.mark.parametrize("read", [read_json, read_parquet])
@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_of_an_earlier_stage_is_named(tmp_path, read, data):
    path = tmp_path / "made.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StageError, match=r"made.json is missing or damaged \(.*\): remove what is") as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["empty", "no text", "missing"])
def test_a_damaged_table_of_commas_is_named(tmp_path, name):
    if DAMAGED[name] is not None:
        (tmp_path / "t.csv").write_bytes(DAMAGED[name])
    with pytest.raises(StageError, match=r"t.csv is missing or damaged"):
        read_csv(tmp_path / "t.csv")


def test_a_table_without_a_column_is_named(tmp_path):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet", ["x"])["x"].tolist() == [1.0]
    with pytest.raises(StageError, match=r"t.parquet .*no column y, z"):
        read_parquet(tmp_path / "t.parquet", ["y", "x"], ["z"])
    pd.DataFrame({"x": ["1.0"]}).to_parquet(tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet", [], ["x"])["x"].tolist() == ["1.0"]
    with pytest.raises(StageError, match=r"t.parquet .*x: no numbers"):
        read_parquet(tmp_path / "t.parquet", ["x"])


@pytest.mark.parametrize("data", [*DAMAGED.values(), b"[1]"])
def test_damaged_notes_are_begun_anew_with_a_word(tmp_path, capsys, data):
    path = tmp_path / "notes.json"
    if data is not None:
        path.write_bytes(data)
    assert read_notes(path) == {}
    assert capsys.readouterr().err == ("" if data is None else f"{path} is damaged: it is begun anew\n")


@pytest.fixture
def old(tmp_path):
    target = tmp_path / "target"
    target.write_text("old")
    return target


def test_a_file_stands_once_the_block_ends_and_not_before(old):
    with atomic_path(old) as temporary:
        assert temporary.parent == old.parent  # a rename between file systems is not atomic
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert names(old.parent) == ["target"]


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), KeyboardInterrupt(), PermissionError(errno.EACCES, "no")]
)
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(old, error):
    def fail():
        with atomic_path(old) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert raised.value is error
    assert old.read_text() == "old"
    assert names(old.parent) == ["target"]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "target"
    for inside in ("first", "second"):
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / inside).write_text(inside)
    assert names(target) == ["second"]
    assert names(tmp_path) == ["target"]


def test_a_folder_whose_block_fails_leaves_the_old_one(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").touch()

    def fail():
        with atomic_path(target) as temporary:
            (temporary / "deep").mkdir(parents=True)
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert names(target) == ["old"]
    assert names(tmp_path) == ["target"]


def test_a_leftover_folder_is_no_part_of_the_next_output(tmp_path):
    target = tmp_path / "target"
    with atomic_path(target) as temporary:
        leftover = temporary
        temporary.mkdir()
    (leftover / "of a killed run").mkdir(parents=True)
    with atomic_path(target) as temporary:
        assert temporary == leftover
        assert not temporary.exists()
        temporary.mkdir()
    assert names(target) == []
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_the_old_file_stands(old, monkeypatch, number):
    def write(self, text, encoding):
        with self.open("w", encoding=encoding) as file:
            file.write(text[:3])
        raise OSError(number, "full")

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(DiskFullError, match=r"no space left .* while writing .*target: free some"):
        write_text(old, "new text")
    assert old.read_text() == "old"
    assert names(old.parent) == ["target"]


KILLED = """
import os, signal, sys
from pathlib import Path
from deeppose.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write("half of the n")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_mid_write_leaves_the_old_file_and_the_next_run_clears_up(old):
    done = subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    assert len(names(old.parent)) == 2  # the half of it was written, beside
    with atomic_path(old) as temporary:
        assert not temporary.exists()
        temporary.write_text("new")
    assert old.read_text() == "new"
    assert names(old.parent) == ["target"]


def test_what_a_killed_process_left_is_cleared_though_nobody_asked_how_it_ended(old):
    with subprocess.Popen([sys.executable, "-c", KILLED, str(old)]) as process:
        while len(names(old.parent)) < 2 or " Z " not in Path(f"/proc/{process.pid}/stat").read_text():
            assert process.returncode is None
            time.sleep(0.02)
        write_text(old, "new")
        assert names(old.parent) == ["target"]


def test_json_is_sorted_indented_and_ends_with_a_newline(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, None], "a": 0.5})
    assert path.read_text() == '{\n  "a": 0.5,\n  "b": [\n    1,\n    null\n  ]\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_json_does_not_have(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": [value]})
    assert json.loads(path.read_text()) == {"a": 1}


def test_sha256_of_a_known_text(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# What can't be written is said before the work


def folder_of_that_name(folder):
    (folder / "made.png").mkdir()
    return folder / "made.png"


def file_as_a_parent(folder):
    (folder / "file").touch()
    return folder / "file" / "made.png"


UNWRITABLE = {
    "a folder of that name": (folder_of_that_name, "Is a directory"),
    "a file as a parent": (file_as_a_parent, "(Not a directory|File exists)"),
    "a name too long": (lambda folder: folder / f"{'a' * 252}.png", "File name too long"),
    "proc": (lambda folder: Path("/proc/made.png"), "No such file or directory"),
}


@pytest.mark.parametrize(("target", "reason"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_an_output_that_can_not_be_written(tmp_path, target, reason):
    path = target(tmp_path)
    with pytest.raises(OutputError, match=rf"{path.name} can't be written: {reason}$"):
        check_outputs([path])
    before = names(tmp_path)
    with pytest.raises(OutputError, match=rf"{path.name} can't be written: {reason}$"):
        write_text(path, "new")
    assert names(tmp_path) == before


def test_where_a_folder_is_to_be_written_a_file_is_named(tmp_path):
    (tmp_path / "made").touch()
    with pytest.raises(OutputError, match="made can't be written: Not a directory"):
        check_outputs([tmp_path / "made"])


def test_what_can_be_written_leaves_no_trace_of_the_check(old):
    (old.parent / "folder").mkdir()
    check_outputs([old.with_name("new.png"), old.parent / "folder", old.parent / "deep" / "new.png"])
    assert names(old.parent) == ["deep", "folder", "target"]
    assert names(old.parent / "deep") == []


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "a" * 239 + "-pose.png"])
def test_a_name_may_be_as_long_as_the_system_takes(tmp_path, name):
    write_text(tmp_path / name, "new")
    assert names(tmp_path) == [name]


TWO_AT_ONCE = """
import sys, time
from pathlib import Path
from deeppose.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write(sys.argv[2] * 1000)
    print(flush=True)
    sys.stdin.readline()
    file.write(sys.argv[2] * 1000)
"""


def test_two_processes_that_write_one_output_at_once(old):
    """Each has a file of its own until it is whole; the last one's stands."""
    running = []
    for letter in "ab":
        command = [sys.executable, "-c", TWO_AT_ONCE, str(old), letter]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        running.append(process)
    for process, letter in zip(running, "ab", strict=True):
        process.communicate("\n")
        assert process.returncode == 0
        assert old.read_text() == letter * 2000
    assert names(old.parent) == ["target"]


def test_what_one_may_not_write_is_said():
    with open_folder() as folder:
        (folder / "locked").mkdir(mode=0o755)
        (folder / "closed").mkdir(mode=0o000)
        with as_somebody():
            for target in (folder / "locked" / "a.png", folder / "closed" / "b" / "a.png"):
                with pytest.raises(OutputError, match=r"a\.png can't be written: Permission denied"):
                    check_outputs([target])
