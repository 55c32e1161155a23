"""Check our numbers: what the published weights give on the archives that are here, beside them.

    python scripts/verify.py

It predicts, evaluates and plots as the last commit does, in a clone that it removes at its end; nothing is
trained, and the checkout stays as it is. reports/verify has what came out: tables, figures, and numbers.csv,
each published number beside the one measured here.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from project_copy import repro_command
from published import PROFILE, REMOTE, dvc, leaves, weights, what_is_plotted_from

from deeppose.core.errors import DeepPoseError
from deeppose.core.files import atomic_path, read_json
from deeppose.core.params import Params, mirror_folders
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.data.peers import PEERS, find_peers, how_to_add
from deeppose.data.registry import ENTRIES, Entry, entry_named, find_archive

CLONE = Path("data/verify")
RESULT = Path("reports/verify")
REPORTS = Path("reports") / PROFILE
MADE_IN_TRAINING = "training-stage"
TRAINING = ("train-", "predict-train-", "fit-displacement-", "build-augmented-")

MEASURES = {"mean PCP": ("pcp", "ave"), "PDJ at 0.1": ("pdj@0.1", "mean"), "PDJ at 0.2": ("pdj@0.2", "mean")}
SAME, ROUNDED, DIFFERS = "the same", "within rounding", "different"
MISSING, NEW = "not measured here", "new"

ROUNDING = 0.002
WHAT_ROUNDING_IS = (
    f"Within rounding: up to {ROUNDING}, or one person of the set where that is more, twice that for a gain. "
    f"Another processor adds up in another order, and a joint that lay just at a threshold gets to its other "
    f"side."
)

Key = tuple[str, ...]
"""Model, set, predictor, measure and its part: ("lsp", "parse", "stage_3", "pcp", "ave")."""


@dataclass(frozen=True)
class Here:
    """What can be checked with the archives that are here.

    Attributes
    ----------
    train
        By model that can be checked those of its training sets that are here.
    incomplete
        The models among them that lack a training set: their mean pose is another.
    notes
        What is missing, what would bring it, and what is done without it, in words.
    """

    train: Mapping[str, Sequence[str]]
    incomplete: frozenset[str]
    notes: Sequence[str]

    @property
    def targets(self) -> list[str]:
        """The stages to run; captions name the training sets, so nothing is plotted of incomplete ones."""
        targets = [f"evaluate@{PROFILE}-{model}" for model in self.train]
        if not self.incomplete:
            return [*targets, f"report@{PROFILE}"]
        whole = [model for model in self.train if model not in self.incomplete]
        return targets + [f"{plot}@{PROFILE}-{model}" for model in whole for plot in ("plot", "plot-photos")]


@dataclass(frozen=True)
class Number:
    """A number as published and as measured here, None where it is not there, and how the two compare."""

    key: Key
    published: float | None
    here: float | None
    verdict: str

    @property
    def name(self) -> str:
        """Its key in one word."""
        return "/".join(self.key)

    @property
    def difference(self) -> float:
        """By how much it is higher here; 0 where one of the two is not there."""
        return 0.0 if self.published is None or self.here is None else self.here - self.published


def main() -> int:
    began = time.monotonic()
    mirror = Path(load_params().mirror).absolute()
    if elsewhere := os.environ.get("DEEPPOSE_MIRROR"):
        os.environ["DEEPPOSE_MIRROR"] = str(Path(elsewhere).absolute())
    with clone_of_commit() as clone:
        with contextlib.chdir(clone):
            here = look_around(load_params(), mirror_folders(str(mirror)))
            print(*here.notes, sep="\n", end="\n" if here.notes else "")
            if not here.train:
                sys.exit("error: nothing can be checked without them")
            published = flat(read_json(REPORTS / "metrics.json"))
            archives = read_json(REPORTS / "provenance.json")["archives"]
            prepare(here, str(mirror))
            finished = run_stages(here.targets, began)
            numbers = compare(published, measured(here), people(here.train))
            remarks = other_archives(archives, here.train)
        keep(clone, numbers)
    print("", *table(numbers), "", *remarks, *summary(numbers), sep="\n")
    page = RESULT / "index.html"
    minutes = (time.monotonic() - began) / 60
    print(
        f"{minutes:.0f} minutes. Plotted from your archives: {page if page.is_file() else RESULT}; number by "
        f"number: {RESULT / 'numbers.csv'}"
    )
    return 0 if finished and all(number.verdict != DIFFERS for number in numbers) else 1


@contextlib.contextmanager
def clone_of_commit() -> Iterator[Path]:
    """A clone of the last commit for as long as the block runs; the checkout stays as it is."""
    changed = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports"]
    if subprocess.run(changed, capture_output=True, text=True, check=False).stdout:
        print("what you changed since the last commit takes no part")
    shutil.rmtree(CLONE, ignore_errors=True)
    command = ["git", "clone", "--quiet", "--shared", ".", str(CLONE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: this needs a git clone of the project: {done.stderr.strip()}")
    try:
        yield CLONE
    finally:
        shutil.rmtree(CLONE, ignore_errors=True)


def look_around(params: Params, folders: Sequence[Path]) -> Here:
    """Which models can be checked with what the folders hold, and what is missing."""
    train: dict[str, list[str]] = {}
    notes = []
    peers = [found.peer for found in find_peers(folders)]
    for model in params.models:
        about = params.model[model]
        sets = dict.fromkeys(about.train + about.test)
        labels = [entry for entry in ENTRIES if entry.labels_of in sets and about.labels == "oc"]
        wanted = [*map(entry_named, sets), *labels]
        missing = [e for e in wanted if e.shares not in sets and find_archive(e, folders) is None]
        names = {entry.name for entry in missing}
        # The held-out images come from these, and no stage goes without a training set.
        is_judged = names.isdisjoint(Item(params, PROFILE, model).trusted)
        for entry in missing:
            without = what_without(entry, model, is_training=entry.name in about.train, is_judged=is_judged)
            notes.append(f"  {entry.wanted} ({entry.title}): {without}. From {entry.page}")
        if is_judged:
            train[model] = [name for name in about.train if name not in names]
            beside = [peer for peer in PEERS if peer.set in about.test and peer.read is None]
            absent = [peer for peer in beside if peer not in peers]
            notes += [f"  {how_to_add(peer, folders[-1])}" for peer in absent]
    if notes:
        notes.insert(0, f"Not in {' or '.join(map(str, folders))}, where they can be put:")
    incomplete = frozenset(model for model in train if len(train[model]) < len(params.model[model].train))
    return Here(train, incomplete, notes)


def what_without(entry: Entry, model: str, *, is_training: bool, is_judged: bool) -> str:
    """What happens without a set's archive, in words."""
    if is_training and not is_judged:
        return f"the model {model} is not checked"
    if is_training:
        return f"{model} is measured, not drawn, and its mean pose not compared"
    if entry.labels_of:
        return f"a rule makes the labels, and numbers on {entry.labels_of} differ"
    return f"nothing is measured on {entry.name}{', unless it can be downloaded' if entry.urls else ''}"


