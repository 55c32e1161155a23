"""A project of synthetic annotation that the stages run through, with any number of examples.

Poses are random, images few and shared, so that they take no disk; networks are small. There are so many
examples to train on, and as many to test on.
"""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_setup import (
    HEIGHT,
    MEAN_COLOUR,
    WIDTH,
    encoded,
    network_of,
    network_sizes,
    random_poses,
    smooth_pictures,
    write_archive,
)
from project_copy import write_params

from deeppose.boxes.faces import FACE_COLUMNS
from deeppose.core.examples import BOX_COLUMNS, TORSO_COLUMNS, Examples, write_examples
from deeppose.core.files import write_json
from deeppose.core.geometry import diameter, image_box, mirror_poses
from deeppose.core.images import write_images
from deeppose.core.params_file import load_params, read_values
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import FULL_BODY, SKELETONS
from deeppose.core.viewpoint import viewpoints
from deeppose.networks.weights import save_network

ROOT = Path(__file__).resolve().parents[1]
PROFILE = "demo"
MODELS = {"lsp": "full-body", "flic": "upper-body"}
EXAMPLES_A_FRAME = 20  # of images in which faces are looked for
PICKLED_SET = "set.pickle"
HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 50
STEPS = 20
MOST_IMAGES = 1000
PICTURES = 64
ERROR = 4.0  # of predictions, pixels


def make_archive(folder: Path, size: int, examples_an_image: int) -> None:
    """A project with an archive of images, and the set that a reader would make of its labels, pickled."""
    write_small_params(folder)
    archive = folder / "data" / PROFILE / "archives" / "images.zip"
    archive.parent.mkdir(parents=True)
    files = encoded(smooth_pictures(PICTURES))
    pose_set = write_archive(archive, files, -(-2 * size // examples_an_image), examples_an_image)
    pickled = pickle.dumps(replace(pose_set, archive=archive.relative_to(folder)))
    (folder / PICKLED_SET).write_bytes(pickled)


def make_project(folder: Path, size: int) -> None:
    """A project after its sets were read, with predictions and weights: each later stage can run."""
    write_small_params(folder)
    held_out = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * size))
    for number, (model, skeleton_name) in enumerate(MODELS.items()):
        skeleton = SKELETONS[skeleton_name]
        of_model = folder / "data" / PROFILE / model
        train = make_half(of_model / "train", model, size, 2 * number, held_out)
        test = make_half(of_model / "test", model, size, 2 * number + 1, 0)
        write_json(of_model / "initial-box-rule.json", {"kind": "image"})
        write_json(of_model / "mean-colour.json", MEAN_COLOUR)
        if model != "lsp":
            continue
        generator = np.random.default_rng(10)
        mirrored = mirror_poses(train.poses, train.widths, skeleton)
        for frame, truth in (("images", train.poses), ("mirrored", mirrored)):
            predicted = truth + generator.normal(0, ERROR, truth.shape)
            write_poses(of_model / f"train-predictions-stage1-{frame}.parquet", predicted)
        for name, of in (("lsp", test.poses), ("held-out", train.poses[train.rows("held-out")])):
            for predictor in ("mean", "stage1", "stage2"):
                path = of_model / "test-predictions" / f"{name}-{predictor}.parquet"
                write_poses(path, of + generator.normal(0, ERROR, of.shape))
        seen = viewpoints("lsp", test.poses, skeleton, None, np.arange(size) % 2 == 0)
        seen.to_parquet(of_model / "test-viewpoints.parquet", index=False)
        for stage in (1, 2):
            write_weights(folder, of_model / f"stage{stage}.safetensors", stage)


def make_half(folder: Path, model: str, size: int, seed: int, held_out: int) -> Examples:
    skeleton = SKELETONS[MODELS[model]]
    poses = random_poses(size, skeleton, seed)
    labelled = np.ones(poses.shape[:2], dtype=bool)
    some = list(smooth_pictures(PICTURES))
    images = min(-(-size // EXAMPLES_A_FRAME), MOST_IMAGES)
    places = write_images(folder / "images.rgb", (some[number % len(some)] for number in range(images)))
    image = np.arange(size) % len(places)
    part = "test" if folder.name == "test" else "train"
    table = pd.DataFrame(
        {
            "set": model,
            "part": np.where(np.arange(size) < held_out, "held-out", part).astype(object),
            "index": np.arange(size, dtype=np.int32),
            "file": [f"images/im{number:08d}.jpg" for number in image],
            "digest": [f"{number:064x}" for number in image],
            "offset": np.array([place.offset for place in places])[image],
            "width": np.int32(WIDTH),
            "height": np.int32(HEIGHT),
            "diameter": diameter(poses, labelled, skeleton),
        }
    )
    table[TORSO_COLUMNS] = [WIDTH / 2, HEIGHT / 2, WIDTH / 3, HEIGHT / 3]
    boxes = pd.DataFrame(np.tile(image_box(WIDTH, HEIGHT), (size, 1)), columns=BOX_COLUMNS)
    examples = Examples(table, poses, labelled)
    write_examples(examples, folder / "examples.parquet", folder / "joints.parquet")
    boxes.to_parquet(folder.with_name(f"{folder.name}-initial-boxes.parquet"), index=False)
    faces = pd.DataFrame({"offset": [place.offset for place in places]})
    faces[FACE_COLUMNS] = [WIDTH / 2, HEIGHT / 4, WIDTH / 10, HEIGHT / 10]
    faces["score"] = 0.9
    faces.to_parquet(folder.with_name(f"{folder.name}-faces.parquet"), index=False)
    return examples.with_boxes(boxes)


def write_small_params(folder: Path) -> None:
    """Params with small networks, a few steps, and no set beside LSP and FLIC."""
    params: dict[str, Any] = read_values(ROOT / "params.yaml")
    profile = params["profiles"][PROFILE]
    params |= {"profile": PROFILE, "cascade_stages": 2, "workers": 0}
    for name, model in params["model"].items():
        model |= {"train": [name], "test": [name], "held_out": 1}
    profile["trusted"] = None
    profile["network"] |= {"input": 60, "width": 0.05}
    profile["training"] |= {"report_every": STEPS}
    profile["boxes_per_joint"] = 1
    for stage in ("stage1", "stage2", "stage3"):
        profile[stage]["steps"] = dict.fromkeys(params["model"], STEPS)
    folder.mkdir(parents=True, exist_ok=True)
    write_params(folder, params)
    for model in MODELS:
        manifest = folder / "data" / PROFILE / "manifests" / f"{model}.json"
        write_json(manifest, {"archives": {}, "left_out": {}, "peers": {}})


def write_weights(folder: Path, path: Path, stage: int) -> None:
    params = load_params(folder / "params.yaml")
    description = {
        "stage": stage,
        "skeleton": FULL_BODY.name,
        "sigma": 1.0,
        "smallest_box": 0.1,
        "network": network_sizes(params, PROFILE),
    }
    save_network(network_of(params, PROFILE, seed=stage), description, path)
