"""Training batches, each a function of its step alone, so that workers and restarts change nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deeppose.crops import crop
from deeppose.examples import Examples, Indices
from deeppose.geometry import Bools, Floats, mirror_boxes, mirror_labels, mirror_poses, normalise
from deeppose.images import ImageSource
from deeppose.skeleton import Skeleton

SHIFTS_TRIED = 4

Crops = TypeVar("Crops")


class Batch(NamedTuple):
    """Crops `(b, size, size, 3)` uint8, targets `(b, k, 2)` (Eq. 1) and which of them count `(b, k)`."""

    crops: Tensor
    targets: Tensor
    counted: Tensor


class Table(Protocol):
    """What batches are drawn from; rows are visited in an order new each epoch."""

    @property
    def seed(self) -> tuple[int, ...]:
        """What the order and all random numbers follow from."""

    def __len__(self) -> int:
        """How many rows an epoch has."""

    def batch(self, rows: Indices, step: int, share: slice) -> Batch:
        """The batch of `rows`; random numbers are drawn for all of them, crops cut for `share` only."""


@dataclass(frozen=True)
class WholeBodies:
    """Stage 1 (§3.1): crops by the initial box, moved at random, every second one mirrored.

    `translation` is the largest move, in shares of the box's sides; of the labelled joints inside the
    box, the moved box keeps at least the share `keep_joints`, or else isn't moved.
    """

    images: ImageSource
    examples: Examples
    training_rows: Indices
    skeleton: Skeleton
    size: int
    padding: tuple[int, int, int]
    translation: float
    keep_joints: float
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.training_rows)

    def batch(self, rows: Indices, step: int, share: slice) -> Batch:
        """See :class:`Table`."""
        generator = np.random.default_rng([*self.seed, 1, step])
        mirrored = generator.random(len(rows))[share] < 0.5
        shifts = generator.uniform(-self.translation, self.translation, (len(rows), SHIFTS_TRIED, 2))[share]
        chosen = self.training_rows[rows[share]]
        widths = self.examples.widths[chosen]
        poses = np.where(
            mirrored[:, None, None],
            mirror_poses(self.examples.poses[chosen], widths, self.skeleton),
            self.examples.poses[chosen],
        )
        labelled = np.where(
            mirrored[:, None],
            mirror_labels(self.examples.labelled[chosen], self.skeleton),
            self.examples.labelled[chosen],
        )
        boxes = self.examples.boxes[chosen]
        boxes = np.where(mirrored[:, None], mirror_boxes(boxes, widths), boxes)
        boxes = _moved(boxes, shifts, poses, labelled, self.keep_joints)
        targets = np.nan_to_num(normalise(poses, boxes[:, None]))
        cut = np.where(mirrored[:, None], mirror_boxes(boxes, widths), boxes)
        return _batch(self.images, chosen, cut, mirrored, self.size, self.padding, targets, labelled)


def _moved(boxes: Floats, shifts: Floats, poses: Floats, labelled: Bools, keep: float) -> Floats:
    candidates = np.repeat(boxes[:, None], shifts.shape[1] + 1, axis=1)
    candidates[:, :-1, :2] += shifts * boxes[:, None, 2:]
    with np.errstate(invalid="ignore"):
        inside = (np.abs(normalise(poses[:, None], candidates[:, :, None])) <= 0.5).all(axis=-1)
    inside &= labelled[:, None]
    kept = inside.sum(axis=-1)
    enough = kept >= keep * kept[:, -1:]
    chosen: Floats = candidates[np.arange(len(boxes)), enough.argmax(axis=1)]
    return chosen


class JointBoxes:
    """Stages s ≥ 2 (§3.2): crops by the boxes of the augmented set, each training one output (Eq. 8)."""

    def __init__(
        self,
        images: ImageSource,
        table: pd.DataFrame,
        joints: int,
        size: int,
        padding: tuple[int, int, int],
        seed: tuple[int, ...],
    ) -> None:
        self.images = images
        self.size = size
        self.padding = padding
        self.joints = joints
        self.seed = seed
        self._example = table["example"].to_numpy()
        self._mirrored = table["mirrored"].to_numpy()
        self._joint = table["joint"].to_numpy()
        self._box = table[["box_x", "box_y", "side", "side"]].to_numpy(np.float32)
        self._target = table[["target_x", "target_y"]].to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self._example)

    def batch(self, rows: Indices, step: int, share: slice) -> Batch:
        """See :class:`Table`."""
        rows = rows[share]
        counted = np.zeros((len(rows), self.joints), dtype=bool)
        targets = np.zeros((len(rows), self.joints, 2), dtype=np.float32)
        each = np.arange(len(rows))
        counted[each, self._joint[rows]] = True
        targets[each, self._joint[rows]] = self._target[rows]
        return _batch(
            self.images,
            self._example[rows],
            self._box[rows],
            self._mirrored[rows],
            self.size,
            self.padding,
            targets,
            counted,
        )


def _batch(
    images: ImageSource,
    examples: np.ndarray,
    boxes: np.ndarray,
    mirrored: Bools,
    size: int,
    padding: tuple[int, int, int],
    targets: np.ndarray,
    counted: Bools,
) -> Batch:
    return Batch(
        torch.from_numpy(cut_crops(images, examples, boxes, mirrored, size, padding)),
        torch.from_numpy(targets.astype(np.float32)),
        torch.from_numpy(counted),
    )


def cut_crops(
    images: ImageSource,
    examples: np.ndarray,
    boxes: np.ndarray,
    mirrored: Bools,
    size: int,
    padding: tuple[int, int, int],
) -> np.ndarray:
    """Crops `(n, size, size, 3)` of the examples' images by `boxes` `(n, 4)`, in the images as they are."""
    crops = np.empty((len(examples), size, size, 3), dtype=np.uint8)
    for number, (example, box, flip) in enumerate(zip(examples, boxes, mirrored, strict=True)):
        crops[number] = crop(images[int(example)], box, size, padding, mirrored=bool(flip))
    return crops


