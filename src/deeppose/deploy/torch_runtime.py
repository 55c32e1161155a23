"""Networks by torch, from the weights that the pipeline trained."""

from collections.abc import Sequence
from pathlib import Path

import torch

from deeppose.core.images import Pixels
from deeppose.core.skeleton import Described, skeleton_from
from deeppose.deploy.runtime import Outputs
from deeppose.networks.fused import merged
from deeppose.networks.weights import load_stage


def load_torch_stages(
    weights: Sequence[Path], skeleton: Described | None, device: str, threads: int | None
) -> tuple["TorchStage", ...]:
    """The networks of stages 1, 2, …; errors as of :class:`TorchStage`."""
    if threads is not None:
        torch.set_num_threads(threads)
    stages: list[TorchStage] = []
    for number, path in enumerate(weights, start=1):
        stages.append(TorchStage(path, number, skeleton, device))
        skeleton = stages[0].skeleton.described
    return tuple(stages)


class TorchStage:
    """A :class:`deeppose.deploy.runtime.StageNetwork`."""

    def __init__(self, weights: Path, stage: int, skeleton: Described | None, device: str = "cpu") -> None:
        """Load a stage's weights, see :func:`deeppose.networks.weights.load_stage` for what it raises."""
        network, self.description = load_stage(weights, stage, skeleton)
        self._device = torch.device(device)
        self._network = merged(network, self._device)
        self.skeleton = skeleton_from(self.description["skeleton"])
        self.size, self.padding = network.size, network.padding
        self.has_maps = network.has_maps

    def run(self, crops: Pixels) -> Outputs:
        """ψ of crops `(b, size, size, 3)`, RGB."""
        with torch.inference_mode():
            joints, variances = self._network.with_variances(torch.from_numpy(crops).to(self._device))
        return Outputs(joints.cpu().numpy(), None if variances is None else variances.cpu().numpy())
