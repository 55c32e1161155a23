"""What the benchmarks count, compare and write, by hand-made cases; nothing is timed."""

import json

import numpy as np
import pytest
import torch
from project import ROOT
from torch import nn

from deeppose.core.files import write_json
from deeppose.core.params_file import load_params
from deeppose.networks.alexnet import LocalResponseNorm
from deeppose.networks.regressor import Regressor, parameter_count


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    for folder in ("scripts", "stages"):
        monkeypatch.syspath_prepend(str(ROOT / folder))


class TwoLayers(Regressor):
    """A convolution of 6×6 pixels to 5 channels of 2×2, and a layer of 28 outputs."""

    def __init__(self):
        super().__init__(6, (0.0, 0.0, 0.0))
        self.layers = nn.Sequential(
            nn.Conv2d(3, 5, 4, stride=2), LocalResponseNorm(), nn.Flatten(), nn.Linear(20, 28)
        )

    def forward(self, crops):
        return self.layers(crops.permute(0, 3, 1, 2).to(self.layers[0].weight.dtype)).reshape(
            len(crops), 14, 2
        )

    def losses(self, crops, targets, weights):
        raise NotImplementedError


class TestProducts:
    def test_of_two_layers(self):
        from bench_network import Product, products_of

        forward = [Product(5, 48, 4 * 7), Product(28, 20, 7)]
        assert products_of(TwoLayers(), 7, backward=False) == forward
        assert products_of(TwoLayers(), 7, backward=True) == [
            Product(5, 48, 28),
            Product(5, 28, 48),
            Product(28, 20, 7),
            Product(28, 7, 20),
            Product(20, 28, 7),
        ]

    def test_many_positions_are_cut_and_counted_in_full(self, monkeypatch):
        import bench_network

        whole = bench_network.products_of(TwoLayers(), 1000, backward=True)
        monkeypatch.setattr(bench_network, "MOST_COLUMNS", 64)
        cut = bench_network.products_of(TwoLayers(), 1000, backward=True)
        assert [p.operations for p in cut] == pytest.approx([p.operations for p in whole])
        assert [max(p.rows, p.inner, p.columns) for p in cut] == [64] * 5

    def test_of_the_papers_network(self):
        from bench_network import products_of
        from bench_setup import network_of

        network = network_of(load_params(ROOT / "params.yaml"))
        assert round(parameter_count(network) / 1e6, 1) == 58.4
        forward = sum(p.operations for p in products_of(network, 1, backward=False))
        assert round(forward / 1e9, 2) == 2.26
        first = 2 * 96 * 11 * 11 * 3 * 55 * 55
        both = sum(p.operations for p in products_of(network, 1, backward=True))
        assert both == pytest.approx(3 * forward - first)

    def test_both_libraries_make_the_same_product(self):
        from bench_network import Product, kernels_of

        made = [kernel() for kernel in kernels_of(Product(3, 4, 5))]
        dense = [product.to_dense() if product.is_mkldnn else product for product in made]
        assert [tuple(product.shape) for product in dense] == [(5, 3)] * len(made)
        for product in dense[1:]:
            torch.testing.assert_close(product, dense[0])

    def test_seconds_are_scaled_by_times(self, monkeypatch):
        import bench_network

        monkeypatch.setattr(bench_network, "timed", lambda _kernel: lambda: 2.0)
        products = [bench_network.Product(1, 1, 1, 3.0), bench_network.Product(1, 1, 1)]
        assert bench_network.Products(products).seconds() == 2.0 * 3 + 2.0


