"""Prediction: stage 1 on the initial box (Eq. 5), later stages on a box around each joint (Eq. 6, 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Subset

from deeppose.cascade.batches import CropSource, crop_loader, cut_crops
from deeppose.core.errors import NotFiniteError
from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import (
    Estimate,
    Floats,
    denormalise,
    estimate_of,
    joint_boxes,
    mirror_boxes,
    of_own_joint,
    pose_boxes,
    refined,
)
from deeppose.core.progress import progress
from deeppose.core.skeleton import skeleton_from
from deeppose.networks.regressor import Regressor


@dataclass(frozen=True)
class Predictor:
    """How a network is run over many crops.

    Attributes
    ----------
    batch, workers
        Crops a batch, and processes that cut them.
    average
        Where a crop's prediction is averaged with that of its mirrored copy: which joint each joint becomes
        in a mirror, as in :class:`deeppose.core.skeleton.Skeleton`.
    rank, processes
        Of several processes that predict together, which this is, and how many they are. Each takes whole
        batches, those of one process, so the outputs are the same bits; each gets all of them.
    quiet
        Whether no progress is shown.
    """

    batch: int
    workers: int
    device: torch.device
    average: tuple[int, ...] | None = None
    rank: int = 0
    processes: int = 1
    quiet: bool = False

    def outputs(
        self, network: Regressor, images: CropSource, rows: Indices, boxes: Floats, mirrored: bool, what: str
    ) -> tuple[Floats, NDArray[Any]]:
        """ψ of the crops by `boxes` `(n, 4)`, and its variances, NaN of a network without maps.

        Both are `(n, k, 2)`; `what` labels the progress bar.
        """
        crops = _Crops(images, rows, boxes, mirrored, network.size, network.padding, self.batch)
        share = Subset(crops, range(self.rank, len(crops), self.processes))
        workers = self.workers if len(share) > 4 else 0
        loader = crop_loader(share, workers, self.device)
        network.eval()
        with torch.inference_mode():
            parts = [
                self._predicted(network, batch.to(self.device, non_blocking=True)).float().cpu().numpy()
                for batch in progress(loader, what, unit="batch", hidden=self.quiet)
            ]
        outputs = np.concatenate(self._of_all(parts, len(crops)))
        return outputs[..., :2].astype(np.float64), outputs[..., 2:]

    def _of_all(self, parts: list[NDArray[np.float32]], count: int) -> list[NDArray[np.float32]]:
        """The outputs of all `count` batches in their order, from those of this process and of the others."""
        if self.processes == 1:
            return parts
        shares: list[list[NDArray[np.float32]]] = [[] for _ in range(self.processes)]
        torch.distributed.all_gather_object(shares, parts)
        return [shares[number % self.processes][number // self.processes] for number in range(count)]

    def _predicted(self, network: Regressor, crops: torch.Tensor) -> torch.Tensor:
        """Joints and variances side by side, `(b, k, 4)`."""
        joints, variances = _with_variances(network, crops)
        if self.average is not None:
            back = torch.tensor([-1.0, 1.0], device=joints.device)
            others = [said[:, list(self.average)] for said in _with_variances(network, crops.flip(2))]
            mirrored = others[0] * back
            # Those of both maps taken together as one.
            variances = (variances + others[1]) / 2 + ((joints - mirrored) / 2).square()
            joints = (joints + mirrored) / 2
        return torch.cat([joints, variances], dim=-1)


def _with_variances(network: Regressor, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    joints, variances = network.with_variances(crops)
    return joints, torch.full_like(joints, torch.nan) if variances is None else variances


@dataclass(frozen=True)
class _Crops(Dataset[torch.Tensor]):
    images: CropSource
    examples: Indices
    boxes: Floats
    mirrored: bool
    size: int
    padding: tuple[int, int, int]
    batch: int

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch)

    def __getitem__(self, number: int) -> torch.Tensor:
        if number >= len(self):
            raise IndexError(number)
        part = slice(number * self.batch, (number + 1) * self.batch)
        examples, boxes = self.examples[part], self.boxes[part]
        flips = np.full(len(examples), self.mirrored)
        return cut_crops(self.images, examples, boxes, flips, self.size, self.padding)


def predict_stage(
    network: Regressor,
    description: Mapping[str, Any],
    predictor: Predictor,
    images: CropSource,
    examples: Examples,
    rows: Indices,
    previous: Floats | None,
    *,
    mirrored: bool = False,
    what: str = "",
) -> tuple[Estimate, int]:
    """Poses after one stage.

    The first (Eq. 2, 5): y¹ = N⁻¹(ψ(N(x; b⁰); θ₁); b⁰), and once more for each recrop, with the box about y¹
    as b⁰. A later one (Eq. 6) refines `previous`:
    y_i^s = y_i^(s−1) + side · ψ_i(N(x; b_i^(s−1)); θ_s). The box b_i^(s−1) is centred on the previous
    estimate, its side σ times the previous pose's own diameter (Eq. 7). Only the i-th output is read from
    joint i's crop.

    Parameters
    ----------
    description
        What came with the stage's weights, see :func:`deeppose.networks.weights.load_network`.
    previous
        `(len(rows), k, 2)` pixels, in the frame of the mirrored image where `mirrored`; None for stage 1.

    Returns
    -------
    found
        Poses in the same frame.
    clamped
        How many poses were so small that their boxes had to take the smallest side; none in stage 1.

    Raises
    ------
    NotFiniteError
        If a coordinate is NaN or infinite.
    """
    what = f"stage {description['stage']} {what}".rstrip()
    skeleton, initial = skeleton_from(description["skeleton"]), examples.boxes[rows]
    if previous is None:
        rule, widths, clamped = description["initial_box"], examples.widths[rows], 0

        def found_in(boxes: Floats) -> tuple[Floats, Floats]:
            outputs, variances = predictor.outputs(network, images, rows, boxes, mirrored, what)
            frame = mirror_boxes(boxes, widths) if mirrored else boxes
            poses = _finite(denormalise(outputs, frame[:, None]), description)
            return poses, variances * boxes[:, None, 2:] ** 2

        poses, in_pixels = found_in(initial)
        for _ in range(rule.get("recrops", 0)):
            about = pose_boxes(poses, rule["margin"], examples.full_images[rows])
            poses, in_pixels = found_in(mirror_boxes(about, widths) if mirrored else about)
    else:
        sizes = description["sigma"], description["smallest_box"]
        boxes, sides, clamped = joint_boxes(previous, initial, skeleton, *sizes)
        each_row = np.repeat(rows, previous.shape[1])
        cut = mirror_boxes(boxes, examples.widths[each_row]) if mirrored else boxes
        outputs, variances = predictor.outputs(network, images, each_row, cut, mirrored, what)
        poses = _finite(refined(previous, sides, outputs, description.get("shrinkage", 1.0)), description)
        in_pixels = of_own_joint(variances, len(previous)) * sides[:, None, None] ** 2
    return estimate_of(poses, in_pixels, skeleton), clamped


def _finite(poses: Floats, description: Mapping[str, Any]) -> Floats:
    if not np.isfinite(poses).all():
        raise NotFiniteError(
            f"stage {description['stage']} predicts joints that are not finite: its weights are damaged, or "
            f"were trained with too large a learning_rate"
        )
    return poses
