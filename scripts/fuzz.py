"""Give the project what nobody should: each input works, with finite results, or is refused in one line.

    python scripts/fuzz.py [COUNT] [SEED]
    python scripts/fuzz.py --only SEED NUMBER...

Inputs are right files that were changed, by their number and the seed alone. A fault is a traceback, a
refusal of several lines, a result that is not finite, a file left half-written, more than 2 GB, a crash, or a
minute without an answer. Exits 1 if there is one; --only shows how some of the inputs end.
"""

import contextlib
import faulthandler
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_inputs import MOVED, NUMBERS, TEXTS, Random, changed, one_of, prepare

from deeppose.cli.main import main as deeppose
from deeppose.core.errors import DeepPoseError, ParamsError
from deeppose.core.files import read_json, read_parquet
from deeppose.core.images import Images
from deeppose.core.params_file import load_params
from deeppose.core.paths import Half
from deeppose.core.pose_files import read_poses
from deeppose.core.skeleton import FULL_BODY, check_skeleton
from deeppose.data.check import read_all_images
from deeppose.data.registry import ENTRIES, read_set
from deeppose.displacements.augmented_set import augmented_boxes
from deeppose.displacements.normals import NORMAL_COLUMNS
from deeppose.evaluation.score import score

ROOT = Path(__file__).parents[1]
COUNT, SEED, WORKERS, SECONDS, MOST_KILOBYTES = 1200, 2014, 2, 60, 2 << 20


class FaultError(Exception):
    """What must not be, in words."""


def change(random: Random, *files: Path) -> Path:
    """Change one of the files in its place."""
    file: Path = one_of(random, files)
    file.write_bytes(changed(random, file.name, file.read_bytes()))
    return file


def finite(*values: Any) -> None:  # noqa: ANN401
    for value in values:
        if value is not None and not np.isfinite(np.asarray(value, dtype=np.float64)).all():
            raise FaultError("a result is not finite")


def archives(random: Random) -> None:
    entry = one_of(random, [entry for entry in ENTRIES if entry.read is not None])
    file = next(Path("mirror").glob(entry.archive))
    if random.random() < 0.2:
        folder = file.with_suffix("")
        shutil.unpack_archive(file, folder)
        link = folder / one_of(random, MOVED)
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        target = one_of(random, (folder.absolute(), "..", ".", link.name, "none", file.absolute()))
        link.symlink_to(target)
        file.unlink()
    else:
        change(random, file).rename(file.with_name(one_of(random, (file.name, file.name.upper()))))
    pose_set = read_set(entry.name, [Path("mirror")], "oc")
    finite(pose_set.poses[pose_set.labelled], read_all_images(pose_set)[0], pose_set.torso_boxes)


def params(random: Random) -> None:
    change(random, Path("params.yaml"), *Path("profiles").iterdir())
    load_params()


def predictions(random: Random) -> None:
    file = change(random, *Path("predictions").iterdir())
    file = file.rename(file.with_name(f"{one_of(random, ('p', 'é', 'x' * 240))}{file.suffix}"))
    json.dumps(score("lsp", file, "pc", [Path("mirror")]), allow_nan=False)


def skeletons(random: Random) -> None:
    joints, limbs, ends = list(FULL_BODY.joints), list(FULL_BODY.limbs), random.integers(-2, 16, 2).tolist()
    at = int(random.integers(len(joints)))
    joints[at] = one_of(random, (joints[at].upper(), joints[at - 1], "ear", "", joints[at].replace(" ", "_")))
    limbs[at - 1] = replace(limbs[at - 1], start=ends[0], end=ends[1])
    new = one_of(random, ({"joints": tuple(joints)}, {"limbs": tuple(limbs)}, {"diameter": (tuple(ends),)}))
    skeleton = replace(FULL_BODY, **new)
    check_skeleton(skeleton)
    if [skeleton.mirrored[other] for other in skeleton.mirrored] != list(range(len(joints))):
        raise FaultError("the mirrored joints are not those of the mirrored image")


def between_stages(random: Random) -> None:
    change(random, *(file for file in Path("made").rglob("*") if file.is_file()))
    half, made = Half(Path("made/train"), FULL_BODY), Path("made")
    read_json(made / "notes.json")
    normals, examples = read_parquet(made / "normals.parquet", NORMAL_COLUMNS), half.read_examples()
    Images(half.images, examples.table)[0].sum()
    predicted = {False: read_poses(made / "predicted.parquet", len(examples.table), FULL_BODY)}
    settings: dict[str, Any] = {"sigma": 1.0, "smallest_share": 0.1, "boxes_per_joint": 2, "units": "pixels"}
    settings |= {"repeated": {}, "seed": (1, 2)}
    for boxes in augmented_boxes(examples, normals, FULL_BODY, predicted, **settings):
        finite(boxes.to_numpy(np.float64))


