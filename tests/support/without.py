"""Code that runs in a Python which can't import some packages, as if they weren't installed."""

import sys
from collections.abc import Collection
from typing import Any

IMPORTS = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
"""


def command_without(packages: Collection[str], code: str, *arguments: Any) -> list[str]:
    """What to run: `code` with `arguments`."""
    return [sys.executable, "-c", IMPORTS.format(packages=tuple(packages)) + code, *map(str, arguments)]
