"""What comes before the network: the augmented set, the loader of training batches, packed images."""

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from bench_network import CPU
from bench_setup import (
    HEIGHT,
    MEAN_COLOUR,
    PROFILE,
    WIDTH,
    Runner,
    encoded,
    feed,
    network_of,
    random_examples,
    random_pictures,
    smooth_pictures,
    whole_bodies,
    write_archive,
)
from benching import Row, Section, in_turn, measured, own_memory, peak_of, timed

from deeppose.cascade.batches import JointBoxes, Table
from deeppose.cascade.train_stage import read_by_column
from deeppose.core.examples import Examples
from deeppose.core.images import Images, write_images
from deeppose.core.params import Params
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.annotate import annotate
from deeppose.data.pose_set import PoseSet
from deeppose.displacements.augmented_set import simulated_boxes, write_augmented_set

LSP_EXAMPLES = 11_000
"""Training examples of LSP and LSP extended."""
PICTURES = 2000
"""Images behind them: several examples share one, where the disk is short."""
BATCHES = 20
MOST = 0.05
"""Share of a training step that feeding may take."""
AUGMENTED_SET = "augmented-set.parquet"
LSP_AND_EXTENDED = 12_000
ON_ONE_BATCH, FED = "a step on one batch", "a step with the loader"
FIRST, LATER = "stage 1's loader", "a later stage's loader"
PACKING, DECODING = "packing", "decoding alone"


