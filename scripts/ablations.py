"""What choices are worth, on held-out images alone: docs/ablations.md and docs/refinements.md.

    python scripts/ablations.py run [--refinements] [--cuda] [VARIANT...]
                                              train those, or all, that aren't kept
    python scripts/ablations.py table [--refinements]
                                              write the page from the kept runs

docs/ablations.yaml says what is compared; with --refinements, docs/refinements.yaml. A run takes ten to
twenty minutes on two cores; --cuda takes a GPU. Runs are compared with those of the same machine. A run's
figures are kept when it ends; of one that is stopped, the stages that had ended are taken from DVC's cache,
in which what all runs made stays until `dvc gc`. The archives are those in the folder that DEEPPOSE_MIRROR
names.
"""

import copy
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
import yaml
from pages import page_of, table
from project_copy import check_mirror, project_copy, repro, share_cache, write_params

from deeppose.core.files import read_json, write_text
from deeppose.core.params_file import key_path, read_values
from deeppose.evaluation.formatting import difference_text, rate_text
from deeppose.provenance import machine

CUDA, REFINEMENTS = "--cuda", "--refinements"
COLUMNS = ("variant", "params", "seed", "stage", "pdj@0.1", "pdj@0.2", "pcp", "machine")
JUDGE = "pdj@0.2"  # §4.1
LATER: tuple[tuple[str | None, str, Any], ...] = (
    ("network", "inputs", {}),
    (None, "tight_boxes", []),
    *((None, key, {}) for key in ("recrops", "sigma")),
    *((stage, key, 0.0) for stage in ("stage2", "stage3") for key in ("scale", "rotation")),
    *((stage, "shrinkage", {}) for stage in ("stage2", "stage3")),
)
"""Params that a profile got after runs were kept, by section, with the value by which those ran."""
HEADS = {"pdj@0.1": "PDJ at 0.1", "pdj@0.2": "PDJ at 0.2", "pcp": "PCP"}


class Study(NamedTuple):
    """What is compared, the runs that are kept of it, and the page that they make."""

    definition: Path
    kept: Path
    page: Path


def study_of(name: str) -> Study:
    """Its files in docs/."""
    return Study(*(Path("docs") / f"{name}.{suffix}" for suffix in ("yaml", "csv", "md")))


def main(what: str, names: list[str], study: Study, *, cuda: bool) -> None:
    definition = yaml.safe_load(study.definition.read_text(encoding="utf-8"))
    params = read_values()
    variants = definition["variants"]
    for name in names:
        if name not in variants:
            sys.exit(f"no variant {name!r} in {study.definition}, only {', '.join(variants)}")
    if what == "run":
        run(study, definition, params, names or list(variants), cuda=cuda)
    write_text(study.page, page(study, definition, results(study, definition, params)))


def run(
    study: Study, definition: dict[str, Any], params: dict[str, Any], names: list[str], *, cuda: bool
) -> None:
    """Train each variant with each seed, one after the other, unless this machine's figures are there."""
    check_mirror()
    if cuda and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here: leave --cuda out, or run on a machine with one")
    # Which vectors a processor has changes none of the figures; rows that are kept don't tell them.
    where = machine(gpu=cuda, vectors=False)
    with tempfile.TemporaryDirectory() as folder:
        project = project_copy(Path(folder) / "project")
        # A stage that is the same in two variants is trained once.
        share_cache(project)
        for seed in definition["seeds"]:
            for name in names:
                found = results(study, definition, params)
                if ((found["variant"] == name) & (found["seed"] == seed) & (found["machine"] == where)).any():
                    continue
                print(f"{name}, seed {seed}", flush=True)
                varied = params_of(definition, params, name) | {"seed": seed}
                if cuda:
                    varied["profiles"][varied["profile"]]["device"]["accelerator"] = "cuda"
                keep(study.kept, name, digest(varied), seed, held_out(project, varied), where)
                write_text(study.page, page(study, definition, results(study, definition, params)))


def params_of(definition: dict[str, Any], params: dict[str, Any], name: str) -> dict[str, Any]:
    """The params of a variant, but for the seed."""
    varied = copy.deepcopy(params)
    for key, value in (definition["base"] | definition["variants"][name]["set"]).items():
        *sections, last = key_path(key)
        section = varied
        for part in sections:
            section = section[part]
        if last not in section:
            sys.exit(f"{name} sets {key}, which the params don't have")
        section[last] = copy.deepcopy(value)  # later keys may change it
    return varied


