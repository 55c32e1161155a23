"""scripts/published.py in a project whose stages write a line each: what is handed on, and plotted."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, call, copy_params, dvc, git

pytestmark = pytest.mark.xdist_group("published")

DATA = "data/${item.profile}"
PER_MODEL = [
    *(f"{DATA}/${{item.model}}/stage{stage}.safetensors" for stage in (1, 2, 3)),
    f"{DATA}/${{item.model}}/test-predictions",
    f"{DATA}/evaluation/${{item.model}}",
    f"{DATA}/photographed/${{item.model}}.json",
    f"{DATA}/${{item.model}}/containment.csv",
    *(f"{DATA}/${{item.model}}/{name}.json" for name in ("annotations", "initial-boxes")),
    *(f"{DATA}/${{item.model}}/augmented-set-stage{stage}.json" for stage in (2, 3)),
    *(f"{DATA}/${{item.model}}/displacements-stage{stage}.parquet" for stage in (2, 3)),
    *(f"{DATA}/${{item.model}}/displacement-normals-stage{stage}.parquet" for stage in (2, 3)),
]
DRAWN = "reports/${item.profile}/${item.model}/figures"
PAGE = "reports/${item.profile}/index.html"
RUNS = {"train@cpu-lsp": {"seconds": 1.0, "revision": "a" * 40}}
PIPELINE = {
    "stages": {
        "download": {
            "matrix": {"profile": ["${profile}"]},
            "cmd": f"mkdir -p {DATA}/manifests && for model in lsp flic; do "
            f"echo '{{\"archives\": {{}}}}' > {DATA}/manifests/$model.json; done",
            "outs": [f"{DATA}/manifests"],
        },
        "train": {
            "matrix": {"profile": ["${profile}"], "model": "${models}"},
            "cmd": f"for path in {' '.join(PER_MODEL)}; "
            "do mkdir -p $(dirname $path); echo $path > $path; done",
            "deps": [f"{DATA}/manifests"],
            "outs": PER_MODEL,
        },
        "plot": {
            "matrix": {"profile": ["${profile}"], "model": "${models}"},
            "cmd": f"mkdir -p {DRAWN} && cat {DATA}/evaluation/${{item.model}} > {DRAWN}/figure.txt",
            "deps": [f"{DATA}/evaluation/${{item.model}}"],
            "outs": [{DRAWN: {"cache": False}}],
        },
        "report": {
            "matrix": {"profile": ["${profile}"]},
            "cmd": f"cat {DATA}/evaluation/* > {PAGE} && date +%N > reports/${{item.profile}}/times.js",
            "deps": [f"{DATA}/evaluation"],
            "outs": [{PAGE: {"cache": False}}],
        },
    }
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A project that has run as `cpu`, published, and is committed."""
    project = tmp_path_factory.mktemp("published") / "project"
    for name in (
        "scripts/published.py",
        ".dvc/config",
        ".dvc/.gitignore",
        ".gitignore",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    copy_params(project)
    (project / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    # The project's own package, which the script imports.
    (project / "src").symlink_to(ROOT / "src")
    git(project, "init", "--quiet")
    with_profile(project, "demo", "cpu")
    dvc(project, "repro")
    runs = project / "logs/cpu/runs.json"
    runs.parent.mkdir(parents=True)
    runs.write_text(json.dumps(RUNS))
    run(project, "push")
    with_profile(project, "cpu", "demo")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "a published run")
    return project


@pytest.fixture
def clone(published, tmp_path):
    git(tmp_path, "clone", "--quiet", str(published), "clone")
    return tmp_path / "clone"


def with_profile(project: Path, before: str, now: str) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace(f"profile: {before}", f"profile: {now}", 1))


def run(project: Path, what: str) -> str:
    done = call(project, sys.executable, "scripts/published.py", what)
    assert done.returncode == 0, done.stdout
    return done.stdout


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_clone_gets_the_weights_alone(clone):
    assert not (clone / "data").exists()
    params = (clone / "params.yaml").read_bytes()
    run(clone, "weights")
    assert files(clone / "data") == {
        f"cpu/{model}/stage{stage}.safetensors" for model in ("lsp", "flic") for stage in (1, 2, 3)
    }
    assert (clone / "params.yaml").read_bytes() == params


def test_the_weights_stay_when_what_another_profile_made_is_checked_out(clone):
    """As `dvc exp run` does at its start: what DVC itself put there for `cpu` is removed then."""
    run(clone, "weights")
    dvc(clone, "checkout", "--allow-missing")
    assert len(files(clone / "data")) == 6


def test_a_clone_draws_again_what_is_in_git(clone):
    shutil.rmtree(clone / "reports/cpu/lsp/figures")
    times = (clone / "reports/cpu/times.js").read_bytes()
    assert "the same bytes as in git" in run(clone, "figures")
    assert (clone / "reports/cpu/lsp/figures/figure.txt").read_text() == "data/cpu/evaluation/lsp\n"
    assert (clone / "reports/cpu/times.js").read_bytes() == times
    assert git(clone, "status", "--short") == ""
    assert not (clone / "data/cpu/lsp/stage1.safetensors").exists()


def test_what_is_drawn_otherwise_is_named(clone):
    pipeline = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(pipeline.replace("&& cat data", "&& wc -c data"))
    done = call(clone, sys.executable, "scripts/published.py", "figures")
    assert done.returncode != 0
    assert "not as they are in git" in done.stdout
    assert "reports/cpu/lsp/figures" in done.stdout
    assert "profile: demo" in (clone / "params.yaml").read_text()


