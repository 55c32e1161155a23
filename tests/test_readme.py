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


@pytest.mark.parametrize("title", ROWS)
def test_results_are_those_of_the_committed_run(title):
    metrics = json.loads((ROOT / "reports/cpu/metrics.json").read_text())
    model, name, (measure, what) = ROWS[title]
    expected = [f"{metrics[model][name][f'stage_{stage}'][measure][what]:.3f}" for stage in (1, 2, 3)]
    (row,) = re.findall(rf"^\| {re.escape(title)} \| (.*?) \|$", README, re.MULTILINE)
    assert row.split(" | ")[:3] == expected


@pytest.mark.parametrize(
    "page", ["README.md", "data/README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]
)
def test_links_into_the_project_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", (ROOT / page).read_text("utf-8"))
    assert links or page == "data/README.md"
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing
