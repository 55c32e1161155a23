"""Choose σ and the number of stages as the paper did (§4.1): by the mean PDJ at 0.2 on the held-out images.

    python scripts/sweep.py MODEL [SIGMA...]

Queues one experiment for each σ (the paper's candidates for the model where none are given), runs them, and
prints what each stage reaches: the best σ, and S where another stage brings no more. The experiments stay:
`dvc exp show` lists them, `dvc exp apply NAME` takes one over.
"""

import subprocess
import sys

import dvc.api
import pandas as pd

CANDIDATES = {"lsp": (1.5, 1.7, 2.0, 2.3), "flic": (0.8, 1.0, 1.2)}  # §4.1


def main(model: str, sigmas: list[float]) -> None:
    if not sigmas and model not in CANDIDATES:
        sys.exit(
            f"the paper names no candidates for model {model!r}, only for {', '.join(CANDIDATES)}: give some"
        )
    chosen = sigmas or list(CANDIDATES[model])
    values = ",".join(str(sigma) for sigma in chosen)
    dvc_command("exp", "run", "--queue", "--set-param", f"sigma={values}", "--set-param", f"models=[{model}]")
    dvc_command("exp", "run", "--run-all")
    table = held_out(model, chosen)
    print(f"mean PDJ at 0.2 on the held-out images of {model}\n")
    print(table.to_string(float_format="{:.4f}".format, na_rep="not run"))


def dvc_command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)


def held_out(model: str, sigmas: list[float]) -> pd.DataFrame:
    """A row for each σ, a column for each stage, from the experiments on the present commit."""
    rows = {}
    for experiment in dvc.api.exp_show():
        sigma = experiment.get("sigma")
        if (
            experiment.get("Experiment") is None
            or sigma not in sigmas
            or model not in str(experiment.get("models"))
        ):
            continue
        rows[float(sigma)] = {
            f"stage {stage}": experiment.get(f"{model}.held-out.stage_{stage}.pdj@0.2.mean")
            for stage in (1, 2, 3)
        }
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=float).reindex(sigmas)
    table.index.name = "sigma"
    return table


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], [float(value) for value in sys.argv[2:]])
