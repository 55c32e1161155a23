"""The script that chooses sigma, on a pipeline whose one stage gives figures that are known."""

import subprocess
import sys

import pytest

from project import ROOT, call, environment, git

STAGE = """
import json
import yaml

params = yaml.safe_load(open("params.yaml"))
sigma = params["sigma"]
assert sigma != 9.0, "as a stage that fails"
figures = {f"stage_{s}": {"pdj@0.2": {"mean": 0.1 * s * sigma}} for s in (1, 2, 3)}
json.dump({params["models"][0]: {"held-out": figures}}, open("metrics.json", "w"))
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "params.yaml").write_text("sigma: 0.5\nmodels: [flic]\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  only:\n    cmd: python stage.py\n    params: [sigma, models]\n"
        "    metrics:\n      - metrics.json: {cache: false}\n"
    )
    git(tmp_path, "init", "--quiet")
    for command in (("init", "--quiet"), ("repro", "--quiet")):
        assert call(tmp_path, sys.executable, "-m", "dvc", *command).returncode == 0
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "a run")
    return tmp_path


def sweep(project, *arguments):
    variables = {**environment(project), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), *arguments]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_a_row_for_each_sigma_from_its_own_run(project):
    for _ in range(2):  # the second takes the place of the first
        done = sweep(project, "flic")
        assert done.returncode == 0, done.stdout + done.stderr
        table = done.stdout.partition("held-out images of flic")[2].splitlines()[-3:]
        rows = [line.split() for line in table]
        assert rows == [
            ["0.8", "0.0800", "0.1600", "0.2400"],
            ["1.0", "0.1000", "0.2000", "0.3000"],
            ["1.2", "0.1200", "0.2400", "0.3600"],
        ]


def test_a_run_that_failed_gives_no_figures(project):
    done = sweep(project, "flic", "1.0", "9.0")
    assert done.returncode != 0
    assert "sweep-flic-sigma-9.0 failed: `dvc queue logs sweep-flic-sigma-9.0` says why" in done.stderr
    assert "0.1000" not in done.stdout.partition("held-out images")[2]


def test_a_model_without_candidates(project):
    done = sweep(project, "mine")
    assert done.returncode != 0
    assert "no candidates for model 'mine', only for lsp, flic: give some" in done.stderr
