"""Keep what a run gave that isn't published: docs/runs/NAME.json, and docs/runs.md, a page of them all.

    python scripts/keep_run.py NAME "WORDS"   keep the last run in this folder, of the profile in params.yaml
    python scripts/keep_run.py                write docs/runs.md again

Kept are its metrics, its provenance, and what its params change in those of the commit that it ran from.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from pages import page_of, table
from published import is_commit, leaves, provenance

from deeppose.core.errors import DeepPoseError
from deeppose.core.files import read_json, write_json, write_text
from deeppose.core.params import Params
from deeppose.core.params_file import key_name, load_params, read_values
from deeppose.evaluation.formatting import rate_text
from deeppose.evaluation.rates import PDJ_THRESHOLDS
from deeppose.provenance import CODE
from deeppose.report.catalogue import catalogue_of
from deeppose.report.paper_results import LIMB_KINDS

KEPT, PAGE = Path("docs/runs"), Path("docs/runs.md")
REMOVED = "(removed)"


class NotARunError(DeepPoseError):
    """What lies in the folder isn't one run from one commit."""


def main(arguments: list[str]) -> None:
    if len(arguments) not in (0, 2) or (arguments and not re.fullmatch(r"[\w-]+", arguments[0])):
        sys.exit(__doc__)
    if arguments:
        keep(*arguments)
    runs = {path.stem: read_json(path) for path in sorted(KEPT.glob("*.json"))}
    write_text(PAGE, page(runs))


def keep(name: str, words: str) -> None:
    params = load_params()
    tests = {model: tested(params, model) for model in params.models}
    check_nothing_changed([f"evaluate@{params.profile}-{model}" for model in params.models])
    made_of = provenance(params)
    revision = revision_of(made_of)
    changed = changes(params_at(revision), made_of["params"])
    run = {"words": words, "revision": revision, "changes": changed, "tested": tests, "provenance": made_of}
    write_json(KEPT / f"{name}.json", run)


