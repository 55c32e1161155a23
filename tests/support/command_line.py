"""The command `deeppose` in this process."""

import sys

import pytest

from deeppose.cli import main as cli


def run_command(monkeypatch, capsys, *arguments):
    """Run the command line with these arguments; gives status, output, errors."""
    monkeypatch.setattr(sys, "argv", ["deeppose", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err
