"""What benchmarks run on, without any data set: the paper's network ready to train, pictures of nobody."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from deeppose.cascade.batches import Batch, CropSource, WholeBodies
from deeppose.cascade.processes import start_fabric
from deeppose.cascade.training import build_optimizer, train_step
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import diameter
from deeppose.core.images import Pixels
from deeppose.core.params import Device, Params, Training
from deeppose.core.skeleton import FULL_BODY
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import build_network

PROFILE = "paper"
HEIGHT, WIDTH = 180, 110
"""About the size of LSP's images, pixels."""
MEAN_COLOUR = (110, 108, 100)


@dataclass
class Runner:
    """A network on a device, ready to train."""

    fabric: Fabric
    model: Any
    optimizer: torch.optim.Optimizer
    training: Training
    step: int = 0

    def train(self, batch: Batch) -> float:
        """One step; the loss before it."""
        self.step += 1
        return train_step(self.model, self.optimizer, self.fabric, batch, self.training, (0, 2, self.step))


def runner_of(params: Params, device: Device, network: Regressor) -> Runner:
    """The network, trained as the paper's."""
    training = params.profiles[PROFILE].training
    fabric = start_fabric(device, params.threads)
    network = network.to(fabric.device)
    optimizer = build_optimizer(network, training.optimizer)
    model, wrapped = fabric.setup(network, optimizer)
    model.mark_forward_method("losses")
    return Runner(fabric, model, wrapped, training)


def papers_network(params: Params) -> Regressor:
    """The network of the profile `paper`."""
    return network_of(params, PROFILE)


def network_of(params: Params, profile: str) -> Regressor:
    """The network of a profile, with the same fresh weights each time."""
    sizes = params.profiles[profile].network
    torch.manual_seed(0)
    return build_network(
        **sizes.model_dump(exclude={"input"}),
        joints=len(FULL_BODY.joints),
        size=sizes.input,
        mean=MEAN_COLOUR,
    )


def random_pictures(count: int) -> list[Pixels]:
    """Noise of LSP's size."""
    generator = np.random.default_rng(0)
    return list(generator.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8))


def random_examples(count: int) -> Examples:
    """Training examples of LSP's size with random poses, all joints labelled; their box is the image."""
    poses = np.random.default_rng(1).uniform(10, WIDTH - 10, (count, len(FULL_BODY.joints), 2))
    labelled = np.ones(poses.shape[:2], dtype=bool)
    table = pd.DataFrame({"part": "train", "width": np.full(count, WIDTH), "height": HEIGHT})
    table[BOX_COLUMNS] = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2, float(WIDTH), float(HEIGHT)]
    table["diameter"] = diameter(poses, labelled, FULL_BODY)
    return Examples(table, poses, labelled)


def whole_bodies(params: Params, images: CropSource, examples: Examples) -> WholeBodies:
    """Stage 1's batches of the profile `paper`."""
    profile = params.profiles[PROFILE]
    return WholeBodies(
        images=images,
        examples=examples,
        training_rows=np.arange(len(examples.table)),
        skeleton=FULL_BODY,
        size=profile.network.input,
        padding=MEAN_COLOUR,
        translation=profile.stage1.translation,
        keep_joints=profile.stage1.keep_joints,
        seed=(0, 1),
    )
