"""What mkdocs adds to the pages of docs/: the reports that git has, and files that a page links to.

Links in docs/ lead to where files lie in the project, so that they work on GitHub too. In the site they lead
to copies: Markdown becomes a page, so does code; all else is copied as it is.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md")
LEXERS = {".py": "python", ".yaml": "yaml", ".toml": "toml"}
WEB = ROOT / "dist" / "web"
"""The page that runs the cascade, where `make web` has made it: the site then has it too."""
OPEN = '\n<a class="md-button md-button--primary" href="../cascade/">Open the page</a>\n'
GLOSSARY = ("../../docs/glossary.md", "../../glossary/")
"""Where it lies for a report in the project, and for one in the site."""
CODE = "---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n~~~~~~{lexer}\n{text}~~~~~~\n"
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = [file for file in files if file.is_documentation_page()]
    for name in (*reports(), *PAGES):
        pages += added(name, files, config)
    while pages:
        page = pages.pop()
        for _, target in LINK.findall(page.content_string):
            name = in_project(page, target)
            if name is not None and not name.startswith("docs/"):
                pages += added(name, files, config)
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    def led(link: re.Match[str]) -> str:
        name = in_project(page.file, link[2])
        target = in_site(name) if name else ""
        if files.get_file_from_path(target) is None:
            return link[0]
        return link[1] + os.path.relpath(target, PurePosixPath(page.file.src_uri).parent)

    if page.file.src_uri == "web.md" and WEB.is_dir():
        title, rest = markdown.split("\n", 1)
        markdown = title + "\n" + OPEN + rest
    return LINK.sub(led, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    if WEB.is_dir():
        shutil.copytree(WEB, Path(config.site_dir) / "cascade", dirs_exist_ok=True)
    for name in reports():  # as files too: the reports' own pages link to them
        if name.endswith(".md"):
            shutil.copyfile(ROOT / name, Path(config.site_dir) / name)
        if name.endswith(".html"):
            page = Path(config.site_dir) / name
            page.write_text(page.read_text("utf-8").replace(*GLOSSARY), "utf-8")


def reports() -> list[str]:
    """What git has of them: no photographs of the data sets."""
    return subprocess.check_output(["git", "ls-files", "reports"], cwd=ROOT, text=True).split()


def in_project(page: File, target: str) -> str | None:
    """Where the file that a link leads to lies in the project; None where it leads elsewhere, or nowhere."""
    source = ROOT / page.src_uri if page.generated_by else ROOT / "docs" / page.src_uri
    path = Path(os.path.normpath(source.parent / target))
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) and path.is_file() else None


def in_site(name: str) -> str:
    """Where a file of the project lies among the sources of the site."""
    if name == "README.md":
        return "index.md"
    code = ".md" if Path(name).suffix in LEXERS and not name.startswith("docs/") else ""
    return name.removeprefix("docs/") + code


def added(name: str, files: Files, config: MkDocsConfig) -> list[File]:
    """Adds a file of the project, unless it is there; the page that it is, if it is one."""
    uri, path = in_site(name), ROOT / name
    if files.get_file_from_path(uri) is not None:
        return []
    lexer = LEXERS.get(path.suffix)
    if lexer:
        text = CODE.format(name=name, lexer=lexer, text=path.read_text("utf-8"))
        files.append(File.generated(config, uri, content=text))
        return []
    files.append(File.generated(config, uri, abs_src_path=str(path)))
    return [files.src_uris[uri]] if uri.endswith(".md") else []
