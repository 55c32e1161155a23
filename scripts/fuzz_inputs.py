"""What the fuzzer beside this file gives: right files, and what makes them wrong."""

import contextlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from project_copy import edited_params
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from deeppose.core.examples import BOX_COLUMNS, Examples, write_examples
from deeppose.core.files import write_json
from deeppose.core.images import write_images
from deeppose.core.params_file import load_params
from deeppose.core.paths import Half
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.registry import read_set
from deeppose.data.synthetic.archives import write_embedded
from deeppose.displacements.normals import NORMAL_COLUMNS
from deeppose.networks.weights import build_network, save_network

ROOT = Path(__file__).parents[1]

NUMBERS = (np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0, -1.0, 2.5, 1e7, 65536.0)
TEXTS = ("", "nan", "-1", "1e308", "é\0", "lsp", "[]", "null", "true", "..", "1,2", "a: b: c", "x" * 300)
TEXTS += ("9" * 5000, "0x" + "f" * 5000, "[" * 3000, "!!int x", "2020-99-01", "*a", "&a [*a, *a]")
MOVED = ("top/x", "../x", "a/joints.mat", "images/im0001.jpg", "X")
Random = np.random.Generator


def one_of(random: Random, values: Any) -> Any:  # noqa: ANN401
    return list(values)[int(random.integers(len(values)))]


def damaged(random: Random, data: bytes) -> bytes:
    """Some bytes changed, or a piece left out, repeated or put elsewhere."""
    at, end = sorted(int(place) for place in random.integers(0, len(data) + 1, 2))
    changed = bytearray(data)
    for place in random.integers(0, len(data), 9) if data else ():
        changed[place] = one_of(random, (0, 1, 127, 128, 255, int(random.integers(256))))
    pieces = (b"", data[:at], data[:at] + data[end:], data[:end] + data[at:], data[at:end] + data)
    return bytes(changed) if random.random() < 0.5 else one_of(random, pieces)


def odd(random: Random, values: Any) -> Any:  # noqa: ANN401
    """An array with some odd values, or another thing in its place."""
    array = np.array(values)
    if array.dtype.names and random.random() < 0.9:
        row, field = int(random.integers(array.size)), one_of(random, array.dtype.names)
        array.flat[row][field] = odd(random, array.flat[row][field])
        return array
    if array.size and array.dtype.kind in "fiu":
        array = array.astype(np.float64)
        array.flat[random.integers(0, array.size, 2)] = one_of(random, NUMBERS)
    others: tuple[Callable[[], Any], ...] = (
        *(lambda: array.astype(one_of(random, "BbHiqf?FO")), lambda: array.T, lambda: array[:0]),
        *(lambda: array[..., :1], lambda: csc_array(np.ones((3, 3))), lambda: {"x": 1.0}),
        *(lambda: one_of(random, TEXTS[:6]), lambda: np.array([array, "x"], dtype=object)),
    )
    return array if random.random() < 0.5 or array.dtype.kind not in "fiu" else one_of(random, others)()


def odd_json(random: Random, value: Any) -> Any:  # noqa: ANN401
    """A value with one of its parts exchanged for something odd."""
    if isinstance(value, dict | list) and value and random.random() < 0.9:
        key = one_of(random, list(value) if isinstance(value, dict) else range(len(value)))
        value[key] = odd_json(random, value[key])
        return value
    return one_of(random, (*NUMBERS, *TEXTS[:9], None, [], {}, [1e308] * 3, 10**9, 61))


def odd_table(random: Random, table: pd.DataFrame) -> pd.DataFrame:
    column, row = one_of(random, table.columns), int(random.integers(len(table)))
    if random.random() < 0.3:
        return one_of(random, (table.drop(columns=column), table.iloc[:row], pd.concat([table] * 3)))
    values = table[column].astype(object).tolist()
    values[row] = one_of(random, (*NUMBERS, *TEXTS[:6]))
    with contextlib.suppress(ValueError, TypeError):
        return table.assign(**{column: pd.Series(values).astype(one_of(random, (float, bool, str)))})
    return table.assign(**{column: [str(value) for value in values]})


