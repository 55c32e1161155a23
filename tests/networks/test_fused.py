"""Batch normalisation as a part of convolutions."""

import numpy as np
import pytest
import torch
from torch import nn

from deeppose.networks.fused import OneDnnLinear, merged
from deeppose.networks.weights import build_network

SPATIAL = {"name": "spatial", "joints": 3, "size": 64, "channels": 8, "initial_weights": "random"}
ALEXNET = {
    "name": "alexnet",
    "joints": 3,
    "size": 92,
    "width": 0.25,
    "dropout": 0.0,
    "initial_weights": "he",
    "pixel_scale": 0.0156,
}
MEAN = (120.0, 110.0, 100.0)
CPU = torch.device("cpu")


def crops(size):
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (4, size, size, 3)).astype(np.uint8))


def learned_spatial():
    """Random weights, and normalisations that have seen batches and were trained."""
    torch.manual_seed(0)
    network = build_network(**SPATIAL, mean=MEAN)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
    return network.eval()


def count(network, kind):
    return sum(isinstance(module, kind) for module in network.modules())


@torch.no_grad()
def test_outputs_are_the_same_and_no_normalisation_is_left():
    network = learned_spatial()
    ready = merged(network, CPU)
    assert count(network, nn.BatchNorm2d) > 40
    assert count(ready, nn.BatchNorm2d) == 0
    assert count(ready, nn.Conv2d) == count(network, nn.Conv2d)
    inputs = crops(64)
    torch.testing.assert_close(ready.maps(inputs), network.maps(inputs), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ready(inputs), network(inputs), rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_network_itself_stays_as_it_is():
    network = learned_spatial()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    merged(network, CPU)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def paper_network():
    torch.manual_seed(0)
    network = build_network(**ALEXNET, mean=MEAN).eval()
    nn.init.normal_(network.regressor[-1].weight, std=0.1)  # else all outputs lie near 0
    return network


@torch.no_grad()
def test_fully_connected_layers_are_made_by_onednn_where_it_is(monkeypatch):
    network = paper_network()
    found = network(crops(92))
    assert found.std() > 0.01
    if torch.backends.mkldnn.is_available():
        ready = merged(network, CPU)
        assert (count(network, nn.Linear), count(ready, nn.Linear), count(ready, OneDnnLinear)) == (3, 0, 3)
        torch.testing.assert_close(ready(crops(92)), found, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert torch.equal(merged(network, CPU)(crops(92)), found)


@torch.inference_mode()
def test_it_predicts_the_same_bits_twice():
    ready = merged(paper_network(), CPU)
    assert torch.equal(ready(crops(92)), ready(crops(92)))


def test_a_network_in_training_is_refused():
    with pytest.raises(ValueError, match=r"\.eval\(\)"):
        merged(learned_spatial().train(), CPU)