def predict(*arguments: str) -> None:
    """Run the command line; a refusal is raised as such."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["deeppose", "predict", "--json", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            deeppose()
        except SystemExit as ended:
            status = ended.code or 0
    if status not in (0, 1, 2):
        raise FaultError(f"status {status}")
    if status:
        # What typer says of options has a usage around it; libraries may have warned before.
        raise DeepPoseError(
            err.getvalue().rpartition("\ndeeppose: ")[2].strip() if status == 1 else "options"
        )
    for person in json.loads(out.getvalue()):
        finite(person["box"], *person["stages"].values())


def photos(random: Random) -> None:
    photo = change(random, *Path("photos").iterdir())
    predict(str(photo), *(["-o", "made.png"] if random.random() < 0.1 else []))


def weights(random: Random) -> None:
    change(random, *Path("data/cpu/lsp").iterdir())
    predict("photos/p.png")


def options(random: Random) -> None:
    box = ",".join(str(one_of(random, (*NUMBERS, 3, 20, 1e-300, "x"))) for _ in range(4))
    option = one_of(random, ("--model", "--profile", "-o", "--x"))
    given = ("--box", box) if random.random() < 0.8 else (option, one_of(random, ("lsp", "cpu", *TEXTS)))
    photo = one_of(random, ("photos/p.png", *TEXTS)) if random.random() < 0.2 else "photos/p.png"
    predict(photo, *given)


KINDS = {kind.__name__: kind for kind in (archives, params, predictions, skeletons)}
KINDS |= {kind.__name__: kind for kind in (between_stages, photos, weights, options)}


def outcome(kind: str, number: int, seed: int, base: Path) -> str:
    """How one input ends: "works", "refused", or the fault."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        shutil.copytree(base, here, dirs_exist_ok=True)
        os.chdir(here)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            KINDS[kind](np.random.default_rng([seed, number]))
            said = "works"
        except DeepPoseError as error:
            many = len(str(error).splitlines()) > 1 and not isinstance(error, ParamsError)
            said = f"refused in several lines: {error}" if many else "refused"
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:150]} ({Path(at.filename).name}:{at.lineno})"
        finally:
            faulthandler.cancel_dump_traceback_later()
            os.chdir(base)
        made = here / "made.png"
        whole = not made.is_file() or made.read_bytes().endswith(b"IEND\xaeB`\x82")
        left = [path.name for path in (*here.rglob("*.part"), *([] if whole else [made]))]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if after > max(before, MOST_KILOBYTES):
        said = f"took {after / 2**20:.1f} GB"
    return f"left {left[0]}" if left else said


def work(base: Path, seed: int, numbers: list[int]) -> dict[int, str]:
    """Outcomes by number, from processes of their own, since an input may end one."""
    found: dict[int, str] = {}
    while rest := [number for number in numbers if number not in found]:
        command = [sys.executable, __file__, "--work", str(base), str(seed), *map(str, rest)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        for line in done.stdout.splitlines():
            found |= {int(number): said for number, said in json.loads(line).items()}
        if missing := [number for number in rest if number not in found]:
            found[missing[0]] = f"ended the process ({done.returncode}): {done.stderr[-300:]}"
    return found


def main(numbers: list[int], seed: int) -> int:
    """Run inputs of all kinds in turn; the exit status."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(WORKERS) as pool:
        prepare(Path(name))
        shares = pool.map(lambda first: work(Path(name), seed, numbers[first::WORKERS]), range(WORKERS))
        found = {number: said for share in shares for number, said in share.items()}
    told: dict[str, Counter[str]] = {kind: Counter(inputs=0) for kind in KINDS}
    for number, said in sorted(found.items()):
        kind = list(KINDS)[number % len(KINDS)]
        is_fault = said not in ("works", "refused")
        told[kind].update({"inputs": 1, "faults" if is_fault else said: 1})
        if is_fault:
            print(f"fault: {kind}, --only {seed} {number}: {' '.join(said.split())}")
    for kind, counts in told.items():
        shares = [f"{counts[what]} {what}" for what in ("inputs", "works", "refused", "faults")]
        print(f"{kind}: {', '.join(shares)}")
    return int(any(counts["faults"] for counts in told.values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        torch.set_num_threads(1)
        base, seed = Path(sys.argv[2]), int(sys.argv[3])
        for number in map(int, sys.argv[4:]):
            said = outcome(list(KINDS)[number % len(KINDS)], number, seed, base)
            print(json.dumps({number: said}), flush=True)
    elif sys.argv[1:2] == ["--only"]:
        sys.exit(main([int(word) for word in sys.argv[3:]], int(sys.argv[2])))
    else:
        count, seed = (*map(int, sys.argv[1:]), *(COUNT, SEED)[len(sys.argv) - 1 :])
        sys.exit(main(list(range(count)), seed))
