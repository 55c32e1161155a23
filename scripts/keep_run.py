"""Keep what a run gave that isn't published: docs/runs/NAME.json, and docs/runs.md, a page of them all.

    python scripts/keep_run.py NAME "WORDS"   keep the last run in this folder, of the profile in params.yaml
    python scripts/keep_run.py                write docs/runs.md again

Kept are its metrics, its provenance, and the params that it changes in what git has.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from provenance import provenance

from deeppose.errors import DeepPoseError
from deeppose.files import read_json, write_json, write_text
from deeppose.params import load_params
from deeppose.shares import share_text

KEPT, PAGE = Path("docs/runs"), Path("docs/runs.md")
PARAMS = Path("params.yaml")
LIMBS = {
    "arm_upper": "Upper arm",
    "arm_lower": "Lower arm",
    "leg_upper": "Upper leg",
    "leg_lower": "Lower leg",
}
PDJ = ("pdj@0.1", "pdj@0.2", "pdj@0.5")


def main(arguments: list[str]) -> None:
    if len(arguments) not in (0, 2):
        sys.exit(__doc__)
    if arguments:
        keep(*arguments)
    runs = {path.stem: read_json(path) for path in sorted(KEPT.glob("*.json"))}
    write_text(PAGE, page(runs))


def keep(name: str, words: str) -> None:
    params = load_params()
    committed = subprocess.check_output(["git", "show", f"HEAD:{PARAMS}"], text=True)
    before, now = (dict(leaves(yaml.safe_load(text))) for text in (committed, PARAMS.read_text("utf-8")))
    run = {
        "words": words,
        "changes": {key: value for key, value in now.items() if key not in before or before[key] != value},
        "metrics": {
            model: read_json(Path("data") / params.profile / "evaluation" / model / "metrics.json")
            for model in params.models
        },
        "provenance": provenance(params.profile, params),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    write_json(KEPT / f"{name}.json", run)


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that isn't a section, with its key as DVC takes it ("model.lsp.sigma")."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def page(runs: Mapping[str, Any]) -> str:
    """Each run: what it is, how to run it again, and a table for each set that it was tested on."""
    lines = [
        "# Other runs",
        "",
        "Made by `python scripts/keep_run.py` from [runs/](runs), which hold all metrics of these runs and",
        "what they came from. Strict PCP and PDJ on the sets' test parts; minutes of training up to a stage.",
    ]
    for name, run in runs.items():
        lines += ["", f"## {name}", "", run["words"], "", "```sh", command(run["changes"]), "```"]
        for model, by_set in run["metrics"].items():
            for set_name, by_predictor in by_set.items():
                if set_name != "held-out":
                    labels = run["provenance"]["params"]["model"][model]["labels"]
                    lines += ["", f"Model {model} on {set_name}, labels {labels}:", ""]
                    lines += table(by_predictor, minutes(run["provenance"], model))
    return "\n".join(lines) + "\n"


def command(changes: Mapping[str, Any]) -> str:
    """What runs the pipeline again with these params."""
    options = [
        f"-S '{key}=[{', '.join(map(str, value))}]'" if isinstance(value, list) else f"-S {key}={value}"
        for key, value in sorted(changes.items())
    ]
    return " \\\n  ".join(["dvc exp run", *options])


def table(by_predictor: Mapping[str, Any], trained: Mapping[str, float]) -> Iterator[str]:
    """A row a stage, in Markdown."""
    kinds = {kind: head for kind, head in LIMBS.items() if kind in by_predictor["stage_1"]["pcp"]}
    heads = ["", "Minutes", *kinds.values(), "Mean", *(name.replace("pdj@", "PDJ at ") for name in PDJ)]
    yield from (f"| {' | '.join(cells)} |" for cells in (heads, ["---"] + ["---:"] * (len(heads) - 1)))
    for predictor, minutes_so_far in trained.items():
        found = by_predictor[predictor]
        shares = [*(found["pcp"][kind] for kind in (*kinds, "ave")), *(found[name]["mean"] for name in PDJ)]
        cells = [predictor.replace("_", " "), f"{minutes_so_far:.0f}", *map(share_text, shares)]
        yield f"| {' | '.join(cells)} |"


def minutes(made_of: Mapping[str, Any], model: str) -> dict[str, float]:
    """For each stage how long the model was trained up to it."""
    profile = made_of["params"]["profile"]
    total, found = 0.0, {}
    for stage in range(1, made_of["params"]["cascade_stages"] + 1):
        total += made_of["stages"][f"train-stage{stage}@{profile}-{model}"]["seconds"] / 60
        found[f"stage_{stage}"] = total
    return found


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
