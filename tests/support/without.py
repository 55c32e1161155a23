"""Code that runs in a Python which can't import some packages, as if they weren't installed."""

import re
import sys
import tomllib
from collections.abc import Collection
from typing import Any

from project import ROOT

IMPORTS = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
"""

EXTRA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"][
    "pipeline"
]
OTHER_NAMES = {"scikit-image": "skimage", "lightning-fabric": "lightning_fabric"}
"""Of modules than of the packages."""
PIPELINE = {OTHER_NAMES.get(name, name) for name in (re.split("[<>=]", needed)[0] for needed in EXTRA)}
"""What predictions and scores must do without."""


def command_without(packages: Collection[str], code: str, *arguments: Any) -> list[str]:
    """What to run: `code` with `arguments`."""
    return [sys.executable, "-c", IMPORTS.format(packages=tuple(packages)) + code, *map(str, arguments)]
