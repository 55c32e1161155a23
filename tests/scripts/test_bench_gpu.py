"""The page of the GPU's benchmark, and what the README says of it."""

import json
import re

from project import ROOT

REPORT = ROOT / "reports" / "bench" / "gpu.json"


def test_the_page_is_of_the_committed_run(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import bench_gpu

    report = json.loads(REPORT.read_text("utf-8"))
    page = bench_gpu.page(report)
    assert page == REPORT.with_suffix(".md").read_text("utf-8")
    fed = f"{report['speeds']['32-true'][bench_gpu.FED]:,.0f}"
    assert f"| {bench_gpu.FED} | {fed} |" in page
    narrow = next(line for line in page.splitlines() if line.startswith(f"| {bench_gpu.PREDICTION} |"))
    assert narrow.endswith("| – |")


def test_hours_follow_from_steps_and_speed(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import bench_gpu

    from deeppose.core.params_file import load_params

    params = load_params(ROOT / "params.yaml")
    paper = params.profiles["paper"]
    steps = sum(paper.stage(stage).steps["lsp"] for stage in (1, 2, 3))
    assert bench_gpu.hours(params, steps * paper.training.batch / 3600)["lsp"] == 1.0


def test_the_readme_has_its_hours():
    report = json.loads(REPORT.read_text("utf-8"))
    found = re.search(r"an (\w+) for about (\d+) hours", (ROOT / "README.md").read_text("utf-8"))
    assert found is not None
    assert found[1] in report["machine"]
    assert int(found[2]) == round(report["hours of training"]["32-true"]["lsp"])
