"""From data sets to the examples of a model: images in one file, poses, parts, and what was found."""

from collections.abc import Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from deeppose.datasets.findings import (
    equal_images_in_train_and_test,
    examples_without_labels,
    image_digest,
    joints_outside_image,
    poses_without_diameter,
    torso_boxes_outside_image,
    unlabelled_joints,
)
from deeppose.datasets.poseset import PoseSet
from deeppose.datasets.zips import open_archive, read_image
from deeppose.errors import AnnotationError
from deeppose.examples import TORSO_COLUMNS, Examples, choose_held_out
from deeppose.geometry import diameter
from deeppose.images import Pixels, write_images
from deeppose.skeleton import Skeleton


@dataclass(frozen=True)
class Annotated:
    """Examples ready to train on, the mean colour of their training images, and a report for readers."""

    examples: Examples
    mean_colour: tuple[float, float, float]
    report: dict[str, Any]


def annotate(
    train_sets: Sequence[PoseSet],
    test_sets: Sequence[PoseSet],
    skeleton: Skeleton,
    images_path: Path,
    *,
    held_out: int,
    seed: int,
) -> Annotated:
    """Decode each image once into `images_path`, and table the examples: training rows first, then test rows.

    Parameters
    ----------
    train_sets, test_sets
        The training parts of the ones and the test parts of the others are taken.
    skeleton
        The model's: poses get its joints, by name. Diameters stay those of each set's own skeleton.
    held_out
        How many training images judge the hyper-parameters; fixed by the seed.

    Raises
    ------
    AnnotationError
        If there are too few training examples, a joint is labelled in none of them, or a set has no part of
        the kind it is named for.
    ImageError
        Naming the image that can't be decoded.
    """
    parts = [(s, s.train) for s in train_sets] + [(s, ~s.train) for s in test_sets]
    for pose_set, chosen in parts:
        if not chosen.any():
            raise AnnotationError(
                f"{pose_set.name} has no examples to {'train' if chosen is pose_set.train else 'test'}"
            )
    images = _number_images(parts)
    shown = [images[s.archive, s.members[row]] for s, chosen in parts for row in np.flatnonzero(chosen)]
    trained = int(sum(s.train.sum() for s in train_sets))
    part = np.full(len(shown), "test", dtype=object)
    chosen_out = choose_held_out(np.array(shown[:trained]), held_out, seed)
    part[:trained] = np.where(chosen_out, "held-out", "train")
    if chosen_out.all():
        raise AnnotationError(f"{held_out} held-out images leave nothing of {trained} training examples")
    coloured = {image for image, which in zip(shown, part, strict=True) if which == "train"}
    tables, digests, mean_colour = _pack(parts, images, coloured, images_path)
    table = pd.concat(tables, ignore_index=True)
    table.insert(1, "part", part)
    ours = [(s.on(skeleton), chosen) for s, chosen in parts]
    poses = np.concatenate([s.poses[chosen] for s, chosen in ours])
    labelled = np.concatenate([s.labelled[chosen] for s, chosen in ours])
    never = ~labelled[part == "train"].any(axis=0)
    if never.any():
        names = [name for name, absent in zip(skeleton.joints, never, strict=True) if absent]
        raise AnnotationError(
            f"no training example labels {', '.join(names)}: the model can't learn such a joint; "
            f"train on a set that has it, or take a skeleton without it"
        )
    examples = Examples(table, np.where(labelled[..., None], poses, np.nan), labelled)
    return Annotated(examples, mean_colour, _report(parts, tables, digests, examples))


Part = tuple[PoseSet, NDArray[np.bool_]]
ImageNumbers = dict[tuple[Path, str], int]  # by archive and member


def _number_images(parts: Sequence[Part]) -> ImageNumbers:
    """The images of all parts in order, each once however many examples it shows."""
    numbers: ImageNumbers = {}
    for pose_set, chosen in parts:
        for row in np.flatnonzero(chosen):
            numbers.setdefault((pose_set.archive, pose_set.members[row]), len(numbers))
    return numbers


