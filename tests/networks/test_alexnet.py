import json

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

from deeppose.core.errors import WeightsError
from deeppose.networks import alexnet
from deeppose.networks.alexnet import AlexNet, LocalResponseNorm
from deeppose.networks.regressor import parameter_count
from deeppose.networks.weights import build_network, load_network, load_stage, save_network

PAPER = {
    "joints": 14,
    "size": 220,
    "width": 1.0,
    "dropout": 0.6,
    "initial_weights": "krizhevsky",
    "pixel_scale": 1.0,
    "mean": (120.0, 110.0, 100.0),
}
SMALL = {**PAPER, "size": 60, "width": 0.05, "initial_weights": "he", "pixel_scale": 1 / 64}
DESCRIPTION = {
    "stage": 2,
    "skeleton": "full-body",
    "initial_box": {"kind": "image"},
    "average_mirrored": False,
    "sigma": 1.0,
    "smallest_box": 0.1,
    "network": {"name": "alexnet", **SMALL},
}


def small(seed=0, **changes):
    torch.manual_seed(seed)
    return AlexNet(**{**SMALL, **changes})


def crops(count, size=60, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    )


@pytest.fixture(scope="module")
def paper_network():
    with torch.device("meta"):
        return AlexNet(**PAPER)


class TestArchitecture:
    def test_parameters(self, paper_network):
        by_hand = (
            (11 * 11 * 3 + 1) * 96
            + (5 * 5 * 96 + 1) * 256
            + (3 * 3 * 256 + 1) * 384
            + (3 * 3 * 384 + 1) * 384
            + (3 * 3 * 384 + 1) * 256
            + (6 * 6 * 256 + 1) * 4096
            + (4096 + 1) * 4096
            + (4096 + 1) * 28
        )
        assert by_hand == 58_396_060
        assert parameter_count(paper_network) == by_hand

    def test_feature_maps_of_figure_2(self, paper_network):
        shapes = []
        handles = [
            layer.register_forward_hook(
                lambda _layer, _inputs, output: shapes.append(tuple(output.shape[1:]))
            )
            for layer in paper_network.modules()
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.Linear)
        ]
        output = paper_network(torch.empty((2, 220, 220, 3), dtype=torch.uint8, device="meta"))
        for handle in handles:
            handle.remove()
        assert shapes == [
            (96, 55, 55),
            (96, 27, 27),
            (256, 27, 27),
            (256, 13, 13),
            (384, 13, 13),
            (384, 13, 13),
            (256, 13, 13),
            (256, 6, 6),
            (4096,),
            (4096,),
            (28,),
        ]
        assert output.shape == (2, 14, 2)

    def test_order_of_layers(self, paper_network):
        names = [type(layer).__name__ for layer in (*paper_network.features, *paper_network.regressor)]
        full = ["Linear", "ReLU", "Dropout"]
        assert names == [
            *["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"] * 2,
            *["Conv2d", "ReLU"] * 3,
            "MaxPool2d",
            "Flatten",
            *full * 2,
            "Linear",
        ]
        assert [layer.p for layer in paper_network.regressor if isinstance(layer, nn.Dropout)] == [0.6, 0.6]

    @pytest.mark.parametrize("size", [59, 60, 92, 124, 227])
    @pytest.mark.parametrize("joints", [1, 11])
    def test_other_sizes(self, size, joints):
        with torch.device("meta"):
            network = AlexNet(**{**SMALL, "size": size, "joints": joints})
            assert network(torch.empty((3, size, size, 3), dtype=torch.uint8)).shape == (3, joints, 2)

    def test_width_is_a_share_of_the_channels(self):
        layers = [layer for layer in small(width=0.25).modules() if isinstance(layer, nn.Conv2d)]
        assert [layer.out_channels for layer in layers] == [24, 64, 96, 96, 64]


