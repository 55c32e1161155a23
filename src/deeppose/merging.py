"""A network for prediction alone: batch normalisation, then a scale and a shift, as part of convolutions."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deeppose.networks.regressor import Regressor


def merged(network: Regressor) -> Regressor:
    """A copy of a network whose outputs are the same but for rounding, and which isn't fit for training.

    Every batch normalisation that stands right behind a convolution among the children of a module becomes
    part of that convolution's weights; it took a pass over all features.

    Parameters
    ----------
    network
        In evaluation mode.

    Raises
    ------
    ValueError
        If the network is in training mode, where a batch is normalised by itself.
    """
    if network.training:
        raise ValueError("a network in training normalises each batch by itself: call .eval() first")
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for (name, child), (following, normalisation) in pairwise(list(parent.named_children())):
            if isinstance(child, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, normalisation))
                setattr(parent, following, nn.Identity())
    return network