def test_nothing_is_published_that_is_not_asked_for(published):
    provenance = json.loads((published / "reports/cpu/provenance.json").read_text())
    assert provenance["params"]["profile"] == "cpu"
    assert provenance["stages"] == RUNS
    texts = {path.read_text() for path in (published / "published/files").rglob("*") if path.is_file()}
    expected = {path.replace("${item.profile}", "cpu").replace("${item.model}", "lsp") for path in PER_MODEL}
    assert {f"{path}\n" for path in expected} <= texts


@pytest.mark.parametrize("revision", ["a" * 40 + "-dirty", ""])
def test_what_no_commit_can_make_again_is_not_published(clone, revision):
    (clone / "logs/cpu").mkdir(parents=True)
    (clone / "logs/cpu/runs.json").write_text(
        json.dumps({"train@cpu-lsp": {"seconds": 1.0, "revision": revision}})
    )
    shutil.copytree(clone / "published", clone / "before")
    manifests = clone / "data/cpu/manifests"
    manifests.mkdir(parents=True)
    for model in ("lsp", "flic"):
        (manifests / f"{model}.json").write_text('{"archives": {}}')
    done = call(clone, sys.executable, "scripts/published.py", "push")
    assert done.returncode != 0
    assert "dvc repro --force --single-item train@cpu-lsp" in done.stdout
    assert files(clone / "published") == files(clone / "before")


@pytest.mark.parametrize("what", ["weights", "figures"])
def test_without_the_folder_it_says_so(clone, what):
    shutil.rmtree(clone / "published")
    done = call(clone, sys.executable, "scripts/published.py", what)
    assert done.returncode == 1
    assert "error: there is no " in done.stdout
    assert not (clone / "data").exists()


@pytest.mark.parametrize("arguments", [[], ["all"], ["push", "figures"]])
def test_what_it_can_do_is_said(clone, arguments):
    done = call(clone, sys.executable, "scripts/published.py", *arguments)
    assert done.returncode != 0
    assert "python scripts/published.py figures" in done.stdout


def weights_in(project: Path) -> dict[str, str]:
    return {
        path: (project / path).read_text()
        for path in json.loads((project / "published/weights.json").read_text())
    }


def test_it_puts_what_is_published_whatever_params_and_the_lock_say(clone):
    """As where a model of one's own is in `models`, or weights were trained again."""
    with_profile(clone, "demo", "paper")
    params = yaml.safe_load((clone / "params.yaml").read_text())
    params["model"]["mine"] = params["model"]["lsp"]
    params["models"] = ["mine"]
    (clone / "params.yaml").write_text(yaml.safe_dump(params))
    lock = (clone / "dvc.lock").read_text()
    for of in json.loads((clone / "published/weights.json").read_text()).values():
        lock = lock.replace(of, "0" * 32)
    (clone / "dvc.lock").write_text(lock)
    assert run(clone, "weights") == ""
    assert set(weights_in(clone)) == {
        f"data/cpu/{model}/stage{stage}.safetensors" for model in ("lsp", "flic") for stage in (1, 2, 3)
    }


def test_a_damaged_file_is_replaced_and_named(clone):
    run(clone, "weights")
    before = weights_in(clone)
    (clone / "data/cpu/lsp/stage2.safetensors").write_text("half")
    assert run(clone, "weights") == (
        "data/cpu/lsp/stage2.safetensors was damaged: replaced by the published one\n"
    )
    assert weights_in(clone) == before


def test_weights_that_were_trained_here_stay(clone):
    run(clone, "weights")
    path = clone / "data/cpu/lsp/stage2.safetensors"
    before = hashlib.md5(path.read_bytes()).hexdigest()
    path.write_text("trained again")
    lock = (clone / "dvc.lock").read_text()
    (clone / "dvc.lock").write_text(lock.replace(before, hashlib.md5(b"trained again").hexdigest()))
    assert "stays as it was trained here" in run(clone, "weights")
    assert path.read_text() == "trained again"


def test_what_is_damaged_in_published_is_named_and_the_rest_put_there(clone):
    for of in list(json.loads((clone / "published/weights.json").read_text()).values())[:1]:
        (clone / "published/files/md5" / of[:2] / of[2:]).unlink()
    done = call(clone, sys.executable, "scripts/published.py", "weights")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert "is missing or damaged: `git checkout -- published`" in line
    assert len(files(clone / "data")) == 5


def test_what_dvc_can_not_do_is_said(clone):
    shutil.rmtree(clone / "published/files")
    done = call(clone, sys.executable, "scripts/published.py", "figures")
    assert done.returncode == 1
    assert "`dvc pull " in done.stdout
    assert "profile: demo" in (clone / "params.yaml").read_text()


def test_make_env_goes_on_where_weights_can_not_be_put(tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$1" in scripts/published.py) echo "error: damaged"; exit 1;; esac\n')
    python.chmod(0o755)
    done = call(tmp_path, "make", f"PYTHON={sys.executable}", "env")
    assert done.returncode == 0, done.stdout
    assert "error: damaged" in done.stdout
    assert (tmp_path / ".venv/.installed").is_file()


def test_all_published_weights_are_in_the_clone():
    for path, of in json.loads((ROOT / "published/weights.json").read_text()).items():
        file = ROOT / "published/files/md5" / of[:2] / of[2:]
        assert hashlib.md5(file.read_bytes()).hexdigest() == of, path
