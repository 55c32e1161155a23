"""How the stages that run networks run them: who cuts the crops, and how predictions are made."""

import torch

from common import Item
from deeppose.cascade import Predictor
from deeppose.devices import loader_workers


def workers_of(item: Item, device: torch.device) -> int:
    """How many processes cut crops for a network that runs there."""
    return loader_workers(device) if item.params.workers == "auto" else item.params.workers


def predictor_of(item: Item, device: torch.device) -> Predictor:
    """What runs the networks of this item."""
    average = item.skeleton.mirrored if item.profile.average_mirrored else None
    return Predictor(item.profile.prediction_batch, workers_of(item, device), device, average)
