"""What fewer bits of its networks would give the page of web/: its size, and how far held-out poses move.

    python scripts/web_bits.py

It takes `dist/web`, see `make web`, and what `cpu` has in data/cpu: examples, initial boxes, weights. Nothing
but held-out images is looked at. Writes reports/bench/web_bits.json and web_bits.md, a page of it, and prints
the page.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from benching import made_on, write_report
from pages import page_of, table

from deeppose.core.ending import OneLineEnding
from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Floats
from deeppose.core.images import Images
from deeppose.core.metrics import joint_errors, mean_pdj
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.core.published import PUBLISHED
from deeppose.deploy.cascade import Cascade
from deeppose.deploy.export import export_stage
from deeppose.deploy.pose import load_cascade, published_weights
from deeppose.deploy.web import HALF, MODELS, differences, graph_and_weights, packed, rounded

PAGE, OUTPUT = Path("dist/web"), Path("reports/bench/web_bits.json")
BITS = (10, 9, 8, 7, 6)
LEAST_ROUNDED = 2**14
"""Weights of a tensor; smaller ones take little room, and rounded too move joints several times as far."""
THRESHOLDS = (0.1, 0.2)
MOVED = (50, 99, 100)
"""Percentiles of how far joints move."""


def main() -> None:
    sizes = {path: path.stat().st_size for path in PAGE.rglob("*") if path.is_file()}
    others = sum(size for path, size in sizes.items() if path.parent.name not in MODELS)
    models = {model: of_model(model) for model in MODELS}
    write_report(OUTPUT, {**made_on(), "others": others, "models": models}, page)


def of_model(model: str) -> dict[str, Any]:
    """By BITS the bytes of its networks, how many pixels joints move after the last stage, held-out PDJ."""
    item = Item(load_params(), PUBLISHED, model)
    examples = item.train.read_examples()
    rows = examples.rows("held-out")
    truth = examples.poses[rows], examples.labelled[rows], examples.diameters[rows]
    found: dict[str, Any] = {}
    exact = None
    with tempfile.TemporaryDirectory() as folder:
        exported = [
            export_stage(weights, stage, None, Path(folder)).network
            for stage, weights in enumerate(published_weights(model), start=1)
        ]
        whole = [onnx.load(network) for network in exported]
        for bits in BITS:
            size, before = 0, None
            for network, model_ in zip(exported, whole, strict=True):
                onnx.save(rounded_weights(model_, bits), network)
                graph, halves = graph_and_weights(network)
                size += len(packed(graph, 1)) + len(packed(differences(halves, before), HALF))
                before = halves
            poses = predicted(load_cascade(exported), item, examples, rows)
            exact = poses if exact is None else exact
            moved = np.percentile(np.linalg.norm(poses - exact, axis=-1), MOVED).tolist()
            pdj = [mean_pdj(joint_errors(poses, *truth), threshold) for threshold in THRESHOLDS]
            found[str(bits)] = {"bytes": size, "moved": moved, "pdj": pdj}
    return found


def rounded_weights(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A copy whose large tensors in half precision keep so many bits of each mantissa."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for weight in copy.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype == np.float16 and values.size >= LEAST_ROUNDED:
            weight.CopyFrom(onnx.numpy_helper.from_array(rounded(values, bits), weight.name))
    return copy


def predicted(cascade: Cascade, item: Item, examples: Examples, rows: Indices) -> Floats:
    """Poses after the last stage, `(len(rows), k, 2)`."""
    images = Images(item.train.images, examples.table)
    poses = []
    for row in rows:
        photo, box = images[row], examples.boxes[[row]]
        pose = cascade.initial(photo, box).poses
        for stage in range(2, len(cascade.stages) + 1):
            pose = cascade.refine(stage, photo, pose, box).poses
        poses.append(pose[0])
    return np.array(poses)


def page(report: dict[str, Any]) -> str:
    models = report["models"]
    rows = []
    for bits in map(str, BITS):
        of = [found[bits] for found in models.values()]
        networks = sum(one["bytes"] for one in of)
        sizes = [f"{size / 1e6:.1f}" for size in (networks, networks + report["others"])]
        moved = [" / ".join(f"{pixels:.2f}" for pixels in one["moved"]) for one in of]
        rows.append([bits, *sizes, *moved, *(f"{rate:.4f}" for one in of for rate in one["pdj"])])
    heads = [f"{model}, PDJ at {threshold}" for model in models for threshold in THRESHOLDS]
    return page_of(
        "The page in the browser: bits of its networks",
        f"Made by `python scripts/web_bits.py` at commit {report['revision']} on: {report['machine']}. Of "
        f"{BITS[0]} bits of the mantissa of each weight in a large tensor so many are kept; the page keeps "
        "all. Poses are of held-out images, after the last stage. Moved: how many pixels half of the joints "
        "move at most, 99 of 100, and the one that moves furthest.",
        table(["bits", "networks, MB", "folder, MB", *(f"{model}, moved" for model in models), *heads], rows),
    )


if __name__ == "__main__":
    with OneLineEnding("error"):
        main()
