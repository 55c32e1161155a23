"""What a script runs on and from, in the words in which stages note it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "stages"))

from common import git_revision, machine

__all__ = ["git_revision", "machine"]
