import json

import numpy as np
import pandas as pd
import paper_network
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

from deeppose.core.params import Params
from deeppose.networks.weights import build_network


@pytest.fixture
def study(monkeypatch):
    monkeypatch.chdir(ROOT)
    return yaml.safe_load(paper_network.DEFINITION.read_text("utf-8")), paper_network.read_values()


def test_all_variants_see_as_many_crops_and_report_as_often(study):
    definition, values = study
    for name in definition["variants"]:
        varied = paper_network.varied_params(definition, values, name)
        profile = Params.model_validate(varied).profiles["paper"]
        steps = profile.stage1.steps["lsp"]
        assert steps * profile.training.batch == definition["crops"]
        assert steps // profile.training.report_every == definition["reports"]


def test_constants_are_changed_while_a_variant_runs(study):
    definition, _ = study
    changed = definition["variants"]["lrn-divided"]["constants"]
    from deeppose.networks import alexnet

    before = alexnet.LRN_ALPHA
    with paper_network.constants(changed):
        assert pytest.approx(before / 5) == alexnet.LRN_ALPHA
    assert before == alexnet.LRN_ALPHA


def test_the_page_has_each_curves_end_beside_the_recipes(study):
    definition, values = study
    rows = [("paper", 50, 0.1), ("paper", 100, 0.2), ("paper", 200, 0.3), ("paper", 400, 0.3)]
    rows += [("adamw", 100, 0.4), ("adamw", 200, 0.45)]
    found = pd.DataFrame(rows, columns=["variant", "crops", "pcp"]).assign(**{"pdj@0.1": 0.1, "pdj@0.2": 0.5})
    page = paper_network.page(definition, values, found)
    assert "| the paper's recipe | 0.300 | 0.100 | 0.500 |  | 0.300 (0.300 to 0.300) |" in page
    assert "| 0.450 | 0.100 | 0.500 | +0.150 |  |" in page
    assert f"2 of {len(definition['variants'])} variants have been run" in page
    words = definition["variants"]["adamw"]["words"]
    assert f'Of the single changes, "{words}" brings most (+0.150)' in page
    assert "The paper's 0.54 after stage 1, on LSP's test part, is above what the recipe's curve" in page


def test_what_is_concluded():
    variants = {name: {"words": name.upper()} for name in ("paper", "a", "b", "c")}
    variants["c"]["several"] = True
    gains = pd.Series({"paper": 0.0, "a": 0.1, "b": -0.2, "c": 0.5})
    ends = {"paper": (0.5, 0.4, 0.6), "a": (0.5, 0.3, 0.53), "b": (0.7, 0.6, 0.8)}
    said = paper_network.conclusions(variants, gains, ends, 2e9)
    assert said.startswith('Of the single changes, "A" brings most (+0.100), "B" costs most (−0.200).')
    assert (
        "is within what the recipe's curve would come to in 2.0 billion crops, 0.500 (0.400 to 0.600)" in said
    )
    assert "B" not in said.partition("costs most")[2].partition(".")[2]
    said = paper_network.conclusions(variants, gains, ends | {"paper": (0.2, 0.1, 0.3)}, 2e9)
    assert "is above what" in said
    assert said.endswith("It is within the interval, or below it, of: B.")


def test_the_page_is_that_of_the_kept_curves(study):
    definition, values = study
    assert paper_network.PAGE.read_text("utf-8") == paper_network.page(
        definition, values, paper_network.results(definition, values)
    )


def test_pretraining_sees_the_demos_people_and_the_variants_network(study):
    definition, values = study
    varied = paper_network.varied_params(definition, values, "synthetic-first")
    synthetic = paper_network.synthetic_params(varied, values, 1280)
    profile = Params.model_validate(synthetic).profiles["paper"]
    assert profile.synthetic
    assert profile.embedded == Params.model_validate(values).profiles["demo"].embedded
    assert profile.stage1.steps["lsp"] == 10
    assert profile.network == Params.model_validate(varied).profiles["paper"].network
    assert not Params.model_validate(varied).profiles["paper"].synthetic


def test_outputs_and_loss_in_pixels():
    inner = build_network(
        "alexnet",
        joints=3,
        size=64,
        width=0.02,
        dropout=0.0,
        initial_weights="he",
        pixel_scale=0.01,
        mean=[120, 110, 100],
    )
    crops = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.manual_seed(1))
    targets, weights = torch.tensor([[[0.25, -0.5]] * 3] * 2), torch.ones(2, 3)
    outputs = inner(crops)
    network = paper_network.InPixels(inner)
    torch.testing.assert_close(network(crops), outputs / 64)
    wanted = (outputs - torch.tensor([16.0, -32.0])).square().sum(dim=(1, 2))
    torch.testing.assert_close(network.losses(crops, targets, weights), wanted)
    assert network.padding == inner.padding


def test_a_power_law_is_carried_on():
    crops = np.array([10, 50, 100, 200, 400, 800])
    wrong = 2 * crops**-0.25
    wrong[:3] = 0.9  # the beginning of a curve doesn't count
    end, low, high = paper_network.extrapolated(pd.DataFrame({"crops": crops, "pcp": 1 - wrong}), 10_000)
    assert [end, low, high] == pytest.approx([1 - 2 * 0.1] * 3)


@given(st.lists(st.floats(0, 0.9), min_size=6, max_size=12), st.integers(0, 3))
def test_an_extrapolation_and_its_interval_are_finite_and_in_order(pcps, extra):
    curve = pd.DataFrame({"crops": 100.0 * np.arange(1, len(pcps) + 1), "pcp": pcps})
    near, far = (paper_network.extrapolated(curve, crops) for crops in (1e4, 1e6 * 10**extra))
    assert all(np.isfinite([*near, *far]))
    assert near[1] <= near[2]
    assert far[1] <= far[2]


def test_the_papers_crops_are_its_workers_and_days_at_our_speed(study):
    bench = json.loads((ROOT / "reports/bench/bench.json").read_text("utf-8"))
    rows = {(of["title"], row["what"]): row["figure"] for of in bench["sections"] for row in of["rows"]}
    speed = rows["Training the paper's network", "ours, images/s"]
    assert paper_network.papers_crops() == pytest.approx(speed * 100 * 259_200)


def test_what_decides_a_curve_has_another_digest(study):
    definition, values = study
    digests = [paper_network.digest_of(definition, values, name) for name in definition["variants"]]
    assert len(set(digests)) == len(digests)
    digest = paper_network.digest_of(definition, values, "synthetic-first")
    values["profiles"]["demo"]["embedded"]["lsp_images"] += 1
    assert paper_network.digest_of(definition, values, "synthetic-first") != digest
    assert paper_network.digest_of(definition, values, "paper") == digests[0]