class TestLocalResponseNorm:
    """Oracle: torch's layer, whose alpha is divided by the 5 channels."""

    @pytest.mark.parametrize("channels", [1, 2, 5, 16])
    def test_values_and_gradients(self, channels):
        features = torch.randn((2, channels, 3, 4), dtype=torch.float64) * 60
        theirs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        weights = torch.randn_like(features)
        results = []
        for layer in (LocalResponseNorm(), theirs):
            inputs = features.clone().requires_grad_()
            output = layer(inputs)
            (output * weights).sum().backward()
            results.append((output.detach(), inputs.grad))
        for ours, expected in zip(*results, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("channels", [3, 24])
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_blocks_change_no_bit(self, channels, layout, monkeypatch):
        features = (torch.randn((7, channels, 5, 9)) * 60).to(memory_format=layout)
        weights = torch.randn_like(features)
        results = []
        for block in (features.numel(), 2 * features[0].numel(), 1):
            monkeypatch.setattr(alexnet, "BLOCK", block)
            inputs = features.clone().requires_grad_()
            output = LocalResponseNorm()(inputs)
            (output * weights).sum().backward()
            results.append((output.detach(), inputs.grad))
        for blocks in results[1:]:
            assert all(torch.equal(found, whole) for found, whole in zip(blocks, results[0], strict=True))

    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1e-3), (torch.bfloat16, 1e-2)])
    def test_half_precision_holds_large_features(self, dtype, tolerance):
        features = torch.full((1, 5, 1, 1), 30_000.0, dtype=dtype)
        expected = LocalResponseNorm()(features.double())
        assert LocalResponseNorm()(features).dtype == dtype
        torch.testing.assert_close(LocalResponseNorm()(features).double(), expected, rtol=tolerance, atol=0)

    def test_bfloat16_is_single_precision_rounded(self):
        features = (torch.randn((3, 96, 5, 9)) * 60).bfloat16()
        results = []
        for inputs in (features, features.float()):
            inputs = inputs.clone().requires_grad_()
            output = LocalResponseNorm()(inputs)
            output.float().square().sum().backward()
            results.append((output.detach().float(), inputs.grad.float()))
        for half, single in zip(*results, strict=True):
            assert (half - single).norm() < 0.005 * single.norm()

    def test_by_hand(self):
        features = torch.tensor([100.0, 200.0, 0.0, 300.0], dtype=torch.float64).reshape(1, 4, 1, 1)
        sums = torch.tensor([50_000.0, 140_000.0, 140_000.0, 130_000.0], dtype=torch.float64)
        expected = features.flatten() / (2 + 1e-4 * sums) ** 0.75
        torch.testing.assert_close(LocalResponseNorm()(features).flatten(), expected)


class TestInitialWeights:
    def test_krizhevsky(self):
        network = small(width=0.5, initial_weights="krizhevsky")
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer in layers:
            spread = 4 * 0.01 / np.sqrt(2 * layer.weight.numel())
            assert layer.weight.std().item() == pytest.approx(0.01, abs=spread)
            assert layer.weight.mean().item() == pytest.approx(0, abs=2 * spread)
        biases = [layer.bias.unique().tolist() for layer in layers]
        assert biases == [[0], [1], [0], [1], [1], [1], [1], [0]]

    def test_he(self):
        network = small(width=0.5)
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer in layers[:-1]:
            fan_in = layer.weight[0].numel()
            assert layer.weight.std().item() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)
        assert layers[-1].weight.std().item() == pytest.approx(0.001, rel=0.05)
        assert all((layer.bias == 0).all() for layer in layers)

    def test_the_seed_decides(self):
        first, again, other = small(1).state_dict(), small(1).state_dict(), small(2).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["features.0.weight"], other["features.0.weight"])