def check_nothing_changed(stages: list[str]) -> None:
    """Raise if what these stages stand on, however indirectly, has changed since they ran."""
    command = [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", *stages]
    status = subprocess.run(command, capture_output=True, text=True, check=False)
    if status.returncode:
        raise NotARunError(f"`dvc status` can't tell whether the run is finished: {status.stderr.strip()}")
    changed = json.loads(status.stdout)
    if changed:
        finish = f"`dvc repro {' '.join(stages)}` finishes it"
        raise NotARunError(f"not a finished run: {', '.join(changed)} changed since; {finish}")


def revision_of(made_of: Mapping[str, Any]) -> str:
    """The commit that a run's latest stage ran from, all others from the same code."""
    stages = made_of["stages"]
    latest = max(stages.values(), key=lambda stage: str(stage["started"]))["revision"]
    revisions = {stage["revision"] for stage in stages.values()}
    if not all(is_commit(revision) and is_same_code(revision, latest) for revision in revisions):
        raise NotARunError(
            f"the stages ran from {', '.join(sorted(revisions))}: run all from commits of the same code"
        )
    for model in made_of["params"]["models"]:
        trained = trainings(made_of["params"], model)
        missing = [stage for stage in trained if stage not in stages]
        if missing:
            raise NotARunError(f"{missing[0]} didn't run in this folder: its outputs are another run's")
        for earlier, later in pairwise(trained):
            if stages[earlier]["started"] >= stages[later]["started"]:
                raise NotARunError(f"{later} is older than {earlier}: its outputs are another run's")
    return str(latest)


def is_same_code(revision: str, other: str) -> bool:
    """Whether both are commits here, with the same pipeline. What params a stage ran with, dvc.lock knows."""
    differs = ["git", "diff", "--quiet", revision, other, "--", *CODE]
    return subprocess.run(differs, capture_output=True, check=False).returncode == 0


def params_at(revision: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    with tempfile.TemporaryDirectory() as folder:
        archive = ["git", "archive", "--output", f"{folder}/params.tar", revision, "params.yaml", "profiles"]
        done = subprocess.run(archive, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotARunError(f"this clone lacks the commit that was run: {done.stderr.strip()}")
        with tarfile.open(f"{folder}/params.tar") as packed:
            packed.extractall(folder, filter="data")
        return read_values(Path(folder) / "params.yaml")


def changes(committed: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's params are where the commit's differ, by key as -S has it; REMOVED for a key it lacks."""
    before, now = ({key_name(key): value for key, value in leaves(of)} for of in (committed, run))
    changed = {key: value for key, value in now.items() if key not in before or before[key] != value}
    sections = tuple(
        [f"model.{name}." for name in run["model"]] + [f"profiles/{name}.yaml:" for name in run["profiles"]]
    )
    gone = [key for key in before if key.startswith(sections) and key not in now]
    emptied = tuple(f"{key}." for key, value in changed.items() if value == {})
    return changed | {key: REMOVED for key in gone if not key.startswith(emptied)}


def tested(params: Params, model: str) -> dict[str, Any]:
    profile = params.profile
    metrics_file = Path("data") / profile / "evaluation" / model / "metrics.json"
    if not metrics_file.is_file():
        raise NotARunError(f"the model {model} was not run: name in params.yaml's `models` those that were")
    sets = read_json(Path("data") / profile / model / "annotations.json")["sets"]
    measured = {name: of for name, of in read_json(metrics_file).items() if name in sets}
    return {name: {"labels": sets[name]["labels"], "metrics": of} for name, of in measured.items()}


def page(runs: Mapping[str, Any]) -> str:
    """Each run: what it is, what it changes, and a table for each set that it was tested on."""
    blocks = [
        "Made by `python scripts/keep_run.py` from the files in `docs/runs/`, which hold all metrics of\n"
        "these runs and their provenance. [Strict PCP and PDJ](glossary.md#pcp) on the sets' test parts.\n"
        "Minutes are of training up to a stage; prediction takes some more. Params that differ from the\n"
        "commit's have the keys of `dvc exp run -S`.",
    ]
    for name, run in runs.items():
        changed = [f"{key}: {json.dumps(value)}" for key, value in sorted(run["changes"].items())]
        blocks += [f"## {name}", run["words"], f"At commit {run['revision']}, with"]
        blocks.append("\n".join(["```yaml", *changed, "```"]))
        for model, sets in run["tested"].items():
            trained = minutes(run["provenance"], model)
            for set_name, found in sets.items():
                title = catalogue_of(set_name).title
                blocks.append(f"Model {model} on {title}, labels {found['labels']}:")
                blocks.append(stages_table(found["metrics"], trained))
    return page_of("Other runs", *blocks)


def stages_table(metrics: Mapping[str, Any], trained: Mapping[str, float]) -> str:
    kinds = [kind for kind in LIMB_KINDS if kind in metrics["stage_1"]["pcp"]]
    heads = ["", "Minutes", *(kind.replace("_", " ") for kind in kinds), "mean PCP"]
    heads += [f"PDJ at {threshold}" for threshold in PDJ_THRESHOLDS]
    rows = []
    for predictor, minutes_so_far in trained.items():
        found = metrics[predictor]
        shares = [found["pcp"][kind] for kind in (*kinds, "ave")]
        shares += [found[f"pdj@{threshold}"]["mean"] for threshold in PDJ_THRESHOLDS]
        rows.append([predictor.replace("_", " "), f"{minutes_so_far:.0f}", *map(rate_text, shares)])
    return table(heads, rows)


def trainings(params: Mapping[str, Any], model: str) -> list[str]:
    """The names of a model's training stages, first to last."""
    profile, stages = params["profile"], range(1, params["cascade_stages"] + 1)
    return [f"train-stage{stage}@{profile}-{model}" for stage in stages]


def minutes(made_of: Mapping[str, Any], model: str) -> dict[str, float]:
    """For each stage how long the model was trained up to it."""
    seconds = [made_of["stages"][training]["seconds"] for training in trainings(made_of["params"], model)]
    return {f"stage_{stage}": total / 60 for stage, total in enumerate(accumulate(seconds), start=1)}


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
