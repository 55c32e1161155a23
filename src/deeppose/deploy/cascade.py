"""The cascade on one photo and any boxes: stage 1 on them, later stages about the joints (Eq. 5 to 7)."""

from dataclasses import dataclass

import numpy as np

from deeppose.cascade.crops import crop
from deeppose.core.errors import NotFiniteError
from deeppose.core.geometry import (
    Estimate,
    Floats,
    denormalise,
    estimate_of,
    image_box,
    joint_boxes,
    of_own_joint,
    pose_boxes,
    refined,
)
from deeppose.core.images import Pixels
from deeppose.core.skeleton import Skeleton
from deeppose.deploy.runtime import Outputs, StageNetwork

BATCH = 64


@dataclass(frozen=True)
class Cascade:
    """The networks of all stages, first to last."""

    stages: tuple[StageNetwork, ...]

    @property
    def skeleton(self) -> Skeleton:
        """Of its poses."""
        return self.stages[0].skeleton

    @property
    def has_maps(self) -> bool:
        """Whether its joints have confidences."""
        return all(stage.has_maps for stage in self.stages)

    def initial(self, photo: Pixels, boxes: Floats) -> Estimate:
        """The poses after stage 1 (Eq. 5).

        Parameters
        ----------
        photo
            `(height, width, 3)`, RGB.
        boxes
            Initial boxes b⁰, `(n, 4)`.

        Raises
        ------
        NotFiniteError
            If a coordinate is NaN or infinite.
        """
        joints, variances = self._outputs(self.stages[0], photo, boxes)
        poses = denormalise(joints, boxes[:, None])
        return self._estimate(1, poses, variances * boxes[:, None, 2:] ** 2)

    def recropped(self, photo: Pixels, found: Estimate) -> Estimate:
        """The poses when stage 1 has seen the boxes about those that it found, as often as in training."""
        rule = self.stages[0].description["initial_box"]
        for _ in range(rule.get("recrops", 0)):
            boxes = pose_boxes(found.poses, rule["margin"], image_box(photo.shape[1], photo.shape[0]))
            found = self.initial(photo, boxes)
        return found

    def refine(self, stage: int, photo: Pixels, previous: Floats, boxes: Floats) -> Estimate:
        """The poses after a stage s ≥ 2, from `previous` `(n, k, 2)` (Eq. 6, 7); else as :meth:`initial`."""
        network = self.stages[stage - 1]
        sigma, smallest = network.description["sigma"], network.description["smallest_box"]
        squares, sides, _ = joint_boxes(previous, boxes, self.skeleton, sigma, smallest)
        joints, variances = self._outputs(network, photo, squares)
        in_pixels = of_own_joint(variances, len(previous)) * sides[:, None, None] ** 2
        poses = refined(previous, sides, joints, network.description.get("shrinkage", 1.0))
        return self._estimate(stage, poses, in_pixels)

    def _estimate(self, stage: int, poses: Floats, variances: Floats) -> Estimate:
        if not np.isfinite(poses).all():
            raise NotFiniteError(
                f"stage {stage} predicts joints that are not finite: its weights are damaged, or were "
                f"trained with too large a learning_rate"
            )
        return estimate_of(poses, variances, self.skeleton)

    def _outputs(self, network: StageNetwork, photo: Pixels, boxes: Floats) -> tuple[Floats, Floats]:
        """ψ and its variances, of crops and their mirrored copies together where training says so."""
        joints, variances = [], []
        for first in range(0, len(boxes), BATCH):
            cut = [crop(photo, box, network.size, network.padding) for box in boxes[first : first + BATCH]]
            crops = np.stack(cut)
            outputs = network.run(crops)
            if network.description["average_mirrored"]:
                outputs = _averaged(outputs, network.run(np.ascontiguousarray(crops[:, :, ::-1])), network)
            joints.append(outputs.joints)
            unknown = np.full_like(outputs.joints, np.nan)
            variances.append(unknown if outputs.variances is None else outputs.variances)
        return np.concatenate(joints).astype(np.float64), np.concatenate(variances).astype(np.float64)


def _averaged(outputs: Outputs, mirrored: Outputs, network: StageNetwork) -> Outputs:
    """The mean, and the variance, of the two maps taken together as one."""
    order, two = list(network.skeleton.mirrored), np.float32(2)
    # In single precision as the pipeline does it, so that its predictions are the same bits.
    back = mirrored.joints[:, order] * np.array([-1.0, 1.0], dtype=np.float32)
    joints = (outputs.joints + back) / two
    if outputs.variances is None or mirrored.variances is None:
        return Outputs(joints, None)
    apart = np.square((outputs.joints - back) / two)
    return Outputs(joints, (outputs.variances + mirrored.variances[:, order]) / two + apart)