def _pack(
    parts: Sequence[Part], unique: ImageNumbers, coloured: Container[int], images_path: Path
) -> tuple[list[pd.DataFrame], list[list[str]], tuple[float, float, float]]:
    """Write the images; give a table and the digests a part, and the mean colour of the `coloured` ones."""
    digests: list[str] = []
    colour, pixels = np.zeros(3), 0

    def noted() -> Iterator[Pixels]:
        nonlocal colour, pixels
        for number, (image, digest) in enumerate(_decoded(list(unique))):
            digests.append(digest)
            if number in coloured:
                colour += image.sum(axis=(0, 1), dtype=np.int64)
                pixels += image.shape[0] * image.shape[1]
            yield image

    places = write_images(images_path, noted())
    tables, part_digests = [], []
    for pose_set, chosen in parts:
        rows = np.flatnonzero(chosen)
        images = [unique[pose_set.archive, pose_set.members[row]] for row in rows]
        table = pd.DataFrame(
            {
                "set": pose_set.name,
                "index": np.arange(len(rows), dtype=np.int32),
                "file": [pose_set.members[row] for row in rows],
                "digest": [digests[i] for i in images],
                "offset": np.array([places[i].offset for i in images], dtype=np.int64),
                "width": np.array([places[i].width for i in images], dtype=np.int32),
                "height": np.array([places[i].height for i in images], dtype=np.int32),
            }
        )
        table["diameter"] = diameter(pose_set.poses[rows], pose_set.labelled[rows], pose_set.skeleton)
        torsos = pose_set.torso_boxes
        table[TORSO_COLUMNS] = np.full((len(rows), 4), np.nan) if torsos is None else torsos[rows]
        tables.append(table)
        part_digests.append([digests[i] for i in images])
    red, green, blue = (round(float(value), 3) for value in colour / max(pixels, 1))
    return tables, part_digests, (red, green, blue)


CHUNK = 64


def _decoded(images: Sequence[tuple[Path, str]]) -> Iterator[tuple[Pixels, str]]:
    """Images with their digests, in order; all cores decode, a chunk at a time so that few are in memory."""
    archives = {path: open_archive(path) for path in dict.fromkeys(path for path, _ in images)}

    def decode(named: tuple[Path, str]) -> tuple[Pixels, str]:
        image = read_image(archives[named[0]], named[1])
        return image, image_digest(image)

    with (
        ThreadPoolExecutor() as pool,
        tqdm(total=len(images), desc="decoding", unit="image", disable=None) as bar,
    ):
        for first in range(0, len(images), CHUNK):
            chunk = images[first : first + CHUNK]
            yield from pool.map(decode, chunk)
            bar.update(len(chunk))
    for archive in archives.values():
        archive.close()


def _report(
    parts: Sequence[Part], tables: Sequence[pd.DataFrame], digests: Sequence[list[str]], examples: Examples
) -> dict[str, Any]:
    report: dict[str, Any] = {}
    subsets = []
    for (pose_set, chosen), table in zip(parts, tables, strict=True):
        rows = np.flatnonzero(chosen)
        subset = pose_set.taking(rows)
        subsets.append(subset)
        report.setdefault(pose_set.name, {"labels": pose_set.labels, "exchanged": pose_set.exchanged})
        sizes = table[["width", "height"]].to_numpy()
        found = {
            "examples": len(rows),
            "examples_without_labels": examples_without_labels(subset),
            "unlabelled_joints": unlabelled_joints(subset),
            "joints_outside_image": joints_outside_image(subset, sizes),
            "poses_without_diameter": poses_without_diameter(subset),
        }
        outside = torso_boxes_outside_image(subset, sizes)
        if outside is not None:
            found["torso_boxes_outside_image"] = outside
        report[pose_set.name]["train" if chosen is pose_set.train else "test"] = found
    equal = equal_images_in_train_and_test(subsets, digests)
    return {
        "sets": report,
        "held_out": int((examples.table["part"] == "held-out").sum()),
        "equal_images_in_train_and_test": len(equal),
        "equal_images": [{"train": list(e.train), "test": list(e.test)} for e in equal],
    }