@contextlib.contextmanager
def edited(path: Path) -> Iterator[dict[str, Any]]:
    """What a YAML file holds, for the block to change."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield content
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def prepare(here: Here, mirror: str) -> None:
    """Leave of the project what runs here: no training, no model and no training set that can't be read."""
    with edited(Path("params.yaml")) as params:
        params |= {"profile": PROFILE, "models": list(here.train), "mirror": mirror}
        for model, sets in here.train.items():
            params["model"][model]["train"] = list(sets)
    loaded = load_params()
    print("the weights, and what stands on them in training: taken from published/", flush=True)
    plotted = what_is_plotted_from(loaded)
    made = [path for path in plotted if "displacement" in path or "augmented-set" in path]
    dvc("pull", "--quiet", "--remote", REMOTE, *weights(loaded), *made)
    with edited(Path("dvc.yaml")) as pipeline:
        stages = pipeline["stages"].items()
        pipeline["stages"] = {name: stage for name, stage in stages if not name.startswith(TRAINING)}
    Path("dvc.lock").unlink()
    for path in REPORTS.rglob("*"):
        of_training = path.parent.name in here.train and path.name.startswith(MADE_IN_TRAINING)
        if path.is_file() and not of_training:
            path.unlink()


def run_stages(targets: Sequence[str], began: float) -> bool:
    """Whether all ran to their end; says which begins, and once a minute that it is still at it."""
    log, begun, said = Path("repro.log"), 0, time.monotonic()
    with subprocess.Popen(**repro_command(Path.cwd(), "--keep-going", *targets)) as process:
        ended = False
        while not ended:
            time.sleep(0.2)
            ended = process.poll() is not None
            stages = re.findall(r"^Running stage '(.+)'", log.read_text(encoding="utf-8"), re.M)
            for stage in stages[begun:]:
                said = say(stage, began)
            begun = len(stages)
            if time.monotonic() - said >= 60:
                said = say(f"still {stages[-1]}" if stages else "DVC is still reading the pipeline", began)
    if process.returncode:
        errors = re.findall(r"^.*error: .*$", log.read_text(encoding="utf-8"), re.I | re.M)
        print(*errors, f"what came out is compared all the same; {RESULT / log} has it all", sep="\n")
    return process.returncode == 0


def say(what: str, began: float) -> float:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"{minutes:3d}:{seconds:02d} {what}", flush=True)
    return time.monotonic()


def flat(tree: Mapping[str, Any]) -> dict[Key, float]:
    """The numbers of nested mappings by the keys that lead to each, but for those that are null."""
    return {key: value for key, value in leaves(tree) if isinstance(value, float | int)}


def measured(here: Here) -> dict[Key, float]:
    """What was measured here; without the mean pose of other training images than the published run's."""
    numbers = flat({model: read_json(file) for model, file in made(here.train, "metrics.json")})
    return {k: v for k, v in numbers.items() if not (k[0] in here.incomplete and k[2] == "mean_pose")}


