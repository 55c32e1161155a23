"""docs/scale.md: its figures are those of the committed runs, its Slurm file does what it says."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from project import ROOT

TEXT = " ".join((ROOT / "docs" / "scale.md").read_text("utf-8").split())
SBATCH = ROOT / "docs" / "slurm" / "train.sbatch"
GPU = json.loads((ROOT / "reports" / "bench" / "gpu.json").read_text("utf-8"))
FIXED = "training, the same batch again and again, images/s"
PRECISIONS = ("32-true", "tf32", "bf16-mixed")
FED = "training, crops cut beside it, images/s"


def figures(words):
    """The numbers that stand in the groups of a pattern, which must be there once."""
    (found,) = re.finditer(words, TEXT)
    return [float(number.replace(",", "")) for number in found.groups()]


def test_what_feeding_costs_is_as_measured():
    lost = [100 * (1 - GPU["speeds"][name][FED] / GPU["speeds"][name][FIXED]) for name in PRECISIONS]
    words = r"costs (\d+) % of the speed at 32-true, .* (\d+) % at tf32 and (\d+) % at bf16-mixed"
    assert figures(words) == [round(share) for share in lost]
    fastest = max(speeds[FED] for speeds in GPU["speeds"].values())
    alone = GPU["cutting alone"]
    assert figures(r"cut ([\d,]+) crops a second, ([\d.]+) times") == [
        round(alone),
        round(alone / fastest, 1),
    ]


def test_cores_beside_a_gpu_follow_from_the_speeds():
    each = GPU["cutting alone"] / GPU["workers"]
    cores = [GPU["speeds"][precision][FED] / each for precision in PRECISIONS[:2]]
    assert figures(r"keeps (\d+) cores busy at 32-true, (\d+) at tf32") == [round(count) for count in cores]


def test_hours_are_as_measured():
    hours = [GPU["hours of training"][precision]["lsp"] for precision in PRECISIONS[:2]]
    assert figures(r"(\d+) hours a model, (\d+) in tf32") == [round(of) for of in hours]


def test_sizes_are_those_of_the_lock():
    sizes = {"cpu": 0, "demo": 0}
    for name, stage in yaml.safe_load((ROOT / "dvc.lock").read_text("utf-8"))["stages"].items():
        for profile in sizes:
            if f"@{profile}" in name:
                sizes[profile] += sum(out["size"] for out in stage["outs"])
    rounded = [round(sizes[profile] / 1e9, 1) for profile in ("cpu", "demo")]
    assert figures(r"`cpu` makes ([\d.]+) GB, `demo` ([\d.]+) GB") == rounded


# The Slurm file


def test_the_slurm_file_is_sound():
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("shellcheck is not here; bash finds nothing wrong")
    subprocess.run([checker, str(SBATCH)], check=True)


@pytest.fixture
def allocation(tmp_path):
    """A folder and variables in which the Slurm file finds what it calls, and is told how."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    programs = {
        "scontrol": r"printf 'node07\nnode08\n'",
        "python": 'echo python "$@"',
        "dvc": r"""printf '%s\n' dvc "$@" "$DEEPPOSE_LAUNCH" """,
    }
    for name, does in programs.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
    slurm = {
        "JOB_ID": "120345",
        "JOB_NODELIST": "node[07-08]",
        "JOB_NUM_NODES": "2",
        "GPUS_ON_NODE": "4",
        "CPUS_PER_TASK": "32",
    }
    variables = {f"SLURM_{name}": value for name, value in slurm.items()}
    return tmp_path, {**os.environ, **variables, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def called(allocation, *arguments):
    folder, variables = allocation
    command = ["bash", str(SBATCH), *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_the_slurm_file_gives_all_gpus_to_the_stages(allocation):
    done = called(allocation, "paper", "-S", "models=[lsp]")
    assert done.returncode == 0, done.stderr
    mended, *arguments, launch = done.stdout.splitlines()
    assert mended == "python scripts/mend_lock.py"
    settings = [
        "profile=paper",
        "profiles/paper.yaml:device.accelerator=cuda",
        "profiles/paper.yaml:device.devices=8",
        "workers=8",
        "models=[lsp]",
    ]
    assert arguments == ["dvc", "exp", "run", *(part for one in settings for part in ("-S", one))]
    assert launch.split() == [
        "srun",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        "torchrun",
        "--nnodes=2",
        "--nproc-per-node=4",
        "--rdzv-backend=c10d",
        "--rdzv-id=120345",
        "--rdzv-endpoint=node07:20345",
    ]


def test_the_slurm_file_needs_a_profile(allocation):
    done = called(allocation)
    assert done.returncode == 2
    assert "say which profile" in done.stderr


def test_what_is_to_be_filled_in_is_named():
    text = SBATCH.read_text("utf-8")
    comments, _, _ = text.partition("#SBATCH")
    names = set(re.findall(r"YOUR_\w+", text))
    assert names
    assert all(name in comments and name in TEXT for name in names)
