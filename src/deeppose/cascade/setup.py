"""What the stages that run networks share: where crops are cut, by whom, how a network predicts."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric import Fabric

from deeppose.cascade.batches import CropSource
from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.devices import loader_workers
from deeppose.cascade.prediction import Predictor
from deeppose.core.examples import Examples
from deeppose.core.images import Images
from deeppose.core.paths import Half, Item


def images_of(item: Item, half: Half, examples: Examples, device: torch.device) -> CropSource:
    """The images of these examples, to cut crops from where params say."""
    images = Images(half.images, examples.table)
    return images if item.profile.device.crops == "host" else DeviceImages(images, device)


def workers_of(item: Item, device: torch.device) -> int:
    """How many processes cut crops for a network that runs there."""
    if item.profile.device.crops == "device":
        return 0
    return loader_workers(device) if item.params.workers == "auto" else item.params.workers


def predictor_of(item: Item, fabric: Fabric, description: Mapping[str, Any], *, shared: bool) -> Predictor:
    """What runs a network of this item: each process for itself, or all of them together (`shared`).

    `description` is what came with the network's weights.
    """
    average = item.skeleton.mirrored if description["average_mirrored"] else None
    workers = workers_of(item, fabric.device)
    rank, count = (fabric.global_rank, fabric.world_size) if shared else (0, 1)
    quiet = not fabric.is_global_zero
    return Predictor(item.profile.prediction_batch, workers, fabric.device, average, rank, count, quiet)
