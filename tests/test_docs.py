"""The pages of docs/: as a site without a broken link, and at one with the code that they tell of."""

import csv
import logging
import re
import shutil
import tomllib

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from project import ROOT

DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "deeppose"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Builds the site of a folder of pages, strictly; gives the site's folder."""
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")

    def site_of(docs, web=tmp_path / "nowhere"):
        config = load_config(
            str(ROOT / "mkdocs.yml"), strict=True, docs_dir=str(docs), site_dir=str(tmp_path / "site")
        )
        monkeypatch.setattr(config.hooks["scripts/mkdocs_hook.py"], "WEB", web)
        build(config)
        return tmp_path / "site"

    return site_of


def test_the_site_has_pages_reports_and_code(built):
    site = built(DOCS)
    pages = [path.stem for path in DOCS.glob("*.md") if path.stem != "index"]
    assert len(pages) > 15
    assert all((site / page / "index.html").is_file() for page in pages)
    for report in ("cpu", "demo"):
        text = (site / "reports" / report / "index.html").read_text("utf-8")
        in_project = (ROOT / "reports" / report / "index.html").read_text("utf-8")
        assert text == in_project.replace("../../docs/glossary.md", "../../glossary/") != in_project
        links = re.findall(r'<a href="([^"#:]+[^/"])"', text)
        assert len(links) > 15
        published = [link for link in links if report == "demo" or "/photos/" not in link]
        assert [link for link in published if not (site / "reports" / report / link).is_file()] == []
    assert (site / "reports/cpu/lsp/figures/figure4-pdj-lsp.png").is_file()
    assert (site / "src/deeppose/core/metrics.py/index.html").is_file()
    assert 'class="mermaid"' in (site / "method/index.html").read_text("utf-8")
    assert 'href="../src/deeppose/core/geometry.py/"' in (site / "method/index.html").read_text("utf-8")


def test_the_page_in_the_browser_is_part_of_the_site_where_it_was_made(built, tmp_path):
    web = tmp_path / "web"
    web.mkdir()
    (web / "index.html").write_text("<!doctype html>")
    button = 'href="../cascade/">Open the page</a>'
    assert button not in (built(DOCS) / "web" / "index.html").read_text("utf-8")
    site = built(DOCS, web)
    assert button in (site / "web" / "index.html").read_text("utf-8")
    assert (site / "cascade" / "index.html").is_file()


def test_a_broken_link_fails_the_build(built, tmp_path, caplog):
    shutil.copytree(DOCS, tmp_path / "docs")
    links = ("nowhere.md", "../src/deeppose/core/nowhere.py", "../reports/nowhere.html", "glossary.md#pcx")
    with (tmp_path / "docs" / "faq.md").open("a", encoding="utf-8") as page:
        page.writelines(f"\n[broken]({link})\n" for link in links)
    with caplog.at_level(logging.WARNING), pytest.raises(Abort, match=f"{len(links)} warnings"):
        built(tmp_path / "docs")
    assert [link for link in links if f"'{link}'" not in caplog.text] == []


@pytest.mark.parametrize("page", ["architecture.md", "method.md"])
def test_what_a_row_names_is_in_the_file_that_it_names(page):
    """A name in `code` in a row of a table occurs in a file that the row links to."""
    rows = [
        line
        for line in (DOCS / page).read_text("utf-8").splitlines()
        if "(../src/" in line and line[0] == "|"
    ]
    assert len(rows) > 15
    for row in rows:
        files = [(DOCS / link).resolve() for link in re.findall(r"\]\((\.\./[^)]+)\)", row)]
        text = "".join(file.read_text("utf-8") for file in files)
        code = re.findall(r"`([^`]+)`", re.sub(r"\[`[^]]*\]\([^)]*\)", "", row))
        folders = {name for name in code if name.endswith("/")}
        assert all((PACKAGE / name).is_dir() or (ROOT / name).is_dir() for name in folders), row
        names = [name for name in code if name not in folders and name.isidentifier()]
        assert [name for name in names if not re.search(rf"\b{name}\b", text)] == [], row


def test_each_package_has_a_row():
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "architecture.md").read_text("utf-8"), re.MULTILINE)
    assert set(rows) == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}


def test_the_picture_of_the_packages_has_their_imports():
    picture = (DOCS / "architecture.md").read_text("utf-8").split("```mermaid")[2].partition("```")[0]
    arrows = set(re.findall(r"^ +(\w+) --> (\w+)$", picture, re.MULTILINE))
    imports = set()
    for file in PACKAGE.rglob("*.py"):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue  # `from deeppose import Pose`, when somebody asks for it
        named = re.findall(r"^ *(?:from|import) deeppose\.(\w+)", file.read_text("utf-8"), re.MULTILINE)
        imports |= {(own, other) for other in named if other != own}
    of_core = {arrow for arrow in imports | arrows if arrow[1] == "core"}
    assert arrows - of_core == imports - of_core
    assert not any(own == "core" for own, _ in imports)


def test_each_stage_is_in_the_picture_of_the_pipeline():
    picture = (DOCS / "architecture.md").read_text("utf-8").partition("```mermaid")[2].partition("```")[0]
    stages = re.findall(r"^  ([\w-]+):$", (ROOT / "dvc.yaml").read_text("utf-8"), re.MULTILINE)
    assert len(stages) > 15
    assert [stage for stage in stages if f'["{stage}' not in picture] == []


def test_the_deviations_are_those_of_the_reports():
    """The CSV is where they are kept; who changes one there copies the row into the page."""
    (file,) = PACKAGE.rglob("deviations.csv")
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = [f"| {' | '.join(row)} |" for row in csv.reader(lines[1:])]
    table = (
        (DOCS / "deviations.md").read_text("utf-8").partition("| question | here | why |\n|---|---|---|\n")[2]
    )
    assert len(rows) > 30
    assert table.splitlines() == rows


def test_each_library_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["pipeline"], *extras["onnx"]]
    page = (DOCS / "libraries.md").read_text("utf-8")
    names = [re.split(r"[<>=~[]", requirement)[0] for requirement in wanted]
    assert [name for name in names if name not in page] == []