@lru_cache(maxsize=2)
def _epoch_order(rows: int, seed: tuple[int, ...], epoch: int) -> np.ndarray:
    return np.random.default_rng([*seed, 0, epoch]).permutation(np.arange(rows, dtype=np.int32))


def rows_of_step(rows: int, batch: int, seed: tuple[int, ...], step: int) -> np.ndarray:
    """Which rows make the batch of a step: the next `batch` of an endless row of shuffled epochs."""
    first = step * batch
    positions = np.arange(first, first + batch)
    epochs = positions // rows
    return np.concatenate(
        [_epoch_order(rows, seed, int(e))[positions[epochs == e] % rows] for e in np.unique(epochs)]
    )


class _Steps(Dataset[Batch]):
    def __init__(self, table: Table, batch: int, first: int, last: int, rank: int, processes: int) -> None:
        self.table, self.batch, self.first, self.last = table, batch, first, last
        self.share = slice(rank, None, processes)

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, number: int) -> Batch:
        step = self.first + number
        rows = rows_of_step(len(self.table), self.batch, self.table.seed, step)
        return self.table.batch(rows, step, self.share)


def batches(
    table: Table, *, batch: int, first: int, last: int, rank: int, processes: int, workers: int
) -> Iterator[Batch]:
    """The batches of steps `first` to `last`, cut by `workers` processes (0: by this one).

    With several training processes each gets its share of every batch, without overlap.
    """
    steps = _Steps(table, batch, first, last, rank, processes)
    return iter(crop_loader(steps, workers))


def crop_loader(dataset: Dataset[Crops], workers: int) -> DataLoader[Crops]:
    """Go through a data set of ready batches of crops, cut by `workers` processes (0: by this one)."""
    # A worker that inherits OpenCV's threads hangs: they must have ended before it is forked.
    cv2.setNumThreads(1)
    return DataLoader(dataset, batch_size=None, num_workers=workers)
