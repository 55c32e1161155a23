"""What `deeppose datasets check` says of one set: is it the published one, and what is odd in it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.progress import progress
from deeppose.data.archives.checksums import archive_sha256
from deeppose.data.archives.contents import check_contents, classify, unexpected_counts
from deeppose.data.archives.zips import is_turned, open_archive, read_image
from deeppose.data.findings import (
    arms_against_the_naming,
    count_findings,
    equal_images_in_train_and_test,
    image_digest,
)
from deeppose.data.pose_set import PoseSet
from deeppose.data.registry import entry_named, read_set, require_archive


def check_set(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """Check a real set's archive, decode all its images, and report; all values are fit for JSON.

    The labels reported on are the observer-centric ones, as training takes them by default.

    Raises
    ------
    MissingArchiveError
        If no folder has the archive.
    ArchiveError, AnnotationError, ImageError
        If its contents are wrong.
    """
    entry = entry_named(name)
    archive = require_archive(entry, folders)
    check_contents(entry, archive)
    digest = archive_sha256(archive)
    pose_set = read_set(name, folders, "oc")
    known = {"archive_sha256": digest, "packing": classify(entry, digest)}
    return _found(pose_set, known, {"unexpected_counts": unexpected_counts(entry, pose_set)})


def check_own(pose_set: PoseSet) -> dict[str, Any]:
    """Decode all images of a set of one's own, and report; all values are fit for JSON.

    Raises
    ------
    ArchiveError, ImageError
        If an image is missing or can't be decoded, or its labels are of another size.
    """
    several = sum(count > 1 for count in Counter(pose_set.members).values())
    boxes = pose_set.boxes
    without = len(pose_set.poses) if boxes is None else int(np.isnan(boxes).any(axis=1).sum())
    return _found(pose_set, {}, {"images_of_several": several, "examples_without_box": without})


def _found(pose_set: PoseSet, known: dict[str, Any], counted: dict[str, Any]) -> dict[str, Any]:
    sizes, digests = read_all_images(pose_set)
    pose_set.check_sizes(sizes)
    return {
        "dataset": pose_set.name,
        "archive": str(pose_set.archive),
        **known,
        "labels": pose_set.labels,
        "examples": len(pose_set.poses),
        "train": int(pose_set.train.sum()),
        "test": int((~pose_set.train).sum()),
        "images": len(set(pose_set.members)),
        "images_without_example": images_without_example(pose_set),
        **{f"images_with_exif_orientation_{_way(pose_set)}": count_turned(pose_set)},
        **counted,
        "smallest_width": int(sizes[:, 0].min()),
        "largest_width": int(sizes[:, 0].max()),
        **count_findings(pose_set, sizes),
        "arms_against_the_naming": arms_against_the_naming(pose_set),
        "exchanged": pose_set.exchanged,
        "equal_images_in_train_and_test": equal_images_in_train_and_test([pose_set], [digests]),
    }


def images_without_example(pose_set: PoseSet) -> int:
    """How many JPEG files lie in the archive beside those of the set's examples, in the same folders."""
    folders = {PurePosixPath(member).parent for member in pose_set.members}
    with open_archive(pose_set.archive) as archive:
        names = set(archive.namelist()).difference(pose_set.members)
    images = [path for path in map(PurePosixPath, names) if path.suffix.lower() == ".jpg"]
    return sum(path.parent in folders for path in images)


def _way(pose_set: PoseSet) -> str:
    return "turned_upright" if pose_set.upright else "taken_as_stored"


def count_turned(pose_set: PoseSet) -> int:
    """How many images a camera noted of that they lie otherwise than they are stored."""
    with open_archive(pose_set.archive) as archive:
        return sum(is_turned(archive, member) for member in dict.fromkeys(pose_set.members))


def read_all_images(pose_set: PoseSet) -> tuple[NDArray[np.int64], list[str]]:
    """Decode every image once: width and height of each example's image, `(n, 2)`, and its digest.

    Raises
    ------
    ArchiveError, ImageError
        If an image is missing, damaged or can't be decoded.
    """
    facts: dict[str, tuple[int, int, str]] = {}
    with open_archive(pose_set.archive) as archive:
        for member in progress(dict.fromkeys(pose_set.members), pose_set.name, unit="image"):
            image = read_image(archive, member, upright=pose_set.upright)
            facts[member] = (image.shape[1], image.shape[0], image_digest(image))
    sizes = np.array([facts[member][:2] for member in pose_set.members], dtype=np.int64)
    return sizes, [facts[member][2] for member in pose_set.members]
