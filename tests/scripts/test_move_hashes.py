"""The script that brings dvc.lock to today's code."""

import sys

import pytest
import yaml
from project import ROOT, call, copy_params, dvc, git

STAGE = {
    "matrix": {"profile": ["${profile}"]},
    "cmd": "cp src/code.py out",
    "deps": ["src/code.py"],
    "params": ["seed"],
    "outs": ["out"],
}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/code.py").write_text("made = 1\n")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": STAGE}}, sort_keys=False))
    copy_params(tmp_path)
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    dvc(tmp_path, "repro", "--quiet")
    return tmp_path


def move_hashes(project, *new):
    script = str(ROOT / "scripts/move_hashes.py")
    return call(project, sys.executable, script, "demo", *new, PYTHONPATH=str(ROOT / "src"))


def test_a_stage_stands_on_todays_code_and_its_outputs_stay(project):
    (project / "src/code.py").write_text("made = 1  # the same\n")
    done = move_hashes(project)
    assert done.returncode == 0, done.stdout
    assert "1 of 1 stages of demo" in done.stdout
    assert "didn't change" in dvc(project, "repro")
    assert (project / "out").read_text() == "made = 1\n"


def test_other_params_are_another_run(project):
    before = (project / "dvc.lock").read_text()
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("seed: 2014", "seed: 2015"))
    done = move_hashes(project)
    assert done.returncode != 0
    assert "make@demo ran with another seed: run it again" in done.stdout
    assert (project / "dvc.lock").read_text() == before


def test_a_new_param_that_is_named_changes_nothing(project):
    definition = yaml.safe_load((project / "dvc.yaml").read_text())
    definition["stages"]["make"]["params"].append("threads")
    (project / "dvc.yaml").write_text(yaml.safe_dump(definition, sort_keys=False))
    assert "make@demo ran with another threads: run it again" in move_hashes(project).stdout
    assert "make@demo ran with another threads" in move_hashes(project, "seed").stdout
    assert move_hashes(project, "threads").returncode == 0
    assert "didn't change" in dvc(project, "repro")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("threads: 2", "threads: 3"))
    assert "ran with another threads" in move_hashes(project, "threads").stdout
