"""The numbers of the README and of the benchmarks' page are those of committed runs; links lead somewhere."""

import json
import math
import re
from itertools import chain

import bench_demo
import pytest
from project import ROOT

from deeppose.report.paper_results import paper_results

README, BENCHMARKS = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/performance.md")
)
ROWS = {
    "LSP, mean PCP, pretrained network": ("lsp", "lsp", ("pcp", "ave")),
    "LSP, PDJ at 0.1, pretrained network": ("lsp", "lsp", ("pdj@0.1", "mean")),
    "Image Parse, mean PCP, pretrained network": ("lsp", "parse", ("pcp", "ave")),
    "FLIC, elbows, PDJ at 0.2, pretrained network": ("flic", "flic", ("pdj@0.2", "elbow")),
    "FLIC, wrists, PDJ at 0.2, pretrained network": ("flic", "flic", ("pdj@0.2", "wrist")),
    "Buffy, elbows, PDJ at 0.2, pretrained network": ("flic", "buffy", ("pdj@0.2", "elbow")),
    "Buffy, wrists, PDJ at 0.2, pretrained network": ("flic", "buffy", ("pdj@0.2", "wrist")),
}

NUMBERS = {3: "three", 4: "four", 7: "seven", 12: "twelve"}
TRAINING, FORWARD = "Training the paper's network", "Its forward pass alone"
COSTS = {
    "training the paper's network at its full size, images/s": (TRAINING, "ours, images/s"),
    "times as fast as with torch's own normalisation": (
        TRAINING,
        "times as fast as with torch's normalisation",
    ),
    "share of what the matrix products alone would reach": (
        TRAINING,
        "share of the limit from matrix products",
    ),
    "its forward pass, images/s": (FORWARD, "ours, images/s"),
    "its whole cascade, seconds an image in a batch": (
        "The cascade of the paper's network",
        "a batch, s an image",
    ),
    "the cascade of `cpu`, seconds an image in a batch": (
        "The cascade of `cpu`",
        "batches of 32 crops, s an image",
    ),
    "the cascade of `cpu`, seconds for one image from a file": (
        "The cascade of `cpu`",
        "one image from a cold file, s",
    ),
    "an augmented set of 12.3 million boxes, seconds": ("The augmented set", "seconds"),
}


@pytest.mark.parametrize("title", ROWS)
def test_results_are_those_of_the_committed_run(title):
    metrics = json.loads((ROOT / "reports/cpu/metrics.json").read_text())
    model, name, (measure, what) = ROWS[title]
    expected = [f"{metrics[model][name][f'stage_{stage}'][measure][what]:.3f}" for stage in (1, 2, 3)]
    (row,) = re.findall(rf"^\| {re.escape(title)} \| (.*?) \|$", README, re.MULTILINE)
    assert row.split(" | ")[:3] == expected


@pytest.mark.parametrize("title", COSTS)
def test_costs_are_those_of_the_committed_run(title):
    report = json.loads((ROOT / "reports/bench/bench.json").read_text("utf-8"))
    section, what = COSTS[title]
    rows = {(of["title"], row["what"]): row for of in report["sections"] for row in of["rows"]}
    row = rows[section, what]
    (shown,) = re.findall(rf"^\| {re.escape(title)} \| (.*?) \|$", BENCHMARKS, re.MULTILINE)
    assert shown == format(row["figure"], row["style"])


def test_what_the_paper_reports_is_what_it_reports():
    of_table = paper_results().set_index("method")["ave"]
    stages = ", ".join(f"{of_table[f'DeepPose-st{stage}']:.2f}" for stage in (1, 2, 3))
    rows = re.findall(r"^\| LSP, mean PCP, .* \| (.*?) \|$", README, re.MULTILINE)
    assert rows == [stages, stages]
    assert f"| {of_table['DeepPose']:.2f}, stage not stated |" in README


def test_requirements_are_as_measured():
    demo = json.loads((ROOT / "reports/bench/demo.json").read_text("utf-8"))
    rows = {row["what"]: row["figure"] for section in demo["sections"] for row in section["rows"]}
    stages = json.loads((ROOT / "reports/cpu/provenance.json").read_text("utf-8"))["stages"]
    minutes = NUMBERS[round(rows["the demo, from archives to figures, minutes"])]
    hours = NUMBERS[round(sum(stage["seconds"] for stage in stages.values()) / 3600)]
    assert f"`demo` {minutes} minutes, `cpu` {hours} hours" in README
    assert set(re.findall(r"(\w+) minutes", README)) == {minutes}
    assert set(re.findall(r"(\w+) hours(?! a model)", README)) == {hours}
    assert f"{rows['GB at its peak, all processes']:.1f} GB for `demo`" in README
    scale = (ROOT / "docs/scale.md").read_text("utf-8")
    sizes = re.search(r"`cpu` makes ([\d.]+ GB),\s+`demo` ([\d.]+ GB)", scale)
    assert sizes is not None
    assert f"{sizes[2]} for what `demo` makes, {sizes[1]} for `cpu`" in README
    (photo,) = re.findall(r"seconds for one image from a file \| ([\d.]+) \|", BENCHMARKS)
    assert f"{photo} s once the model is loaded" in README


def test_memory_is_as_measured():
    """A bound is the measured peak, rounded up to a tenth of a GB."""
    page = (ROOT / "docs/reliability.md").read_text("utf-8")
    demo, scale = (
        json.loads((ROOT / f"reports/bench/{name}.json").read_text()) for name in ("demo", "scale")
    )
    of_demo = {section["title"]: section["rows"] for section in demo["sections"]}
    peak = next(row["figure"] for row in chain(*of_demo.values()) if row["what"].startswith("GB at its peak"))
    assert all(row["figure"] <= row["at_most"] for row in of_demo.get(bench_demo.MEMORY, ()))
    of_size = {
        size: max(stage[size]["peak"] for stage in scale["stages"].values() if size in stage) / 1e9
        for size in ("10000", "1000000")
    }
    measured = {"demo": [peak], "scale": list(of_size.values())}
    for name, peaks in measured.items():
        said = [float(figure) for figure in re.findall(rf"\[([\d.]+) GB\]\(\S+/{name}\.md\)", page)]
        assert said[0] >= bench_demo.MOST_OF_A_STAGE
        assert said == [math.ceil(peak * 10) / 10 for peak in peaks]


def test_the_first_things_to_type_are_there():
    assert len(README.splitlines()) <= 150
    assert {"make repro", "make test", "make verify"} <= set(re.findall(r"make \w+", README))


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "data/README.md",
        *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md"))),
    ],
)
def test_links_into_the_project_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", (ROOT / page).read_text("utf-8"))
    assert links or page in ("CHANGELOG.md", "data/README.md", "docs/export.md", "docs/glossary.md")
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing
