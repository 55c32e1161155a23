"""Choose σ and the number of stages as the paper did (§4.1): by the mean PDJ at 0.2 on the held-out images.

    python scripts/sweep.py MODEL [SIGMA...] [--seeds SEED...] [--jobs JOBS]

Queues one experiment for each σ (the paper's candidates for the model where none are given) and each seed
(that of params.yaml where none is given), has JOBS of them run at a time, and prints a table of what each
stage reaches, over several seeds the mean ± the standard deviation. Take the best σ, and as S the stage after
which another brings no more.
Each seed holds out images of its own. The experiments stay: `dvc exp show` lists them, `dvc exp apply NAME`
takes one over. Earlier ones of this model and profile are removed.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import dvc.api
import pandas as pd
from project_copy import check_mirror

from deeppose.core.params import CASCADE_STAGES_IN_DVC_YAML
from deeppose.core.params_file import load_params

CANDIDATES = {"lsp": (1.5, 1.7, 2.0, 2.3), "flic": (0.8, 1.0, 1.2)}  # §4.1


def main(model: str, sigmas: list[float], seeds: list[int], jobs: int) -> None:
    params = load_params()
    if not sigmas and model not in CANDIDATES:
        named = ", ".join(CANDIDATES)
        sys.exit(f"the paper names no candidates for model {model!r}, only for {named}: give some")
    if params.profiles[params.profile].archives == "mirror":
        check_mirror()
    sigmas, seeds = sigmas or list(CANDIDATES[model]), seeds or [params.seed]
    sweep = f"sweep-{params.profile}-{model}"
    for experiment in dvc.api.exp_show():
        if is_of_sweep(experiment["Experiment"], sweep):
            dvc_command("exp", "remove", experiment["Experiment"])
    settings = {"sigma": joined(sigmas), "seed": joined(seeds), "models": f"[{model}]"}
    options = [option for key, value in settings.items() for option in ("--set-param", f"{key}={value}")]
    dvc_command("exp", "run", "--queue", "--name", sweep, *options)
    dvc_command("exp", "run", "--run-all", "--jobs", str(jobs))
    print(f"mean PDJ at 0.2 on the held-out images of {model}, seeds {joined(seeds)}\n")
    found = held_out(model, sweep, len(sigmas) * len(seeds))
    print(found.drop(columns="seed").astype(float).groupby("sigma").agg(spread).to_string())


def joined(values: list[float] | list[int]) -> str:
    return ",".join(map(str, values))


def is_of_sweep(experiment: str | None, sweep: str) -> bool:
    """Whether it has the name of the sweep, or that and a number, which DVC gives to one of several."""
    return re.fullmatch(rf"{re.escape(sweep)}(-\d+)?", experiment or "") is not None


def dvc_command(*arguments: str) -> None:
    # Of an experiment's own copy, so that what is edited here while the queue runs is no part of it.
    modules = os.pathsep.join(["src", *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": modules}
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, env=environment)


def held_out(model: str, sweep: str, count: int) -> pd.DataFrame:
    """A row for each of the sweep's `count` experiments: `sigma`, `seed`, and a column for each stage."""
    ran = [row for row in dvc.api.exp_show() if is_of_sweep(row["Experiment"], sweep)]
    done = [row for row in ran if row["State"] == "Success"]
    if len(done) < count:
        failed = ", ".join(sorted(row["Experiment"] for row in ran if row not in done))
        sys.exit(f"{count - len(done)} of {count} failed, {failed}: `dvc queue logs NAME` says why")
    figures = [held_out_by_stage(model, row["Experiment"]) for row in done]
    return pd.DataFrame(done)[["sigma", "seed"]].join(pd.DataFrame(figures))


def held_out_by_stage(model: str, experiment: str) -> dict[str, float]:
    """An experiment's mean PDJ at 0.2 on the held-out images after each stage."""
    path = f"reports/{load_params().profile}/metrics.json"
    found = json.loads(dvc.api.read(path, rev=experiment))[model]["held-out"]
    stages = range(1, CASCADE_STAGES_IN_DVC_YAML + 1)
    return {f"stage {s}": found[f"stage_{s}"]["pdj@0.2"]["mean"] for s in stages if f"stage_{s}" in found}


def spread(values: "pd.Series[float]") -> str:
    return f"{values.mean():.4f}" + (f" ± {values.std():.4f}" if len(values) > 1 else "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model")
    parser.add_argument("sigmas", type=float, nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    main(**vars(parser.parse_args()))
