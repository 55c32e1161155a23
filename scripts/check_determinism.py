"""Run the pipeline twice, from nothing, and compare the hashes; the second run has other loader workers.

    python scripts/check_determinism.py [--short]

With --short on a twentieth of the demo. Works in a copy of what git tracks, so the folder it is called in
stays as it is.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from project_copy import hashes, project_copy, repro, shorten


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = project_copy(Path(folder) / "project")
        if "--short" in sys.argv:
            shorten(copy)
        found = []
        for workers in (2, 0):
            for made in ("data", ".dvc/cache"):
                shutil.rmtree(copy / made, ignore_errors=True)
            repro(copy, "--force", workers=workers)
            found.append(hashes(copy))
            print(f"{workers} workers: {len(found[-1])} outputs")
    different = [path for path in found[0] if found[0][path] != found[1].get(path)]
    for path in different:
        print(f"differs: {path}")
    if different or found[0].keys() != found[1].keys():
        sys.exit("the second run gave other outputs")
    print(f"all {len(found[0])} outputs have the same hashes")


if __name__ == "__main__":
    main()
