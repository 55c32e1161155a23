"""What each choice of `cpu` is worth, on held-out images alone: docs/ablations.md, from runs that are kept.

    python scripts/ablations.py run [VARIANT...]   train what docs/ablations.csv lacks of these, or all
    python scripts/ablations.py table              write docs/ablations.md from docs/ablations.csv

docs/ablations.yaml says what is compared. A run takes about fifteen minutes on two cores, and its figures are
kept when it ends: stop whenever you like. The archives are those in the folder that DEEPPOSE_MIRROR names.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from project_copy import project_copy, repro

from deeppose.files import atomic_path, read_json, write_text
from deeppose.shares import difference_text, share_text

DEFINITION, RESULTS, PAGE = (Path("docs") / f"ablations.{suffix}" for suffix in ("yaml", "csv", "md"))
COLUMNS = ("variant", "seed", "stage", "pdj@0.1", "pdj@0.2", "pcp")
JUDGE = "pdj@0.2"  # §4.1
HEADS = {"pdj@0.1": "PDJ at 0.1", "pdj@0.2": "PDJ at 0.2", "pcp": "PCP"}


def main(what: str, names: list[str]) -> None:
    definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    unknown = [name for name in names if name not in definition["variants"]]
    if what not in ("run", "table") or unknown:
        known = ", ".join(definition["variants"])
        sys.exit(f"no variant {unknown[0]!r} in {DEFINITION}, only {known}" if unknown else __doc__)
    if what == "run":
        run(definition, names or list(definition["variants"]))
    write_text(PAGE, page(definition, results()))


def run(definition: dict[str, Any], names: list[str]) -> None:
    """Train each variant with each seed, one after the other, unless its figures are there."""
    if not Path(os.environ.get("DEEPPOSE_MIRROR", "")).is_absolute():
        sys.exit("say where the archives are, as an absolute path: DEEPPOSE_MIRROR=/path/to/archives")
    with tempfile.TemporaryDirectory() as folder:
        copy = project_copy(Path(folder) / "project")
        # A stage that is the same in two variants is trained once.
        cache = subprocess.check_output([sys.executable, "-m", "dvc", "cache", "dir"], text=True).strip()
        subprocess.run([sys.executable, "-m", "dvc", "cache", "dir", "--local", cache], cwd=copy, check=True)
        for seed in definition["seeds"]:
            for name in names:
                if ((results()["variant"] == name) & (results()["seed"] == seed)).any():
                    continue
                print(f"{name}, seed {seed}", flush=True)
                changes = definition["base"] | definition["variants"][name]["set"] | {"seed": seed}
                keep(name, seed, held_out(copy, changes))


def held_out(project: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline there with these params; what each stage reaches on the held-out images."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[last] = value
    write_text(project / "params.yaml", yaml.safe_dump(params, sort_keys=False))
    profile, (model,) = params["profile"], params["models"]
    repro(project, f"evaluate@{profile}-{model}")
    measured = read_json(project / "data" / profile / "evaluation" / model / "metrics.json")
    figures: dict[str, Any] = measured["held-out"]
    return figures


def keep(name: str, seed: int, figures: dict[str, Any]) -> None:
    """Add a run's figures to those of earlier runs."""
    stages = [predictor for predictor in figures if predictor.startswith("stage_")]
    rows = [
        (
            name,
            seed,
            int(stage.removeprefix("stage_")),
            figures[stage]["pdj@0.1"]["mean"],
            figures[stage]["pdj@0.2"]["mean"],
            figures[stage]["pcp"]["ave"],
        )
        for stage in stages
    ]
    earlier = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ",".join(COLUMNS) + "\n"
    with atomic_path(RESULTS) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(earlier)
        csv.writer(file, lineterminator="\n").writerows(rows)


def results() -> pd.DataFrame:
    return pd.read_csv(RESULTS) if RESULTS.is_file() else pd.DataFrame(columns=list(COLUMNS))


def page(definition: dict[str, Any], found: pd.DataFrame) -> str:
    """A table of the variants, with their distance to the base over the seeds that both were run with."""
    of_base = found[found["variant"] == "base"].set_index(["seed", "stage"])[JUDGE]
    heads = ["Variant", "Stage", "Seeds", *HEADS.values(), f"{HEADS[JUDGE]}, less base's"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name, variant in definition["variants"].items():
        for stage, runs in found[found["variant"] == name].groupby("stage"):
            gaps = (runs.set_index(["seed", "stage"])[JUDGE] - of_base).dropna()
            gap = spread(gaps, difference_text) if name != "base" else ""
            measured = [spread(runs[column], share_text) for column in HEADS]
            lines.append([variant["words"], str(stage), str(len(runs)), *measured, gap])
    shown = {"seeds": definition["seeds"], **definition["base"]}
    return "\n".join(
        [
            "# What each choice of `cpu` is worth",
            "",
            f"Made by `python scripts/ablations.py table` from the runs in [{RESULTS.name}]({RESULTS.name}); "
            f"[{DEFINITION.name}]({DEFINITION.name}) says what was run. Judged on held-out images of LSP's "
            "training part alone, not on a test part. Means over seeds, ± their standard deviation; the last "
            "column is over pairs of runs with one seed, which have the same held-out images.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in lines),
            "",
            "All else as in `cpu`, but for",
            "",
            "```yaml",
            yaml.safe_dump(shown, sort_keys=False).rstrip(),
            "```",
            "",
        ]
    )


def spread(values: "pd.Series[float]", text: Any) -> str:  # noqa: ANN401 - one of two functions
    """Mean ± standard deviation, the latter from two values on."""
    if values.empty:
        return "–"
    mean = text(float(values.mean()))
    return f"{mean} ± {share_text(float(values.std()))}" if len(values) > 1 else mean


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
