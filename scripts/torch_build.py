"""Say which build of torch to install, as arguments of `uv pip install`: torch_build.py cpu|cuda|auto.

On Linux the package index carries the CUDA build, several GB; the CPU one is on PyTorch's own index. With
auto it is taken where that index can be reached and no NVIDIA driver is found. Its versions are those of
pyproject.toml.
"""

import shutil
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu/torch/"


def main(wanted: str) -> None:
    if wanted not in ("cpu", "cuda", "auto"):
        sys.exit(f"TORCH={wanted} is none of cpu, cuda, auto")
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    pins = [pin for extra in extras for pin in extra if pin.startswith(("torch==", "torchvision=="))]
    cpu = wanted == "cpu" or (wanted == "auto" and not shutil.which("nvidia-smi") and cpu_index_answers())
    print(f"torch: the {'CPU build' if cpu else 'build of the package index'}", file=sys.stderr)
    print(*pins, *(["--torch-backend=cpu"] if cpu else []))


def cpu_index_answers() -> bool:
    try:
        with urllib.request.urlopen(CPU_INDEX, timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        print(f"{CPU_INDEX} can't be reached", file=sys.stderr)
        return False


if __name__ == "__main__":
    main(sys.argv[1])
