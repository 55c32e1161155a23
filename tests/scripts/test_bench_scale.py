"""The benchmark of how time and memory grow: every stage it runs, tiny; what it reads from the figures."""

import json

import pytest
from project import ROOT


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The script, to write into a folder of its own."""
    for folder in ("scripts", "stages"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    import bench_scale

    monkeypatch.chdir(tmp_path)
    return bench_scale


def straight(seconds_an_example, once, sizes=(1_000, 10_000, 100_000)):
    """What is measured of a stage whose time and memory lie on straight lines."""
    return {
        str(size): {
            "seconds": once + seconds_an_example * size,
            "peak": 100e6 + 500.0 * size,
            "read": 40 * size,
        }
        for size in sizes
    }


def test_every_stage_runs_on_a_tiny_project(bench, tmp_path, monkeypatch, capsys):
    import scale_project

    monkeypatch.setattr(scale_project, "STEPS", 2)
    scale_project.make_project(tmp_path / "project", 20)
    for number, (name, run) in enumerate(bench.RUNS.items()):
        folder = tmp_path / "project"
        if run.examples_an_image:
            folder = tmp_path / f"archive-{number}"
            scale_project.make_archive(folder, bench.SMALLEST, run.examples_an_image)
        monkeypatch.chdir(folder)
        found = bench.run_here(name, folder)
        assert found["seconds"] > 0, name
        assert found["peak"] > 10e6, name
        assert found["read"] > 0, name
    boxes = json.loads((tmp_path / "project/data/demo/lsp/augmented-set-stage2.json").read_text())["boxes"]
    assert boxes == 18 * 14 * 2
    assert "deeppose: " not in capsys.readouterr().err


def test_a_run_in_a_process_of_its_own(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 1)
    bench.child("make-project", tmp_path / "project", 20)
    found = bench.in_rounds("initial-boxes, full images", tmp_path / "project")
    assert set(found) == {"seconds", "peak", "read"}
    assert found["peak"] > 10e6


def test_a_run_that_fails_is_told_with_what_it_said(bench, tmp_path):
    with pytest.raises(SystemExit, match=r"run evaluate .* failed:[^$]*params.yaml"):
        bench.child("run", "evaluate", tmp_path)


def test_a_run_that_is_killed_is_told_and_the_others_go_on(bench, monkeypatch):
    def child(what, *arguments):
        if what == "run" and arguments[0] == "evaluate":
            raise bench.KilledError
        if what == "make-archive":
            arguments[0].mkdir()
        return json.dumps({"seconds": 9.0, "peak": 1, "read": 1})

    monkeypatch.setattr(bench, "child", child)
    found = bench.measured([200, 400], most_for_networks=200)
    assert found["killed"] == ["evaluate, 200 examples", "evaluate, 400 examples"]
    assert set(found["stages"]["build-augmented-set"]) == {"200", "400"}
    assert set(found["stages"]["predict-test"]) == {"200"}


@pytest.mark.parametrize("sizes", [[100, 1000], [1000], [1000, 1000], [1000, 100000]])
def test_sizes_that_give_no_line_are_refused(bench, sizes):
    with pytest.raises(SystemExit, match="two of them up to 10000"):
        bench.main(sizes)


def test_a_straight_line_goes_on_straight(bench):
    assert bench.slope(straight(0.001, once=0), "seconds") == pytest.approx(1)
    found = straight(0.001, once=5.0)
    assert 0.8 < bench.slope(found, "seconds") < 1
    assert bench.projected(found, "seconds") == pytest.approx(5 + 0.001 * bench.PROJECTED)
    assert bench.an_example(found, "peak") == pytest.approx(500)


def test_what_is_steeper_goes_on_as_steeply(bench):
    found = {str(size): {"seconds": 1e-6 * size**1.5} for size in (1_000, 10_000)}
    assert bench.slope(found, "seconds") == pytest.approx(1.5)
    assert bench.projected(found, "seconds") == pytest.approx(1e-6 * bench.PROJECTED**1.5)


def test_the_report(bench, capsys):
    stages = {"quick": straight(1e-5, 1.0), "slow": straight(0.001, 1.0, sizes=(1_000, 10_000))}
    report = {"machine": "a machine", "memory": 64e9, "revision": "abc", "stages": stages, "killed": []}
    bench.write_report(report)
    text = bench.REPORT.with_suffix(".md").read_text("utf-8")
    assert "| slow | 2.00 | 11.00 | – | 0.74 | 10,001 |" in text
    assert "| quick | 100 | 105 | 150 | 500 | 40 | 5.1 |" in text
    assert "the first bottleneck is the time of slow." in text
    assert "Steeper than a straight line: none." in text
    report["memory"] = 4e9
    assert "the first bottleneck is the memory of quick." in bench.page(report)
    pictures = [bench.REPORT.with_suffix(".png")]
    first = [picture.read_bytes() for picture in pictures]
    bench.write_report(report)
    assert [picture.read_bytes() for picture in pictures] == first


def test_the_page_is_of_the_committed_run(bench):
    report = ROOT / bench.REPORT
    page = bench.page(json.loads(report.read_text("utf-8")))
    assert page == report.with_suffix(".md").read_text("utf-8")
