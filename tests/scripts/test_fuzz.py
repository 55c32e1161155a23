"""The fuzzer: nothing that it gives breaks anything, and it notices what does."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, environment

from deeppose.core.errors import ImageError, ParamsError

NUMBER = 7


@pytest.fixture
def fuzz(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.chdir(tmp_path)
    import fuzz

    return fuzz


def test_nothing_breaks_it():
    command = [sys.executable, ROOT / "scripts" / "fuzz.py", "200", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(ROOT), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {kind: int(count) for kind, count in re.findall(r"^(\w+): (\d+) inputs", done.stdout, re.M)}
    assert sum(counts.values()) == 200
    works = {kind: int(count) for kind, count in re.findall(r"^(\w+): .* (\d+) works", done.stdout, re.M)}
    few = [kind for kind in ("params", "predictions", "weights", "options") if works[kind] < counts[kind] / 3]
    assert not few, done.stdout


def raises(error):
    def kind(random):
        raise error

    return kind


def leaves(name):
    return lambda random: Path(name).write_bytes(b"half")


def right_one(kind):
    with sys.modules["fuzz_right"].right():
        kind(None)


ENDS = {
    "works": (lambda random: None, "works"),
    "refused": (raises(ImageError("p.jpg can't be read")), "refused"),
    "several problems of params": (raises(ParamsError("a\nb")), "refused"),
    "several lines": (raises(ImageError("p.jpg\ncan't be read")), "refused in several lines"),
    "a right one is refused": (
        lambda random: right_one(raises(ImageError("p.jpg can't be read"))),
        "FaultError: right, and refused: p.jpg can't be read",
    ),
    "a right one comes out otherwise": (
        lambda random: sys.modules["fuzz_right"].same({"wrist": 0.5}, {"wrist": 1.0}),
        "FaultError: {'wrist': 0.5} where {'wrist': 1.0} is right",
    ),
    "another error": (raises(KeyError("joints")), "KeyError: 'joints' (test_fuzz.py:"),
    "not finite": (
        lambda random: sys.modules["fuzz"].finite(np.nan),
        "FaultError: a result is not",
    ),
    "a part": (leaves(".photo.part"), "left .photo.part"),
    "half a picture": (leaves("made.png"), "left made.png"),
}


@pytest.mark.parametrize(("kind", "said"), ENDS.values(), ids=ENDS)
def test_how_an_input_ends_is_told(fuzz, tmp_path, monkeypatch, kind, said):
    monkeypatch.setitem(fuzz.KINDS, "kind", kind)
    assert fuzz.outcome("kind", NUMBER, 1, tmp_path).startswith(said)


def test_memory_is_watched(tmp_path):
    # A process of its own: the tests before this one may have held more.
    code = f"""
import fuzz, numpy, pathlib
fuzz.MOST_BYTES = 1
fuzz.KINDS["kind"] = lambda *_: numpy.ones(400 << 20, dtype=numpy.uint8).sum()
print(fuzz.outcome("kind", {NUMBER}, 1, pathlib.Path({str(tmp_path)!r})))
"""
    variables = {**environment(ROOT), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'scripts'}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=True)
    assert done.stdout.startswith("took ")
