"""The report of a profile: all metrics in one file, the paper's claims with their verdicts, and the page."""

from collections.abc import Mapping
from typing import Any

from deeppose.core.files import read_json, write_json, write_text
from deeppose.core.params import Params
from deeppose.core.paths import Item, profile_reports, runs_log
from deeppose.core.predictors import as_key, stage_name
from deeppose.evaluation.evaluation import Evaluation, read_evaluation
from deeppose.report.catalogue import catalogue_of, left_out_lines
from deeppose.report.claims.judge import judge, write_claims
from deeppose.report.claims.rates import other_methods
from deeppose.report.page import TIMES, Run, library_versions, render_page, times_script

DECIMALS_OF_HEADLINE = 4


def write_report(params: Params, profile: str) -> None:
    """Write metrics, claims and page of a profile from what was evaluated of its models."""
    reports = profile_reports(profile)
    items = {name: Item(params, profile, name) for name in params.models}
    manifests = {name: item.read_manifest() for name, item in items.items()}
    evaluations: dict[str, Evaluation] = {}
    metrics: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    photographs: dict[str, Any] = {}
    for name, item in items.items():
        if not (item.evaluation / "metrics.json").is_file():
            skipped[name] = item.missing_to_train or "nothing of it was evaluated"
            print(f"the model {name} is left out: {skipped[name]}")
            for line in left_out_lines(dict.fromkeys(item.model.test, skipped[name]), ()):
                print(line)
            continue
        metrics[name] = read_json(item.evaluation / "metrics.json")
        photographs[name] = read_json(item.photographed)
        evaluations[name] = read_evaluation(item)
    write_json(reports / "metrics.json", metrics)
    tested = {name: item.model.test for name, item in items.items()}
    write_json(reports / "headline.json", headline(metrics, tested, params.cascade_stages))
    claims = judge(
        list(evaluations.values()),
        synthetic=params.profiles[profile].synthetic,
        seed=params.seed,
        network=params.profiles[profile].network.label,
        left_out={set_name: why for item in items.values() for set_name, why in item.left_out.items()},
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
    runs: Mapping[str, Any] = read_json(log) if log.is_file() else {}
    write_text(reports / TIMES, times_script({stage: run["seconds"] for stage, run in runs.items()}))


def headline(
    metrics: Mapping[str, Mapping[str, Any]], tested: Mapping[str, tuple[str, ...]], cascade_stages: int
) -> dict[str, float]:
    """The few numbers that a run is compared by with others: what `dvc metrics` and `dvc exp` show.

    Of each test set its first measure after each stage, and PDJ after the last.
    The first measure is mean strict PCP where the catalogue has a table of it, as the paper has for LSP and
    Image Parse, else mean PDJ at 0.2. A set that has no table or figure of its own has no number here. With
    the paper's four sets these are 18 numbers.

    Parameters
    ----------
    metrics
        By model, set and predictor, as in metrics.json.
    tested
        By model its test sets.
    """
    found: dict[str, float | None] = {}
    for model, sets in metrics.items():
        for name in (name for name in tested[model] if name in sets and catalogue_of(name).entries):
            key = f"{model}_{name}" if any(taken.startswith(f"{name}_") for taken in found) else name
            of_stages = [sets[name][as_key(stage_name(stage))] for stage in range(1, cascade_stages + 1)]
            has_pcp = any(entry.kind == "pcp table" for entry in catalogue_of(name).entries)
            measure, part = ("pcp", "ave") if has_pcp else ("pdj@0.2", "mean")
            for stage, of_stage in enumerate(of_stages, start=1):
                found[f"{key}_{measure}_{stage}"] = of_stage[measure][part]
            for threshold in ("0.2", "0.1") if has_pcp else ("0.1",):
                found[f"{key}_pdj@{threshold}"] = of_stages[-1][f"pdj@{threshold}"]["mean"]
    return {key: round(value, DECIMALS_OF_HEADLINE) for key, value in found.items() if value is not None}
