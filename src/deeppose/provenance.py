"""What a run was made by, the commit, the machine, when, and what it took."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from deeppose.core.files import read_notes, write_json
from deeppose.core.paths import runs_log

CODE = ("src", "stages", "dvc.yaml")
"""What a run is made by, but for params, which `dvc.lock` knows."""
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}
"""The vector instructions of x86, the wider ones first, by their names in /proc/cpuinfo."""


def note_run(profile: str, stage: str | None, started: datetime) -> None:
    """Keep when, where, from what, how long and in how much memory a stage ran, if it has a name.

    No part of any result.
    """
    if stage is None or not is_first_process():
        return
    path = runs_log(profile)
    runs = read_notes(path)
    torch = sys.modules.get("torch")
    made = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "peak_bytes": peak_memory(),
        "revision": git_revision(),
        "machine": machine(gpu=torch is not None and torch.cuda.is_initialized()),
    }
    write_json(path, {**runs, stage: made})


def peak_memory() -> int:
    """The most bytes that this process has held so far, mapped files among them."""
    # Unlike what getrusage says, without what the process held that started this one.
    (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    return int(kilobytes) * 1024


def is_first_process() -> bool:
    """Whether this is the first of the processes that run a stage, the one that writes."""
    # torchrun says RANK, Fabric, on its one machine, LOCAL_RANK alone.
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def git_revision() -> str:
    """The commit that the code stands at, with -dirty where it differs from it; "" outside a clone."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return ""
    differs = ["git", "diff", "--quiet", "HEAD", "--", *CODE]
    return head.stdout.strip() + "-dirty" * bool(subprocess.run(differs, check=False).returncode)


def machine(*, gpu: bool = False, vectors: bool = True) -> str:
    """The processor and its vectors, how many cores, the GPU if one is used, and the system, in words."""
    described = Path("/proc/cpuinfo")
    told = described.read_text() if described.is_file() else ""
    names = re.findall(r"^model name\s*: (.*)$", told, re.M)
    processor = names[0] if names else platform.processor() or platform.machine()
    if vectors:
        # One name is of several generations, some twice as fast as others.
        flags = " ".join(re.findall(r"^flags\s*: (.*)$", told, re.M)).split()
        processor += next((f" with {words}" for flag, words in VECTORS.items() if flag in flags), "")
    if gpu:
        import torch

        processor += f"; {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} cores, {processor}; {platform.system()}, Python {platform.python_version()}"
