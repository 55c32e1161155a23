"""The script that chooses sigma, on a pipeline whose one stage gives figures that are known."""

import json
import shutil
import subprocess
import sys

import pytest
from project import ROOT, copy_params, dvc, environment, git

STAGE = """
import json
import os
from pathlib import Path

import factor
import yaml

params = yaml.safe_load(open("params.yaml"))
sigma = 0.5 if params["sigma"] == "auto" else params["sigma"]
assert sigma != 9.0, "as a stage that fails"
unit = factor.FACTOR * sigma + 0.001 * params["seed"]
figures = {f"stage_{s}": {"pdj@0.2": {"mean": s * unit}} for s in (1, 2, 3)}
Path("reports/demo").mkdir(parents=True, exist_ok=True)
json.dump({params["models"][0]: {"held-out": figures}}, open("reports/demo/metrics.json", "w"))
json.dump({"test": unit}, open("reports/demo/headline.json", "w"))
seen = {str(path): path.exists() for path in map(Path, ("data/mirror/a.zip", "data/.archive-checksums.json"))}
seen |= {"mirror": os.environ.get("DEEPPOSE_MIRROR"), "module": factor.__file__, "here": os.getcwd()}
json.dump(seen, open("seen.json", "w"))
"""
PIPELINE = """
stages:
  only:
    cmd: python stage.py
    deps: [stage.py, src/factor.py]
    params: [sigma, models, seed]
    outs:
      - seen.json
      - reports/demo/metrics.json: {cache: false}
    metrics:
      - reports/demo/headline.json: {cache: false}
"""
UNTRACKED = ("data/mirror/a.zip", "data/.archive-checksums.json")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "factor.py").write_text("FACTOR = 0.1\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    copy_params(tmp_path)
    for name in UNTRACKED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    dvc(tmp_path, "repro", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "a run")
    return tmp_path


def sweep(project, *arguments, **more):
    variables = {**environment(project), "PYTHONPATH": str(ROOT / "src"), **more}
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), *arguments]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def rows(done, count):
    """The last lines of the table."""
    assert done.returncode == 0, done.stdout + done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()[-count:]]


def test_a_row_for_each_sigma_from_its_own_run(project):
    one = 0.001 * 2014
    done = sweep(project, "flic")
    assert "held-out images of flic, seeds 2014" in done.stdout
    assert rows(done, 3) == [
        f"{sigma} " + " ".join(f"{stage * (0.1 * sigma + one):.4f}" for stage in (1, 2, 3))
        for sigma in (0.8, 1.0, 1.2)
    ]
    # The second takes the place of the first; its two workers share what is queued.
    done = sweep(
        project, "flic", "0.8", "1.0", "--seeds", "1", "3", "--jobs", "2", DEEPPOSE_MIRROR="/archives"
    )
    assert rows(done, 2) == [
        "0.8 0.0820 ± 0.0014 0.1640 ± 0.0028 0.2460 ± 0.0042",
        "1.0 0.1020 ± 0.0014 0.2040 ± 0.0028 0.3060 ± 0.0042",
    ]
    names = dvc(project, "exp", "list", "--names-only").split()
    assert sorted(names) == [f"sweep-demo-flic-{number}" for number in (1, 2, 3, 4)]

    # What an experiment in the queue sees of what git doesn't track, as docs/scale.md says.
    dvc(project, "exp", "apply", "sweep-demo-flic-4")
    seen = json.loads((project / "seen.json").read_text())
    assert [seen[name] for name in UNTRACKED] == [False, False]
    assert seen["mirror"] == "/archives"
    assert seen["here"].startswith(f"{project}/.dvc/tmp/exps/")
    assert seen["module"] == f"{seen['here']}/src/factor.py"


def test_a_run_that_failed_gives_no_figures(project):
    done = sweep(project, "flic", "1.0", "9.0")
    assert done.returncode != 0
    assert "1 of 2 failed, sweep-demo-flic-2: `dvc queue logs NAME` says why" in done.stderr
    assert "0.1000" not in done.stdout.partition("held-out images")[2]


def test_dvcs_own_grid_is_queued_as_it_is_typed(project):
    dvc(project, "exp", "run", "--queue", "-S", "sigma=1.5,1.7,2.0,2.3")
    shown = json.loads(dvc(project, "exp", "show", "--json"))
    (queued,) = [found for baseline in shown if (found := baseline["experiments"])]
    sigmas = [of["revs"][0]["data"]["params"]["params.yaml"]["data"]["sigma"] for of in queued]
    assert sorted(sigmas) == [1.5, 1.7, 2.0, 2.3]


def test_a_model_without_candidates(project):
    done = sweep(project, "mine")
    assert done.returncode != 0
    assert "no candidates for model 'mine', only for lsp, flic: give some" in done.stderr


def test_archives_need_an_absolute_path(project):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("profile: demo", "profile: cpu", 1))
    for mirror in ("", "data/mirror"):
        done = sweep(project, "flic", DEEPPOSE_MIRROR=mirror)
        assert done.returncode != 0
        assert "absolute path: DEEPPOSE_MIRROR=/path/to/archives" in done.stderr
