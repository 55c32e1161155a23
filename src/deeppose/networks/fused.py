"""A network for prediction alone: batch normalisation, then a scale and a shift, as part of convolutions, and
fully connected layers by the fastest library.
"""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deeppose.networks.regressor import Regressor


class OneDnnLinear(nn.Module):
    """A fully connected layer by oneDNN, which makes torch's convolutions on a CPU.

    Torch makes such a layer by MKL, which takes more than twice as long on processors that it is slow on.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = layer.weight.detach().to_mkldnn()
        self.bias = layer.bias.detach().to_mkldnn()

    def forward(self, inputs: Tensor) -> Tensor:
        """`(b, inputs)` to `(b, outputs)`."""
        outputs: Tensor = functional.linear(inputs.to_mkldnn(), self.weight, self.bias)
        return outputs.to_dense()


def merged(network: Regressor, device: torch.device) -> Regressor:
    """A copy of a network on a device, its outputs the same but for rounding; it isn't fit for training.

    Every batch normalisation that stands right behind a convolution among the children of a module becomes
    part of that convolution's weights; it took a pass over all features. On a CPU fully connected layers
    become :class:`OneDnnLinear`, where torch has oneDNN. The network must be in evaluation mode.

    Raises
    ------
    ValueError
        If the network is in training mode, where a batch is normalised by itself.
    """
    if network.training:
        raise ValueError("a network in training normalises each batch by itself: call .eval() first")
    network = copy.deepcopy(network).to(device)
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    by_onednn = device.type == "cpu" and has_onednn
    for parent in list(network.modules()):
        for (name, child), (following, normalisation) in pairwise(list(parent.named_children())):
            if isinstance(child, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, normalisation))
                setattr(parent, following, nn.Identity())
        for name, child in list(parent.named_children()):
            if by_onednn and isinstance(child, nn.Linear):
                setattr(parent, name, OneDnnLinear(child))
    return network
