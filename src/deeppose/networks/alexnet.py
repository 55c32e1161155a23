"""The ConvNet of §3.1 and Fig. 2: from a crop to 2k numbers, the joints relative to the box."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from deeppose.networks.regressor import Regressor, squared_distances

LRN_CHANNELS = 5
LRN_K, LRN_ALPHA = 2.0, 1e-4
LRN_BETA = 0.75  # what _power raises to
BLOCK = 2**21
"""Bytes of features that a CPU normalises at a time: its passes over them are then made in its cache."""


class LocalResponseNorm(nn.Module):
    """Krizhevsky's normalisation: x_i / (k + α Σ x_j²)^β, the sum over 5 neighbouring channels.

    The sum is not divided by 5, as the formula has it; torch's own layer divides.
    """

    def forward(self, features: Tensor) -> Tensor:
        """`(b, c, h, w)` to the same shape."""
        normalised: Tensor = _Normalise.apply(features)
        return normalised


class _Normalise(torch.autograd.Function):
    """x s^(−β), s = k + α Σ x_j²; by hand, since autograd's own passes cost a third of a training step."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        normalised = torch.empty_like(features)
        roots = []
        for block, into in _blocks(features, normalised):
            wide = _wide(block)
            root = _scales(block if block.dtype == torch.bfloat16 else wide).rsqrt_()
            torch.mul(_power(root), wide, out=into)
            if ctx.needs_input_grad[0]:
                roots.append(root)
        ctx.save_for_backward(features, *roots)
        return normalised

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        """g s^(−β) − 2αβ x Σ_j g_j x_j s_j^(−β−1)."""
        features, *roots = ctx.saved_tensors
        result = torch.empty_like(features)
        for (block, above, into), root in zip(_blocks(features, gradient, result), roots, strict=True):
            wide = _wide(block)
            scaled = _power(root).mul_(above)
            crossed = (scaled * wide).mul_(root).mul_(root)
            crossed = _sum_over_neighbours(crossed.bfloat16() if block.dtype == torch.bfloat16 else crossed)
            torch.addcmul(scaled, wide, crossed, value=-2 * LRN_ALPHA * LRN_BETA, out=into)
        return result


def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors, of one shape, some images at a time: as many as a CPU's cache holds, on a GPU all."""
    first = tensors[0]
    images = max(1, len(first))
    if first.device.type == "cpu":
        images = max(1, BLOCK * images // max(1, first.numel() * first.element_size()))
    return zip(*(torch.split(tensor, images) for tensor in tensors), strict=True)


def _wide(features: Tensor) -> Tensor:
    """In single precision if they are in half: their squares may be beyond what half precision holds."""
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features


def _power(root: Tensor) -> Tensor:
    """s^(−3/4), made from s^(−1/2), which is much cheaper than a power."""
    return torch.sqrt(root).mul_(root)


def _scales(features: Tensor) -> Tensor:
    """k + α Σ x_j² over the neighbours; squares are added as they are made, without a tensor of them."""
    if features.dtype == torch.bfloat16:
        return _sum_over_neighbours(features.square()).mul_(LRN_ALPHA).add_(LRN_K)
    total = torch.addcmul(features.new_full((), LRN_K), features, features, value=LRN_ALPHA)
    for distance in range(1, LRN_CHANNELS // 2 + 1):
        before, behind = features[:, :-distance], features[:, distance:]
        total[:, distance:].addcmul_(before, before, value=LRN_ALPHA)
        total[:, :-distance].addcmul_(behind, behind, value=LRN_ALPHA)
    return total


def _sum_over_neighbours(values: Tensor) -> Tensor:
    if values.dtype == torch.bfloat16:
        # In bfloat16 a product with a band matrix is faster than the additions, in single precision slower.
        ones = values.new_ones(values.shape[1], values.shape[1])
        band = ones.triu_(-(LRN_CHANNELS // 2)).tril_(LRN_CHANNELS // 2)
        return (values.movedim(1, -1) @ band).movedim(-1, 1).float()
    total = values.clone()
    for distance in range(1, LRN_CHANNELS // 2 + 1):
        total[:, distance:] += values[:, :-distance]
        total[:, :-distance] += values[:, distance:]
    return total


class AlexNet(Regressor):
    """The network of Fig. 2: five convolutions, two fully connected layers, a linear output.

    Parameters
    ----------
    joints
        k; there are 2k outputs.
    size
        Side of the square input, pixels; 220 in the paper.
    width
        Share of the paper's channels and units; 1 in the paper.
    dropout
        Share of the units of both F layers that is dropped in training.
    initial_weights
        "krizhevsky": N(0, 0.01), biases 1 in the 2nd, 4th and 5th convolution and both F layers, else 0
        (Krizhevsky et al. 2012, §5). "he": variance 2 / fan-in, biases 0, for narrow networks.
    pixel_scale
        Factor on the pixels (0..255) less their mean.
    mean
        Mean colour of the training images, RGB, 0..255; also what crops are padded with.
    """

    def __init__(
        self,
        joints: int,
        *,
        size: int,
        width: float,
        dropout: float,
        initial_weights: Literal["krizhevsky", "he"],
        pixel_scale: float,
        mean: Sequence[float],
    ) -> None:
        super().__init__(size, mean)
        self.pixel_scale = pixel_scale
        c1, c2, c3, c4, c5, f = (max(1, round(width * n)) for n in (96, 256, 384, 384, 256, 4096))
        self.features = nn.Sequential(
            # 220 → 55 with 4 pixels on each side, the division rounded down.
            nn.Conv2d(3, c1, 11, stride=4, padding=4),
            nn.ReLU(),
            LocalResponseNorm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c1, c2, 5, padding=2),
            nn.ReLU(),
            LocalResponseNorm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c2, c3, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c3, c4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c4, c5, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        side = (size + 8 - 11) // 4 + 1
        for _ in range(3):
            side = (side - 3) // 2 + 1
        self.regressor = nn.Sequential(
            nn.Flatten(),
            nn.Linear(c5 * side * side, f),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(f, f),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(f, 2 * joints),
        )
        self._initialise(initial_weights)
        # As the crops come; else each pass would lay all weights out anew.
        self.to(memory_format=torch.channels_last)

    def _initialise(self, initial_weights: Literal["krizhevsky", "he"]) -> None:
        layers = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for number, layer in enumerate(layers, start=1):
            assert layer.bias is not None
            if initial_weights == "krizhevsky":
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.constant_(layer.bias, 1.0 if number in (2, 4, 5, 6, 7) else 0.0)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if initial_weights == "he":
            # The outputs lie in [−½, ½]: start near the box's centre.
            nn.init.normal_(layers[-1].weight, std=0.001)

    def forward(self, crops: Tensor) -> Tensor:
        """See :class:`Regressor`."""
        inputs = (crops.to(self.mean.dtype) - self.mean) * self.pixel_scale
        outputs = self.regressor(self.features(inputs.permute(0, 3, 1, 2)))
        # Not by len(), which an exported network would take for a constant.
        joints: Tensor = outputs.unflatten(1, (-1, 2))
        return joints

    def losses(self, crops: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The squared distances of Eq. 4 and 8, see :class:`Regressor`."""
        return squared_distances(self(crops).float(), targets, weights)
