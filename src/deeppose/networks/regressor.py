"""ψ(x; θ) as the cascade sees it: from a crop to the joints relative to its box, whatever lies between."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Regressor(nn.Module, ABC):
    """A network of one stage.

    Attributes
    ----------
    size
        Side of the square input, pixels.
    mean
        Mean colour of the training images, RGB, 0..255; also what crops are padded with.
    has_maps
        Whether it has a heat map for each joint, which variances come from.
    """

    has_maps = False

    def __init__(self, size: int, mean: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)

    @abstractmethod
    def forward(self, crops: Tensor) -> Tensor:
        """ψ(x; θ).

        Parameters
        ----------
        crops
            `(b, size, size, 3)` uint8, RGB.

        Returns
        -------
        `(b, k, 2)`, normalised coordinates (Eq. 1).
        """

    def with_variances(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        """As :meth:`forward`, with the variances of the heat maps, where it has any.

        Returns
        -------
        joints
            `(b, k, 2)`.
        variances
            `(b, k, 2)`, of each joint's place along x and y, normalised coordinates squared; None of a
            network without maps.
        """
        return self(crops), None

    @abstractmethod
    def losses(self, crops: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """What training makes small, not reduced over examples.

        Parameters
        ----------
        crops
            As of :meth:`forward`.
        targets
            `(b, k, 2)`, normalised coordinates.
        weights
            `(b, k)`, how much each joint counts; 0 where it has no label.

        Returns
        -------
        `(b,)`.
        """

    @property
    def padding(self) -> tuple[int, int, int]:
        """The mean colour in whole levels: what lies outside the image."""
        red, green, blue = (round(float(value)) for value in self.mean)
        return red, green, blue


def squared_distances(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Σ_i w_i ‖y_i − ψ_i(x; θ)‖² over the joints of each example (Eq. 4, Eq. 8).

    Parameters
    ----------
    outputs, targets
        `(b, k, 2)`, normalised coordinates.
    weights
        `(b, k)`: 1 for the labelled joints in stage 1, and for the one joint of the crop in later stages.

    Returns
    -------
    `(b,)`.

    Raises
    ------
    ValueError
        If the shapes differ, so that nothing broadcasts by accident.
    """
    if outputs.shape != targets.shape or outputs.shape[:2] != weights.shape:
        raise ValueError(
            f"outputs {tuple(outputs.shape)}, targets {tuple(targets.shape)}, weights {tuple(weights.shape)}"
        )
    squared = (outputs - targets).square().sum(dim=-1)
    return (squared * weights).sum(dim=-1)


def parameter_count(network: nn.Module) -> int:
    """How many numbers are learned; the paper says about 40 million, its own architecture has 58.4."""
    return sum(parameter.numel() for parameter in network.parameters())