def test_the_stock_network_is_the_same_function():
    from bench_network import stock_normalisation, with_normalisation

    torch.manual_seed(0)
    ours, theirs = TwoLayers().double(), TwoLayers().double()
    theirs.load_state_dict(ours.state_dict())
    theirs = with_normalisation(theirs, stock_normalisation)
    assert isinstance(theirs.layers[1], nn.LocalResponseNorm)
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8))
    results = []
    for network in (ours, theirs):
        output = network(crops)
        output.square().sum().backward()
        results.append((output.detach(), network.layers[0].weight.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_normalised_in_single_precision_whatever_the_features_are():
    from bench_network import SinglePrecision

    features = torch.randn(2, 7, 3, 3, dtype=torch.bfloat16) * 60
    expected = LocalResponseNorm()(features.float()).bfloat16()
    assert torch.equal(SinglePrecision()(features), expected)


class TestTurns:
    def test_the_first_round_is_not_counted(self):
        from benching import in_turn

        order = []

        def work(name, seconds):
            left = iter(seconds)

            def run():
                order.append(name)
                return next(left)

            return run

        turns = in_turn({"a": work("a", [99.0, 2.0, 6.0, 1.0]), "b": work("b", [99.0, 1.0, 2.0, 4.0])}, 3)
        assert order == ["a", "b"] * 4
        assert turns.median("a") == 2.0
        # The median of 2, 3 and a quarter; the ratio of the medians would be 1.
        assert turns.ratio("a", "b") == 2.0

    def test_peak_is_the_highest_value_seen(self):
        from benching import peak_of

        held = iter([3.0, 5.0])
        with peak_of(lambda: next(held, 4.0)) as peak:
            assert peak == [3.0]
        assert peak == [5.0]


class TestRows:
    @pytest.mark.parametrize(
        ("figure", "bounds", "target"),
        [
            (1.6, {"at_least": 1.6}, "at least 1.6: met"),
            (1.59, {"at_least": 1.6}, "at least 1.6: not met"),
            (1.25, {"at_most": 1.25}, "at most 1.25: met"),
            (1.26, {"at_most": 1.25}, "at most 1.25: not met"),
            (0.04, {"at_most": 0.05, "style": ".1%"}, "at most 5%: met"),
            (1.0, {}, ""),
        ],
    )
    def test_target(self, figure, bounds, target):
        from benching import Row

        assert Row("speed", figure, **bounds).target == target

    def test_page(self):
        from benching import Row, Section, page, report_of

        rows = [Row("rows", 12_320_000, ",.0f"), Row("seconds", 9.96, ".1f", at_most=15)]
        sections = [Section("Sets", rows, "All labelled."), Section("Empty", [])]
        report = report_of("Costs", "python x.py", sections, threads=3)
        assert json.loads(json.dumps(report)) == report
        assert report["versions"]["torch"] == torch.__version__.split("+")[0]
        text = page({**report, "machine": "an abacus", "revision": "abc"})
        assert text.startswith("# Costs\n\nMade by `python x.py` at commit abc, on: an abacus, 3 threads; ")
        assert text.endswith(
            "## Sets\n\nAll labelled.\n\n"
            "|  | figure | target |\n| --- | ---: | --- |\n"
            "| rows | 12,320,000 |  |\n| seconds | 10.0 | at most 15: met |\n"
            "\n## Empty\n\n|  | figure | target |\n| --- | ---: | --- |\n"
        )


@pytest.mark.parametrize("name", ["bench", "demo"])
def test_the_page_is_of_the_committed_run(name):
    from benching import page

    report = ROOT / "reports" / "bench" / f"{name}.json"
    assert page(json.loads(report.read_text("utf-8"))) == report.with_suffix(".md").read_text("utf-8")


def test_the_memory_of_a_stage_is_that_of_the_model_with_more(tmp_path):
    from bench_demo import memory_by_stage

    runs = {"download@demo": 2e8, "train-stage1@demo-lsp": 1.5e9, "train-stage1@demo-flic": 1.8e9}
    write_json(tmp_path / "logs/demo/runs.json", {name: {"peak_bytes": peak} for name, peak in runs.items()})
    rows = memory_by_stage(tmp_path).rows
    assert {row.what: row.figure for row in rows} == {"download": 0.2, "train-stage1": 1.8}
    assert [row.target for row in rows] == ["at most 1.7: met", "at most 1.7: not met"]


def test_the_cascades_passes(monkeypatch):
    import bench_prediction

    sizes = []
    monkeypatch.setattr(bench_prediction, "products_of", lambda _network, size, backward: size)
    monkeypatch.setattr(
        bench_prediction,
        "Products",
        lambda size: type("Counted", (), {"seconds": lambda self: sizes.append(size) or 1.0})(),
    )
    assert bench_prediction.passes(TwoLayers(), 8, 50)() == 7
    # 8 whole bodies, then twice 8 × 14 joints in batches of 50.
    assert sizes == [8, 50, 50, 12, 50, 50, 12]


def test_packing_and_the_pictures_it_packs(tmp_path):
    import bench_feeding

    files = bench_feeding.encoded(bench_feeding.smooth_pictures(6))
    pose_set = bench_feeding.write_archive(tmp_path / "lsp_dataset.zip", files)
    assert pose_set.train.sum() == 3
    bench_feeding.pack(pose_set, tmp_path)
    bytes_each = bench_feeding.HEIGHT * bench_feeding.WIDTH * 3
    assert (tmp_path / "train").stat().st_size == (tmp_path / "test").stat().st_size == 3 * bytes_each
    bench_feeding.decode_all(files)


@pytest.mark.parametrize("name", ["stage 1's loader", "a later stage's loader"])
def test_loaders_cut_batches(name, tmp_path, monkeypatch):
    import bench_feeding

    from deeppose.core.images import write_images

    monkeypatch.setattr(bench_feeding, "LSP_EXAMPLES", 5)
    monkeypatch.setattr(bench_feeding, "PICTURES", 2)
    params = load_params(ROOT / "params.yaml")
    examples = bench_feeding.random_examples(5)
    bench_feeding.build_augmented_set(params, tmp_path, examples)
    write_images(tmp_path / "images", bench_feeding.random_pictures(2))
    table = bench_feeding.TABLES[name](params, tmp_path)
    paper = params.profiles["paper"]
    assert len(table) == (5 if name == "stage 1's loader" else 5 * 2 * 14 * paper.boxes_per_joint)
    batch = next(bench_feeding.feed(table, params))
    assert batch.crops.shape == (paper.training.batch, 220, 220, 3)
