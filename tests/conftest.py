import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the published archives, for tests marked `realdata`."""
    default = Path(__file__).parents[1] / ".." / "shared" / "datasets"
    folder = Path(os.environ.get("DEEPPOSE_MIRROR") or default).resolve()
    if not (folder / "lsp_dataset.zip").is_file():
        pytest.skip(f"the published archives are not in {folder}: set DEEPPOSE_MIRROR to their folder")
    return folder
