"""A copy of the project to run in, for the checks beside this file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deeppose.core.params_file import read_values


def project_copy(target: Path) -> Path:
    """Copy what git tracks here, as it stands, to `target`, with a git and an empty DVC cache of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if Path(name).is_file() and name != "dvc.lock" and not name.startswith("reports/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


def share_cache(project: Path) -> None:
    """Have the copy use the DVC cache of this folder: what ran before, in either, is taken from it."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    cache = subprocess.check_output(command, text=True).strip()
    subprocess.run([*command, "--local", cache], cwd=project, check=True)


def check_mirror() -> None:
    """Stop where a copy of what git tracks would find no archives."""
    if not Path(os.environ.get("DEEPPOSE_MIRROR", "")).is_absolute():
        sys.exit("say where the archives are, as an absolute path: DEEPPOSE_MIRROR=/path/to/archives")


def shorten(project: Path) -> None:
    """Make the demo there a matter of a minute: a twentieth of the images and steps."""
    with edited_params(project) as params:
        demo = params["profiles"]["demo"]
        for images in ("lsp_images", "extended_images", "flic_images", "flic_test_images"):
            demo["embedded"][images] //= 20
        for stage in ("stage1", "stage2", "stage3"):
            demo[stage]["steps"] = {model: steps // 20 for model, steps in demo[stage]["steps"].items()}
        demo["training"]["report_every"] //= 20
        for model in params["model"].values():
            model["held_out"] //= 5  # more would leave no image to train on


@contextmanager
def edited_params(project: Path) -> Iterator[dict[str, Any]]:
    """The values of the params there, for the block to change."""
    values = read_values(project / "params.yaml")
    yield values
    write_params(project, values)


def write_params(project: Path, values: Mapping[str, Any]) -> None:
    """Write what :func:`~deeppose.core.params_file.read_values` reads."""
    (project / "profiles").mkdir(exist_ok=True)
    files = {f"profiles/{name}.yaml": of for name, of in values["profiles"].items()}
    files["params.yaml"] = {key: of for key, of in values.items() if key != "profiles"}
    for name, of in files.items():
        (project / name).write_text(yaml.safe_dump(of, sort_keys=False), encoding="utf-8")


def repro_command(project: Path, *options: str, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What subprocess needs to call `dvc repro` there with the modules that were copied."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, **(variables or {}), "PATH": path, "PYTHONPATH": str(project / "src")}
    log = (project / "repro.log").open("a")
    return {
        "args": [sys.executable, "-m", "dvc", "repro", *options],
        "cwd": project,
        "env": environment,
        "stdout": log,
        "stderr": subprocess.STDOUT,
    }


def repro(
    project: Path, *options: str, workers: int | None = None, variables: Mapping[str, str] | None = None
) -> None:
    """Run `dvc repro` there to its end, with these environment variables; stop with its log if it fails."""
    if workers is not None:
        with edited_params(project) as params:
            params["workers"] = workers
    if subprocess.run(**repro_command(project, *options, variables=variables), check=False).returncode:
        sys.exit((project / "repro.log").read_text())


def hashes(project: Path) -> dict[str, str]:
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}


def check_same(expected: Mapping[str, str], found: Mapping[str, str], otherwise: str) -> None:
    """Name the outputs whose hashes differ, and stop with these words if there are any."""
    different = [path for path in {**expected, **found} if expected.get(path) != found.get(path)]
    for path in different:
        print(f"differs: {path}")
    if different:
        sys.exit(otherwise)
