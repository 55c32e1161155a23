"""The script that keeps what a run gave: where its params differ from its commit's, its figures as a page."""

import json
import subprocess
import sys

import pytest
import yaml
from project import ROOT, call, git, write_params

from deeppose.core.params_file import read_values
from deeppose.report.paper_results import paper_results

PIPELINE = {
    "stages": {
        "train": {
            "cmd": "touch weights",
            "params": [{"profiles/cpu.yaml": None}],
            "outs": ["weights"],
        },
        "evaluate": {
            "matrix": {"profile": ["${profile}"], "model": "${models}"},
            "cmd": "mkdir -p data/cpu/evaluation/lsp && cp metrics.json data/cpu/evaluation/lsp",
            "deps": ["metrics.json", "weights"],
            "outs": ["data/${item.profile}/evaluation/${item.model}"],
        },
    }
}
LABELS = "observer-centric by the rule"


def figures(stage, more):
    kinds = ("arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave")
    pcp = {kind: stage / 10 + number / 100 + more for number, kind in enumerate(kinds)}
    return {"pcp": pcp, **{f"pdj@{t}": {"mean": stage / 20 + more} for t in (0.1, 0.2, 0.5)}}


METRICS = {
    name: {"gain_of_stage_2": {}} | {f"stage_{stage}": figures(stage, more) for stage in (1, 2)}
    for name, more in (("lsp", 0.0), ("held-out", 0.5))
}


@pytest.fixture
def project(tmp_path):
    """A project of which LSP alone was run as `cpu`, with some params changed since its commit."""
    params = read_values(ROOT / "params.yaml")
    params |= {"profile": "demo", "models": ["lsp", "flic"], "cascade_stages": 3}
    write_params(tmp_path, params)
    write(tmp_path, "dvc.yaml", yaml.safe_dump(PIPELINE, sort_keys=False))
    write(tmp_path, "metrics.json", json.dumps(METRICS))
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    params |= {"profile": "cpu", "models": ["lsp"], "cascade_stages": 2, "mirror": "/somewhere"}
    cpu = params["profiles"]["cpu"]
    cpu["stage1"] |= {"steps": {"lsp": 7, "flic": 7}, "repeated": {}}
    cpu["stage2"]["input"] = None
    cpu["smallest_box"] = 1e-5
    del cpu["training"]["optimizer"]["weight_decay"]
    cpu["training"]["optimizer"] |= {"name": "adagrad", "initial_accumulator": 0.0, "epsilon": 1e-10}
    write_params(tmp_path, params)
    write(tmp_path, "data/cpu/manifests/lsp.json", json.dumps({"archives": {"lsp_dataset.zip": {}}}))
    annotations = {"sets": {"lsp": {"labels": LABELS}, "lsp-extended": {"labels": LABELS}}}
    write(tmp_path, "data/cpu/lsp/annotations.json", json.dumps(annotations))
    write_runs(tmp_path)
    dvc(tmp_path, "repro", "--quiet")
    return tmp_path


def write(project, path, text):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text)


def head(project):
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project, text=True).strip()


def write_runs(project, *, name="train-stage2@cpu-lsp", **stage2):
    revision = head(project)
    first = {"seconds": 600.0, "revision": revision, "started": "2026-01-01T10:00:00+00:00"}
    second = {"seconds": 330.0, "revision": revision, "started": "2026-01-01T11:00:00+00:00"} | stage2
    runs = {"train-stage1@cpu-lsp": first, name: second, "train-stage1@cpu-flic": {"revision": "another"}}
    write(project, "logs/cpu/runs.json", json.dumps(runs))


def dvc(project, *arguments):
    done = call(project, sys.executable, "-m", "dvc", *arguments)
    assert done.returncode == 0, done.stdout


def keep_run(project, *arguments):
    done = call(
        project,
        sys.executable,
        str(ROOT / "scripts" / "keep_run.py"),
        *arguments,
        PYTHONPATH=str(ROOT / "src"),
    )
    return done.returncode, done.stdout


