"""Where networks run, and that they do so deterministically."""

import ctypes
import os
import sys

import torch
import torch.utils.deterministic

from deeppose.core.errors import DeviceError
from deeppose.core.training_params import Device

MOST_WORKERS = 16
# From glibc's malloc.h, and the largest value that it takes for the second.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20


def set_up_device(device: Device, threads: int) -> torch.device:
    """The device that params name; `threads` threads inside each operation; deterministic algorithms.

    Raises
    ------
    DeviceError
        If the accelerator is not there.
    """
    if device.accelerator == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "device.accelerator is cuda, but torch sees no CUDA device here: run on a machine with one, "
            "or say -S profiles/<profile>.yaml:device.accelerator=cpu (the paper's network then takes months)"
        )
    torch.set_num_threads(threads)
    # Without it cuBLAS may sum in another order from run to run; it is read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    on_gpu = device.accelerator != "cpu" and torch.cuda.is_available()
    # Left alone, torch takes TF32 for convolutions and not for other products.
    tf32 = on_gpu and device.precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    # Filling every fresh tensor would cost a twentieth of a step; no operation here reads one unwritten.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if not on_gpu:
        keep_freed_memory()
    return torch.device("cuda" if on_gpu else "cpu")


def keep_freed_memory() -> None:
    """Have this process keep what tensors of up to 32 MB gave back, for the next ones.

    Left alone, glibc returns much of it to the kernel, which clears each page anew when it is taken again: a
    fifth of a training step of the profile `cpu`. Other C libraries are left as they are.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def loader_workers(device: torch.device) -> int:
    """How many processes cut crops where params leave it open: beside a GPU many, beside a CPU none.

    On a CPU they would take the cores that the network runs on.
    """
    return 0 if device.type == "cpu" else min(os.cpu_count() or 1, MOST_WORKERS)
