"""A small copy of the project that the whole pipeline runs through in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from project_copy import write_params

from deeppose.core.params_file import read_values

ROOT = Path(__file__).parents[2]
COPIED = (
    "scripts",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "src",
    "stages",
)


def small_params() -> dict[str, Any]:
    """Params with a demo profile that takes seconds: few images, a narrow network, a few steps."""
    params: dict[str, Any] = read_values(ROOT / "params.yaml")
    for model in params["model"].values():
        model["held_out"] = 4
    params["workers"] = 0
    demo = params["profiles"]["demo"]
    demo["embedded"] |= {"lsp_images": 12, "extended_images": 20, "height": 100, "scene_height": 128}
    demo["embedded"] |= {"parse_images": 104, "flic_images": 24, "flic_test_images": 6, "buffy_frames": 8}
    demo["network"] |= {"input": 60, "width": 0.05, "dropout": 0.3}
    demo["training"] |= {"batch": 8, "report_every": 3}
    demo["boxes_per_joint"] = 2
    for stage, steps in (("stage1", 9), ("stage2", 6), ("stage3", 6)):
        demo[stage]["steps"] = dict.fromkeys(params["model"], steps)
    return params


def copy_params(project: Path) -> None:
    """params.yaml and the profiles, as they are."""
    shutil.copy(ROOT / "params.yaml", project)
    shutil.copytree(ROOT / "profiles", project / "profiles")


def small_copy(project: Path) -> Path:
    """The project at `project`, with :func:`small_params`, a git and an empty DVC cache of its own."""
    for name in COPIED:
        source, target = ROOT / name, project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    write_params(project, small_params())
    git(project, "init", "--quiet")
    return project


def environment(project: Path) -> dict[str, str]:
    """Variables with which the copy's own modules and this Python are found, whatever is installed."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("DEEPPOSE_MIRROR", "PYTHONPATH")
    }
    who = {
        f"GIT_{role}_{what}": "test@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, **who, "PATH": path, "PYTHONPATH": str(project / "src")}


def call(project: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, with more variables; its output and errors are read together."""
    return subprocess.run(
        command,
        cwd=project,
        env={**environment(project), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def git(project: Path, *arguments: str) -> str:
    done = call(project, "git", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def dvc(project: Path, *arguments: str) -> str:
    """Run DVC there, which must end well; gives what it printed."""
    done = call(project, sys.executable, "-m", "dvc", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def lock(project: Path) -> dict[str, Any]:
    locked: dict[str, Any] = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))
    return locked


def hashes(project: Path) -> dict[str, str]:
    """The hash of every output in dvc.lock."""
    return {out["path"]: out["md5"] for stage in lock(project)["stages"].values() for out in stage["outs"]}
