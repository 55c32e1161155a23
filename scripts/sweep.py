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

from deeppose.params import CASCADE_STAGES_IN_DVC_YAML

CANDIDATES = {"lsp": (1.5, 1.7, 2.0, 2.3), "flic": (0.8, 1.0, 1.2)}  # §4.1


def main(model: str, sigmas: list[float]) -> None:
    if not sigmas and model not in CANDIDATES:
        named = ", ".join(CANDIDATES)
        sys.exit(f"the paper names no candidates for model {model!r}, only for {named}: give some")
    names = {f"sweep-{model}-sigma-{sigma}": sigma for sigma in sigmas or CANDIDATES[model]}
    earlier = {experiment["Experiment"] for experiment in dvc.api.exp_show()}
    for name, sigma in names.items():
        if name in earlier:
            dvc_command("exp", "remove", name)
        settings = (f"sigma={sigma}", f"models=[{model}]")
        options = [option for setting in settings for option in ("--set-param", setting)]
        dvc_command("exp", "run", "--queue", "--name", name, *options)
    dvc_command("exp", "run", "--run-all")
    print(f"mean PDJ at 0.2 on the held-out images of {model}\n")
    print(held_out(model, names).to_string(float_format="{:.4f}".format))


def dvc_command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)


def held_out(model: str, names: dict[str, float]) -> pd.DataFrame:
    """A row for each σ, a column for each stage, from the experiments of these names."""
    done = {row["Experiment"]: row for row in dvc.api.exp_show() if row["State"] == "Success"}
    missing = [name for name in names if name not in done]
    if missing:
        sys.exit(f"{', '.join(missing)} failed: `dvc queue logs {missing[0]}` says why")
    rows = {
        sigma: {
            f"stage {stage}": float(done[name][column])
            for stage in range(1, CASCADE_STAGES_IN_DVC_YAML + 1)
            if (column := f"{model}.held-out.stage_{stage}.pdj@0.2.mean") in done[name]
        }
        for name, sigma in names.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("sigma")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], [float(value) for value in sys.argv[2:]])
