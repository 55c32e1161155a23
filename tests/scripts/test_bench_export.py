"""The benchmark of exported networks, with networks and rounds that take no time."""

import json

import pytest
from project import ROOT

pytest.importorskip("onnxscript", reason="onnxscript isn't installed; requirements.lock has it")


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The script, run in a folder of its own on narrow networks."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import bench_export

    from deeppose.core.params_file import load_params

    params = load_params(ROOT / "params.yaml")
    narrow = params.profiles["demo"].network.model_copy(update={"width": 0.05, "input": 60})
    demo = params.profiles["demo"].model_copy(update={"network": narrow})
    params = params.model_copy(update={"profiles": {"cpu": demo, "paper": demo}})
    monkeypatch.setattr(bench_export, "load_params", lambda: params)
    monkeypatch.setattr(bench_export, "BATCHES", (1, 2))
    monkeypatch.setattr(bench_export, "ROUNDS", 2)
    monkeypatch.setattr(bench_export, "SECONDS", 0.001)
    monkeypatch.chdir(tmp_path)
    return bench_export


def test_it_writes_a_page_of_what_it_measured(bench, capsys):
    bench.main()
    report = json.loads(bench.REPORT.read_text("utf-8"))
    written = bench.REPORT.with_suffix(".md").read_text("utf-8")
    assert written == bench.page(report)
    assert written in capsys.readouterr().out
    speeds = report["networks"]["paper"]["speeds"]
    assert list(speeds) == ["1", "2"]
    assert all(value > 0 for value in speeds["2"].values())
    assert f"| that of `paper`, 60 px | 2 | {speeds['2'][bench.OURS]:,.1f} |" in written


def test_a_call_is_counted_even_if_it_takes_longer_than_its_seconds(bench, monkeypatch):
    monkeypatch.setattr(bench, "SECONDS", 0.0)
    calls = []
    assert bench.seconds_a_call(lambda: calls.append(1)) > 0
    assert len(calls) == 2


def test_the_page_is_of_the_committed_run(bench):
    report = ROOT / bench.REPORT
    page = bench.page(json.loads(report.read_text("utf-8")))
    assert page == report.with_suffix(".md").read_text("utf-8")
