"""Gather a profile: all metrics in one file, the paper's claims with their verdicts, and the page of it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from deeppose.core.errors import DeepPoseError
from deeppose.core.files import read_json, write_json, write_text
from deeppose.core.params import load_params
from deeppose.core.paths import runs_log
from deeppose.core.skeleton import SKELETONS
from deeppose.report.catalogue import left_out_lines
from deeppose.report.claims.judge import judge, write_claims
from deeppose.report.claims.rates import Evaluation, other_methods
from deeppose.report.page import TIMES, Run, library_versions, render_page, times_script


def main(profile: str) -> None:
    params = load_params()
    data, reports = Path("data") / profile, Path("reports") / profile
    manifests = {model: read_json(data / "manifests" / f"{model}.json") for model in params.models}
    evaluations: dict[str, Evaluation] = {}
    metrics: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    photographs: dict[str, Any] = {}
    for model in params.models:
        folder = data / "evaluation" / model
        if not (folder / "metrics.json").is_file():
            skipped[model] = why_skipped(manifests[model], params.model[model].train)
            print(f"the model {model} is left out: {skipped[model]}")
            for line in left_out_lines(dict.fromkeys(params.model[model].test, skipped[model]), ()):
                print(line)
            continue
        metrics[model] = read_json(folder / "metrics.json")
        photographs[model] = read_json(data / "photographed" / f"{model}.json")
        evaluations[model] = Evaluation(
            model=model,
            joints=pd.read_parquet(folder / "joint-errors.parquet"),
            limbs=pd.read_parquet(folder / "limb-errors.parquet"),
            by_circumstance=pd.read_parquet(folder / "by-circumstance.parquet"),
            skeleton=SKELETONS[params.model[model].skeleton],
        )
    write_json(reports / "metrics.json", metrics)
    left_out = {name: why for manifest in manifests.values() for name, why in manifest["left_out"].items()}
    drawn = params.profiles[profile].archives == "embedded"
    network = params.profiles[profile].network
    another = "" if network.name == "alexnet" else network.words
    claims = judge(
        list(evaluations.values()),
        drawn=drawn,
        seed=params.seed,
        another_network=another,
        left_out=left_out,
    )
    title = f"What the paper's text claims, and what profile {profile} gave"
    write_claims(claims, reports / "claims.csv", reports / "claims.md", title)
    others = {
        name: other_methods(evaluation.joints, name)
        for evaluation in evaluations.values()
        for name in evaluation.joints["set"].unique()
    }
    run = Run(profile, params, reports, manifests, skipped, metrics, claims, others, photographs)
    write_text(reports / "index.html", render_page(run, library_versions()))
    log = runs_log(profile)
    runs = read_json(log) if log.is_file() else {}
    write_text(reports / TIMES, times_script({stage: run["seconds"] for stage, run in runs.items()}))


def why_skipped(manifest: Mapping[str, Any], train: tuple[str, ...]) -> str:
    """What would bring a model of which there is nothing to measure."""
    missing = [manifest["left_out"][name] for name in train if name in manifest["left_out"]]
    return "; ".join(missing) or "nothing of it was evaluated"


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
