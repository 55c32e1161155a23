"""Prediction: the whole cascade on pictures of LSP's size, in a batch and one image alone, and the shell.

The cascade is measured with the paper's network and random weights, and with the published weights of `cpu`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from bench_network import LIMIT, Products, products_of, profile_rows
from bench_setup import PROFILE, network_of, random_examples, random_pictures
from benching import Row, Section, in_turn, timed
from skimage.data import astronaut

from deeppose.cascade.prediction import Predictor, predict_stage
from deeppose.cli.weights import weights_of
from deeppose.core.examples import Examples
from deeppose.core.geometry import image_box
from deeppose.core.images import Pixels
from deeppose.core.params import CASCADE_STAGES_IN_DVC_YAML, Params
from deeppose.core.published import PUBLISHED
from deeppose.core.skeleton import FULL_BODY
from deeppose.deploy.people import find_people, poses_in
from deeppose.deploy.photo import read_photo
from deeppose.deploy.pose import load_cascade
from deeppose.networks.fused import merged
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import load_network

Stages = Sequence[tuple[Regressor, dict[str, Any]]]

PAPERS_CORES, PAPERS_SECONDS = 12, 0.1
"""What the paper says of an image (§3.3)."""
CPU_BATCH, LARGE_BATCH = 32, 256
"""Crops: what suits a CPU's caches and the memory that a process keeps, and what suits a GPU."""
PHOTO = Path("docs/astronaut.jpg")
OURS, ALONE = "a batch, s an image", "one image alone, s"
FOUND = "a photo of a megapixel, its people found, s"
LARGE = f"a batch, in larger ones of {LARGE_BATCH} crops, s an image"
LIMIT_ALONE = f"{LIMIT}, one image"


def papers_section(params: Params, images: int, rounds: int) -> Section:
    """Three stages of the paper's network, against the products of their forward passes."""
    profile = params.profiles[PROFILE]
    network = network_of(params)
    ready = merged(network.eval(), torch.device("cpu"))
    sizes = {
        "skeleton": FULL_BODY.name,
        "sigma": params.model["lsp"].sigma,
        "smallest_box": profile.smallest_box,
    }
    stages = [(ready, {"stage": s, **sizes}) for s in range(1, CASCADE_STAGES_IN_DVC_YAML + 1)]
    each = {count: (random_pictures(count), random_examples(count)) for count in (images, 1)}
    cores: dict[int, list[float]] = {images: [], 1: []}

    def whole(count: int, batch: int) -> None:
        predict(stages, Predictor(batch, 0, torch.device("cpu")), *each[count])

    def ours(count: int) -> None:
        before = time.process_time()
        whole(count, CPU_BATCH)
        cores[count].append((time.process_time() - before) / count)

    works = {
        OURS: timed(partial(ours, images)),
        LARGE: timed(partial(whole, images, LARGE_BATCH)),
        LIMIT: passes(network, images, CPU_BATCH),
        ALONE: timed(partial(ours, 1)),
        LIMIT_ALONE: passes(network, 1, CPU_BATCH),
    }
    turns = in_turn(works, rounds)
    joints = len(FULL_BODY.joints)
    return Section(
        "The cascade of the paper's network",
        [
            Row(OURS, turns.median(OURS) / images, ".3f"),
            Row("times the limit from matrix products", turns.ratio(OURS, LIMIT), ".2f", None, 1.25),
            Row(LARGE, turns.median(LARGE) / images, ".3f"),
            Row("core-seconds an image", float(np.median(cores[images][1:]))),
            Row("core-seconds an image, the paper's", PAPERS_CORES * PAPERS_SECONDS),
            Row(ALONE, turns.median(ALONE), ".3f"),
            Row("times the limit, one image alone", turns.ratio(ALONE, LIMIT_ALONE), ".2f", None, 1.25),
        ],
        f"{1 + (len(stages) - 1) * joints} forward passes an image, random weights; {images} images of LSP's "
        f"size, their crops in batches of {CPU_BATCH}.",
    )


