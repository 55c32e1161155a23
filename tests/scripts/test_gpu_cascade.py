"""A cascade in minutes, on the CPU here: that the stages run without DVC, and what comes back."""

import json
import sys
import tarfile

import pytest
from gpu_cascade import commands_of, fitting_steps
from project import ROOT, call, small_copy

from deeppose.core.params_file import read_values

TRAINING = ["train-stage1", "train-stage2", "train-stage3"]


def test_the_time_is_shared_among_the_stages():
    assert fitting_steps(TRAINING, 1000, 10) == dict(zip(TRAINING, (50, 25, 25), strict=True))
    assert fitting_steps(TRAINING, 1, 10) == dict.fromkeys(TRAINING, 1)


def test_the_commands_are_those_of_the_pipeline(monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = commands_of("paper", "lsp")
    assert [name for name in commands if name in TRAINING] == TRAINING
    assert commands["train-stage2"] == [sys.executable, "stages/train.py", "paper", "lsp", "2"]
    assert list(commands)[-1] == "evaluate"
    assert not any("$" in word for command in commands.values() for word in command)


@pytest.mark.xdist_group("pipeline")
def test_a_cascade_comes_back_without_its_weights(tmp_path):
    project = small_copy(tmp_path / "project")
    results = tmp_path / "cascade.tar"
    code = f"import gpu_cascade as g; g.PROBE = 2; g.main('demo', 'lsp', 0.02, g.Path('{results}'))"
    path = f"{project / 'src'}:{project / 'scripts'}"
    done = call(project, sys.executable, "-c", code, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout
    with tarfile.open(results) as archive:
        names = archive.getnames()
        metrics = json.load(archive.extractfile("data/demo/evaluation/lsp/metrics.json"))
        archive.extractall(tmp_path / "home", filter="data")
    assert "stage_3" in metrics["lsp"]
    assert "reports/demo/lsp/training-stage3.csv" in names
    assert not any(name.endswith((".safetensors", ".rgb")) for name in names)
    params = read_values(tmp_path / "home" / "params.yaml")
    steps = [params["profiles"]["demo"][name.removeprefix("train-")]["steps"]["lsp"] for name in TRAINING]
    assert steps[0] >= steps[1] == steps[2] >= 1