def people(models: Iterable[str]) -> dict[Key, int]:
    counts: dict[Key, int] = {}
    for model, file in made(models, "joint-errors.parquet"):
        found = pd.read_parquet(file).groupby("set")["example"].nunique()
        counts |= {(model, str(name)): int(count) for name, count in found.items()}
    return counts


def made(models: Iterable[str], name: str) -> list[tuple[str, Path]]:
    """The models that were evaluated, each with a file of its evaluation."""
    files = [(model, evaluation(model) / name) for model in models]
    return [(model, file) for model, file in files if file.is_file()]


def evaluation(model: str) -> Path:
    return Path("data") / PROFILE / "evaluation" / model


def compare(
    published: Mapping[Key, float], here: Mapping[Key, float], people: Mapping[Key, int]
) -> list[Number]:
    """Each number that is published, and each that is new, with its verdict."""
    predicted = {key[:3] for key in here}
    numbers = []
    for key in dict.fromkeys([*published, *here]):
        before, now = published.get(key), here.get(key)
        if before is None:
            verdict = NEW
        elif now is None:
            # Nobody predicted the set: its archive is missing. Else the number itself was lost.
            verdict = DIFFERS if key[:3] in predicted else MISSING
        elif before == now:
            verdict = SAME
        else:
            allowed = max(ROUNDING, 1 / people[key[:2]]) * (2 if key[2].startswith("gain") else 1)
            verdict = ROUNDED if abs(now - before) <= allowed + 1e-12 else DIFFERS
        numbers.append(Number(key, before, now, verdict))
    return numbers


def other_archives(published: Mapping[str, Any], models: Iterable[str]) -> list[str]:
    """In words which archives hold other bytes than those of the published run."""
    remarks = []
    for model in models:
        manifest = Path("data") / PROFILE / "manifests" / f"{model}.json"
        found = read_json(manifest)["archives"] if manifest.is_file() else {}
        for name, noted in published[model].items():
            if name in found and found[name]["sha256"] != noted["sha256"]:
                words = f"{name} is not the file of the published run, so numbers on it may differ: "
                remarks.append(f"{words}{found[name]['packing']} here, {noted['packing']} there")
    return remarks


def keep(clone: Path, numbers: Sequence[Number]) -> None:
    """Put what was plotted, measured and logged there into the folder of results."""
    heads = ["number", "published", "here", "difference", "verdict"]
    rows = [(n.name, n.published, n.here, n.difference, n.verdict) for n in numbers]
    pd.DataFrame(rows, columns=heads).to_csv(clone / REPORTS / "numbers.csv", index=False)
    shutil.move(clone / "repro.log", clone / REPORTS)
    with atomic_path(RESULT) as folder:
        shutil.copytree(clone / REPORTS, folder)


def table(numbers: Sequence[Number]) -> list[str]:
    """Each stage on each set in its three main measures, as published, here, and the difference."""
    by_key = {number.key: number for number in numbers}
    titles = "".join(f"   {title:^22}" for title in MEASURES)
    columns = "   published  here   diff" * len(MEASURES)
    lines = [f"{'':30}{titles}", f"{'set':22}{'stage':8}{columns}"]
    for model, name, predictor in dict.fromkeys(number.key[:3] for number in numbers):
        if predictor.startswith("stage_"):
            shown = f"{name} ({model})" if name == "held-out" else name
            cells = "".join(cell(by_key.get((model, name, predictor, *part))) for part in MEASURES.values())
            lines.append(f"{shown:22}{predictor.removeprefix('stage_'):8}{cells}")
    return lines


def cell(number: Number | None) -> str:
    if number is None:
        return " " * 25
    published, here = ("-" if value is None else f"{value:.3f}" for value in (number.published, number.here))
    differences = {SAME: "same", NEW: "new", MISSING: "-"}
    return f"   {published:>9} {here:>5} {differences.get(number.verdict, f'{number.difference:+.4f}'):>7}"


def summary(numbers: Sequence[Number]) -> list[str]:
    counts = Counter(number.verdict for number in numbers)
    found = ", ".join(f"{counts[v]} {v}" for v in (SAME, ROUNDED, DIFFERS, MISSING) if counts[v])
    lines = [f"{len(numbers) - counts[NEW]} published numbers: {found}."]
    sets = {number.key[:2] for number in numbers if number.here is not None}
    for verdict, what in ((MISSING, "Not measured here"), (NEW, "Not in the published run")):
        of_verdict = [number.key for number in numbers if number.verdict == verdict]
        # A predictor alone is missing, where the set has others.
        parts = [key[:3] if verdict == MISSING and key[:2] in sets else key[:2] for key in of_verdict]
        groups = Counter(map("/".join, parts))
        if groups:
            lines.append(f"{what}: {', '.join(f'{group} ({count})' for group, count in groups.items())}.")
    most = max(numbers, key=lambda number: abs(number.difference))
    if most.difference:
        before_and_now = f"{most.published:.4f} published, {most.here:.4f} here"
        lines.append(f"The largest difference: {most.name}, {before_and_now}.")
    if counts[ROUNDED] or counts[DIFFERS]:
        lines.append(WHAT_ROUNDING_IS)
    return lines


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