def digest(params: dict[str, Any]) -> str:
    """Names all that decides a run's figures but for its seed and its machine, which are kept with them."""
    profile, models = params["profile"], params["models"]
    decides = {key: params[key] for key in ("sigma", "cascade_stages", "threads")}
    decides |= {"models": {name: params["model"][name] for name in models}}
    decides |= {"profile": copy.deepcopy(params["profiles"][profile])}
    del decides["profile"]["device"]["accelerator"]
    for section, key, value in LATER:
        of = decides["profile"] if section is None else decides["profile"].get(section, {})
        if value == {} and key in of:
            of[key] = {name: one for name, one in of[key].items() if name in models}
        if of.get(key) == value:
            del of[key]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


def held_out(project: Path, params: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline there with these params; what each stage reaches on the held-out images."""
    write_params(project, params)
    profile, (model,) = params["profile"], params["models"]
    repro(project, f"evaluate@{profile}-{model}")
    return read_json(project / "data" / profile / "evaluation" / model / "metrics.json")["held-out"]


def keep(kept: Path, name: str, params: str, seed: int, figures: dict[str, Any], where: str) -> None:
    rows = []
    for predictor, found in figures.items():
        if predictor.startswith("stage_"):
            rates = found["pdj@0.1"]["mean"], found["pdj@0.2"]["mean"], found["pcp"]["ave"]
            rows.append((name, params, seed, int(predictor.removeprefix("stage_")), *rates, where))
    earlier = kept.read_text(encoding="utf-8") if kept.is_file() else ",".join(COLUMNS) + "\n"
    write_text(kept, earlier + pd.DataFrame(rows).to_csv(index=False, header=False))


def results(study: Study, definition: dict[str, Any], params: dict[str, Any]) -> pd.DataFrame:
    """The runs that were made with what the definition and params.yaml say now."""
    if not study.kept.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    found = pd.read_csv(study.kept, dtype={"params": str})
    now = {name: digest(params_of(definition, params, name)) for name in definition["variants"]}
    return found[(found["variant"].map(now) == found["params"]) & found["seed"].isin(definition["seeds"])]


def page(study: Study, definition: dict[str, Any], found: pd.DataFrame) -> str:
    """For each machine the variants beside the base, each over the seeds that both were run with."""
    tables: list[str] = []
    for where, runs in found.groupby("machine"):
        tables += [f"On {where}:", variants_table(definition, runs)]
    base = yaml.safe_dump(definition["base"], sort_keys=False)
    kept, asked = study.kept.name, study.definition.name
    runs = f"[{kept}]({kept})" if study.kept.is_file() else kept
    variants = definition["variants"]
    return page_of(
        definition["title"],
        f"Made by `{definition['command']}` from the runs in {runs}; [{asked}]({asked}) says what was run: "
        f"{found['variant'].nunique()} of {len(variants)} variants have been. Measured on "
        "[held-out](glossary.md#held-out) images of LSP's training part, not on a test part. Each seed has "
        f"its own held-out images, shared by all variants. {definition['words']} Means are over the seeds "
        "that both the variant and the base were run with, ± the standard deviation. The last column is the "
        "paired difference to the base.",
        *tables,
        f"All other parameters are those of `{definition['base']['profile']}`, except",
        f"```yaml\n{base}```",
    )


def variants_table(definition: dict[str, Any], found: pd.DataFrame) -> str:
    of_base = found[found["variant"] == "base"].set_index(["seed", "stage"])
    rows = []
    for name, variant in definition["variants"].items():
        of_variant = found[found["variant"] == name].set_index(["seed", "stage"])
        paired = of_variant[of_variant.index.isin(of_base.index)]
        for stage, runs in paired.groupby("stage"):
            gap = spread((runs[JUDGE] - of_base[JUDGE]).dropna(), difference_text) if name != "base" else ""
            measured = [spread(runs[column], rate_text) for column in HEADS]
            rows.append([variant["words"], str(stage), str(len(runs)), *measured, gap])
    return table(["Variant", "Stage", "Seeds", *HEADS.values(), f"{HEADS[JUDGE]}, minus base's"], rows)


def spread(values: "pd.Series[float]", text: Callable[[float], str]) -> str:
    """Mean ± standard deviation, the latter from two values on."""
    mean = text(float(values.mean()))
    return f"{mean} ± {rate_text(float(values.std()))}" if len(values) > 1 else mean


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("run", "table"):
        sys.exit(__doc__)
    what, *rest = sys.argv[1:]
    names = [name for name in rest if name not in (CUDA, REFINEMENTS)]
    main(what, names, study_of("refinements" if REFINEMENTS in rest else "ablations"), cuda=CUDA in rest)
