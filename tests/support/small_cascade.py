"""A cascade whose weights are random and take milliseconds, and a photo for it."""

import numpy as np
import torch
from torch import nn

from deeppose.core.skeleton import FULL_BODY
from deeppose.networks.weights import build_network, save_network


def write_weights(folder, stages=3, skeleton=FULL_BODY, **described):
    """Small networks with random weights that put joints well apart, so that boxes are not clamped."""
    sizes = {"name": "alexnet", "joints": len(skeleton.joints), "size": 60, "width": 0.05, "dropout": 0.0}
    sizes |= {"initial_weights": "he", "pixel_scale": 0.016, "mean": [120.0, 110.0, 100.0]}
    paths = []
    for stage in range(1, stages + 1):
        torch.manual_seed(stage)
        network = build_network(**sizes)
        nn.init.normal_(network.regressor[-1].weight, std=0.004)
        nn.init.uniform_(network.regressor[-1].bias, -0.4, 0.4)
        description = {"stage": stage, "skeleton": skeleton.described, "network": sizes, **described}
        if stage > 1:
            description |= {"sigma": 1.0, "smallest_box": 0.05}
        paths.append(folder / f"stage{stage}.safetensors")
        save_network(network, description, paths[-1])
    return paths


def photo_pixels(width=90, height=120):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
