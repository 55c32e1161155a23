"""The page of a made-up run: what it links to, what it says of what is missing, and how a browser sees it."""

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from project import ROOT
from report_folder import (
    LEFT_OUT,
    ODD,
    copy_of,
    made_up_project,
    write_evaluation,
    write_report,
    write_report_folder,
    write_times,
)

from deeppose.core.params_file import load_params, read_values
from deeppose.core.skeleton import UPPER_BODY
from deeppose.report.catalogue import PAPER_ENTRIES
from deeppose.report.page import deviations, library_versions, params_text, times_script

VOID = {"col", "meta", "link", "img", "br", "hr", "input"}
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
WIDTHS = (400, 1400)
BUFFY_PAGE = "https://example.org/buffy?a&b"


class Page(HTMLParser):
    """The elements of a page, its text, and whether its tags are balanced."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.unbalanced, self.text = [], [], [], []
        self.feed(html)
        self.close()
        self.unbalanced += self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def all(self, tag, attribute=None):
        found = [attributes for name, attributes in self.elements if name == tag]
        return [one[attribute] for one in found if attribute in one] if attribute else found

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def read(path):
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = made_up_project(tmp_path_factory.mktemp("page") / "project")
    write_report(made)
    return made


@pytest.fixture
def copied(project, tmp_path):
    return copy_of(project, tmp_path / "project")


@pytest.fixture
def page(project):
    return read(project / "reports" / "demo" / "index.html")


def test_every_link_and_picture_is_there(project, page):
    folder = project / "reports" / "demo"
    ids = page_ids(page)
    targets = [*page.all("a", "href"), *page.all("img", "src"), *page.all("script", "src")]
    assert len(targets) > 30
    for target in targets:
        if target == BUFFY_PAGE:
            continue
        if target.startswith("#"):
            assert target[1:] in ids
        elif target.startswith("../../docs/"):
            assert (ROOT / "reports" / "demo" / target).is_file(), target
        else:
            assert (folder / unquote(target)).is_file(), target


def page_ids(page):
    return [attributes["id"] for _, attributes in page.elements if "id" in attributes]


def test_it_needs_nothing_but_the_files_beside_it(project):
    html = (project / "reports" / "demo" / "index.html").read_text(encoding="utf-8")
    fetched = re.findall(r"""(?:src|<link[^>]*href)=["'](?!data:)([^"']*)""", html)
    assert len(fetched) > 10
    assert not [target for target in fetched if "//" in target]
    assert not re.findall(r"@import|url\(", html)


def test_the_page_to_ask_for_a_set_is_a_link(page):
    assert BUFFY_PAGE in page.all("a", "href")


def test_it_is_well_formed_and_has_what_a_screen_reader_needs(page):
    assert page.unbalanced == []
    assert page.all("html", "lang") == ["en"]
    ids = page_ids(page)
    assert len(ids) == len(set(ids))
    assert set(page.all("section", "aria-labelledby")) <= set(ids)
    assert all(image.get("alt") for image in page.all("img"))
    assert all(cell.get("scope") for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_pictures_bring_their_size_so_that_nothing_jumps(page):
    sizes = {(image["width"], image["height"]) for image in page.all("img")}
    assert sizes == {("1260", "60")}


def test_pictures_load_when_they_are_looked_at(page):
    assert {image.get("loading") for image in page.all("img")} == {"lazy"}


def test_the_headline_has_at_most_twenty_numbers(project):
    numbers = json.loads((project / "reports/demo/headline.json").read_text())
    assert {"lsp_pcp_3", "parse_pcp_1", "flic_pdj@0.2_2", "flic_pdj@0.1"} <= set(numbers)
    assert len(numbers) == 14
    assert all(isinstance(number, float) for number in numbers.values())


def test_every_table_and_figure_of_the_paper_is_there(page):
    headings = {entry.heading for entry in PAPER_ENTRIES}
    assert headings == {"Table 1", "Table 2", *(f"Figure {number}" for number in range(3, 10))}
    assert {entry.anchor for entry in PAPER_ENTRIES} <= set(page_ids(page))
    assert "Figures 1 and 2" in page.words


def test_the_papers_numbers_stand_beside_ours_with_the_difference(project, page):
    table = pd.read_csv(project / "reports/demo/lsp/tables/table1-pcp-lsp.csv").set_index("method")
    ours = table[(table["source"] == "this run") & (table["pcp"] == "strict")].loc["stage 3"]
    gap = f"{ours['arm_lower'] - 0.38:+.3f}".replace("-", "−")
    assert f"{ours['arm_lower']:.3f} ± {ours['arm_lower_ci95']:.3f} {gap}" in page.words
    assert "Wang et al. [2] 0.565 0.37 0.76 0.68 0.59" in page.words


def test_a_set_left_out_is_named_with_what_would_bring_it(page):
    assert f"figure7-pdj-buffy.png is left out: {LEFT_OUT['buffy']}." in page.words
    assert f"Buffy {LEFT_OUT['buffy']}" in page.words


def test_odd_texts_are_shown_as_they_are(project, page):
    html = (project / "reports" / "demo" / "index.html").read_text(encoding="utf-8")
    assert "<b>" not in html
    assert "<here>" not in html
    assert ODD in page.words


def test_the_same_run_gives_the_same_bytes_whatever_time_it_took(copied):
    path = copied / "reports" / "demo" / "index.html"
    first, times = path.read_bytes(), path.with_name("times.js").read_bytes()
    write_times(copied, {"plot@demo-lsp": 99.0})
    params = yaml.safe_load((copied / "params.yaml").read_text())
    params |= {"workers": 7, "mirror": "elsewhere"}
    (copied / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_report(copied)
    assert path.read_bytes() == first
    assert path.with_name("times.js").read_bytes() != times


def test_a_picture_that_was_not_made_is_named(copied):
    (copied / "reports/demo/lsp/figures/figure4-pdj-lsp.png").unlink()
    (copied / "reports/demo/lsp/tables/table1-pcp-lsp.csv").unlink()
    page = read(write_report(copied))
    assert "lsp/figures/figure4-pdj-lsp.png" not in page.all("img", "src")
    assert "figure4-pdj-lsp.png is left out: this run has not made it." in page.words
    assert "Table 1 is left out: this run has not made lsp/tables/table1-pcp-lsp.csv." in page.words


def with_published_sets(project):
    """The same run as if it had been one on photographs."""
    for folder in ("data", "reports", "logs"):
        (project / folder / "demo").rename(project / folder / "cpu")
    return project


def test_photographs_that_are_not_kept_are_named_with_the_reason(copied):
    with_published_sets(copied)
    shown = read(with_photographs := write_report(copied, "cpu"))
    expected = with_photographs.read_bytes()
    absent = {image["src"]: image.get("data-absent") for image in shown.all("img")}
    assert "made where the archives are" in absent["lsp/photos/figure8-poses-lsp.png"]
    assert absent["lsp/figures/figure4-pdj-lsp.png"] is None
    shutil.rmtree(copied / "reports/cpu/lsp/photos")
    assert write_report(copied, "cpu").read_bytes() == expected
    (copied / "data/cpu/photographed/lsp.json").write_text("{}")
    page = read(write_report(copied, "cpu"))
    assert "lsp/photos/figure8-poses-lsp.png" not in page.all("img", "src")
    assert "figure8-poses-lsp.png is left out: it shows photographs of the published sets" in page.words
    assert "Synthetic people" not in page.words


def test_a_model_left_out_is_skipped_and_named(copied):
    shutil.rmtree(copied / "data/demo/evaluation/flic")
    (copied / "data/demo/evaluation/flic").write_text("")
    manifest = copied / "data/demo/manifests/flic.json"
    why = "put FLIC.zip into data/mirror"
    manifest.write_text(json.dumps({"archives": {}, "left_out": {"flic": why}, "peers": {}}))
    page = read(write_report(copied))
    assert not [source for source in page.all("img", "src") if source.startswith("flic/")]
    assert f"figure3-pdj-flic.png is left out: the model flic was left out of this run: {why}." in page.words
    assert f"the model flic {why}" in page.words
    reports = copied / "reports" / "demo"
    assert list(json.loads((reports / "metrics.json").read_text())) == ["lsp"]
    claims = pd.read_csv(reports / "claims.csv").set_index("id")
    assert claims.loc["refinement-at-high-precision", "notes"] == f"FLIC is not part of this run: {why}"
    assert claims.loc["lsp-better-by-stage", "verdict"] in ("holds", "undecided")


def test_a_model_that_params_do_not_name_is_no_part_of_the_page(copied):
    params = yaml.safe_load((copied / "params.yaml").read_text())
    (copied / "params.yaml").write_text(yaml.safe_dump(params | {"models": ["lsp"]}))
    page = read(write_report(copied))
    assert not [source for source in page.all("img", "src") if source.startswith("flic/")]
    assert "the model flic is not among" in page.words


def test_a_set_of_ones_own_is_shown_beyond_the_paper(copied):
    params = yaml.safe_load((copied / "params.yaml").read_text())
    params["model"]["flic"]["test"] = ["flic", "my set"]
    (copied / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.rmtree(copied / "data/demo/evaluation/flic")
    write_evaluation(copied, "flic", UPPER_BODY, ("flic", "my set"))
    write_report_folder(copied, "flic", UPPER_BODY, ("flic", "my set"))
    page = read(write_report(copied))
    for title in ("What each stage adds on", "Poses after each stage on", "Poses on", "The worst tenth on"):
        assert f"{title} my set (flic)" in page.words
    assert {
        "flic/figures/pdj-my%20set-by-stage.png",
        "flic/photos/poses-my%20set-by-stage.png",
        "flic/photos/poses-my%20set.png",
        "flic/photos/worst-poses-my%20set.png",
    } <= set(page.all("img", "src"))


def test_verdicts_say_how_often_they_are_the_same_for_a_bootstrap(project, page):
    claims = pd.read_csv(project / "reports/demo/claims.csv", keep_default_na=False)
    told = claims[claims["bootstrap"] != ""]
    assert len(told) > 3
    for text in told["bootstrap"]:
        assert re.fullmatch(r"\d+ of 100", text)
        assert text in page.words
    assert "Bootstrap: 100 resamples of the test examples" in page.words


def test_what_it_is_made_of(page):
    assert "0123456789abcdef" * 4 in page.words
    assert f"predictions of {ODD} on FLIC" in page.words
    assert re.search(r"Network input \d+ px, [\d.]+ of the paper's width \(paper: its own", page.words)
    versions = library_versions()
    assert {"numpy", "torch", "dvc"} <= set(versions)
    assert f"numpy {versions['numpy']}" in page.words
    assert "smallest_box: 0.1" in page.words


def test_the_params_are_those_that_decide():
    params = load_params(ROOT / "params.yaml")
    shown = yaml.safe_load(params_text(params, "cpu"))
    whole = read_values(ROOT / "params.yaml")
    assert shown["profiles"] == {"cpu": whole["profiles"]["cpu"]}
    assert shown["model"] == whole["model"]
    assert set(whole) - set(shown) == {"workers", "mirror"}
    assert shown["profile"] == "cpu"


def test_the_deviations_are_whole_and_asked_once():
    table = deviations()
    assert table["question"].is_unique
    assert (table.map(len) > 0).all(axis=None)
    assert all(count % 2 == 0 for count in table.map(lambda text: text.count("`")).to_numpy().ravel())


def test_times_are_a_script():
    script = times_script({"b@demo-lsp": 2.5, "a@demo-lsp": 1})
    found = re.fullmatch(r"window\.stageTimes = (.*);\n", script, re.DOTALL)
    assert found is not None
    assert list(json.loads(found[1]).items()) == [("a@demo-lsp", 1), ("b@demo-lsp", 2.5)]


def test_without_times_the_script_holds_none(copied):
    shutil.rmtree(copied / "logs")
    script = write_report(copied).with_name("times.js").read_text()
    assert script == "window.stageTimes = {};\n"


# In a browser

PROBE = """
<script>
addEventListener("load", () => {
  const seen = {
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - innerWidth,
    broken: [...document.images].filter((one) => !one.naturalWidth).map((one) => one.getAttribute("src")),
    pictures: document.images.length,
    absent: [...document.querySelectorAll(".absent")].map((one) => one.textContent),
    times: document.getElementById("stage-times").textContent,
  };
  parent.postMessage(JSON.stringify(seen), "*");
});
</script>
</body>"""
# A window is never narrower than 500 pixels, a frame in it may be.
FRAME = """<!DOCTYPE html>
<pre id="seen"></pre>
<script>
addEventListener("message", (event) => { document.getElementById("seen").textContent = event.data; });
</script>
<iframe src="probed.html" style="width: {width}px; height: 900px; border: 0"></iframe>
"""

in_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


def seen_in_browser(page, width):
    """What a script finds in a copy of the page once it is loaded, and the lines of the console."""
    probed = page.read_text(encoding="utf-8").replace("</body>", PROBE)
    page.with_name("probed.html").write_text(probed, encoding="utf-8")
    frame = page.with_name("frame.html")
    frame.write_text(FRAME.replace("{width}", str(width)), encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={page.parent / 'browser'}",
            "--window-size=1600,1000",
            "--virtual-time-budget=5000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    assert found[1], done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(unescape(found[1])), console


@in_a_browser
@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_all_of_it_and_nothing_sticks_out(copied, width):
    page = copied / "reports" / "demo" / "index.html"
    seen, console = seen_in_browser(page, width)
    assert console == []
    assert seen["width"] == width
    assert seen["overflow"] <= 0
    assert seen["broken"] == []
    assert seen["pictures"] == len(read(page).all("img")) > 10
    assert "The last run of each stage, 1 min in all" in seen["times"]
    assert "plot@demo-lsp1 min" in seen["times"]
    assert f"train-stage1@{ODD}3.3 s" in seen["times"]


@in_a_browser
def test_a_browser_tells_what_is_broken(copied):
    page = copied / "reports" / "demo" / "index.html"
    (page.parent / "lsp/figures/figure4-pdj-lsp.png").unlink()
    html = page.read_text(encoding="utf-8").replace("<main>", '<main><div style="width: 3000px">wide</div>')
    page.write_text(html, encoding="utf-8")
    page.with_name("times.js").write_text("window.stageTimes = {")
    seen, console = seen_in_browser(page, 400)
    assert seen["broken"] == ["lsp/figures/figure4-pdj-lsp.png"]
    assert seen["overflow"] > 0
    assert any("SyntaxError" in line for line in console)
    assert "not known here" in seen["times"]


@in_a_browser
def test_a_browser_names_photographs_that_were_not_handed_on(copied):
    with_published_sets(copied)
    page = write_report(copied, "cpu")
    (page.parent / "lsp/photos/figure8-poses-lsp.png").unlink()
    seen, _ = seen_in_browser(page, 1400)
    assert seen["broken"] == []
    line = "Not kept here, since they show photographs of the published sets: Figure 8 stick figures on LSP"
    assert line in seen["absent"]