def passes(network: Regressor, images: int, most: int) -> Callable[[], float]:
    """What the products of the cascade's forward passes take: a pass an image, then one a joint, twice."""
    batches = [images] + (CASCADE_STAGES_IN_DVC_YAML - 1) * [images * len(FULL_BODY.joints)]
    whole = [min(most, crops - first) for crops in batches for first in range(0, crops, most)]
    products = {size: Products(products_of(network, size, backward=False)) for size in set(whole)}
    return lambda: sum(products[size].seconds() for size in whole)


def predict(stages: Stages, predictor: Predictor, images: Sequence[Pixels], examples: Examples) -> None:
    """The poses after the last stage, as the stage predict-test makes them."""
    pose, rows = None, np.arange(len(images))
    for network, description in stages:
        (pose, _), _ = predict_stage(network, description, predictor, images, examples, rows, pose)


def published_sections(params: Params, images: int, rounds: int) -> list[Section]:
    """The published weights: a batch, a photo from a file that isn't in memory, and where its time goes."""
    cascade = load_cascade(weights_of("lsp", PUBLISHED)[0])
    pictures, examples = random_pictures(images), random_examples(images)
    as_trained = [load_network(path) for path in weights_of("lsp", PUBLISHED)[0]]
    ready = [(merged(network, torch.device("cpu")), description) for network, description in as_trained]
    average = cascade.skeleton.mirrored if as_trained[0][1]["average_mirrored"] else None
    size = params.profiles[PUBLISHED].prediction_batch
    ways: dict[str, tuple[Stages, int, float | None]] = {
        f"batches of {size} crops, s an image": (ready, size, 0.1),
        f"batches of {size} crops, normalisations by themselves, s an image": (as_trained, size, None),
        f"in larger batches, of {LARGE_BATCH} crops, s an image": (ready, LARGE_BATCH, None),
    }
    works = {
        name: partial(predict, stages, Predictor(batch, 0, torch.device("cpu"), average), pictures, examples)
        for name, (stages, batch, _) in ways.items()
    }
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "photo.jpg"
        cv2.imwrite(str(file), pictures[0])
        height, width, _ = pictures[0].shape

        def from_file() -> None:
            poses_in(cascade, read_photo(file).pixels, image_box(width, height)[None])

        def cold() -> float:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                # The kernel drops it from its memory.
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return timed(from_file)()

        photo = cv2.resize(astronaut(), (1000, 1000))
        found = timed(partial(find_people, cascade, photo))
        alone = {ALONE: cold, FOUND: found}
        turns = in_turn({name: timed(work) for name, work in works.items()} | alone, rounds)
        profiled = profile_rows(from_file)
    rows = [Row(name, turns.median(name) / images, ".3f", None, most) for name, (_, _, most) in ways.items()]
    rows.append(Row("one image from a cold file, s", turns.median(ALONE), ".3f", None, 0.2))
    rows.append(Row(FOUND, turns.median(FOUND), ".3f", None, 1.0))
    note = (
        f"The published weights for LSP; {images} images of LSP's size in a batch, each crop and its "
        "mirrored copy; the model is loaded."
    )
    return [
        Section("The cascade of `cpu`", rows, note),
        Section("Where the time of one image goes", profiled, "As above, by torch's profiler."),
    ]


def shell_section(rounds: int) -> Section:
    """`deeppose` as a user calls it, and what its imports cost, each in a new process."""
    command = shutil.which("deeppose", path=str(Path(sys.executable).parent))
    if command is None:
        sys.exit("the command deeppose is not installed beside this Python: `make env` installs it")
    with tempfile.TemporaryDirectory() as name:
        picture = str(Path(name) / "pose.png")
        predict = ["predict", str(PHOTO), "-o", picture, "--profile", PUBLISHED]
        imports = {
            "import torch": "import torch",
            "import deeppose.deploy.photo, with torch": "import deeppose.deploy.photo",
            "import deeppose.report.figures.poses, with matplotlib": "import deeppose.report.figures.poses",
            "Python alone": "pass",
        }
        commands = {
            f"deeppose predict {PHOTO}": [command, *predict],
            "deeppose --help": [command, "--help"],
            **{what: [sys.executable, "-c", code] for what, code in imports.items()},
        }
        turns = in_turn({what: timed(partial(quiet, args)) for what, args in commands.items()}, rounds)
    rows = [Row(f"`{what}`, s", turns.median(what)) for what in turns.seconds]
    return Section("From the shell, start to end", rows)


def quiet(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
