"""A cascade's networks as ONNX files, for people who run them without this package or torch.

What has to be done around them, crops and boxes, is in docs/export.md.
"""

import contextlib
import copy
import importlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from deeppose.core.errors import ExportError, OutputError, StageError
from deeppose.core.files import atomic_path, check_outputs, read_json, write_json
from deeppose.core.images import Pixels
from deeppose.core.skeleton import Described, skeleton_from
from deeppose.deploy.onnx_runtime import INPUT, JOINTS, VARIANCES, open_session
from deeppose.networks.alexnet import LRN_ALPHA, LRN_CHANNELS, LRN_K, LocalResponseNorm
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import load_stage

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
"""How far an exported network's outputs may be from ours: of a box of 100 pixels a hundredth of a pixel."""
CHECKED_BATCHES = (1, 3)
LEAST_HALVED = 256
"""Numbers of a weight that is worth a cast."""


class Exported(NamedTuple):
    """What :func:`export_stage` wrote, and by how much the network's outputs differ from ours at most."""

    network: Path
    description: Path
    difference: float


def check_folder(folder: Path, stages: Sequence[int], weights: Path) -> None:
    """Stop before any work if stages of a model can't be written into `folder`.

    Parameters
    ----------
    weights
        The folder that the model's weights lie in, <profile>/<model>.

    Raises
    ------
    ExportError
        If a file can't be written, or networks of another model or profile lie there.
    """
    try:
        check_outputs(path for stage in stages for path in _files(folder, stage))
    except OutputError as error:
        raise ExportError(f"{error}; name another folder by -o") from error
    for other in sorted(folder.glob("stage*.json")):
        if (found := _model_of(other)) != _name_of(weights):
            raise ExportError(f"{other} is of {found}, not of {_name_of(weights)}: name another folder by -o")


def _model_of(description: Path) -> str:
    try:
        return str(read_json(description)["model"])
    except (StageError, TypeError, KeyError):
        return "no model that is known"


def _name_of(weights: Path) -> str:
    return "/".join(weights.parts[-2:])


def _files(folder: Path, stage: int) -> tuple[Path, Path]:
    return folder / f"stage{stage}.onnx", folder / f"stage{stage}.json"


def export_stage(weights: Path, stage: int, skeleton: Described | None, folder: Path) -> Exported:
    """Write one stage as stage<s>.onnx and stage<s>.json into `folder`, once its outputs were compared.

    Parameters
    ----------
    stage, skeleton
        What the weights must be of, see :func:`deeppose.networks.weights.load_stage`.

    Raises
    ------
    ExportError
        If a package is missing, or the outputs differ by more than TOLERANCE.
    OutputError
        If the folder can't be written.
    WeightsError
        If the weights are missing, can't be read, or are others.
    """
    network, description = load_stage(weights, stage, skeleton)
    path, about = _files(folder, stage)
    difference = export_network(network, path)
    write_json(about, {"model": _name_of(weights.parent), **describe(network, description)})
    return Exported(path, about, difference)


def export_network(network: Regressor, path: Path) -> float:
    """Write a network as ONNX and compare it with itself; the file is kept if they agree.

    Its input `crops` and its outputs `joints` and, of a network with maps, `variances` are those of
    :meth:`Regressor.with_variances`, for any batch. Weights that half precision holds are stored so.

    Returns
    -------
    The largest difference between its outputs and ours, normalised coordinates.

    Raises
    ------
    ExportError
        If a package is missing, or the outputs differ by more than TOLERANCE.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"{', '.join(missing)} not installed: `pip install {' '.join(PACKAGES)}`")
    network = network.eval()
    with atomic_path(path) as temporary:
        _write_onnx(network, temporary)
        difference = largest_difference(network, temporary)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{path} is not kept: its outputs differ from ours by {difference:.1e}, more than "
                f"{TOLERANCE:.0e} of a box's side; other versions of {', '.join(PACKAGES)} may do better"
            )
    return difference


def largest_difference(network: Regressor, path: Path) -> float:
    """Between the outputs of an exported network and of ours, over crops in batches of several sizes."""
    session = open_session(path, threads=torch.get_num_threads())
    differences = []
    for batch in CHECKED_BATCHES:
        crops = sample_crops(batch, network.size)
        with torch.inference_mode():
            expected = [
                output for output in network.with_variances(torch.from_numpy(crops)) if output is not None
            ]
        for found, output in zip(session.run(None, {INPUT: crops}), expected, strict=True):
            if found.shape != output.shape:
                raise ExportError(f"{path} gives {found.shape} for a batch of {batch}, not {output.shape}")
            differences.append(np.abs(found - output.numpy()).max())
    # A maximum that a NaN gets through.
    return float(np.max(differences))


def sample_crops(count: int, size: int) -> Pixels:
    """Crops `(count, size, size, 3)` of blotches of all sizes and colours, the same in each call."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(count, 3, size, size)
    for cells in (2, 4, 8, 16, 32):
        blotches = torch.rand((count, 3, cells, cells), generator=generator)
        total += functional.interpolate(blotches, size=(size, size), mode="bilinear")
    levels = (total / 5 * 255).round().to(torch.uint8)
    crops: Pixels = levels.permute(0, 2, 3, 1).contiguous().numpy()
    return crops


