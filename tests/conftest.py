import os
import sys
from pathlib import Path

import pytest
from project import ROOT

SCRIPTS = (ROOT / "stages", ROOT / "scripts")


@pytest.fixture(autouse=True)
def scripts_are_forgotten():
    """Each test imports `stages/` and `scripts/` anew, whose bare names, such as `common`, may meet."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent in SCRIPTS:
            del sys.modules[name]


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the published archives, for tests marked `realdata`."""
    default = Path(__file__).parents[1] / ".." / "shared" / "datasets"
    folder = Path(os.environ.get("DEEPPOSE_MIRROR") or default).resolve()
    if not (folder / "lsp_dataset.zip").is_file():
        pytest.skip(f"the published archives are not in {folder}: set DEEPPOSE_MIRROR to their folder")
    return folder
