"""The script that compares variants, on a pipeline whose figures are known."""

import subprocess
import sys

import pandas as pd
import pytest
import torch
import yaml
from project import ROOT, environment, git, write_params

from deeppose.core.params_file import load_params, read_values

STAGE = """
import json
import pathlib
import yaml

width = yaml.safe_load(open("profiles/cpu.yaml"))["width"]
found = width * yaml.safe_load(open("params.yaml"))["seed"] / 10
figures = {
    f"stage_{s}": {"pdj@0.1": {"mean": found}, "pdj@0.2": {"mean": found + s / 100}, "pcp": {"ave": 0.5}}
    for s in (1, 2)
}
out = pathlib.Path("data/cpu/evaluation/lsp")
out.mkdir(parents=True)
figures |= {"mean_pose": {}, "gain_of_stage_2": {}}
(out / "metrics.json").write_text(json.dumps({"held-out": figures}))
"""
DEFINITION = {
    "title": "What it is worth",
    "words": "",
    "command": "this",
    "base": {"profile": "cpu", "profiles/cpu.yaml:width": 1},
    "seeds": [1, 2],
    "variants": {
        "base": {"words": "as it is", "set": {}},
        "wide": {"words": "wider", "set": {"profiles/cpu.yaml:width": 2}},
        "later": {"words": "not run yet", "set": {}},
    },
}
STUDIES = ["ablations", "refinements"]


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    (project / "docs").mkdir(parents=True)
    (project / "stage.py").write_text(STAGE)
    params = {"profile": "cpu", "models": ["lsp"], "seed": 7, "sigma": "auto", "cascade_stages": 2}
    cpu = {"width": 3, "network": {}, "device": {"accelerator": "cpu"}}
    write_params(project, params | {"threads": 1, "model": {"lsp": {}}, "profiles": {"cpu": cpu}})
    (project / "dvc.yaml").write_text(
        "stages:\n  evaluate:\n    matrix: {profile: [cpu], model: [lsp]}\n    cmd: python stage.py\n"
        "    params: [seed, {profiles/cpu.yaml: [width]}]\n"
        "    outs: ['data/${item.profile}/evaluation/${item.model}']\n"
    )
    (project / "docs" / "ablations.yaml").write_text(yaml.safe_dump(DEFINITION, sort_keys=False))
    git(project, "init", "--quiet")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=project, check=True)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "first")
    return project


def ablations(project, *arguments, mirror="/archives"):
    variables = {**environment(project), "PYTHONPATH": str(ROOT / "src"), "DEEPPOSE_MIRROR": mirror}
    command = [sys.executable, str(ROOT / "scripts" / "ablations.py"), *arguments]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_runs_are_kept_and_compared_seed_by_seed(project):
    done = ablations(project, "run", "base", "wide")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = pd.read_csv(project / "docs" / "ablations.csv")
    assert kept[["variant", "seed", "stage"]].to_numpy().tolist() == [
        [variant, seed, stage] for seed in (1, 2) for variant in ("base", "wide") for stage in (1, 2)
    ]
    assert kept["pdj@0.2"].tolist() == pytest.approx([0.11, 0.12, 0.21, 0.22, 0.21, 0.22, 0.41, 0.42])
    page = (project / "docs" / "ablations.md").read_text("utf-8")
    assert "| as it is | 1 | 2 | 0.150 ± 0.071 | 0.160 ± 0.071 | 0.500 ± 0.000 |  |" in page
    assert "| wider | 2 | 2 | 0.300 ± 0.141 | 0.320 ± 0.141 | 0.500 ± 0.000 | +0.150 ± 0.071 |" in page
    assert "not run yet" not in page
    assert read_values(project / "params.yaml")["profiles"]["cpu"]["width"] == 3
    assert not (project / "data").exists()


def test_only_what_is_lacking_is_run_and_seeds_are_paired(project):
    assert ablations(project, "run", "base").returncode == 0
    kept = (project / "docs" / "ablations.csv").read_text()
    changed = kept.replace("0.21", "0.91")
    (project / "docs" / "ablations.csv").write_text(changed)
    one_seed = DEFINITION | {"seeds": [2]}
    (project / "docs" / "ablations.yaml").write_text(yaml.safe_dump(one_seed, sort_keys=False))
    assert ablations(project, "run").returncode == 0
    found = (project / "docs" / "ablations.csv").read_text()
    assert found.startswith(changed)
    assert [line.split(",")[::2][:2] for line in found.removeprefix(changed).splitlines()] == [
        [variant, "2"] for variant in ("wide", "wide", "later", "later")
    ]
    page = (project / "docs" / "ablations.md").read_text("utf-8")
    assert "| as it is | 1 | 1 | 0.200 | 0.910 | 0.500 |  |" in page
    assert "| wider | 1 | 1 | 0.400 | 0.410 | 0.500 | −0.500 |" in page


