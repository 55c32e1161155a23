"""What is told while something takes long, in a terminal and elsewhere."""

import os
import pty
import subprocess
import sys
import termios

from deeppose.core import progress as module
from deeppose.core.progress import progress


def test_elsewhere_a_line_a_minute_with_what_is_left(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINES_APART", 1e-9)
    for _ in progress(range(3), "training", unit="step"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith("training: ") and "\r" not in line for line in lines)
    assert "1/3 [" in lines[0]
    assert "step" in lines[0]
    assert "<" in lines[0]


def test_what_is_short_tells_nothing_elsewhere(capsys):
    assert list(progress(range(3), "decoding", unit="image")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_what_is_hidden_tells_nothing(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINES_APART", 1e-9)
    assert list(progress(range(3), "decoding", unit="image", hidden=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar():
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    code = "from deeppose.core.progress import progress; list(progress(range(3), 'decoding', unit='image'))"
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True)
    os.close(theirs)
    told = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert told.startswith("\rdecoding:   0%|")
