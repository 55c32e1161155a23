"""The README's numbers are those of the run that is committed, and its links lead somewhere."""

import json
import re

import pytest
from project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = {
    "LSP, limbs found (mean PCP)": ("lsp", "lsp", ("pcp", "ave")),
    "LSP, joints within 0.1 diameters": ("lsp", "lsp", ("pdj@0.1", "mean")),
    "Image Parse, limbs found (mean PCP)": ("lsp", "parse", ("pcp", "ave")),
    "FLIC, elbows within 0.2 diameters": ("flic", "flic", ("pdj@0.2", "elbow")),
    "FLIC, wrists within 0.2 diameters": ("flic", "flic", ("pdj@0.2", "wrist")),
}

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
    (shown,) = re.findall(rf"^\| {re.escape(title)} \| (.*?) \|$", README, re.MULTILINE)
    assert shown == format(row["figure"], row["style"])


@pytest.mark.parametrize(
    "page", ["README.md", "data/README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]
)
def test_links_into_the_project_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", (ROOT / page).read_text("utf-8"))
    assert links or page in ("data/README.md", "docs/export.md")
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing
