"""What `make lint` does of the audit and of the page's JavaScript: never silent."""

import os
import shutil
import subprocess
import sys

import pytest
from project import ROOT


@pytest.fixture
def lint(tmp_path):
    """Run `make lint` with silent linters, where requests answers as told; gives what it printed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tmp_path / "web" / "node_modules").mkdir(parents=True)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.installed", "web/package-lock.json"):
        (tmp_path / name).touch()
    for name in ("ruff", "mypy", "lint-imports"):
        (tools / name).symlink_to("/bin/true")
    for name in ("bash", "grep", "make", "sh", "tail", "touch"):
        (tools / name).symlink_to(shutil.which(name))

    def run(answer, npm="exit 0"):
        if npm is not None:
            (tools / "npm").write_text(f"#!/bin/sh\n{npm}\n")
            (tools / "npm").chmod(0o755)
        (tmp_path / "requests.py").write_text(f"def get(url, timeout):\n    {answer}\n")
        # Called with -m it is uv.
        (tools / "python").write_text(
            f'#!/bin/sh\n[ "$1" = -m ] && echo "audited: $*" || exec {sys.executable} "$@"\n'
        )
        (tools / "python").chmod(0o755)
        variables = {**os.environ, "PATH": str(tools), "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [tools / "make", "--no-print-directory", "lint"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    return run


def test_the_audit_is_part_of_lint_where_its_database_answers(lint):
    last = lint("return type('Answer', (), {'raise_for_status': lambda self: None})()")[-1]
    assert last.startswith("audited: ")
    assert "pip-audit --requirement requirements.lock" in last


def test_without_the_database_one_line_says_so(lint):
    said = lint("raise OSError('no route')")
    assert said[-1] == "audit skipped, no vulnerability database: OSError: no route"
    assert not any(line.startswith("audited") for line in said)


UNAUDITED = "raise OSError('no route')"


def test_javascript_is_linted_by_what_the_lock_file_pins(lint):
    said = lint(UNAUDITED, 'echo "npm $*"')
    assert "npm --prefix web run --silent lint" in said


def test_without_npm_one_line_says_so(lint):
    assert "the page's linter skipped: npm is not installed" in lint(UNAUDITED, npm=None)


def test_where_npm_gets_nothing_one_line_says_so(lint):
    said = lint(UNAUDITED, "echo npm error no registry >&2; exit 1")
    assert "the page's linter skipped, npm can't get it: npm error no registry" in said
