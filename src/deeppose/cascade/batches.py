"""Training batches, each a function of its step alone, so that workers and restarts change nothing."""

from dataclasses import InitVar, dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from deeppose.cascade.crops import crop
from deeppose.cascade.device_images import DeviceImages
from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Bools, Floats, mirror_boxes, normalise, turn_about
from deeppose.core.images import ImageSource
from deeppose.core.skeleton import Skeleton

MOVES_TRIED = 4
MIRRORED_SHARE = 0.5
"""Of stage 1's crops."""

Crops = TypeVar("Crops")
CropSource = ImageSource | DeviceImages
"""Where crops are cut: beside the network, or on its device."""


class Batch(NamedTuple):
    """Crops `(b, size, size, 3)` uint8, targets `(b, k, 2)` (Eq. 1) and how much each counts `(b, k)`."""

    crops: Tensor
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True)
class WholeBodies:
    """Stage 1 (§3.1): crops by the initial box, moved at random, every second one mirrored.

    Attributes
    ----------
    translation
        The largest move, in shares of the box's sides.
    scale
        The largest change of its sides, as a share of them.
    rotation, rotated
        The largest turn, degrees, and the share of the boxes that are turned.
    keep_joints
        Of the labelled joints inside the box, the share that the moved box keeps; or else it isn't moved.
    """

    images: CropSource
    examples: Examples
    training_rows: Indices
    skeleton: Skeleton
    size: int
    padding: tuple[int, int, int]
    translation: float
    keep_joints: float
    seed: tuple[int, ...]
    scale: float = 0.0
    rotation: float = 0.0
    rotated: float = 0.0

    def __len__(self) -> int:
        return len(self.training_rows)

    def rows_of(self, examples: Indices) -> Indices:
        """The table's rows that show these examples."""
        return np.flatnonzero(np.isin(self.training_rows, examples))

    def batch(self, rows: Indices, step: int, share: slice) -> Batch:
        """The batch of `rows`; random numbers are drawn for all of them, crops cut for `share` only."""
        generator = np.random.default_rng([*self.seed, 1, step])
        mirrored = generator.random(len(rows))[share] < MIRRORED_SHARE
        tries = (len(rows), MOVES_TRIED)
        shifts = generator.uniform(-self.translation, self.translation, (*tries, 2))[share]
        scales = 1 + generator.uniform(-self.scale, self.scale, tries)[share]
        is_turned = generator.random(tries) < self.rotated
        turns = np.deg2rad(generator.uniform(-self.rotation, self.rotation, tries))
        moves = shifts, scales, np.where(is_turned, turns, 0.0)[share]
        chosen = self.training_rows[rows[share]]
        widths = self.examples.widths[chosen]
        poses, labelled = self.examples.frame(chosen, mirrored, self.skeleton)
        boxes = _mirrored_where(mirrored, self.examples.boxes[chosen], widths)
        boxes, angles, targets = moved(boxes, poses, labelled, self.keep_joints, *moves)
        cut = _mirrored_where(mirrored, boxes, widths)
        turned = np.where(mirrored, -angles, angles)
        crops = cut_crops(self.images, chosen, cut, mirrored, self.size, self.padding, turned)
        return _batch(crops, np.nan_to_num(targets), labelled)


def moved(
    boxes: Floats, poses: Floats, labelled: Bools, keep: float, shifts: Floats, scales: Floats, angles: Floats
) -> tuple[Floats, Floats, Floats]:
    """The first moved box that keeps enough joints, else the box as it is: boxes, angles, N(y; b).

    Moves are tried one after the other: `shifts` in shares of the boxes' sides, `scales` factors on them,
    `angles` in radians.
    """
    candidates = np.repeat(boxes[:, None], shifts.shape[1] + 1, axis=1)
    candidates[:, :-1, :2] += shifts * boxes[:, None, 2:]
    candidates[:, :-1, 2:] *= scales[..., None]
    angles = np.pad(angles, ((0, 0), (0, 1)))
    seen = poses[:, None]
    if angles.any():
        seen = turn_about(seen, candidates[..., :2], -angles)
    normalised = normalise(seen, candidates[:, :, None])
    with np.errstate(invalid="ignore"):
        inside = (np.abs(normalised) <= 0.5).all(axis=-1)
    inside &= labelled[:, None]
    kept = inside.sum(axis=-1)
    enough = kept >= keep * kept[:, -1:]
    first = np.arange(len(boxes)), enough.argmax(axis=1)
    return candidates[first], angles[first], normalised[first]


