"""A whole cascade on a GPU that is there for minutes: trainings as long as they fit, and what follows.

    python scripts/gpu_cascade.py PROFILE MODEL MINUTES RESULTS.tar

Runs the stages of dvc.yaml for one model in this folder, as far as its evaluation and without DVC, which such
a machine need not have. Trainings get MINUTES: stage 1 half of them, the later ones equal shares of the rest.
How many steps that makes follows from a short training before, and is written into the profile. RESULTS.tar
gets what tables and figures are made of, a few MB; weights stay behind. Unpacked at home, in a checkout at
the same commit, `python stages/plot.py PROFILE MODEL` makes them.
"""

import sys
import tarfile
from pathlib import Path
from subprocess import run

import yaml
from project_copy import edited_params

from deeppose.core.files import atomic_path, read_csv
from deeppose.core.params_file import load_params

FIRST_SHARE = 0.5
PROBE = 200
"""Steps; as many before them aren't timed."""
REPORTS = 10
"""Of the shortest training."""
WEIGHTS = ".safetensors"
IMAGES = ("train", "test")


def main(profile: str, model: str, minutes: float, results: Path) -> None:
    commands = commands_of(profile, model)
    training = [name for name in commands if name.startswith("train-")]
    before = list(commands)[: list(commands).index(training[0])]
    for name in before:
        call(commands[name])
    set_steps(profile, model, dict.fromkeys(training, 2 * PROBE), report_every=PROBE)
    call(commands[training[0]])
    speed = read_csv(Path("logs") / profile / model / "images-per-second-stage1.csv").iloc[-1, -1]
    fitting = fitting_steps(training, 60 * minutes * speed, load_params().profiles[profile].training.batch)
    set_steps(profile, model, fitting, report_every=max(1, min(fitting.values()) // REPORTS))
    for name in [name for name in commands if name not in before]:
        call(commands[name])
    pack(profile, model, results)
    print(f"{results}: {results.stat().st_size / 1e6:.1f} MB")


def commands_of(profile: str, model: str) -> dict[str, list[str]]:
    """By stage of dvc.yaml, as far as `evaluate`, its command."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    wanted = list(stages)[: list(stages).index("evaluate") + 1]
    filled = {
        name: stages[name]["cmd"].replace("${item.profile}", profile).replace("${item.model}", model)
        for name in wanted
    }
    return {name: [sys.executable, *command.split()[1:]] for name, command in filled.items()}


def call(command: list[str]) -> None:
    if status := run(command, check=False).returncode:
        sys.exit(status)  # what failed has said why


def fitting_steps(training: list[str], images: float, batch: int) -> dict[str, int]:
    """Steps of each stage, by its name in dvc.yaml, of a training of so many images in all."""
    shares = [FIRST_SHARE, *[(1 - FIRST_SHARE) / (len(training) - 1)] * (len(training) - 1)]
    return {name: max(1, int(share * images / batch)) for name, share in zip(training, shares, strict=True)}


def set_steps(profile: str, model: str, steps: dict[str, int], report_every: int) -> None:
    """Write them into the profile, and how often trainings report."""
    with edited_params(Path()) as params:
        of_profile = params["profiles"][profile]
        for name, count in steps.items():
            of_profile[name.removeprefix("train-")]["steps"][model] = count
        of_profile["training"]["report_every"] = report_every


def pack(profile: str, model: str, results: Path) -> None:
    """All that the run made for the model, but for images and weights, and the params."""
    data = Path("data") / profile
    made = [path for path in (data / model).iterdir() if path.suffix != WEIGHTS and path.name not in IMAGES]
    folders = [data / "manifests", data / "evaluation" / model, Path("logs") / profile]
    logs = (Path("reports") / profile / model).glob("training-stage*.csv")
    with atomic_path(results) as temporary, tarfile.open(temporary, "w") as archive:
        for path in sorted([Path("params.yaml"), Path("profiles"), *made, *folders, *logs]):
            archive.add(path)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
