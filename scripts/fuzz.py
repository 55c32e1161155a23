"""Give the project what nobody should: each input works, with finite results, or is refused in one line.

    python scripts/fuzz.py [COUNT] [SEED]
    python scripts/fuzz.py --only SEED NUMBER...

Inputs are right files that were changed, by their number and the seed alone, and, of some kinds, odd ones
that are right all the same: scripts/fuzz_right.py. A fault is a traceback, a
refusal of several lines or of what is right, a result that is not finite or not the right one, a file left
half-written, more than 2 GB, a crash, or a minute without an answer. Exits 1 if there is one; --only shows
how some of the inputs end.
"""

import contextlib
import faulthandler
import io
import json
import os
import pickle
import re
import shutil
import sys
import tempfile
import traceback
import zipfile
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pandas as pd
import torch
from fuzz_right import RIGHT, FaultError, Random, finite, one_of, predict, right
from project_copy import edited_params
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from deeppose.core.errors import DeepPoseError, ParamsError
from deeppose.core.examples import BOX_COLUMNS, Examples, write_examples
from deeppose.core.files import read_parquet
from deeppose.core.images import Images, write_images
from deeppose.core.params import Dataset
from deeppose.core.params_file import load_params
from deeppose.core.paths import Half
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FULL_BODY, check_skeleton
from deeppose.data.check import check_own, read_all_images
from deeppose.data.own_sets import read_own
from deeppose.data.registry import ENTRIES, read_set
from deeppose.data.synthetic.archives import write_embedded
from deeppose.displacements.augmented_set import simulated_boxes
from deeppose.displacements.normals import NORMAL_COLUMNS
from deeppose.evaluation.score import score
from deeppose.networks.weights import build_network, save_network
from deeppose.provenance import peak_memory

ROOT, COUNT, SEED, WORKERS, SECONDS = Path(__file__).parents[1], 1200, 2014, 2, 60
MOST_BYTES = 2 << 30
NUMBERS = (np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0, -1.0, 2.5, 1e7, 65536.0)
WORDS = ("", "nan", "-1", "1e308", "é\0", "lsp", "[]", "null", "true", "..", "a: b: c", "x" * 300, "9" * 5000)
WORDS += ("0x" + "f" * 5000, "[" * 3000, "!!int x", "2020-99-01", "*a", "&a [*a, *a]")
SHARE_RIGHT = 0.55
"""Of the kinds that have right inputs, too: of changed ones nearly all are refused, which proves little."""
MOVED = ("top/x", "../x", "a/joints.mat", "images/im0001.jpg", "X")


def damaged(random: Random, data: bytes) -> bytes:
    """Some bytes changed, or a piece left out, repeated or put elsewhere."""
    at, end = sorted(int(place) for place in random.integers(0, len(data) + 1, 2))
    with_others = bytearray(data)
    for place in random.integers(0, len(data), 9) if data else ():
        with_others[place] = one_of(random, (0, 1, 127, 128, 255, int(random.integers(256))))
    pieces = (b"", data[:at], data[:at] + data[end:], data[:end] + data[at:], data[at:end] + data)
    return bytes(with_others) if random.random() < 0.5 else one_of(random, pieces)


def odd(random: Random, values: Any) -> Any:  # noqa: ANN401
    """An array with some odd values, or another thing in its place."""
    array = np.array(values)
    if array.dtype.names:
        row, field = int(random.integers(array.size)), one_of(random, array.dtype.names)
        array.flat[row][field] = odd(random, array.flat[row][field])
    elif array.size and array.dtype.kind in "fiu":
        array = array.astype(np.float64)
        array.flat[random.integers(0, array.size, 2)] = one_of(random, NUMBERS)
    if random.random() < 0.5 or array.dtype.kind not in "fiu":
        return array
    others = (array.T, array[:0], array[..., :1], csc_array(np.ones((3, 3))), {"x": 1.0}, "none")
    with np.errstate(all="ignore"):
        return one_of(random, (*others, array.astype(one_of(random, "BbHiqf?FO"))))


