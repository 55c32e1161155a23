"""How stage scripts run: what is left empty, how a failure ends."""

import json
import sys

import pytest
from project import ROOT, small_params, write_params

from deeppose.core.errors import ParamsError
from deeppose.core.files import write_json


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A function that runs a stage script of one output of each kind, and gives what it was called with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "stages"))
    write_params(tmp_path, small_params() | {"cascade_stages": 2})
    write_json(tmp_path / "data/demo/manifests/lsp.json", {"archives": {}, "left_out": {}, "peers": {}})
    import run

    def called(*arguments, main=None, **options):
        calls = []
        monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
        outputs = [tmp_path / name for name in ("made.parquet", "made.json", "made")]
        run.run(
            main or (lambda item, number: calls.append((item.profile_name, item.model_name, number))),
            lambda item, number: outputs,
            **options,
        )
        return calls

    return called


def test_a_stage_is_called_with_its_item_and_number(stage, tmp_path):
    assert stage("demo", "lsp", "2") == [("demo", "lsp", 2)]
    assert stage("demo", "lsp") == [("demo", "lsp", 0)]
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("number", "options"), [("3", {}), ("2", {"later": 1})])
def test_outputs_for_a_stage_beyond_s_stay_empty(stage, tmp_path, capsys, number, options):
    assert stage("demo", "lsp", number, **options) == []
    why = "cascade_stages is 2: stage 3 is not used"
    assert (tmp_path / "made.parquet").read_bytes() == b""
    assert json.loads((tmp_path / "made.json").read_text()) == {"left_out": why}
    assert (tmp_path / "made" / "left-out.txt").read_text() == f"{why}\n"
    assert why in capsys.readouterr().out


def test_of_several_processes_the_first_leaves_them_empty(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert stage("demo", "lsp", "3") == []
    assert not (tmp_path / "made.json").exists()


def test_what_a_user_can_mend_ends_it_in_one_line(stage, capsys):
    def fail(item, number):
        raise ParamsError("sigma is -1")

    with pytest.raises(SystemExit, match=r"^1$"):
        stage("demo", "lsp", main=fail)
    assert capsys.readouterr().err == "error: sigma is -1\n"


def test_the_run_that_dvc_started_is_noted(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "plot@demo-lsp")
    stage("demo", "lsp")
    assert list(json.loads((tmp_path / "logs/demo/runs.json").read_text())) == ["plot@demo-lsp"]


def test_outputs_that_can_not_be_written_are_said_before_the_work(stage, tmp_path, capsys):
    (tmp_path / "made.json").mkdir()
    calls = []
    with pytest.raises(SystemExit, match=r"^1$"):
        stage("demo", "lsp", main=lambda item, number: calls.append(item))
    assert capsys.readouterr().err == f"error: {tmp_path}/made.json can't be written: Is a directory\n"
    assert calls == []


def test_a_file_that_can_not_be_read_is_named_in_one_line(stage, capsys):
    with pytest.raises(SystemExit, match=r"^1$"):
        stage("demo", "lsp", main=lambda item, number: item.mean_colour.read_text())
    assert capsys.readouterr().err == "error: data/demo/lsp/mean-colour.json: No such file or directory\n"
