"""How the paper's network learns from these photographs: docs/paper-network.md, from runs that are kept.

    python scripts/paper_network.py run [VARIANT...]   train those, or all, that aren't kept
    python scripts/paper_network.py page               write docs/paper-network.md and its figure again

docs/paper-network.yaml says what is compared. A run takes about ten minutes on two cores; its curve is kept
when it ends. The archives are those in the folder that DEEPPOSE_MIRROR names.
"""

import copy
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
import yaml
from ablations import digest, params_of
from pages import page_of, table
from project_copy import check_mirror, project_copy, repro, share_cache, write_params
from torch import Tensor

from deeppose.cascade.prediction import predict_stage
from deeppose.cascade.processes import processes
from deeppose.cascade.setup import images_of, predictor_of, workers_of
from deeppose.cascade.train_stage import describe, training_table, trusted_part
from deeppose.cascade.training import mixed_seed, train
from deeppose.core.files import read_json, write_text
from deeppose.core.metrics import joint_errors, limb_errors, mean_pdj, pcp
from deeppose.core.params_file import load_params, read_values
from deeppose.core.paths import Item
from deeppose.evaluation.formatting import difference_text, rate_text
from deeppose.networks.regressor import Regressor, squared_distances
from deeppose.networks.weights import build_network
from deeppose.provenance import machine
from deeppose.report.paper_results import paper_rows
from deeppose.report.style import new_figure, save_plot, styled

DEFINITION, RESULTS, PAGE = (Path("docs") / f"paper-network.{suffix}" for suffix in ("yaml", "csv", "md"))
MEASURED = {"pcp": "PCP", "pdj@0.1": "PDJ at 0.1", "pdj@0.2": "PDJ at 0.2"}
FIRST = "paper"
"""The variant that the others are compared with, most of them one change away."""
WORKERS, DAYS = 100, 3
"""What the paper's stage 1 took (§3.1)."""
SPEED = Path("reports/bench/bench.json"), "Training the paper's network", "ours, images/s"
DRAWS = 2000
"""Of the bootstrap over a curve's reports."""
NAMED = 8
"""So many of the curves that end highest are named in the figure."""


def main(what: str, names: list[str]) -> None:
    definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    params = read_values()
    for name in names:
        if name not in definition["variants"]:
            sys.exit(f"no variant {name!r} in {DEFINITION}, only {', '.join(definition['variants'])}")
    if what == "run":
        run(definition, params, names or list(definition["variants"]))
    found = results(definition, params)
    write_text(PAGE, page(definition, params, found))
    curves_figure(definition, found)


def run(definition: dict[str, Any], params: dict[str, Any], names: list[str]) -> None:
    """Train each variant, one after the other, unless its curve is there."""
    check_mirror()
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        project = project_copy(Path(folder) / "project")
        share_cache(project)
        for name in names:
            if (results(definition, params)["variant"] == name).any():
                continue
            print(name, flush=True)
            variant = definition["variants"][name]
            varied = varied_params(definition, params, name)
            start = None
            if "pretraining" in variant:
                write_params(project, synthetic_params(varied, params, variant["pretraining"]))
                repro(project, "initial-boxes@paper-lsp")
                os.chdir(project)
                _, start = trained(None)
                os.chdir(here)
            write_params(project, varied)
            repro(project, "initial-boxes@paper-lsp")
            os.chdir(project)
            with constants(variant.get("constants", {})):
                curve, _ = trained(start, in_pixels=variant.get("outputs") == "pixels")
            os.chdir(here)
            curve.insert(0, "variant", name)
            curve = curve.assign(
                params=digest_of(definition, params, name), machine=machine(gpu=False, vectors=False)
            )
            earlier = [pd.read_csv(RESULTS)] if RESULTS.is_file() else []
            write_text(RESULTS, pd.concat([*earlier, curve]).to_csv(index=False, float_format="%.6g"))


