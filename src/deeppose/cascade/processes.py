"""Several processes that run one stage together: how they are started, and how they end when one dies."""

import os
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from deeppose.cascade.devices import set_up_device
from deeppose.core.errors import DeviceError, ProcessesError, StageError
from deeppose.core.training_params import Device

LAUNCH = "DEEPPOSE_LAUNCH"
"""Names the variable with a command, torchrun and its options, that starts a stage's processes."""
LOOKS_EVERY = 0.1
"""Seconds between two looks at whether the other processes live; Fabric's, each 5 s, kills wordlessly."""
LOST = (
    "another of the {processes} processes that run this stage together is gone: what it said stands above; "
    "if it said nothing it was killed, most often for memory. Run the same command again, a training goes on "
    "from its last checkpoint"
)


@contextmanager
def processes(device: Device, threads: int) -> Iterator[Fabric]:
    """The processes that params name, which begin and end together.

    Where the variable `LAUNCH` is set and there are several, its torchrun runs this script anew.

    Raises
    ------
    StageError
        If `LAUNCH` holds no call of torchrun, or one of a command that isn't there.
    """
    launch = shlex.split(os.environ.get(LAUNCH, ""))
    if launch and device.devices > 1 and not torch.distributed.is_torchelastic_launched():
        if not any(Path(word).name == "torchrun" for word in launch):
            raise StageError(f"{LAUNCH} is {shlex.join(launch)!r}, but must call torchrun: see docs/scale.md")
        if shutil.which(launch[0]) is None:
            raise StageError(f"{LAUNCH} begins with {launch[0]!r}, and there is no such command here")
        sys.stdout.flush()
        os.execvp(launch[0], [*launch, *sys.argv])
    fabric = start_fabric(device, threads)
    with together(fabric):
        yield fabric


def start_fabric(device: Device, threads: int) -> Fabric:
    """A Fabric of one or more processes, each set up by :func:`deeppose.cascade.devices.set_up_device`.

    Where torchrun started this process, its processes are taken, on one machine or several; else Fabric
    starts them here.

    Raises
    ------
    DeviceError
        If the accelerator is not there, or too few of them.
    ProcessesError
        If torchrun started another number of processes than params say.
    """
    on_gpu = set_up_device(device, threads).type == "cuda"
    by_torchrun = TorchElasticEnvironment.detect()
    mixed = device.precision == "bf16-mixed"
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if mixed else "32-true"
    gpus = torch.cuda.device_count()
    if not by_torchrun and on_gpu and device.devices > gpus:
        raise DeviceError(
            f"device.devices is {device.devices}, but torch sees {gpus} CUDA devices here: let torchrun "
            "start the processes on several machines, see docs/scale.md, or say "
            f"-S profiles/<profile>.yaml:device.devices={gpus}"
        )
    here, machines = _processes_here(device) if by_torchrun else (device.devices, 1)
    fabric = Fabric(
        accelerator=device.accelerator,
        devices=here,
        num_nodes=machines,
        precision=precision,
        # Left alone, Fabric takes a Slurm job's tasks for processes that it may use.
        plugins=[TorchElasticEnvironment() if by_torchrun else LightningEnvironment()],
    )
    fabric.launch()
    # Fabric gives several processes another number of threads.
    torch.set_num_threads(threads)
    return fabric


def _processes_here(device: Device) -> tuple[int, int]:
    """Of torchrun's processes, how many run on this machine, and on how many machines so many do."""
    started, here = (int(os.environ[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if started != device.devices:
        raise ProcessesError(
            f"torchrun started {started} processes, but device.devices is {device.devices}, and their number "
            f"is part of the result: let torchrun start {device.devices}, or say "
            f"-S profiles/<profile>.yaml:device.devices={started}"
        )
    if started % here:
        raise ProcessesError(
            f"torchrun started {here} of {started} processes on this machine: start as many on each"
        )
    return here, started // here


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """Within it, a process whose others are gone ends with words; at its end they wait for each other.

    Raises
    ------
    ProcessesError
        If another process died while this one wanted to hear from it. One that is busy with something else
        is ended all the same, with the same words and exit status 1.
    """
    if fabric.world_size == 1:
        yield
        return
    lost = LOST.format(processes=fabric.world_size)
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(fabric, done, lost), daemon=True)
    watch.start()
    try:
        yield
        fabric.barrier()
    except RuntimeError as error:
        if not (isinstance(error, torch.distributed.DistError) or "gloo" in str(error)):
            raise
        raise ProcessesError(f"process {fabric.global_rank}: {lost}") from error
    finally:
        done.set()
        watch.join()


def _watch(fabric: Fabric, done: threading.Event, lost: str) -> None:
    """End this process when the one that started it, or one that it started, is gone.

    What communicates by GPU, or not at all just then, notices nothing by itself.
    """
    started = getattr(fabric.strategy.launcher, "procs", [])
    parent = os.getppid()
    while not done.wait(LOOKS_EVERY):
        died = any(process.poll() for process in started) if started else os.getppid() != parent
        if died and not done.is_set():
            print(f"error: process {fabric.global_rank}: {lost}", file=sys.stderr, flush=True)
            for process in started:
                process.kill()
            os._exit(1)