def describe(network: Regressor, description: dict[str, Any]) -> dict[str, Any]:
    """All that it takes to run an exported network, ready for JSON; docs/export.md says what it means.

    Parameters
    ----------
    description
        As :func:`deeppose.networks.weights.load_stage` gives it.
    """
    skeleton = skeleton_from(description["skeleton"])
    joints = len(skeleton.joints)
    keys = ("initial_box",) if description["stage"] == 1 else ("sigma", "smallest_box", "shrinkage")
    return {
        "stage": description["stage"],
        "input": {"name": INPUT, "type": "uint8", "shape": ["batch", network.size, network.size, 3]},
        "output": {"name": JOINTS, "type": "float32", "shape": ["batch", joints, 2]},
        "skeleton": skeleton.described,
        "joints": list(skeleton.joints),
        "diameter": [list(pair) for pair in skeleton.diameter],
        "mirrored": list(skeleton.mirrored),
        "average_mirrored": description["average_mirrored"],
        "padding": list(network.padding),
        "tolerance": TOLERANCE,
        **{key: description[key] for key in keys if key in description},
    }


def _write_onnx(network: Regressor, path: Path) -> None:
    exporter = importlib.import_module("torch.onnx")
    example = torch.from_numpy(sample_crops(2, network.size))
    # Its progress, and its advice to those who write exporters, is not for who calls us.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = exporter.export(
            _WithVariances(_in_plain_operations(network)),
            (example,),
            input_names=[INPUT],
            output_names=[JOINTS, VARIANCES] if network.has_maps else [JOINTS],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            optimize=False,
            verbose=False,
        )
    # Where in whose folders each operation was called is no part of the result.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    # Not all that the exporter has for it: folded batch normalisation isn't exact in half precision.
    optimizer = importlib.import_module("onnxscript.optimizer")
    optimizer.inline(program.model)
    optimizer.fold_constants_ir(program.model, onnx_shape_inference=True)
    optimizer.remove_unused_nodes(program.model)
    program.save(path)
    _halve(path)


def _halve(path: Path) -> None:
    """Store the weights that half precision holds so, each with a cast that a runtime does once."""
    onnx = importlib.import_module("onnx")
    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < LEAST_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if (half == values).all():
            single, name = weight.name, f"{weight.name}_half"
            weight.CopyFrom(onnx.numpy_helper.from_array(half, name))
            casts.append(onnx.helper.make_node("Cast", [name], [single], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


class _WithVariances(nn.Module):
    """A network's joints and, where it has maps, their variances as its outputs."""

    def __init__(self, network: Regressor) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, ...] | Tensor:
        joints, variances = self.network.with_variances(crops)
        return joints if variances is None else (joints, variances)


def _in_plain_operations(network: Regressor) -> Regressor:
    """A copy whose normalisation is written without what only training needs, and exports as slow copies."""
    plain = copy.deepcopy(network)
    for parent in list(plain.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, LocalResponseNorm):
                setattr(parent, name, _PlainNormalisation())
    return plain


class _PlainNormalisation(nn.Module):
    """As :class:`deeppose.networks.alexnet.LocalResponseNorm`."""

    def forward(self, features: Tensor) -> Tensor:
        reach = LRN_CHANNELS // 2
        squares = functional.pad(features * features, (0, 0, 0, 0, reach, reach))
        channels = features.shape[1]
        total = squares[:, :channels]
        for first in range(1, LRN_CHANNELS):
            total = total + squares[:, first : first + channels]
        root = torch.rsqrt(total * LRN_ALPHA + LRN_K)
        # s^(−3/4) from s^(−1/2), much cheaper than a power.
        return features * (root * root.sqrt())