def with_odd_word(random: Random, data: bytes) -> bytes:
    words = re.split(rb"([\s,:{}\"]+)", data)
    words[2 * int(random.integers(len(words) // 2 + 1))] = one_of(random, WORDS).encode()
    return b"".join(words)


def changed(random: Random, name: str, data: bytes) -> bytes:
    """A file of this name that is no longer right, or not quite."""
    suffix, out = Path(name).suffix, io.BytesIO()
    if random.random() < 0.3:
        return damaged(random, data)
    if suffix in (".zip", ".npz"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        labels = [member for member in members if not member.endswith(".jpg")]
        chosen = one_of(random, labels if random.random() < 0.7 else members)
        members[chosen] = changed(random, chosen, members[chosen])
        if random.random() < 0.2:
            members[one_of(random, (*MOVED, chosen.upper()))] = members.pop(chosen)
        with zipfile.ZipFile(out, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        data = out.getvalue()
        at = data.find(b"PK\1\2", int(random.integers(len(data)))) + 6  # a member's version, flags, method
        return data[:at] + random.bytes(6) + data[at + 6 :] if random.random() < 0.2 else data
    if suffix == ".mat":
        arrays = {key: odd(random, of) for key, of in loadmat(io.BytesIO(data)).items() if key[0] != "_"}
        savemat(out, arrays, do_compression=bool(random.integers(2)))
    elif suffix == ".npy":
        np.save(out, odd(random, np.load(io.BytesIO(data))))
    elif suffix in (".txt", ".yaml", ".csv", ".json"):
        return with_odd_word(random, data)
    elif suffix == ".parquet":
        table = pd.read_parquet(io.BytesIO(data))
        column = one_of(random, table.columns)
        values = odd(random, table[column]) if table[column].dtype.kind in "fi" else table[column]
        fits = np.shape(values) == (len(table),) and values.dtype.kind in "fiub"
        values = values if fits else table[column].astype(str)
        table = table.assign(**{column: values})
        one_of(random, (table, table, table.drop(columns=column), table[:1])).to_parquet(out)
    elif suffix == ".safetensors":
        size = int.from_bytes(data[:8], "little")
        text, numbers = with_odd_word(random, data[8 : 8 + size]), np.frombuffer(data[8 + size :], np.float16)
        numbers = np.where(random.random(len(numbers)) < 1e-4, one_of(random, (np.nan, np.inf, 6e4)), numbers)
        return len(text).to_bytes(8, "little") + text + numbers.astype(np.float16).tobytes()
    elif suffix == ".png":  # its sides
        sides = (int(random.choice([0, 1, 300, 20_000, 100_000, 2**31 - 1])) for _ in range(2))
        header = b"IHDR" + b"".join(side.to_bytes(4, "big") for side in sides) + data[24:29]
        return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
    return out.getvalue() or damaged(random, data)


def change(random: Random, *files: Path) -> Path:
    """Change one of the files in its place."""
    file: Path = one_of(random, files)
    file.write_bytes(changed(random, file.name, file.read_bytes()))
    return file


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
    json.dumps(scored(file), allow_nan=False)


def scored(file: Path) -> dict[str, Any]:
    return score(read_set("lsp", [Path("mirror")], "pc"), file, "pc").rates


def own_labels(random: Random) -> None:
    change(random, *Path("own").iterdir(), Path("photos/p.jpg"))
    name = one_of(random, ("coco.json", "table.csv", "deeplabcut.csv", "deeplabcut.h5"))
    entry = {"format": Path(name).stem, "annotations": f"own/{name}", "images": "photos", "test": 0.5}
    pose_set = read_own("own", Dataset.model_validate(entry | {"skeleton": "full-body"}), FULL_BODY)
    finite(pose_set.poses[pose_set.labelled])
    json.dumps(check_own(pose_set), allow_nan=False)


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
    normals, examples = read_parquet(made / "normals.parquet", NORMAL_COLUMNS), half.read_examples()
    Images(half.images, examples.table)[0].sum()
    settings: dict[str, Any] = {"sigma": 1.0, "smallest_share": 0.1, "boxes_per_joint": 2, "units": "pixels"}
    rows = examples.rows("train")
    for boxes in simulated_boxes(examples, rows, normals, FULL_BODY, **settings, seed=(1, 2)):
        finite(boxes.to_numpy(np.float64))


def photos(random: Random) -> None:
    photo = change(random, *Path("photos").iterdir())
    predict(str(photo), *(["-o", "made.png"] if random.random() < 0.1 else []))


def weights(random: Random) -> None:
    change(random, *Path("data/cpu/lsp").iterdir())
    predict("photos/p.png")


def options(random: Random) -> None:
    box = ",".join(str(one_of(random, (*NUMBERS, 3, 20, 1e-300, "x"))) for _ in range(4))
    option = one_of(random, ("--model", "--profile", "-o", "--x"))
    given = ("--box", box) if random.random() < 0.8 else (option, one_of(random, ("lsp", "cpu", *WORDS)))
    # Above here lie the folders of others.
    words = [word for word in WORDS if word != ".."]
    photo = one_of(random, ("photos/p.png", *words)) if random.random() < 0.2 else "photos/p.png"
    predict(photo, *given)


KINDS = {kind.__name__: kind for kind in (archives, params, predictions, own_labels, skeletons)}
KINDS |= {kind.__name__: kind for kind in (between_stages, photos, weights, options)}


def prepare(base: Path) -> None:
    """Right files of all kinds, small ones."""
    shutil.copy(ROOT / "params.yaml", base)
    shutil.copytree(ROOT / "profiles", base / "profiles")
    with edited_params(base) as values:
        embedded = values["profiles"]["demo"]["embedded"]
        embedded |= {"lsp_images": 12, "extended_images": 6, "height": 100, "scene_height": 128}
        embedded |= {"flic_images": 12, "flic_test_images": 4, "buffy_frames": 8, "parse_images": 102}
    settings = load_params(base / "params.yaml").profiles["demo"].embedded
    assert settings is not None
    write_embedded(base / "mirror", settings, seed=1)
    lsp = read_set("lsp", [base / "mirror"], "pc")
    poses, given = lsp.poses[~lsp.train], base / "predictions"
    poses += np.random.default_rng(4).normal(0, 4, poses.shape)
    write_poses(given / "p.parquet", poses)
    pd.read_parquet(given / "p.parquet").to_csv(given / "p.csv", index=False)
    np.savez(given / "p.npz", pred=poses)
    savemat(given / "p.mat", {"pred": poses.transpose(2, 1, 0) + 1})
    triples = np.insert(poses, 2, 1.0, axis=2).reshape(len(poses), -1).tolist()
    results = [{"image_id": n, "keypoints": values, "score": 0.5} for n, values in enumerate(triples)]
    (given / "p.json").write_text(json.dumps(results))
    made, half = base / "made", Half(base / "made/train", FULL_BODY)
    table = pd.DataFrame(write_images(half.images, [np.zeros((90, 80, 3), np.uint8)] * len(poses)))
    table = table.assign(set="lsp", part="train", index=range(len(poses)), file="im.jpg", diameter=30.0)
    write_examples(Examples(table, poses, np.ones(poses.shape[:2], dtype=bool)), *half.example_tables)
    boxes = pd.DataFrame([(40.0, 45.0, 80.0, 90.0)] * len(poses), columns=BOX_COLUMNS)
    boxes.to_parquet(half.initial_boxes)
    normals = [(joint, 9, 0.1, 0.1, 0.2, 0.2, 0.0) for joint in range(len(FULL_BODY.joints))]
    pd.DataFrame(normals, columns=NORMAL_COLUMNS).to_parquet(made / "normals.parquet")
    sizes = {"name": "alexnet", "joints": 14, "size": 60, "width": 0.05, "dropout": 0.0}
    sizes |= {"initial_weights": "he", "pixel_scale": 0.016, "mean": [120.0, 110.0, 100.0]}
    for stage in (1, 2, 3):
        described = {"stage": stage, "skeleton": "full-body", "network": sizes, "sigma": 1.0}
        path = base / f"data/cpu/lsp/stage{stage}.safetensors"
        save_network(build_network(**sizes), described | {"smallest_box": 0.05}, path)
    (base / "photos").mkdir()
    coarse = np.random.default_rng(3).integers(0, 256, (12, 9, 3), np.uint8)
    for suffix in ("png", "jpg", "webp", "tiff", "bmp"):
        cv2.imwrite(str(base / f"photos/p.{suffix}"), cv2.resize(coarse, (90, 120)))
    prepare_own_labels(base / "own", poses[:2].round(2))
    torch.set_num_threads(1)  # as where inputs are given
    with contextlib.chdir(base):
        Path("joints.json").write_text(json.dumps(predict("photos/p.png")))
        Path("score.json").write_text(json.dumps(scored(Path("predictions/p.npz"))))


def prepare_own_labels(folder: Path, poses: np.ndarray) -> None:
    """The same poses in each of the formats."""
    folder.mkdir()
    joints, images = FULL_BODY.joints, ("p.jpg", "p.png")
    rows = [
        (image, joint, x, y)
        for image, pose in zip(images, poses, strict=True)
        for joint, (x, y) in zip(joints, pose, strict=True)
    ]
    pd.DataFrame(rows, columns=["image", "joint", "x", "y"]).to_csv(folder / "table.csv", index=False)
    header = [["scorer", *["me"] * 28], ["bodyparts", *np.repeat(joints, 2)], ["coords", *["x", "y"] * 14]]
    lines = header + [[image, *pose.ravel()] for image, pose in zip(images, poses, strict=True)]
    (folder / "deeplabcut.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    columns = [("me", joint, axis) for joint in joints for axis in "xy"]
    table = np.empty(len(images), dtype=[("index", "S5"), ("values_block_0", "<f8", (len(columns),))])
    table["index"], table["values_block_0"] = images, poses.reshape(len(images), -1)
    with h5py.File(folder / "deeplabcut.h5", "w") as file:
        frame = file.create_group("df_with_missing")
        frame.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, columns)], protocol=0))
        frame["table"] = table
    labels = {
        "images": [
            {"id": i, "file_name": image, "width": 90, "height": 120} for i, image in enumerate(images)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 2, 50, 80], "iscrowd": 0}
            | {"keypoints": [value for x, y in pose.tolist() for value in (x, y, 2)]}
            for i, pose in enumerate(poses)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": joints, "skeleton": [[1, 2]]}],
    }
    (folder / "coco.json").write_text(json.dumps(labels))


def give(kind: str, random: Random) -> None:
    if kind in RIGHT and random.random() < SHARE_RIGHT:
        with right():
            RIGHT[kind](random)
    else:
        KINDS[kind](random)


def outcome(kind: str, number: int, seed: int, base: Path) -> str:
    """How one input ends: "works", "refused", or the fault."""
    torch.set_num_threads(1)
    before = peak_memory()
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        shutil.copytree(base, here, dirs_exist_ok=True)
        os.chdir(here)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            give(kind, np.random.default_rng([seed, number]))
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
    after = peak_memory()
    if after > max(before, MOST_BYTES):
        said = f"took {after / 1e9:.1f} GB"
    return f"left {left[0]}" if left else said


def main(numbers: list[int], seed: int) -> int:
    """Run inputs of all kinds in turn; the exit status."""
    kinds, found = list(KINDS), dict.fromkeys(numbers, "a process ended: one of the first inputs that say so")
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        prepare(Path(name))
        under_way = {n: pool.submit(outcome, kinds[n % len(kinds)], n, seed, Path(name)) for n in numbers}
        with contextlib.suppress(BrokenProcessPool):
            for number, future in under_way.items():
                found[number] = future.result()
    told: dict[str, Counter[str]] = {kind: Counter(inputs=0) for kind in KINDS}
    for number, said in sorted(found.items()):
        kind = kinds[number % len(kinds)]
        is_fault = said not in ("works", "refused")
        told[kind].update({"inputs": 1, "faults" if is_fault else said: 1})
        if is_fault:
            print(f"fault: {kind}, --only {seed} {number}: {' '.join(said.split())}")
    for kind, counts in told.items():
        shares = [f"{counts[what]} {what}" for what in ("inputs", "works", "refused", "faults")]
        shares[1] += f" ({counts['works'] / max(1, counts['inputs']):.0%})"
        print(f"{kind}: {', '.join(shares)}")
    return int(any(counts["faults"] for counts in told.values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        sys.exit(main([int(word) for word in sys.argv[3:]], int(sys.argv[2])))
    else:
        count, seed = (*map(int, sys.argv[1:]), *(COUNT, SEED)[len(sys.argv) - 1 :])
        sys.exit(main(list(range(count)), seed))
