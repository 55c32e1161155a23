"""Inputs for scripts/fuzz.py that are odd but right: they must give what the plain ones give."""

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from functools import reduce
from itertools import chain
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from project_copy import write_params

from deeppose.cli.main import main as deeppose
from deeppose.core.errors import DeepPoseError
from deeppose.core.params import Params
from deeppose.core.params_file import key_path, load_params, read_values
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.registry import read_set
from deeppose.evaluation.score import score

LEGAL: dict[str, tuple[Any, ...]] = {
    "seed": (0, 10**17),
    "sigma": ("auto", 1, 1e-3),
    "workers": (0, "auto"),
    "cascade_stages": (1, 2),
    "models": (["flic"], ["flic", "lsp"]),
    "mirror": ("..", "été/a: b #c", "~", "null", "1", "'"),
    "model.lsp.held_out": (1, 10**6),
    "model.lsp.labels": ("pc",),
    "model.flic.test": ([], ["buffy"], ["flic"]),
    "profiles/cpu.yaml:trusted": (None, ["flic", "lsp"]),
    "profiles/cpu.yaml:smallest_box": (1, 1.0, 1e-300),
    "profiles/cpu.yaml:stage1.repeated": ({}, {"lsp-extended": 99}),
    "profiles/demo.yaml:training.batch": (1, 10**6),
    "profiles/demo.yaml:training.optimizer": ({"weight_decay": 0, "name": "adamw", "learning_rate": 1e-9},),
    "profiles/demo.yaml:embedded.unlabelled": (0, 0.999),
}
STYLES: dict[str, tuple[Any, ...]] = {
    "default_flow_style": (True, False, None),
    "default_style": (None, None, '"'),
    "line_break": ("\n", "\r\n"),
    "width": (9, 999),
    "indent": (2, 7),
}
STYLES |= dict.fromkeys(("allow_unicode", "sort_keys", "explicit_start", "explicit_end"), (True, False))
CSV_STYLES: dict[str, tuple[Any, ...]] = {
    "index": (True, False),
    "quoting": (0, 1, 2),
    "lineterminator": ("\n", "\r\n", "\r", "\n\n"),
    "encoding": ("utf-8", "utf-8-sig", "utf-16", "cp1252"),
}
NAMES = ("im{:04}.jpg", "images/im{:04}.jpg", "/tmp/images/im{:04}.png", "IM{:04}")
FLOATS = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
PHOTO = "photos/p.png"
Random = np.random.Generator


class FaultError(Exception):
    """What must not be, in words."""


def one_of(random: Random, values: Any) -> Any:  # noqa: ANN401
    return list(values)[int(random.integers(len(values)))]


def right_params(random: Random) -> None:
    """Legal values, in YAML as many hands and programs write it."""
    values = read_values(Path("params.yaml"))
    written = {key: one_of(random, LEGAL[key]) for key in random.choice(list(LEGAL), 5, replace=False)}
    for key, value in written.items():
        *sections, last = key_path(key)
        reduce(getitem, sections, values)[last] = value
    write_params(Path(), values)
    for file in (Path("params.yaml"), *Path("profiles").iterdir()):
        style = {name: one_of(random, of) for name, of in STYLES.items()}
        text = yaml.safe_dump(yaml.safe_load(file.read_text()), **style)
        file.write_text(one_of(random, ("", "\ufeff", "# é\n\n")) + text, encoding="utf-8", newline="")
    found = load_params()
    same(found, Params.model_validate(values))
    dumped = json.loads(found.model_dump_json())
    same({key: reduce(getitem, key_path(key), dumped) for key in written}, written)


def right_predictions(random: Random) -> None:
    """Those of one file, in any layout, order and spelling: the same figures."""
    table = pd.read_csv("predictions/p.csv").sample(frac=1, random_state=int(random.integers(99)))
    if random.random() < 0.5:
        table["joint"] = [FULL_BODY.joints[joint] for joint in table["joint"]]
    table = table[list(random.permutation(table.columns))]
    table = table.astype({"example": one_of(random, (float, int, str))})
    if random.random() < 0.3:
        table["example"] = [one_of(random, NAMES).format(7 + int(example)) for example in table["example"]]
    table.to_parquet("q.parquet")
    style = {name: one_of(random, of) for name, of in CSV_STYLES.items()}
    marks = one_of(random, ({}, {"sep": ";"}, {"sep": ";", "decimal": ","}, {"sep": "\t", "decimal": ","}))
    table.to_csv("q.csv", **style, **marks)
    given = one_of(random, ("q.csv", "q.csv", "q.parquet", *map(str, Path("predictions").iterdir())))
    expected = json.loads(Path("score.json").read_text())
    pose_set = read_set("lsp", [Path("mirror")], "pc")
    same(score(pose_set, Path(given), "pc").rates, expected)
    options = [["lsp", given], ["--labels", "pc"], ["--mirror", "mirror"], ["--json"]]
    printed = json.loads(command("score", *chain(*(options[i] for i in random.permutation(4)))))
    same({key: printed[key] for key in expected}, expected)