def test_runs_with_other_params_are_no_longer_those(project):
    assert ablations(project, "run", "base", "wide").returncode == 0
    wider = DEFINITION["variants"] | {"wide": {"words": "wider still", "set": {"profiles/cpu.yaml:width": 4}}}
    (project / "docs" / "ablations.yaml").write_text(yaml.safe_dump(DEFINITION | {"variants": wider}))
    assert ablations(project, "table").returncode == 0
    page = (project / "docs" / "ablations.md").read_text("utf-8")
    assert "as it is" in page
    assert "wider" not in page


def test_each_machine_has_runs_of_its_own(project):
    assert ablations(project, "run", "base", "wide").returncode == 0
    path = project / "docs" / "ablations.csv"
    elsewhere = pd.read_csv(path).assign(machine="another")
    elsewhere[elsewhere["variant"] == "wide"].to_csv(path, index=False)
    assert ablations(project, "run", "base").returncode == 0
    page = (project / "docs" / "ablations.md").read_text("utf-8")
    here, another = page.split("On another:")
    assert "as it is" in here
    assert "as it is" not in another
    assert "wider" not in page  # no base beside it, on either


def test_what_decides_figures_has_another_digest(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablations as script

    definition = yaml.safe_load((ROOT / "docs" / "ablations.yaml").read_text("utf-8"))
    params = read_values(ROOT / "params.yaml")
    varied = script.params_of(definition, params, "base")
    digest = script.digest(varied)
    device = varied["profiles"]["cpu"]["device"]
    device["accelerator"] = "cuda"
    assert script.digest(varied) == digest
    device["precision"] = "bf16-mixed"
    assert script.digest(varied) != digest


def test_what_cannot_be_run(project):
    assert (
        "no variant 'deep' in docs/ablations.yaml, only base, wide, later"
        in ablations(project, "run", "deep").stderr
    )
    assert "as an absolute path: DEEPPOSE_MIRROR=" in ablations(project, "run", mirror="archives").stderr
    if not torch.cuda.is_available():
        assert "torch sees no CUDA device here" in ablations(project, "run", "--cuda").stderr
    assert "ablations.py run [--refinements] [--cuda] [VARIANT...]" in ablations(project, "show").stderr


@pytest.mark.parametrize("study", STUDIES)
def test_every_variant_of_the_project_has_params_that_are_valid(tmp_path, monkeypatch, study):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablations as script

    definition = yaml.safe_load((ROOT / "docs" / f"{study}.yaml").read_text("utf-8"))
    params = read_values(ROOT / "params.yaml")
    digests = set()
    for name in definition["variants"]:
        varied = script.params_of(definition, params, name)
        digests.add(script.digest(varied))
        write_params(tmp_path, varied)
        assert load_params(tmp_path / "params.yaml").profile == definition["base"]["profile"]
    assert len(digests) == len(definition["variants"])
    misspelt = {"base": {"model.lsp.tset": []}, "variants": {"base": {"set": {}}}}
    with pytest.raises(SystemExit, match=r"base sets model\.lsp\.tset, which the params don't have"):
        script.params_of(misspelt, params, "base")


@pytest.mark.parametrize("study", STUDIES)
def test_a_variant_leaves_the_definition_as_it_is(monkeypatch, study):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablations as script

    text = (ROOT / "docs" / f"{study}.yaml").read_text("utf-8")
    definition, params = yaml.safe_load(text), read_values(ROOT / "params.yaml")
    for name in definition["variants"]:
        script.params_of(definition, params, name)
    assert definition == yaml.safe_load(text)


def test_what_decides_nothing_changes_no_digest(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablations as script

    definition = yaml.safe_load((ROOT / "docs" / "ablations.yaml").read_text("utf-8"))
    varied = script.params_of(definition, read_values(ROOT / "params.yaml"), "base")
    profile = varied["profiles"]["cpu"]
    digest = script.digest(varied)
    for section, key in (("network", "inputs"), ("stage3", "shrinkage")):
        profile[section][key] = {"flic": 192}
        assert script.digest(varied) == digest
        profile[section][key] = {"lsp": 192}
        assert script.digest(varied) != digest
        del profile[section][key]
    del profile["tight_boxes"]
    assert script.digest(varied) == digest
    profile["tight_boxes"] = ["lsp-extended"]
    assert script.digest(varied) != digest


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_that_of_the_kept_runs(monkeypatch, name):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablations as script

    study = script.study_of(name)
    definition = yaml.safe_load(study.definition.read_text("utf-8"))
    found = script.results(study, definition, read_values())
    assert study.page.read_text("utf-8") == script.page(study, definition, found)
