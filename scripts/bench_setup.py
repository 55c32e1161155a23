"""What benchmarks run on, without any data set: the paper's network ready to train, pictures of nobody."""

import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from deeppose.cascade.batches import Batch, CropSource, Steps, Table, WholeBodies, crop_loader
from deeppose.cascade.processes import start_fabric
from deeppose.cascade.training import build_optimizer, train_step
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import Floats, diameter
from deeppose.core.images import Pixels
from deeppose.core.params import Params
from deeppose.core.skeleton import FULL_BODY, Skeleton
from deeppose.core.training_params import Device
from deeppose.data.pose_set import PERSON_CENTRIC, PoseSet
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import build_network

PROFILE = "paper"
HEIGHT, WIDTH = 180, 110
"""About the size of LSP's images, pixels."""
MEAN_COLOUR = (110, 108, 100)
QUALITY = 90


class Runner:
    """A network on a device, ready to be trained as the paper's."""

    def __init__(self, params: Params, device: Device, network: Regressor) -> None:
        self.training = params.profiles[PROFILE].training
        self.fabric = start_fabric(device, params.threads)
        network = network.to(self.fabric.device)
        optimizer = build_optimizer(network, self.training.optimizer)
        self.model, self.optimizer = self.fabric.setup(network, optimizer)
        self.model.mark_forward_method("losses")
        self.step = 0

    def train(self, batch: Batch) -> float:
        """One step; the loss before it."""
        self.step += 1
        return train_step(self.model, self.optimizer, self.fabric, batch, self.training, (0, 2, self.step))


def network_of(params: Params, profile: str = PROFILE, seed: int = 0) -> Regressor:
    """The network of a profile, of the paper's if none is named, with the same fresh weights each time."""
    torch.manual_seed(seed)
    return build_network(**network_sizes(params, profile))


def network_sizes(params: Params, profile: str) -> dict[str, Any]:
    sizes = params.profiles[profile].network
    more = {"joints": len(FULL_BODY.joints), "size": sizes.input, "mean": MEAN_COLOUR}
    return sizes.model_dump(exclude={"input"}) | more


def random_pictures(count: int) -> list[Pixels]:
    generator = np.random.default_rng(0)
    return list(generator.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8))


def smooth_pictures(count: int) -> Iterator[Pixels]:
    """Smooth random pictures of LSP's size, with some noise, which compress as photographs do."""
    generator = np.random.default_rng(2)
    for _ in range(count):
        coarse = generator.integers(0, 256, (HEIGHT // 10, WIDTH // 10, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        yield np.clip(smooth + generator.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def encoded(pictures: Iterable[Pixels]) -> list[bytes]:
    """The pictures as JPEG files."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return [cv2.imencode(".jpg", picture, quality)[1].tobytes() for picture in pictures]


def random_examples(count: int) -> Examples:
    """Training examples of LSP's size with random poses, all joints labelled; their box is the image."""
    poses = np.random.default_rng(1).uniform(10, WIDTH - 10, (count, len(FULL_BODY.joints), 2))
    labelled = np.ones(poses.shape[:2], dtype=bool)
    table = pd.DataFrame({"part": "train", "width": np.full(count, WIDTH), "height": HEIGHT})
    table[BOX_COLUMNS] = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2, float(WIDTH), float(HEIGHT)]
    table["diameter"] = diameter(poses, labelled, FULL_BODY)
    return Examples(table, poses, labelled)


def whole_bodies(params: Params, images: CropSource, examples: Examples) -> WholeBodies:
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


def feed(
    table: Table, params: Params, device: str = "cpu", *, last: int = sys.maxsize, workers: int = 0
) -> Iterator[Batch]:
    """Batches of the profile `paper` up to step `last`, cut by so many processes (0: by this one)."""
    batches = Steps(table, params.profiles[PROFILE].training.batch, range(last), slice(None))
    return iter(crop_loader(batches, workers, torch.device(device)))


def write_archive(path: Path, files: Sequence[bytes], images: int = 0, examples_an_image: int = 1) -> PoseSet:
    """A zip archive of the files, as often as needed for so many images, and random poses on them.

    All joints are labelled, and the first half trains.
    """
    members = [f"images/im{number:08d}.jpg" for number in range(images or len(files))]
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in zip(members, cycle(files), strict=False):
            archive.writestr(member, data)
    poses = random_poses(len(members) * examples_an_image, FULL_BODY, 1)
    return PoseSet(
        name="lsp",
        archive=path,
        members=tuple(member for member in members for _ in range(examples_an_image)),
        poses=poses,
        labelled=np.ones(poses.shape[:2], dtype=bool),
        train=np.arange(len(poses)) < len(poses) // 2,
        skeleton=FULL_BODY,
        labels=PERSON_CENTRIC,
    )


def random_poses(count: int, skeleton: Skeleton, seed: int) -> Floats:
    corner = [WIDTH - 1, HEIGHT - 1]
    return np.random.default_rng(seed).uniform([0, 0], corner, (count, len(skeleton.joints), 2))