def right_weights(random: Random) -> None:
    """The same numbers in another order and precision, described in other words: the same joints."""
    for path in Path("data/cpu/lsp").iterdir():
        data = path.read_bytes()
        header = json.loads(data[8 : (start := 8 + int.from_bytes(data[:8], "little"))])
        described = json.loads(header.pop("__metadata__")["description"])
        described |= one_of(random, ({}, {"average_mirrored": False, "initial_box": {"kind": "image"}}))
        described = {key: described[key] for key in random.permutation(list(described))}
        description = json.dumps(described, indent=one_of(random, (None, 1)))
        written, body = {"__metadata__": {"by": "é", "description": description}}, b""
        for name in random.permutation(list(header)):
            first, last = header[name]["data_offsets"]
            values = np.frombuffer(data[start + first : start + last], FLOATS[header[name]["dtype"]])
            dtype = one_of(random, list(FLOATS)[list(FLOATS).index(header[name]["dtype"]) :])
            piece = values.astype(FLOATS[dtype]).tobytes()
            place = [len(body), len(body := body + piece)]
            written[name] = header[name] | {"dtype": dtype, "data_offsets": place}
        text = json.dumps(written).encode() + b" " * int(random.integers(9))
        path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    same(predict(PHOTO), json.loads(Path("joints.json").read_text()))


def right_options(random: Random) -> None:
    """Any way to ask for the same: the same answer."""
    ways = (spelled_boxes, several_photos, named_photos, sets, exports)
    chosen = ways[int(random.choice(len(ways), p=(0.35, 0.25, 0.2, 0.15, 0.05)))]
    chosen(random, json.loads(Path("joints.json").read_text()))


@contextlib.contextmanager
def right() -> Iterator[None]:
    """What must work."""
    try:
        yield
    except DeepPoseError as error:
        raise FaultError(f"right, and refused: {error}") from error


def same(found: Any, expected: Any) -> None:  # noqa: ANN401
    if found != expected:
        raise FaultError(f"{str(found)[:70]} where {str(expected)[:70]} is right")


def finite(*values: Any) -> None:  # noqa: ANN401
    for value in values:
        if value is not None and not np.isfinite(np.asarray(value, dtype=np.float64)).all():
            raise FaultError("a result is not finite")


def command(*arguments: str) -> str:
    """What the command line prints; a refusal is raised as such."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["deeppose", *arguments]
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
    return out.getvalue()


def predict(*arguments: str) -> list[Any]:
    """Joints by stage of each person."""
    images = json.loads(command("predict", "--format", "json", *arguments))["images"]
    people = [person for image in images for person in image["people"]]
    for person in people:
        finite(person["box"], *person["stages"].values())
    return [person["stages"] for person in people]


def spelled_boxes(random: Random, expected: list[Any]) -> None:
    box = [int(side) for side in random.integers((-8, -8, 9, 9), (60, 60, 120, 120))]
    spelled = [one_of(random, ("{}", "{}.0", "{}.", " {} ", "{}e0", "{}0e-1")).format(side) for side in box]
    plain = predict(PHOTO, f"--box={','.join(map(str, box))}")
    same(predict("--box", ",".join(spelled), PHOTO), plain)
    same(predict(PHOTO, "--box", "0,0,90,120"), expected)


def several_photos(random: Random, expected: list[Any]) -> None:
    photos = [f"photos/p.{suffix}" for suffix in random.choice(["png", "bmp", "tiff", "jpg", "webp"], 4)]
    alone = [pose for photo in photos for pose in predict(photo)]
    same(predict(*photos, "--model", "lsp"), alone)
    same(alone[photos.index(PHOTO)] if PHOTO in photos else expected[0], expected[0])


def named_photos(random: Random, expected: list[Any]) -> None:
    photo = Path(one_of(random, ("é ü.png", "--x", "a.b.PNG", "p", "p.jpg", "x" * 240, "'", "~")))
    if random.random() < 0.5:
        photo.symlink_to("photos/p.bmp")
    else:
        shutil.copy(one_of(random, (PHOTO, "photos/p.tiff")), photo)
    drawn = [] if random.random() < 0.7 else ["-o", "made.png"]
    same(predict("--profile", "cpu", *drawn, "--", str(photo)), expected)
    same(Path("made.png").is_file(), bool(drawn))


def sets(random: Random, expected: list[Any]) -> None:
    same(command("datasets", "--mirror", "mirror").count("there: mirror/"), 6)
    mirror = ["--mirror", "mirror"]
    asked = one_of(random, (["check", "buffy", *mirror], [*mirror, "check", "buffy"]))
    found = json.loads(command("datasets", *asked, "--json"))
    same([found["examples"], found["images"], found["unlabelled_joints"]], [8, 8, 0])
    lines = command("datasets", *asked).splitlines()
    same([line.partition(":")[0].replace(" ", "_") for line in lines], list(found))


def exports(random: Random, expected: list[Any]) -> None:
    stage = one_of(random, (1, 2, 3))
    command("export", "-o", "made", "--stage", str(stage))
    before = Path(f"made/stage{stage}.onnx").read_bytes()
    command("export", "--stage", str(stage), "--model=lsp", "--profile=cpu", "--output=made")
    same(Path(f"made/stage{stage}.onnx").read_bytes(), before)


RIGHT = {
    "params": right_params,
    "predictions": right_predictions,
    "weights": right_weights,
    "options": right_options,
}
