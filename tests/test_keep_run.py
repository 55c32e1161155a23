"""The script that keeps what a run gave: its params as a command, its figures as a page."""

import json

import pytest
import yaml

from project import ROOT, git


@pytest.fixture
def keep_run(tmp_path, monkeypatch):
    """The script's main function, in a project of which LSP alone was run with two params changed."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    params |= {"profile": "cpu", "models": ["lsp"], "cascade_stages": 2}
    params["profiles"]["cpu"]["stage1"]["steps"]["lsp"] = 7
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    made = {
        "data/cpu/manifests/lsp.json": {"archives": {"lsp_dataset.zip": {}}},
        "logs/cpu/runs.json": {
            "train-stage1@cpu-lsp": {"seconds": 600.0},
            "train-stage2@cpu-lsp": {"seconds": 330.0},
        },
        "data/cpu/evaluation/lsp/metrics.json": {
            name: {"gain_of_stage_2": {}} | {f"stage_{stage}": figures(stage, more) for stage in (1, 2)}
            for name, more in (("lsp", 0.0), ("held-out", 0.5))
        },
    }
    for path, content in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import keep_run

    return keep_run.main


def figures(stage, more):
    kinds = ("arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave")
    pcp = {kind: stage / 10 + number / 100 + more for number, kind in enumerate(kinds)}
    return {"pcp": pcp, **{f"pdj@{t}": {"mean": stage / 20 + more} for t in (0.1, 0.2, 0.5)}}


def test_a_run_is_kept_with_its_figures_and_the_command_that_repeats_it(keep_run, tmp_path):
    keep_run(["quick", "A quick one."])
    page = (tmp_path / "docs/runs.md").read_text("utf-8").splitlines()
    assert "## quick" in page
    assert "A quick one." in page
    command = [
        "dvc exp run \\",
        "  -S cascade_stages=2 \\",
        "  -S 'models=[lsp]' \\",
        "  -S profile=cpu \\",
        "  -S profiles.cpu.stage1.steps.lsp=7",
    ]
    assert page[page.index(command[0]) :][: len(command)] == command
    assert "Model lsp on lsp, labels oc:" in page
    assert "| stage 1 | 10 | 0.100 | 0.110 | 0.120 | 0.130 | 0.140 | 0.050 | 0.050 | 0.050 |" in page
    assert "| stage 2 | 16 | 0.200 | 0.210 | 0.220 | 0.230 | 0.240 | 0.100 | 0.100 | 0.100 |" in page
    assert sum(line.startswith("| stage") for line in page) == 2, "held-out images are no test part"
    kept = json.loads((tmp_path / "docs/runs/quick.json").read_text("utf-8"))
    assert kept["provenance"]["archives"] == {"lsp": {"lsp_dataset.zip": {}}}
    assert kept["metrics"]["lsp"]["held-out"]["stage_1"]["pcp"]["ave"] == pytest.approx(0.64)


def test_the_page_has_all_runs_that_were_kept(keep_run, tmp_path):
    keep_run(["second", "Two."])
    keep_run(["first", "One."])
    page = (tmp_path / "docs/runs.md").read_text("utf-8")
    assert page.index("## first") < page.index("## second")
    (tmp_path / "docs/runs/first.json").unlink()
    keep_run([])
    assert "## first" not in (tmp_path / "docs/runs.md").read_text("utf-8")


def test_a_name_without_words_is_refused(keep_run):
    with pytest.raises(SystemExit, match=r"keep_run\.py NAME"):
        keep_run(["quick"])
