"""What the last run of `cpu` made and may be handed on, in published/: weights, predictions, errors.

    python scripts/published.py weights   put the weights into data/cpu, where `deeppose predict` looks
    python scripts/published.py figures   plot reports/cpu again, from published errors alone
    python scripts/published.py push      publish what the last run of `cpu` made in this folder

published/ is a DVC remote that a plain clone has. No image, no annotation, no prediction on Buffy is in it.
"""

import contextlib
import functools
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deeppose.core.ending import OneLineEnding
from deeppose.core.errors import DeepPoseError, WeightsError
from deeppose.core.files import atomic_path, read_json, write_json, write_text
from deeppose.core.params import CASCADE_STAGES_IN_DVC_YAML, Params
from deeppose.core.params_file import load_params
from deeppose.core.published import PUBLISHED as PROFILE
from deeppose.report.page import library_versions, params_text

REMOTE = "published"
LIST = Path(REMOTE) / "weights.json"
"""The weights in it: by the path of each its MD5."""
PARAMS = Path("params.yaml")
STAGES = range(1, CASCADE_STAGES_IN_DVC_YAML + 1)


def main(what: str) -> None:
    if what == "weights":
        put_weights()
        return
    if not Path(REMOTE).is_dir() and what != "push":
        sys.exit(f"error: there is no folder {REMOTE}/: nothing to take from it")
    with profile_chosen():
        params = load_params()
        if what == "figures":
            dvc("pull", "--quiet", "--remote", REMOTE, *what_is_plotted_from(params))
            plots = [f"plot@{PROFILE}-{model}" for model in params.models]
            dvc("repro", "--quiet", "--single-item", "--force", *plots, f"report@{PROFILE}")
            say_what_differs()
        else:
            made_of = provenance(params)
            check_committed(made_of)
            shutil.rmtree(Path(REMOTE) / "files", ignore_errors=True)
            predictions = [f"data/{PROFILE}/{model}/test-predictions" for model in params.models]
            dvc("push", "--remote", REMOTE, *weights(params), *predictions, *what_is_plotted_from(params))
            # As large as all others together; their errors are there.
            for path in Path(f"data/{PROFILE}").glob("*/test-predictions/buffy*"):
                stored(md5(path)).unlink()
            write_json(LIST, {path: md5(Path(path)) for path in weights(params)})
            write_json(Path("reports") / PROFILE / "provenance.json", made_of)


def put_weights() -> None:
    """Put all that LIST names where it belongs, but for what was trained here since."""
    if not LIST.is_file():
        sys.exit(f"error: there is no {LIST}, which says what is published: is this all of the project?")
    failed = []
    for path, wanted in read_json(LIST).items():
        try:
            put(Path(path), wanted)
        except (DeepPoseError, OSError) as error:
            failed.append(f"error: {error}")
    if failed:
        sys.exit("\n".join(failed))


def put(target: Path, wanted: str) -> None:
    """Put a published file in its place as a copy: DVC removes its own for another profile."""
    found = md5(target) if target.exists() else None
    if found == wanted:
        return
    if found is not None and found == trained_here().get(str(target)):
        print(f"{target} stays as it was trained here: remove it to have the published one")
        return
    source = stored(wanted)
    if not source.is_file() or md5(source) != wanted:
        raise WeightsError(f"{target}: {source} is missing or damaged: `git checkout -- {REMOTE}`")
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    if found is not None:
        print(f"{target} was damaged: replaced by the published one")


def stored(digest: str) -> Path:
    """Where the remote has a file of that MD5."""
    return Path(REMOTE) / "files/md5" / digest[:2] / digest[2:]


def md5(path: Path) -> str:
    """Of a file, as DVC has it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@functools.cache
def trained_here() -> dict[str, str]:
    """By its path the hash of each output as the last run had it."""
    lock = Path("dvc.lock")
    if not lock.is_file():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stages = yaml.load(lock.read_text(encoding="utf-8"), loader)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def weights(params: Params) -> list[str]:
    return [f"data/{PROFILE}/{model}/stage{stage}.safetensors" for model in params.models for stage in STAGES]


def what_is_plotted_from(params: Params) -> list[str]:
    """All that the stages plot and report stand on, but for what git has."""
    paths = [f"data/{PROFILE}/manifests"]
    for model in params.models:
        paths += [f"data/{PROFILE}/evaluation/{model}", f"data/{PROFILE}/photographed/{model}.json"]
        names = ["annotations.json", "initial-boxes.json", "containment.csv"]
        for stage in STAGES[1:]:
            names += [f"augmented-set-stage{stage}.json", f"displacements-stage{stage}.parquet"]
            names += [f"displacement-normals-stage{stage}.parquet"]
        paths += [f"data/{PROFILE}/{model}/{name}" for name in names]
    return paths


def provenance(params: Params) -> dict[str, Any]:
    """Params, archives by model, versions, and by stage its start, duration, memory, revision and machine."""
    profile = params.profile
    stages = read_json(Path("logs") / profile / "runs.json")
    items = (profile, *(f"{profile}-{model}" for model in params.models))
    manifests = Path("data") / profile / "manifests"
    return {
        "params": yaml.safe_load(params_text(params, profile)),
        "archives": {model: read_json(manifests / f"{model}.json")["archives"] for model in params.models},
        "versions": library_versions(),
        "stages": {name: run for name, run in stages.items() if name.partition("@")[2] in items},
    }


def leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that isn't a filled section, with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def is_commit(revision: str) -> bool:
    """Whether it names a commit, and not a working copy with changes or no clone at all."""
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def check_committed(made_of: Mapping[str, Any]) -> None:
    """Stop if a stage ran from code that no commit holds, so that nobody could run it again."""
    for name, stage in made_of["stages"].items():
        if not is_commit(stage["revision"]):
            sys.exit(
                f"{name} ran from {stage['revision'] or 'no clone'}, not from a commit: commit the code, and "
                f"`dvc repro --force --single-item {name}`"
            )


def say_what_differs() -> None:
    # The times stay those of the machine that trained.
    subprocess.run(["git", "checkout", "--quiet", "--", f"reports/{PROFILE}/times.js"], check=True)
    status = ["git", "status", "--short", "--", f"reports/{PROFILE}", "dvc.lock"]
    changed = subprocess.check_output(status, text=True)
    if changed:
        sys.exit(f"plotted, but not as they are in git:\n{changed}")
    print(f"reports/{PROFILE}/index.html and all beside it: plotted, the same bytes as in git")


@contextlib.contextmanager
def profile_chosen(profile: str = PROFILE) -> Iterator[None]:
    """Have params.yaml name a profile for as long as the block runs: DVC knows no other way."""
    before = PARAMS.read_text(encoding="utf-8")
    chosen = re.sub(r"^profile: *\S+", f"profile: {profile}", before, count=1, flags=re.MULTILINE)
    write_text(PARAMS, chosen)
    try:
        yield
    finally:
        if PARAMS.read_text(encoding="utf-8") == chosen:
            write_text(PARAMS, before)


def dvc(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False)
    if done.returncode:
        # Which says nothing itself where it is to be quiet.
        sys.exit(f"error: `dvc {' '.join(arguments)}` failed; without --quiet it says why")


if __name__ == "__main__":
    if sys.argv[1:] not in (["weights"], ["figures"], ["push"]):
        sys.exit(__doc__)
    with OneLineEnding("error"):
        main(sys.argv[1])
