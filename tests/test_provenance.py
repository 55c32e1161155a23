"""What a run notes of itself: when, where, from which commit."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from project import git

from deeppose.provenance import git_revision, machine, note_run

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def note(stage):
    note_run("demo", stage, STARTED)


def test_a_run_is_noted_by_its_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for stage in ("plot@demo-lsp", "plot@demo-flic"):
        note(stage)
    runs = json.loads((tmp_path / "logs/demo/runs.json").read_text())
    assert set(runs) == {"plot@demo-lsp", "plot@demo-flic"}
    run = runs["plot@demo-lsp"]
    assert (run["started"], run["revision"]) == ("2026-01-02T03:04:05+00:00", "")
    assert run["seconds"] > 0
    assert 10e6 < run["peak_bytes"] < 10e9
    assert "cores" in run["machine"]


def test_a_damaged_log_is_begun_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "logs/demo/runs.json"
    log.parent.mkdir(parents=True)
    log.write_text('{"plot@demo-lsp": ')
    note("plot@demo-flic")
    assert set(json.loads(log.read_text())) == {"plot@demo-flic"}
    assert "logs/demo/runs.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("model name\t: Abacus\nflags\t\t: fpu avx avx2 bmi1\n" * 2, "Abacus with AVX2;"),
        ("model name\t: Abacus\nflags\t\t: avx2 avx512f avx512dq\n", "Abacus with AVX-512;"),
        ("model name\t: Abacus\nflags\t\t: fpu avx512fp16\n", "Abacus;"),
        ("model name\t: Abacus\n", "Abacus;"),
    ],
)
def test_a_machine_is_told_with_its_widest_vectors(monkeypatch, told, expected):
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    monkeypatch.setattr(Path, "read_text", lambda path: told)
    assert f"cores, {expected}" in machine()
    assert "cores, Abacus;" in machine(vectors=False)


def test_the_peak_is_of_this_process_and_stays():
    # A process of its own: the tests before this one may have held more.
    code = """
import numpy as np
from deeppose.provenance import peak_memory
before = peak_memory()
assert np.ones(200_000_000, dtype=np.uint8).sum() == 200_000_000
print(before, peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before + 150e6 < after < before + 300e6


# The first of another machine has LOCAL_RANK 0.
@pytest.mark.parametrize("ranks", [{"LOCAL_RANK": "1"}, {"LOCAL_RANK": "0", "RANK": "4"}])
def test_of_several_processes_the_first_notes_it(tmp_path, monkeypatch, ranks):
    monkeypatch.chdir(tmp_path)
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    note("train-stage1@demo-lsp")
    assert not (tmp_path / "logs").exists()


def test_the_revision_says_whether_code_differs_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "module.py").write_text("one = 1\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "dvc.lock").write_text("")
    assert git_revision() == head
    (tmp_path / "src" / "module.py").write_text("one = 2\n")
    assert git_revision() == f"{head}-dirty"
    (tmp_path / ".git" / "index").write_bytes(b"damaged")
    assert git_revision() == f"{head}-dirty"