def feeding_sections(params: Params, rounds: int) -> list[Section]:
    """The augmented set of LSP, and batches by it and by whole bodies, beside the paper's step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = partial(alone, build_augmented_set, params, folder, random_examples(LSP_EXAMPLES))
        built = [measured(build) for _ in range(rounds)]
        seconds, memory = (float(np.median(values)) for values in zip(*built, strict=True))
        rows = len(pd.read_parquet(folder / AUGMENTED_SET, columns=["joint"]))
        boxes = params.profiles[PROFILE].boxes_per_joint
        augmented = Section(
            "The augmented set",
            [
                Row("rows", rows, ",.0f"),
                Row("seconds", seconds, ".1f", at_most=15),
                Row("GB at its peak, the whole process", memory / 1e9, at_most=1.5),
            ],
            f"{LSP_EXAMPLES:,} poses, all joints labelled, with {boxes} boxes a joint, and their mirrored "
            "copies.",
        )
        write_images(folder / "images", random_pictures(PICTURES))
        return [augmented, loader_section(params, folder, rounds)]


def loader_section(params: Params, folder: Path, rounds: int) -> Section:
    """Steps on one fixed batch against steps with the real loader, and the loader by itself."""
    first, later = (feed(table(params, folder), params) for table in TABLES.values())
    runner = Runner(params, CPU, network_of(params))
    fixed = next(first)
    works = {
        ON_ONE_BATCH: timed(lambda: runner.train(fixed)),
        FED: timed(lambda: runner.train(next(first))),
        FIRST: timed(lambda: next(first)),
        LATER: timed(lambda: next(later)),
    }
    turns = in_turn(works, rounds)
    held = {name: alone(loader_memory, params, folder, name) for name in TABLES}
    shares = {name: turns.ratio(name, ON_ONE_BATCH) for name in TABLES}
    return Section(
        "Feeding the paper's network",
        [
            *(Row(f"{name}, s", turns.median(name), ".3f") for name in turns.seconds),
            Row("with the loader, more by", turns.ratio(FED, ON_ONE_BATCH) - 1, ".1%", None, MOST),
            *(Row(f"{name}, share of the step", share, ".1%", None, MOST) for name, share in shares.items()),
            *(Row(f"GB that {name} holds", held_there / 1e9) for name, held_there in held.items()),
        ],
        f"Batches of {len(fixed.crops)} crops, cut by the training process itself, as on a CPU. Images are "
        "decoded once, when they are packed; the loader reads them from a mapped file, whose pages are not "
        "counted as memory. A later stage's table is the augmented set above.",
    )


def whole_body_table(params: Params, folder: Path) -> Table:
    return whole_bodies(params, images_of(folder), random_examples(LSP_EXAMPLES))


def joint_box_table(params: Params, folder: Path) -> Table:
    boxes, examples = read_by_column(folder / AUGMENTED_SET), random_examples(LSP_EXAMPLES)
    size = params.profiles[PROFILE].network.input
    return JointBoxes(images_of(folder), boxes, examples, FULL_BODY, size, MEAN_COLOUR, (0, 2))


TABLES: dict[str, Callable[[Params, Path], Table]] = {FIRST: whole_body_table, LATER: joint_box_table}


def images_of(folder: Path) -> Images:
    places = pd.DataFrame({"offset": np.arange(LSP_EXAMPLES) % PICTURES * (HEIGHT * WIDTH * 3)})
    return Images(folder / "images", places.assign(width=WIDTH, height=HEIGHT))


def build_augmented_set(params: Params, folder: Path, examples: Examples) -> None:
    joints = len(FULL_BODY.joints)
    normals = pd.DataFrame({"joint": np.arange(joints), "mean_x": 0.0, "mean_y": 0.0})
    normals[["var_x", "var_y", "cov_xy"]] = [25.0, 25.0, 0.0]
    profile = params.profiles[PROFILE]
    boxes = simulated_boxes(
        examples,
        np.arange(len(examples.table)),
        normals,
        FULL_BODY,
        sigma=2.0,
        smallest_share=profile.smallest_box,
        boxes_per_joint=profile.boxes_per_joint,
        units="pixels",
        seed=(0,),
    )
    write_augmented_set(folder / AUGMENTED_SET, boxes)


def loader_memory(params: Params, folder: Path, name: str) -> float:
    """Bytes that this process holds for a loader, beyond what it held before, while batches are cut."""
    before = own_memory()
    with peak_of(own_memory) as peak:
        batch = feed(TABLES[name](params, folder), params)
        for _ in range(BATCHES):
            next(batch)
    return peak[0] - before


def alone(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it gives
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def packing_section(images: int, rounds: int) -> Section:
    """Packing of JPEG files of LSP's size against decoding the same files in as many threads."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = encoded(smooth_pictures(images))
        pose_set = write_archive(folder / "lsp_dataset.zip", files)
        works = {PACKING: partial(pack, pose_set, folder), DECODING: partial(decode_all, files)}
        turns = in_turn({name: timed(work) for name, work in works.items()}, rounds)
    packed = images / turns.median(PACKING)
    return Section(
        "Packing images",
        [
            Row("packed, images/s", packed, ",.0f"),
            Row("decoded alone, images/s", images / turns.median(DECODING), ",.0f"),
            Row("decoding's share of packing", turns.ratio(DECODING, PACKING), ".0%"),
            Row(f"LSP and LSP extended, {LSP_AND_EXTENDED:,} images, s", LSP_AND_EXTENDED / packed, ".0f"),
        ],
        f"{images:,} synthetic JPEG files, {WIDTH}×{HEIGHT} pixels, {len(files[0]) / 1000:.0f} kB each, in a "
        "zip archive. Packing reads them from there, decodes them, takes their digests and colours, writes "
        "them into one file and tables the examples.",
    )


def pack(pose_set: PoseSet, folder: Path) -> None:
    """What the stage annotate-normalize does with the images of a set."""
    halves = (folder / half for half in ("train", "test"))
    annotate([pose_set], [pose_set], FULL_BODY, *halves, held_out=1, trusted=["lsp"], seed=0)


def decode_all(files: Sequence[bytes]) -> None:
    cores = os.cpu_count() or 1

    def decode(share: Sequence[bytes]) -> None:
        for data in share:
            cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(decode, [files[core::cores] for core in range(cores)]))