def changed(random: Random, name: str, data: bytes) -> bytes:
    """A file of this name that is no longer right, or not quite."""
    suffix, out = Path(name).suffix, io.BytesIO()
    if random.random() < 0.3:
        return damaged(random, data)
    match suffix:
        case ".zip" | ".npz":
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
            written = bytearray(out.getvalue())
            if random.random() < 0.2:  # a member's version, flags and method
                at = written.find(b"PK\1\2", int(random.integers(len(written))))
                written[at + 6 : at + 12] = random.bytes(6)
            return bytes(written)
        case ".mat":
            arrays = {key: of for key, of in loadmat(io.BytesIO(data)).items() if key[0] != "_"}
            packed = bool(random.integers(2))
            savemat(out, {key: odd(random, of) for key, of in arrays.items()}, do_compression=packed)
        case ".npy":
            np.save(out, odd(random, np.load(io.BytesIO(data))))
        case ".txt" | ".yaml":
            between = one_of(random, (b" ", b"\n"))
            words = data.split(between)
            words[int(random.integers(len(words)))] = one_of(random, TEXTS).encode()
            return between.join(words)
        case ".json":
            return json.dumps(odd_json(random, json.loads(data))).encode()
        case ".csv":
            odd_table(random, pd.read_csv(io.BytesIO(data))).to_csv(out, index=False)
        case ".parquet":
            odd_table(random, pd.read_parquet(io.BytesIO(data))).to_parquet(out)
        case ".safetensors":
            size = int.from_bytes(data[:8], "little")
            header, numbers = json.loads(data[8 : 8 + size]), np.frombuffer(data[8 + size :], np.float16)
            said = odd_json(random, json.loads(header["__metadata__"]["description"]))
            header["__metadata__"]["description"] = json.dumps(said)
            text, numbers = json.dumps(header).encode(), numbers.copy()
            numbers[random.integers(0, len(numbers), 9)] = one_of(random, (0, np.nan, np.inf, 6e4))
            return len(text).to_bytes(8, "little") + text + numbers.tobytes()
        case ".png":  # its sides
            sides = [int(random.choice([0, 1, 300, 20_000, 100_000, 2**31 - 1])) for _ in range(2)]
            header = b"IHDR" + b"".join(side.to_bytes(4, "big") for side in sides) + data[24:29]
            return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
        case _:
            return damaged(random, data)
    return out.getvalue()


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
    write_poses(given / "p.parquet", poses)
    pd.read_parquet(given / "p.parquet").to_csv(given / "p.csv", index=False)
    np.savez(given / "p.npz", pred=poses)
    savemat(given / "p.mat", {"pred": poses.transpose(2, 1, 0) + 1})
    made, half = base / "made", Half(base / "made/train", FULL_BODY)
    table = pd.DataFrame(write_images(half.images, [np.zeros((90, 80, 3), np.uint8)] * len(poses)))
    table = table.assign(set="lsp", part="train", index=range(len(poses)), file="im.jpg", diameter=30.0)
    write_examples(Examples(table, poses, np.ones(poses.shape[:2], dtype=bool)), *half.example_tables)
    boxes = pd.DataFrame([(40.0, 45.0, 80.0, 90.0)] * len(poses), columns=BOX_COLUMNS)
    boxes.to_parquet(half.initial_boxes)
    normals = [(joint, 9, 0.1, 0.1, 0.2, 0.2, 0.0) for joint in range(len(FULL_BODY.joints))]
    pd.DataFrame(normals, columns=NORMAL_COLUMNS).to_parquet(made / "normals.parquet")
    write_poses(made / "predicted.parquet", poses)
    write_json(made / "notes.json", {"archives": {"lsp_dataset.zip": {"sha256": "0"}}, "scale": 2.5})
    sizes = {"name": "alexnet", "joints": 14, "size": 60, "width": 0.05, "dropout": 0.0}
    sizes |= {"initial_weights": "he", "pixel_scale": 0.016, "mean": [120.0, 110.0, 100.0]}
    for stage in (1, 2, 3):
        described = {"stage": stage, "skeleton": "full-body", "network": sizes, "sigma": 1.0}
        path = base / f"data/cpu/lsp/stage{stage}.safetensors"
        save_network(build_network(**sizes), described | {"smallest_box": 0.05}, path)
    (base / "photos").mkdir()
    for suffix in ("png", "jpg", "webp", "tiff", "bmp"):
        cv2.imwrite(str(base / f"photos/p.{suffix}"), np.full((120, 90, 3), 99, np.uint8))