def varied_params(definition: dict[str, Any], params: dict[str, Any], name: str) -> dict[str, Any]:
    """The params of a variant: all see as many crops and report as often."""
    varied = params_of(definition, params, name) | {"seed": definition["seed"]}
    profile = varied["profiles"]["paper"]
    steps = definition["crops"] // profile["training"]["batch"]
    profile["stage1"]["steps"] = {"lsp": steps}
    for stage in ("stage2", "stage3"):
        profile[stage]["steps"] = {"lsp": 1}
    profile["training"]["report_every"] = steps // definition["reports"]
    return varied


def synthetic_params(varied: dict[str, Any], params: dict[str, Any], crops: int) -> dict[str, Any]:
    """A variant's params, but for so many crops of the demo's synthetic people."""
    synthetic = copy.deepcopy(varied)
    profile = synthetic["profiles"]["paper"]
    profile |= {"archives": "embedded", "embedded": params["profiles"]["demo"]["embedded"]}
    profile["stage1"]["steps"] = {"lsp": crops // profile["training"]["batch"]}
    return synthetic


def digest_of(definition: dict[str, Any], params: dict[str, Any], name: str) -> str:
    """Names all that decides a variant's curve."""
    varied, variant = varied_params(definition, params, name), definition["variants"][name]
    beyond = {key: value for key, value in variant.items() if key not in ("words", "set", "several")}
    if "pretraining" in beyond:
        beyond["synthetic"] = digest(synthetic_params(varied, params, beyond["pretraining"]))
    if not beyond:
        return digest(varied)
    return hashlib.sha256(json.dumps([digest(varied), beyond], sort_keys=True).encode()).hexdigest()[:12]


class InPixels(Regressor):
    """A network whose outputs and loss are in pixels of the crop, instead of Eq. 1's units."""

    def __init__(self, inner: Regressor) -> None:
        super().__init__(inner.size, inner.mean.tolist())
        self.inner = inner

    def forward(self, crops: Tensor) -> Tensor:
        """See :class:`Regressor`."""
        return self.inner(crops) / self.size

    def losses(self, crops: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Eq. 4 in pixels, see :class:`Regressor`."""
        return squared_distances(self.inner(crops).float(), targets * self.size, weights)


@contextmanager
def constants(changed: dict[str, Any]) -> Iterator[None]:
    """Have modules' constants, by their dotted names, these values while the block runs."""
    with ExitStack() as stack:
        for dotted, value in changed.items():
            stack.enter_context(mock.patch(dotted, value))
        yield


def trained(start: Regressor | None, *, in_pixels: bool = False) -> tuple[pd.DataFrame, Regressor]:
    """Train stage 1 by the params in this folder, from the weights of `start` or from initial ones.

    Returns
    -------
    The curve (`crops`, `loss` and held-out figures, a row a report), and the network.
    """
    params = load_params()
    item = Item(params, "paper", "lsp")
    measured: list[dict[str, float | None]] = []
    with processes(item.profile.device, params.threads) as fabric:
        examples = item.train.read_examples()
        images = images_of(item, item.train, examples, fabric.device)
        torch.manual_seed(mixed_seed((params.seed, 1)))
        description = describe(item, 1)
        network = build_network(**description["network"])
        if start is not None:
            network.load_state_dict(start.state_dict())
        if in_pixels:
            network = InPixels(network)
        predictor = predictor_of(item, fabric, description, shared=False)
        rows = examples.rows("held-out")
        truth = examples.poses[rows], examples.labelled[rows]

        def judge(network: Regressor) -> float:
            (poses, _), _ = predict_stage(network, description, predictor, images, examples, rows, None)
            joints = joint_errors(poses, *truth, examples.diameters[rows])
            limbs, _ = limb_errors(poses, *truth, item.skeleton)
            figures = {f"pdj@{threshold}": mean_pdj(joints, threshold) for threshold in (0.1, 0.2)}
            measured.append({"pcp": pcp(limbs, item.skeleton)["ave"], **figures})
            return figures["pdj@0.2"] or 0.0

        table, steps = training_table(item, 1, examples, images, network), item.profile.stage1.steps["lsp"]
        log = train(
            network,
            table,
            item.profile.training,
            fabric,
            judge,
            steps=steps,
            checkpoint=Path("state.pt"),
            speed_log=Path("images-per-second.csv"),
            workers=workers_of(item, fabric.device),
            name="stage 1",
            last=trusted_part(item, 1, table, examples, steps),
        )
    Path("state.pt").unlink()
    curve = pd.DataFrame(measured).assign(loss=log["loss"])
    curve.insert(0, "crops", log["step"] * item.profile.training.batch)
    return curve, network


def results(definition: dict[str, Any], params: dict[str, Any]) -> pd.DataFrame:
    """The curves of what the definition and the params say now, in the definition's order."""
    if not RESULTS.is_file():
        return pd.DataFrame(columns=["variant", "crops", *MEASURED])
    found = pd.read_csv(RESULTS, dtype={"params": str})
    now = {name: digest_of(definition, params, name) for name in definition["variants"]}
    order = {name: number for number, name in enumerate(now)}
    found = found[found["variant"].map(now) == found["params"]]
    return found.sort_values(["variant", "crops"], key=lambda c: c.map(order) if c.name == "variant" else c)


def papers_crops() -> float:
    """Crops that the paper's stage 1 saw, had each of its workers the speed of two cores here."""
    path, title, what = SPEED
    (section,) = (of for of in read_json(path)["sections"] if of["title"] == title)
    (speed,) = (row["figure"] for row in section["rows"] if row["what"] == what)
    return float(speed * WORKERS * DAYS * 24 * 3600)


def extrapolated(curve: pd.DataFrame, crops: float) -> tuple[float, float, float]:
    """PCP after so many crops, and its 90 % interval, if the share of wrong limbs falls as a power of them.

    The power law is a line through the second half of the reports, both axes logarithmic, fitted by least
    squares; the interval is by a bootstrap over these reports.
    """
    half = curve.iloc[len(curve) // 2 :]
    x, y = np.log(half["crops"].to_numpy()), np.log1p(-half["pcp"].to_numpy())
    drawn = np.random.default_rng(0).integers(len(x), size=(DRAWS, len(x)))
    rows = np.concatenate([[np.arange(len(x))], drawn[np.ptp(drawn, axis=1) > 0]])
    away, wrong = x[rows] - x[rows].mean(axis=1, keepdims=True), y[rows]
    slopes = (away * wrong).sum(axis=1) / np.square(away).sum(axis=1)
    ends = 1 - np.exp(wrong.mean(axis=1) + slopes * (np.log(crops) - x[rows].mean(axis=1)))
    ends = np.maximum(ends, 0)  # a curve that falls
    low, high = np.percentile(ends[1:], [5, 95])
    return float(ends[0]), float(low), float(high)


def page(definition: dict[str, Any], params: dict[str, Any], found: pd.DataFrame) -> str:
    """Each variant's last figures beside the paper's recipe, its curve, and where it would come to."""
    variants, crops = definition["variants"], papers_crops()
    last = found.groupby("variant", sort=False).last()
    gains = last["pcp"] - last["pcp"].get(FIRST, np.nan)
    ends = {
        name: extrapolated(found[found["variant"] == name], crops)
        for name in last.index
        if varied_params(definition, params, name)["profiles"]["paper"]["training"]["optimizer"]["name"]
        == "adagrad"
    }
    rows = []
    for name, figures in last.iterrows():
        measured = [rate_text(figures[column]) for column in MEASURED]
        gain = "" if name == FIRST else difference_text(gains[name])
        rows.append([variants[name]["words"], *measured, gain, interval_text(ends.get(str(name)))])
    base = yaml.safe_dump(definition["base"], sort_keys=False)
    return page_of(
        "How the paper's network learns",
        f"Made by `python scripts/paper_network.py page` from the runs in [{RESULTS.name}]({RESULTS.name}); "
        f"[{DEFINITION.name}]({DEFINITION.name}) says what was run: stage 1 of the network of §3.1, a "
        "quarter as wide and at 124 px, most of them one change from the paper's recipe, each over "
        f"{definition['crops']:,} crops of LSP and LSP extended. Measured on 400 "
        "[held-out](glossary.md#held-out) images of LSP's training part, not on a test part. "
        f"{len(rows)} of {len(variants)} variants have been run.",
        "![Held-out PCP against crops seen](paper-network.svg)",
        conclusions(variants, gains, ends, crops),
        table(["Change", *MEASURED.values(), "PCP, minus the recipe's", "PCP, extrapolated"], rows),
        f"The last column is what would come of {crops / 1e9:.1f} billion crops, if the share of wrong limbs "
        "fell as a power of the crops seen, as it did in the second half of a run; in brackets the 90 % "
        "interval of a bootstrap over its reports. So many crops the paper's stage 1 has seen, had each of "
        f"its {WORKERS} workers been as fast for its {DAYS} days as [two cores here](performance.md). Where "
        "the learning rate falls along a cosine, the end of a run says nothing about a longer one.",
        "All other parameters are those of `paper`, except",
        f"```yaml\n{base}```",
    )


def conclusions(
    variants: Mapping[str, Any],
    gains: "pd.Series[float]",
    ends: Mapping[str, tuple[float, float, float]],
    crops: float,
) -> str:
    """Which single change brings most, and whether the recipe would come to the paper's PCP."""
    single = gains[[name for name in gains.index if name != FIRST and not variants[name].get("several")]]
    published = paper_rows("lsp")
    theirs = float(published.loc[published["stage"] == 1, "ave"].iloc[0])
    said = []
    if len(single):
        most, least = ((name, variants[name]["words"]) for name in (single.idxmax(), single.idxmin()))
        said.append(
            f'Of the single changes, "{most[1]}" brings most ({difference_text(single[most[0]])}), '
            f'"{least[1]}" costs most ({difference_text(single[least[0]])}).'
        )
    if FIRST in ends:
        _, low, high = ends[FIRST]
        where = "above" if theirs > high else "below" if theirs < low else "within"
        said.append(
            f"The paper's {theirs:.2f} after stage 1, on LSP's test part, is {where} what the recipe's curve "
            f"would come to in {crops / 1e9:.1f} billion crops, {interval_text(ends[FIRST])}, at this width "
            "and input."
        )
        reach = [variants[name]["words"] for name, end in ends.items() if name != FIRST and end[2] >= theirs]
        if where == "above" and reach:
            said.append(f"It is within the interval, or below it, of: {'; '.join(reach)}.")
    return " ".join(said)


def interval_text(end: tuple[float, float, float] | None) -> str:
    """What a curve would come to, with its interval; "" if nothing says."""
    return "" if end is None else f"{rate_text(end[0])} ({rate_text(end[1])} to {rate_text(end[2])})"


@styled
def curves_figure(definition: dict[str, Any], found: pd.DataFrame) -> None:
    """Held-out PCP against crops seen, a line a variant; the recipe's and those of the best are named."""
    figure = new_figure(7.5, 6.5, "Held-out PCP of stage 1 against crops seen")
    axes = figure.subplots()
    # In the order in which they end, the legend is read beside the curves.
    ends = found.groupby("variant")["pcp"].last().sort_values(ascending=False).index
    named = [name for name in ends if name in ends[:NAMED] or name == FIRST]
    for number, name in enumerate(named):
        curve, first = found[found["variant"] == name], name == FIRST
        look = {"color": "black", "linewidth": 2.5} if first else {"linewidth": 1.4}
        style = "-" if first else ("-", "--", ":")[number % 3]
        words = definition["variants"][name]["words"].replace("`", "")
        axes.plot(curve["crops"], curve["pcp"], style, label=words, **look)
    for number, name in enumerate(ends.difference(named)):
        curve = found[found["variant"] == name]
        words = "" if number else "each of the others"
        axes.plot(curve["crops"], curve["pcp"], color="0.8", linewidth=0.8, zorder=1, label=words)
    axes.set(xscale="log", xlabel="Crops seen", ylabel="Held-out mean PCP")
    figure.legend(loc="outside lower left", fontsize="small")
    save_plot(figure, PAGE.parent, PAGE.stem)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("run", "page"):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