@dataclass
class JointBoxes:
    """Stages s ≥ 2 (§3.2): crops by the boxes of the augmented set, each training one output (Eq. 8).

    Attributes
    ----------
    table
        As of :func:`deeppose.displacements.augmented_set.simulated_boxes`.
    others
        Weight of the other labelled joints that a crop shows, beside 1 for its own.
    scale
        The largest change of a box's side, as a share of it.
    rotation
        The largest turn of a box about its centre, degrees.
    """

    images: CropSource
    table: InitVar[pd.DataFrame]
    examples: Examples
    skeleton: Skeleton
    size: int
    padding: tuple[int, int, int]
    seed: tuple[int, ...]
    others: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0

    def __post_init__(self, table: pd.DataFrame) -> None:
        self._example = table["example"].to_numpy()
        self._mirrored = table["mirrored"].to_numpy()
        self._joint = table["joint"].to_numpy()
        # The table's own columns, since arrays of several would be copies, and it has millions of rows.
        x, y, side = (table[name].to_numpy(np.float32) for name in ("box_x", "box_y", "side"))
        self._box = x, y, side, side
        self._target = tuple(table[name].to_numpy(np.float32) for name in ("target_x", "target_y"))

    def __len__(self) -> int:
        return len(self._example)

    def rows_of(self, examples: Indices) -> Indices:
        """The table's rows that show these examples."""
        return np.flatnonzero(np.isin(self._example, examples))

    def batch(self, rows: Indices, step: int, share: slice) -> Batch:
        """The batch of `rows`; random numbers are drawn for all of them, crops cut for `share` only."""
        generator = np.random.default_rng([*self.seed, 1, step])
        scales = 1 + generator.uniform(-self.scale, self.scale, len(rows))[share]
        angles = np.deg2rad(generator.uniform(-self.rotation, self.rotation, len(rows)))[share]
        rows = rows[share]
        chosen, mirrored = self._example[rows], self._mirrored[rows]
        boxes = np.stack([column[rows] for column in self._box], axis=-1)
        targets, labelled = self._others(chosen, boxes, mirrored)
        own = np.arange(len(rows)), self._joint[rows]
        targets[own] = np.stack([column[rows] for column in self._target], axis=-1)
        targets = turn_about(targets, np.zeros((len(rows), 2)), -angles) / scales[:, None, None]
        boxes[:, 2:] *= scales[:, None]
        with np.errstate(invalid="ignore"):
            shown = labelled & (np.abs(targets) <= 0.5).all(axis=-1)
        weights = np.where(shown, self.others, 0.0)
        weights[own] = 1.0
        turned = np.where(mirrored, -angles, angles)
        crops = cut_crops(self.images, chosen, boxes, mirrored, self.size, self.padding, turned)
        return _batch(crops, np.where(weights[..., None] > 0, targets, 0.0), weights)

    def _others(self, chosen: Indices, boxes: Floats, mirrored: Bools) -> tuple[Floats, Bools]:
        """N(y; b) of all joints, and which are labelled; of none where they count nothing."""
        shape = (len(chosen), len(self.skeleton.joints))
        if self.others == 0:
            return np.zeros((*shape, 2), dtype=np.float32), np.zeros(shape, dtype=np.bool_)
        poses, labelled = self.examples.frame(chosen, mirrored, self.skeleton)
        seen = _mirrored_where(mirrored, boxes, self.examples.widths[chosen])
        return normalise(poses, seen[:, None]), labelled


Table = WholeBodies | JointBoxes
"""What batches are drawn from; rows are visited in an order new each epoch, by the table's `seed`."""


def _mirrored_where(mirrored: Bools, boxes: Floats, widths: Indices) -> Floats:
    """Boxes `(b, 4)`, those of mirrored crops as they stand in the mirrored images, or back."""
    return np.where(mirrored[:, None], mirror_boxes(boxes, widths), boxes)


def _batch(crops: Tensor, targets: Floats, weights: Floats | Bools) -> Batch:
    return Batch(crops, *(torch.from_numpy(part.astype(np.float32)) for part in (targets, weights)))


def cut_crops(
    images: CropSource,
    examples: Indices,
    boxes: Floats,
    mirrored: Bools,
    size: int,
    padding: tuple[int, int, int],
    angles: Floats | None = None,
) -> Tensor:
    """Crops `(n, size, size, 3)` of the examples' images by `boxes` `(n, 4)`, in the images as they are.

    `angles` `(n,)` turn the boxes, see :func:`deeppose.cascade.crops.crop`. Crops lie where the images do.
    """
    turns = np.zeros(len(examples)) if angles is None else angles
    if isinstance(images, DeviceImages):
        assert get_worker_info() is None, "a worker has no device"
        assert not turns.any(), "params don't let boxes be turned here"
        return images.crops(examples, boxes, mirrored, size, padding)
    crops = np.empty((len(examples), size, size, 3), dtype=np.uint8)
    for number, (example, box, flip, angle) in enumerate(zip(examples, boxes, mirrored, turns, strict=True)):
        image = images[int(example)]
        crops[number] = crop(image, box, size, padding, mirrored=bool(flip), angle=float(angle))
    return torch.from_numpy(crops)


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


class LastPart(NamedTuple):
    """The steps from `start` on, whose batches hold these rows of a table alone."""

    start: int
    rows: Indices


@dataclass(frozen=True)
class Steps(Dataset[Batch]):
    """The batches of `steps`; each training process gets its `share` of every batch, without overlap."""

    table: Table
    batch: int
    steps: range
    share: slice
    last: LastPart | None = None

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, number: int) -> Batch:
        step = self.steps[number]
        if self.last is None or step < self.last.start:
            rows = rows_of_step(len(self.table), self.batch, self.table.seed, step)
        else:
            step_of_part = step - self.last.start
            drawn = rows_of_step(len(self.last.rows), self.batch, self.table.seed, step_of_part)
            rows = self.last.rows[drawn]
        return self.table.batch(rows, step, self.share)


def crop_loader(dataset: Dataset[Crops], workers: int, device: torch.device) -> DataLoader[Crops]:
    """Go through a data set of ready batches of crops, cut by `workers` processes (0: by this one)."""
    # A worker that inherits OpenCV's threads hangs: they must have ended before it is forked.
    cv2.setNumThreads(1)
    # A GPU copies from pinned memory several times as fast. Without workers crops may have been cut on it.
    pinned = device.type == "cuda" and workers > 0
    return DataLoader(dataset, batch_size=None, num_workers=workers, pin_memory=pinned)