def test_a_run_is_kept_with_its_figures_and_what_it_changed(project):
    assert keep_run(project, "quick", "A quick one.") == (0, "")
    kept = json.loads((project / "docs/runs/quick.json").read_text("utf-8"))
    assert kept["changes"] == {
        "profile": "cpu",
        "models": ["lsp"],
        "cascade_stages": 2,
        "profiles/cpu.yaml:smallest_box": 1e-5,
        "profiles/cpu.yaml:stage1.repeated": {},
        "profiles/cpu.yaml:stage1.steps.flic": 7,
        "profiles/cpu.yaml:stage1.steps.lsp": 7,
        "profiles/cpu.yaml:stage2.input": None,
        "profiles/cpu.yaml:training.optimizer.epsilon": 1e-10,
        "profiles/cpu.yaml:training.optimizer.initial_accumulator": 0.0,
        "profiles/cpu.yaml:training.optimizer.name": "adagrad",
        "profiles/cpu.yaml:training.optimizer.weight_decay": "(removed)",
    }
    assert kept["provenance"]["archives"] == {"lsp": {"lsp_dataset.zip": {}}}
    page = (project / "docs/runs.md").read_text("utf-8").splitlines()
    assert "## quick" in page
    assert "A quick one." in page
    assert f"At commit {kept['revision']}, with" in page
    assert "profiles/cpu.yaml:stage2.input: null" in page
    assert f"Model lsp on LSP, labels {LABELS}:" in page
    assert "| stage 1 | 10 | 0.100 | 0.110 | 0.120 | 0.130 | 0.140 | 0.050 | 0.050 | 0.050 |" in page
    assert "| stage 2 | 16 | 0.200 | 0.210 | 0.220 | 0.230 | 0.240 | 0.100 | 0.100 | 0.100 |" in page
    assert sum(line.startswith("| stage") for line in page) == 2, "held-out images are no test part"


def test_commits_of_the_same_code_are_one_run(project):
    earlier = head(project)
    git(project, "commit", "--quiet", "--allow-empty", "--message", "more steps")
    write_runs(project)
    runs = json.loads((project / "logs/cpu/runs.json").read_text("utf-8"))
    runs["train-stage1@cpu-lsp"]["revision"] = earlier
    write(project, "logs/cpu/runs.json", json.dumps(runs))
    assert keep_run(project, "quick", "A quick one.") == (0, "")
    kept = json.loads((project / "docs/runs/quick.json").read_text("utf-8"))
    assert kept["revision"] == head(project) != earlier
    write(project, "stages/train.py", "")
    git(project, "add", "stages")
    git(project, "commit", "--quiet", "--message", "other code")
    runs["train-stage2@cpu-lsp"]["revision"] = head(project)
    write(project, "logs/cpu/runs.json", json.dumps(runs))
    assert "commits of the same code" in keep_run(project, "quick", "A quick one.")[1]


def test_what_is_not_one_run_is_not_kept(project):
    write_runs(project, revision="0" * 40)
    assert "the stages ran from " in keep_run(project, "quick", "A quick one.")[1]
    write_runs(project, started="2026-01-01T09:00:00+00:00")
    older = "train-stage2@cpu-lsp is older than train-stage1@cpu-lsp"
    assert older in keep_run(project, "quick", "A quick one.")[1]
    write_runs(project, name="train-stage3@cpu-lsp")
    assert "train-stage2@cpu-lsp didn't run in this folder" in keep_run(project, "quick", "A quick one.")[1]
    write_runs(project)
    cpu = (project / "profiles/cpu.yaml").read_text()
    write(project, "profiles/cpu.yaml", cpu.replace("lsp: 7", "lsp: 8"))
    assert "not a finished run: train changed since" in keep_run(project, "quick", "A quick one.")[1]
    write(project, "profiles/cpu.yaml", cpu)
    before = (project / "params.yaml").read_text()
    write(project, "params.yaml", before.replace("- lsp\n", "- lsp\n- flic\n", 1))
    assert "the model flic was not run" in keep_run(project, "quick", "A quick one.")[1]
    write(project, "params.yaml", before)
    write(project, "metrics.json", "{}")
    code, said = keep_run(project, "quick", "A quick one.")
    assert code == 1
    assert "not a finished run" in said
    assert "`dvc repro evaluate@cpu-lsp` finishes it" in said
    assert not (project / "docs").exists()


@pytest.mark.parametrize("arguments", [["quick"], ["a/b", "Words."]])
def test_what_can_not_be_a_run_s_name_and_words(project, arguments):
    assert "keep_run.py NAME" in keep_run(project, *arguments)[1]


def test_the_page_of_the_project_is_that_of_the_runs_it_keeps(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import keep_run as script

    paths = sorted((ROOT / "docs/runs").glob("*.json"))
    assert paths
    runs = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    assert (ROOT / "docs/runs.md").read_text("utf-8") == script.page(runs)


def test_half_an_hour_passes_the_papers_figure(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import keep_run as script

    run = json.loads((ROOT / "docs/runs/half-hour.json").read_text("utf-8"))
    metrics = run["tested"]["lsp"]["lsp"]["metrics"]
    minutes = script.minutes(run["provenance"], "lsp")
    within = [stage for stage, minutes_so_far in minutes.items() if minutes_so_far <= 30]
    table = paper_results()
    (papers,) = table.loc[(table["table"] == 1) & (table["method"] == "DeepPose-st3"), "ave"]
    assert metrics[within[-1]]["pcp"]["ave"] > papers
