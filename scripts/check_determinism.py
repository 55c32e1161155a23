"""Run the pipeline twice, from nothing, and compare the hashes.

    python scripts/check_determinism.py [--short]

The second run has other loader workers, and NumPy's BLAS other kernels, as on another processor; torch's own
BLAS stays as it is. With --short on a twentieth of the demo. Works in a copy of what git tracks, so the
folder it is called in stays as it is.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from project_copy import check_same, hashes, project_copy, repro, shorten

# Kernels that run wherever NumPy does, and differ from those of newer processors the most.
OLD_KERNELS = {"x86_64": "Nehalem", "AMD64": "Nehalem", "aarch64": "ARMV8"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = project_copy(Path(folder) / "project")
        if "--short" in sys.argv:
            shorten(copy)
        found = []
        kernels = OLD_KERNELS.get(platform.machine())
        for workers, variables in ((2, {}), (0, {"OPENBLAS_CORETYPE": kernels} if kernels else {})):
            for made in ("data", ".dvc/cache"):
                shutil.rmtree(copy / made, ignore_errors=True)
            repro(copy, "--force", workers=workers, variables=variables)
            found.append(hashes(copy))
            print(f"{workers} workers, BLAS kernels {kernels_used(variables)}: {len(found[-1])} outputs")
    check_same(*found, "the second run gave other outputs")
    print(f"all {len(found[0])} outputs have the same hashes")


def kernels_used(variables: Mapping[str, str]) -> str:
    """Whose kernels NumPy's BLAS takes with these environment variables."""
    environment = {**os.environ, **variables, "OPENBLAS_VERBOSE": "2"}
    command = [sys.executable, "-c", "import numpy"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    core = re.search(r"^Core: (.+)$", said, re.MULTILINE)
    return core[1] if core else "unknown (no OpenBLAS)"


if __name__ == "__main__":
    main()
