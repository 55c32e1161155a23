"""How few bits the networks of the page of web/ can do with: its size, and held-out poses, by what they keep.

    python scripts/web_bits.py

It takes `dist/web`, see `make web`, and what `cpu` has in data/cpu: examples, initial boxes, weights. Nothing
but held-out images is looked at. Writes reports/bench/web_bits.json and web_bits.md, a page of it, and prints
the page.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
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
from deeppose.deploy.web import HALF_BITS, MODELS, for_page, packed

PAGE, OUTPUT = Path("dist/web"), Path("reports/bench/web_bits.json")
BITS = (HALF_BITS, 9, 8, 7, 6)
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
    found: dict[str, Any] = {}
    exact = None
    with tempfile.TemporaryDirectory() as folder:
        exported = [
            export_stage(weights, stage, None, Path(folder)).network
            for stage, weights in enumerate(published_weights(model), start=1)
        ]
        whole = {path: path.read_bytes() for path in exported}
        for bits in BITS:
            size = 0
            for path, network in whole.items():
                path.write_bytes(network)
                kept = for_page(path, bits)
                path.write_bytes(kept)
                size += len(packed(kept))
            poses = predicted(load_cascade(exported), item, examples, rows)
            exact = poses if exact is None else exact
            errors = joint_errors(
                poses, examples.poses[rows], examples.labelled[rows], examples.diameters[rows]
            )
            found[str(bits)] = {
                "bytes": size,
                "moved": np.percentile(np.linalg.norm(poses - exact, axis=-1), MOVED).tolist(),
                "pdj": [mean_pdj(errors, threshold) for threshold in THRESHOLDS],
                "joints": int((~np.isnan(errors)).sum()),
            }
    return found


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
    counts = " and ".join(f"{found[str(HALF_BITS)]['joints']} of {model}" for model, found in models.items())
    return page_of(
        "The page in the browser: bits of its networks",
        f"Made by `python scripts/web_bits.py` at commit {report['revision']} on: {report['machine']}. Of "
        f"{HALF_BITS} bits of the mantissa of each weight in a large kernel so many are kept. Poses are of "
        f"held-out images, after the last stage; {counts} joints count. Moved: how many pixels half of the "
        "joints move at most, 99 of 100, and the one that moves furthest.",
        table(["bits", "networks, MB", "folder, MB", *(f"{model}, moved" for model in models), *heads], rows),
    )


if __name__ == "__main__":
    with OneLineEnding("error"):
        main()
