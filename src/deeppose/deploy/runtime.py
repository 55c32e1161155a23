"""ψ of one stage as prediction outside the pipeline sees it, whatever runs it."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deeppose.core.images import Pixels
from deeppose.core.skeleton import Skeleton

Singles = NDArray[np.float32]


class Outputs(NamedTuple):
    """What a network says of crops.

    Attributes
    ----------
    joints
        `(b, k, 2)`, normalised coordinates (Eq. 1).
    variances
        `(b, k, 2)`, of each joint's place along x and y, normalised coordinates squared; None of a network
        without maps.
    """

    joints: Singles
    variances: Singles | None


class StageNetwork(Protocol):
    """The network of one stage.

    Attributes
    ----------
    description
        What came with its weights: `stage`, `average_mirrored`, `initial_box`, and of stages s ≥ 2 `sigma`
        and `smallest_box`.
    size
        Side of its crops, pixels.
    padding
        The colour of what lies outside the image.
    has_maps
        Whether its joints have confidences.
    """

    description: dict[str, Any]
    skeleton: Skeleton
    has_maps: bool
    size: int
    padding: tuple[int, int, int]

    def run(self, crops: Pixels) -> Outputs:
        """ψ of crops `(b, size, size, 3)`, RGB."""
        ...
