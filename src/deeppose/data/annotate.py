"""From data sets to the examples of a model: images in one file, poses, parts, and what was found."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError
from deeppose.core.examples import (
    ANNOTATED_COLUMNS,
    TORSO_COLUMNS,
    Examples,
    Indices,
    choose_held_out,
    write_examples,
)
from deeppose.core.files import atomic_path, write_json, write_parquet
from deeppose.core.geometry import Bools, diameter
from deeppose.core.images import Pixels, write_images
from deeppose.core.paths import Half, Item
from deeppose.core.progress import progress
from deeppose.core.skeleton import Skeleton
from deeppose.core.viewpoint import viewpoints
from deeppose.data.archives.zips import open_archive, read_image
from deeppose.data.findings import count_findings, equal_images_in_train_and_test, image_digest
from deeppose.data.manifest import check_archives
from deeppose.data.own_sets import read_noted
from deeppose.data.pose_set import PoseSet
from deeppose.data.registry import read_set


@dataclass(frozen=True)
class Annotated:
    """Examples ready to train on and to test on, and a report for readers.

    Attributes
    ----------
    train
        Of the parts "train" and "held-out".
    test
        Of the part "test".
    mean_colour
        Of the images of the part "train", RGB, 0..255.
    viewpoints
        How the people of the test part are seen, from :func:`deeppose.core.viewpoint.viewpoints`.
    """

    train: Examples
    test: Examples
    mean_colour: tuple[float, float, float]
    viewpoints: pd.DataFrame
    report: dict[str, Any]


def annotate_model(item: Item) -> None:
    """Read the sets of a model whose archives were noted, and write its images, examples and findings.

    Raises
    ------
    AnnotationError, ImageError
        See :func:`annotate`.
    ArchiveError, MissingArchiveError
        If an archive is no longer the one that was noted.
    """
    model, tests = item.model, [name for name in item.model.test if name not in item.left_out]
    check_archives(item)
    folders, own = item.archive_folders(), item.read_manifest().get("datasets", {})
    sets = {
        name: read_noted(name, own[name]) if name in own else read_set(name, folders, model.labels)
        for name in dict.fromkeys((*model.train, *tests))
    }
    with atomic_path(item.train.folder) as train_folder, atomic_path(item.test.folder) as test_folder:
        train, test = Half(train_folder, item.skeleton), Half(test_folder, item.skeleton)
        annotated = annotate(
            [sets[name] for name in model.train],
            [sets[name] for name in tests],
            item.skeleton,
            train.images,
            test.images,
            held_out=model.held_out,
            trusted=item.trusted,
            seed=item.params.seed,
        )
        write_examples(annotated.train, *train.example_tables)
        write_examples(annotated.test, *test.example_tables)
        # One's own is no code that stages depend on: they run again where these files change.
        if not isinstance(described := item.skeleton.described, str):
            write_json(train_folder / "skeleton.json", described)
            write_json(test_folder / "skeleton.json", described)
    write_parquet(item.viewpoints, annotated.viewpoints)
    write_json(item.mean_colour, annotated.mean_colour)
    write_json(item.annotations_report, annotated.report)


def annotate(
    train_sets: Sequence[PoseSet],
    test_sets: Sequence[PoseSet],
    skeleton: Skeleton,
    train_images: Path,
    test_images: Path,
    *,
    held_out: int,
    trusted: Sequence[str],
    seed: int,
) -> Annotated:
    """Decode each image once, training images into one file and test images into another; table the examples.

    Parameters
    ----------
    train_sets, test_sets
        The training parts of the ones and the test parts of the others are taken.
    skeleton
        The model's: poses get its joints, by name. Diameters stay those of each set's own skeleton.
    held_out
        How many training images judge the hyper-parameters; fixed by the seed.
    trusted
        The training sets that those images are of.

    Raises
    ------
    AnnotationError
        If there are too few training examples, a joint is labelled in none of them, or a set has no part of
        the kind it is named for.
    ImageError
        Naming the image that can't be decoded.
    """
    trained: list[Part] = [(s, s.train) for s in train_sets]
    tested: list[Part] = [(s, ~s.train) for s in test_sets]
    for purpose, parts in (("train", trained), ("test", tested)):
        for pose_set, chosen in parts:
            if not chosen.any():
                raise AnnotationError(f"{pose_set.name} has no examples to {purpose}")
    train_table, mean_colour = _pack(trained, train_images)
    test_table, _ = _pack(tested, test_images)
    candidates = train_table["set"].isin(trusted).to_numpy()
    chosen_out = choose_held_out(train_table["offset"].to_numpy(), candidates, held_out, seed)
    if chosen_out[candidates].all():
        raise AnnotationError(
            f"{held_out} held-out images leave nothing of {candidates.sum()} training examples of "
            f"{', '.join(trusted)}"
        )
    train = _examples(trained, train_table, np.where(chosen_out, "held-out", "train"), skeleton)
    test = _examples(tested, test_table, np.full(len(test_table), "test"), skeleton)
    seen = train.labelled[~chosen_out].sum(axis=0)
    never = [name for name, count in zip(skeleton.joints, seen, strict=True) if count == 0]
    if never:
        raise AnnotationError(
            f"no training example labels {', '.join(never)}: the model can't learn such a joint; "
            f"train on a set that has it, or take a skeleton without it"
        )
    tables = [train.table[train.table["set"] == pose_set.name] for pose_set, _ in trained]
    tables += [test.table[test.table["set"] == pose_set.name] for pose_set, _ in tested]
    report = _report([*trained, *tested], tables) | {"held_out": int(chosen_out.sum())}
    return Annotated(train, test, mean_colour(~chosen_out), _seen(tested, skeleton), report)


Part = tuple[PoseSet, NDArray[np.bool_]]
Stored = tuple[Path, str, bool]
"""An image: its archive, its member there, and whether it is turned upright."""
Colours = Callable[[Bools], tuple[float, float, float]]


def _pack(parts: Sequence[Part], images_path: Path) -> tuple[pd.DataFrame, Colours]:
    """Write the images of all parts, each once however many examples it shows, and table the examples.

    Beside the table, one row an example in the order of the parts, what gives the chosen ones' mean colour.
    """
    rows = [(pose_set, row) for pose_set, chosen in parts for row in np.flatnonzero(chosen)]
    numbers: dict[Stored, int] = {}
    image = [numbers.setdefault((s.archive, s.members[row], s.upright), len(numbers)) for s, row in rows]
    digests: list[str] = []
    colours = np.zeros((len(numbers), 3), dtype=np.int64)

    def noted() -> Iterator[Pixels]:
        decoded = progress(_decoded(list(numbers)), "decoding", len(numbers), unit="image")
        for number, (pixels, digest, total) in enumerate(decoded):
            digests.append(digest)
            colours[number] = total
            yield pixels

    places = np.array(write_images(images_path, noted()), dtype=np.int64).reshape(-1, 3)
    of_image = np.array(image, dtype=np.int64)
    offset, width, height = places[of_image].T
    table = pd.DataFrame(
        {
            "set": [pose_set.name for pose_set, _ in rows],
            "index": np.concatenate([np.zeros(0), *(np.arange(c.sum()) for _, c in parts)]).astype(np.int32),
            "file": [pose_set.members[row] for pose_set, row in rows],
            "digest": [digests[number] for number in image],
            "offset": offset,
            "width": width.astype(np.int32),
            "height": height.astype(np.int32),
        }
    )
    first = 0
    for pose_set, chosen in parts:
        last = first + int(chosen.sum())
        pose_set.taking(np.flatnonzero(chosen)).check_sizes(places[of_image[first:last], 1:])
        first = last
    diameters = [diameter(s.poses[chosen], s.labelled[chosen], s.skeleton) for s, chosen in parts]
    torsos = [
        np.full((chosen.sum(), 4), np.nan) if s.torso_boxes is None else s.torso_boxes[chosen]
        for s, chosen in parts
    ]
    table["diameter"] = np.concatenate([np.zeros(0), *diameters])
    table[TORSO_COLUMNS] = np.concatenate([np.zeros((0, 4)), *torsos])
    if any(pose_set.boxes is not None for pose_set, _ in parts):
        annotated = [
            np.full((chosen.sum(), 4), np.nan) if s.boxes is None else s.boxes[chosen] for s, chosen in parts
        ]
        table[ANNOTATED_COLUMNS] = np.concatenate(annotated)

    def mean_colour(chosen: Bools) -> tuple[float, float, float]:
        shown = np.unique(of_image[chosen])
        mean = colours[shown].sum(axis=0) / places[shown, 1:].prod(axis=1).sum()
        red, green, blue = (round(float(value), 3) for value in mean)
        return red, green, blue

    return table, mean_colour


def _examples(
    parts: Sequence[Part], table: pd.DataFrame, part: NDArray[np.str_], skeleton: Skeleton
) -> Examples:
    ours = [(pose_set.on(skeleton), chosen) for pose_set, chosen in parts]
    joints = len(skeleton.joints)
    poses = np.concatenate([np.zeros((0, joints, 2)), *(s.poses[chosen] for s, chosen in ours)])
    labelled = np.concatenate([np.zeros((0, joints), bool), *(s.labelled[chosen] for s, chosen in ours)])
    table.insert(1, "part", part.astype(object))
    return Examples(table, np.where(labelled[..., None], poses, np.nan), labelled)


def _seen(tested: Sequence[Part], skeleton: Skeleton) -> pd.DataFrame:
    subsets = [pose_set.taking(np.flatnonzero(chosen)).on(skeleton) for pose_set, chosen in tested]
    return pd.concat(
        [
            viewpoints("", np.zeros((0, len(skeleton.joints), 2)), skeleton, None, None),
            *(viewpoints(s.name, s.poses, skeleton, s.occluded, s.from_behind) for s in subsets),
        ],
        ignore_index=True,
    )


CHUNK = 8
"""Images that a thread decodes at a time: one alone would cost as much again to hand out."""


def _decoded(images: Sequence[Stored]) -> Iterator[tuple[Pixels, str, Indices]]:
    """Images in order, each with its digest and, by channel, the sum over its pixels `(3,)`.

    All cores decode, just so far ahead that they have work and few are in memory.
    """
    archives = {path: open_archive(path) for path in dict.fromkeys(path for path, *_ in images)}
    cores = os.cpu_count() or 1

    def decode(chunk: Sequence[Stored]) -> list[tuple[Pixels, str, Indices]]:
        found = []
        for path, member, upright in chunk:
            pixels = read_image(archives[path], member, upright=upright)
            # numpy's own sum takes longer than decoding; these are whole numbers too.
            total = np.array(cv2.sumElems(pixels)[:3], dtype=np.int64)
            found.append((pixels, image_digest(pixels), total))
        return found

    waiting: deque[Future[list[tuple[Pixels, str, Indices]]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for first in range(0, len(images), CHUNK):
            waiting.append(pool.submit(decode, images[first : first + CHUNK]))
            if len(waiting) > cores + 1:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    for archive in archives.values():
        archive.close()


def _report(parts: Sequence[Part], tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    subsets = []
    for (pose_set, chosen), table in zip(parts, tables, strict=True):
        subset = pose_set.taking(np.flatnonzero(chosen))
        subsets.append(subset)
        report.setdefault(pose_set.name, {"labels": pose_set.labels, "exchanged": pose_set.exchanged})
        found = count_findings(subset, table[["width", "height"]].to_numpy())
        counted = {what: count for what, count in found.items() if count is not None}
        part = "train" if chosen is pose_set.train else "test"
        report[pose_set.name][part] = {"examples": len(table), **counted}
    equal = equal_images_in_train_and_test(subsets, [list(table["digest"]) for table in tables])
    return {
        "sets": report,
        "equal_images_in_train_and_test": len(equal),
        "equal_images": equal,
    }