class TestForward:
    def test_an_image_does_not_depend_on_its_batch(self):
        network = small().eval()
        batch = crops(4)
        with torch.no_grad():
            together = network(batch)
            apart = torch.cat([network(one[None]) for one in batch])
        torch.testing.assert_close(together, apart)
        assert not torch.allclose(together[0], together[1])

    def test_input_is_pixels_less_their_mean_scaled(self):
        network = small().eval()
        seen = []
        network.features[0].register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
        batch = crops(2)
        network(batch)
        expected = (batch.permute(0, 3, 1, 2).double().numpy() - np.reshape(SMALL["mean"], (1, 3, 1, 1))) / 64
        np.testing.assert_allclose(seen[0].detach().numpy(), expected, rtol=1e-5, atol=1e-6)

    def test_outputs_are_pairs_of_x_and_y(self):
        network = small().eval()
        last = network.regressor[-1]
        nn.init.zeros_(last.weight)
        last.bias.data = torch.arange(28.0)
        assert network(crops(1))[0].tolist() == [[2 * joint, 2 * joint + 1] for joint in range(14)]

    def test_dropout_only_in_training(self):
        network, batch = small(), crops(2)
        network.train()
        assert not torch.equal(network(batch), network(batch))
        network.eval()
        assert torch.equal(network(batch), network(batch))

    def test_gradient_reaches_every_parameter(self):
        network = small(width=0.2).eval()
        network(crops(4)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name

    def test_padding_is_the_mean_in_whole_levels(self):
        assert small(mean=(0.2, 127.6, 255.0)).padding == (0, 128, 255)


class TestFiles:
    def test_round_trip(self, tmp_path):
        network = small()
        save_network(network, DESCRIPTION, tmp_path / "weights")
        loaded, description = load_network(tmp_path / "weights")
        assert description == json.loads(json.dumps(DESCRIPTION))
        assert not loaded.training
        assert loaded.padding == network.padding
        for name, value in loaded.state_dict().items():
            assert torch.equal(value, network.state_dict()[name].half().float())
        torch.testing.assert_close(loaded(crops(2)), network.eval()(crops(2)), rtol=1e-2, atol=1e-3)

    def test_written_again_they_are_the_same_bytes(self, tmp_path):
        save_network(small(), DESCRIPTION, tmp_path / "first")
        loaded, description = load_network(tmp_path / "first")
        save_network(loaded, description, tmp_path / "second")
        assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()

    def test_what_half_precision_does_not_hold_stays_single(self, tmp_path):
        network = small()
        with torch.no_grad():
            network.regressor[-1].bias[3] = 77798.27
        save_network(network, DESCRIPTION, tmp_path / "weights")
        loaded, _ = load_network(tmp_path / "weights")
        assert torch.equal(loaded.regressor[-1].bias, network.regressor[-1].bias)

    @pytest.mark.parametrize("weight", [float("inf"), float("nan")])
    def test_a_weight_that_is_not_finite(self, tmp_path, weight):
        network = small()
        with torch.no_grad():
            network.regressor[-1].bias[3] = weight
        with pytest.raises(WeightsError, match=r"regressor\.\d+\.bias is not finite"):
            save_network(network, DESCRIPTION, tmp_path / "weights")
        assert not list(tmp_path.iterdir())

    def test_loading_leaves_no_weight_at_its_fresh_value(self, tmp_path):
        network = small()
        for value in network.state_dict().values():
            value.fill_(7.0)
        save_network(network, DESCRIPTION, tmp_path / "weights")
        loaded, _ = load_network(tmp_path / "weights")
        assert all((value == 7).all() for value in loaded.state_dict().values())

    def test_the_same_bytes(self, tmp_path):
        for name in ("first", "second"):
            save_network(
                small(), dict(sorted(DESCRIPTION.items(), reverse=name == "second")), tmp_path / name
            )
        assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()

    def test_missing(self, tmp_path):
        with pytest.raises(WeightsError, match="none is not there: `dvc repro` trains it"):
            load_network(tmp_path / "none")

    def test_a_folder(self, tmp_path):
        with pytest.raises(WeightsError, match="is no file of our weights"):
            load_network(tmp_path)

    @pytest.mark.parametrize("kept", [0, 4, 100, 0.5, -1])
    def test_cut_short(self, tmp_path, kept):
        path = tmp_path / "weights"
        save_network(small(), DESCRIPTION, path)
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
        with pytest.raises(WeightsError, match=r"weights is no file .* or is damaged .*remove it"):
            load_network(path)

    @pytest.mark.parametrize(
        "metadata",
        [
            None,
            {"format": "pt"},
            {"description": "no JSON"},
            {"description": "{}"},
            {"description": json.dumps({"network": {"name": "resnet"}})},
            {"description": json.dumps(DESCRIPTION)},
        ],
        ids=["none", "other", "no JSON", "no network", "unknown network", "other tensors"],
    )
    def test_weights_of_something_else(self, tmp_path, metadata):
        safetensors.torch.save_file({"weight": torch.zeros(3)}, tmp_path / "weights", metadata=metadata)
        with pytest.raises(WeightsError, match="weights is no file of our weights"):
            load_network(tmp_path / "weights")

    @pytest.mark.parametrize("weight", [float("inf"), float("nan")])
    def test_a_weight_that_is_not_finite_is_found_on_loading(self, tmp_path, weight):
        network = small()
        state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
        state["features.0.bias"][0] = weight
        safetensors.torch.save_file(state, tmp_path / "weights", {"description": json.dumps(DESCRIPTION)})
        with pytest.raises(WeightsError, match=r"weights is no file .* \(features\.0\.bias is not finite\)"):
            load_network(tmp_path / "weights")

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"stage": "2"}, r"stage: Input should be a valid integer"),
            ({"stage": 0}, r"stage: Input should be greater than 0"),
            ({"skeleton": "horse"}, r"skeleton 'horse' is none of full-body"),
            ({"skeleton": "upper-body"}, r"a network of 14 joints, but upper-body has 10"),
            ({"sigma": None}, r"stage 2 without sigma or smallest_box"),
            ({"sigma": float("nan")}, r"sigma: Input should be a finite number"),
            ({"sigma": 1e200}, r"sigma: Input should be less than"),
            ({"initial_box": {"kind": "hand"}}, r"initial_box: Input tag 'hand'"),
            ({"network": {"name": "alexnet"}}, r"network\.alexnet\.\w+: Field required"),
            ({"network": DESCRIPTION["network"] | {"size": 10**6}}, r"network\.alexnet\.size: "),
            ({"network": DESCRIPTION["network"] | {"width": 1e9}}, r"width 1e\+09 times size 60"),
            ({"network": DESCRIPTION["network"] | {"width": 0.1}}, r"features\.0\.weight has the shape"),
            ({"network": DESCRIPTION["network"] | {"size": 92}}, r"regressor\.1\.weight has the shape"),
        ],
    )
    def test_a_broken_description(self, tmp_path, changed, said):
        save_network(small(), DESCRIPTION | changed, tmp_path / "weights")
        with pytest.raises(WeightsError, match=said) as raised:
            load_network(tmp_path / "weights")
        assert "\n" not in str(raised.value)

    def test_a_tensor_more_or_less_is_named(self, tmp_path):
        state = {name: value.contiguous() for name, value in small().state_dict().items()}
        del state["features.0.bias"]
        safetensors.torch.save_file(state, tmp_path / "weights", {"description": json.dumps(DESCRIPTION)})
        with pytest.raises(WeightsError, match=r"\(features\.0\.bias is missing\)"):
            load_network(tmp_path / "weights")

    def test_weights_of_another_stage_or_of_other_joints(self, tmp_path):
        save_network(small(), DESCRIPTION, tmp_path / "weights")
        assert load_stage(tmp_path / "weights", 2, "full-body")[1]["stage"] == 2
        with pytest.raises(WeightsError, match="of stage 2 for full-body joints, not of stage 3"):
            load_stage(tmp_path / "weights", 3)
        with pytest.raises(WeightsError, match="not of stage 2 for upper-body joints"):
            load_stage(tmp_path / "weights", 2, "upper-body")

    def test_published_weights_are_put_back_and_not_trained(self, tmp_path):
        path = tmp_path / "cpu" / "lsp" / "stage1.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
        with pytest.raises(WeightsError, match=r"damaged .*: `python scripts/published.py weights` puts"):
            load_network(path)

    def test_build_by_name(self):
        assert isinstance(build_network("alexnet", **SMALL), AlexNet)
