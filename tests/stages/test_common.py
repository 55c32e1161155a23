"""What every stage script shares."""

import json

import numpy as np
import pandas as pd
import pytest
from project import ROOT, git

from deeppose.core.examples import Examples
from deeppose.core.params import load_params


@pytest.fixture
def common(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "stages"))
    import common

    return common


def note(common, monkeypatch, stage, **variables):
    for name, value in {"DVC_STAGE": stage, **variables}.items():
        monkeypatch.setenv(name, value)
    common.note_run("demo", common.datetime(2026, 1, 2, 3, 4, 5, tzinfo=common.UTC), 61.23)


def test_a_run_is_noted_by_its_stage(common, tmp_path, monkeypatch):
    for stage in ("plot@demo-lsp", "plot@demo-flic"):
        note(common, monkeypatch, stage)
    runs = json.loads((tmp_path / "logs/demo/runs.json").read_text())
    assert set(runs) == {"plot@demo-lsp", "plot@demo-flic"}
    run = runs["plot@demo-lsp"]
    assert (run["started"], run["seconds"], run["revision"]) == ("2026-01-02T03:04:05+00:00", 61.2, "")
    assert "cores" in run["machine"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("model name\t: Abacus\nflags\t\t: fpu avx avx2 bmi1\n" * 2, "Abacus with AVX2;"),
        ("model name\t: Abacus\nflags\t\t: avx2 avx512f avx512dq\n", "Abacus with AVX-512;"),
        ("model name\t: Abacus\nflags\t\t: fpu avx512fp16\n", "Abacus;"),
        ("model name\t: Abacus\n", "Abacus;"),
    ],
)
def test_a_machine_is_told_with_its_widest_vectors(common, monkeypatch, told, expected):
    monkeypatch.setattr(common.Path, "is_file", lambda path: True)
    monkeypatch.setattr(common.Path, "read_text", lambda path: told)
    assert f"cores, {expected}" in common.machine()
    assert "cores, Abacus;" in common.machine(vectors=False)


# The first of another machine has LOCAL_RANK 0.
@pytest.mark.parametrize("ranks", [{"LOCAL_RANK": "1"}, {"LOCAL_RANK": "0", "RANK": "4"}])
def test_of_several_processes_the_first_notes_it(common, tmp_path, monkeypatch, ranks):
    note(common, monkeypatch, "train-stage1@demo-lsp", **ranks)
    assert not (tmp_path / "logs").exists()
    params = load_params(ROOT / "params.yaml").model_copy(update={"cascade_stages": 2})
    assert common.unused(common.Item(params, "demo", "lsp"), 3, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_the_revision_says_whether_code_differs_from_it(common, tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "module.py").write_text("one = 1\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "dvc.lock").write_text("")
    assert common.git_revision() == head
    (tmp_path / "src" / "module.py").write_text("one = 2\n")
    assert common.git_revision() == f"{head}-dirty"


@pytest.mark.parametrize(("sets", "rows"), [(None, [0, 1, 4]), (("lsp",), [0, 4]), (("lsp", "flic"), [0, 4])])
def test_normals_are_fitted_to_the_training_examples_of_the_trusted_sets(common, sets, rows):
    params = load_params(ROOT / "params.yaml")
    profile = params.profiles["demo"].model_copy(update={"trusted": sets})
    item = common.Item(params.model_copy(update={"profiles": {"demo": profile}}), "demo", "lsp")
    table = pd.DataFrame(
        {
            "set": ["lsp", "lsp-extended", "lsp", "lsp", "lsp"],
            "part": ["train", "train", "held-out", "test", "train"],
        }
    )
    examples = Examples(table, np.zeros((5, 14, 2)), np.ones((5, 14), dtype=bool))
    assert item.rows_of_normals(examples).tolist() == rows
