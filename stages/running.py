"""How the stages that run networks run them: in which processes, who cuts crops, how predictions are made."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric

from common import Half, Item
from deeppose.cascade.batches import CropSource
from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.devices import loader_workers
from deeppose.cascade.prediction import Predictor
from deeppose.cascade.processes import start_fabric, together
from deeppose.core.errors import StageError
from deeppose.core.examples import Examples
from deeppose.core.images import Images

LAUNCH = "DEEPPOSE_LAUNCH"
"""Names the variable with a command, torchrun and its options, that starts a stage's processes."""


@contextmanager
def processes(item: Item) -> Iterator[Fabric]:
    """The processes that params name; they begin and end together."""
    device = item.profile.device
    launch = shlex.split(os.environ.get(LAUNCH, ""))
    if launch and device.devices > 1 and not torch.distributed.is_torchelastic_launched():
        if not any(Path(word).name == "torchrun" for word in launch):
            raise StageError(f"{LAUNCH} is {shlex.join(launch)!r}, but must call torchrun: see docs/scale.md")
        if shutil.which(launch[0]) is None:
            raise StageError(f"{LAUNCH} begins with {launch[0]!r}, and there is no such command here")
        sys.stdout.flush()
        os.execvp(launch[0], [*launch, *sys.argv])
    fabric = start_fabric(device, item.params.threads)
    with together(fabric):
        yield fabric


def images_of(item: Item, half: Half, examples: Examples, device: torch.device) -> CropSource:
    """The images of these examples, to cut crops from where params say."""
    images = Images(half.images, examples.table)
    return images if item.profile.device.crops == "host" else DeviceImages(images, device)


def workers_of(item: Item, device: torch.device) -> int:
    """How many processes cut crops for a network that runs there."""
    if item.profile.device.crops == "device":
        return 0
    return loader_workers(device) if item.params.workers == "auto" else item.params.workers


def predictor_of(item: Item, fabric: Fabric, *, shared: bool) -> Predictor:
    """What runs the networks of this item: each process for itself, or all of them together (`shared`)."""
    average = item.skeleton.mirrored if item.profile.average_mirrored else None
    workers = workers_of(item, fabric.device)
    rank, count = (fabric.global_rank, fabric.world_size) if shared else (0, 1)
    quiet = not fabric.is_global_zero
    return Predictor(item.profile.prediction_batch, workers, fabric.device, average, rank, count, quiet)
