"""The machine that a script runs on, in the words in which stages note it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "stages"))

from common import machine

__all__ = ["machine"]
