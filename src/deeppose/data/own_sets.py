"""Data sets of one's own, as a profile's `datasets` describe them: labels in one of FORMATS, and images."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import AnnotationError, ArchiveError, MissingArchiveError
from deeppose.core.files import sha256
from deeppose.core.geometry import Floats
from deeppose.core.params import Dataset
from deeppose.core.skeleton import Skeleton, skeleton_from
from deeppose.data.archives.zips import member_sha256, open_archive
from deeppose.data.pose_set import AS_LABELLED, PoseSet
from deeppose.data.readers.coco import read_coco
from deeppose.data.readers.labelled import Labelled
from deeppose.data.readers.tables import read_deeplabcut, read_table

FORMATS: dict[str, Callable[[Path, Sequence[str]], list[Labelled]]] = {
    "coco": read_coco,
    "table": read_table,
    "deeplabcut": read_deeplabcut,
}


def read_own(name: str, dataset: Dataset, skeleton: Skeleton) -> PoseSet:
    """Read a set of one's own; left and right are taken as they are labelled.

    Images are taken upright, as their EXIF orientation says and as `deeppose predict` takes photos.

    Raises
    ------
    MissingArchiveError
        If a file of labels or the images are not there.
    AnnotationError
        If labels can't be right, see the readers; an image is in both parts, or in none that is labelled.
    ArchiveError
        If an image is not there.
    """
    read = FORMATS[dataset.format]

    def examples(pattern: str) -> list[Labelled]:
        return [example for file in label_files(pattern) for example in read(file, skeleton.joints)]

    found = examples(dataset.annotations)
    if not found:
        raise AnnotationError(f"{dataset.annotations} labels no joint of the skeleton {skeleton.name}")
    train = np.ones(len(found), dtype=bool)
    if isinstance(dataset.test, str):
        more = examples(dataset.test)
        if both := {example.image for example in found} & {example.image for example in more}:
            raise AnnotationError(f"{min(both)} is both in {dataset.annotations} and in {dataset.test}")
        found, train = [*found, *more], np.concatenate([train, np.zeros(len(more), dtype=bool)])
    elif dataset.test is None:
        train = np.array([example.part != "test" for example in found])
    elif any(example.part for example in found):
        raise AnnotationError(
            f"{dataset.annotations} says which images test: datasets.{name}.test must be null"
        )
    else:
        tests = _drawn({example.image for example in found}, dataset.test)
        train = np.array([example.image not in tests for example in found])
    images = Path(dataset.images)
    if not images.exists():
        raise MissingArchiveError(f"{images}, the images of {name}, is not there")
    with open_archive(images) as archive:
        missing = sorted({example.image for example in found}.difference(archive.namelist()))
    if missing:
        raise ArchiveError(
            f"{images} lacks {len(missing)} images that {dataset.annotations} names, {missing[0]} for one: "
            f"datasets.{name}.images must be the folder that those names start in"
        )
    nowhere, joints = (np.nan, np.nan), skeleton.joints
    boxed = any(example.box for example in found)
    poses = np.array([[example.points.get(joint, nowhere) for joint in joints] for example in found], float)
    return PoseSet(
        name=name,
        archive=images,
        members=tuple(example.image for example in found),
        poses=poses,
        labelled=np.array([[joint in example.points for joint in joints] for example in found]),
        train=train,
        skeleton=skeleton,
        labels=AS_LABELLED,
        torso_boxes=_torsos(poses, joints),
        occluded=np.array([[joint in example.hidden for joint in joints] for example in found])
        if dataset.format == "coco"
        else None,
        boxes=np.array([example.box or [np.nan] * 4 for example in found]) if boxed else None,
        sizes=np.array([example.size or (0, 0) for example in found], dtype=np.int64),
        upright=True,
    )


def _torsos(poses: Floats, joints: Sequence[str]) -> Floats | None:
    """The boxes around shoulders and hips, by which faces are told apart; NaN where one isn't labelled."""
    plain = [joint.lower().replace("_", " ") for joint in joints]
    corners = [f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "hip")]
    if not set(corners) <= set(plain):
        return None
    points = poses[:, [plain.index(joint) for joint in corners]]
    low, high = points.min(axis=1), points.max(axis=1)
    boxes = np.concatenate([(low + high) / 2, high - low], axis=1)
    boxes[~(boxes[:, 2:] > 0).all(axis=1)] = np.nan
    return boxes


def label_files(pattern: str) -> list[Path]:
    """The file of that name, or those that a pattern with a * in it names, sorted.

    Raises
    ------
    MissingArchiveError
        If there is none.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    try:
        files = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (IndexError, ValueError, OSError):  # no name that a file can have
        files = []
    files = [file for file in files if file.is_file()]
    if not files:
        raise MissingArchiveError(f"{pattern or repr(pattern)}, a file of labels, is not there")
    return files


def _drawn(images: set[str], share: float) -> set[str]:
    """`share` of the images, one at least unless it is 0; few change when images are added."""
    count = max(1, round(share * len(images))) if share else 0
    ordered = sorted(images, key=lambda image: hashlib.sha256(image.encode()).digest())
    return set(ordered[:count])


def note_of(name: str, dataset: Dataset, skeleton: Skeleton) -> dict[str, Any]:
    """What a manifest says of a set of one's own: how it is described, and a digest of labels and images.

    Raises
    ------
    DeepPoseError
        If it can't be read.
    """
    images = dict.fromkeys(read_own(name, dataset, skeleton).members)
    digest = hashlib.sha256()
    for pattern in filter(None, (dataset.annotations, dataset.test if isinstance(dataset.test, str) else "")):
        for file in label_files(pattern):
            digest.update(bytes.fromhex(sha256(file)))
    with open_archive(Path(dataset.images)) as archive:
        for image in images:
            digest.update(bytes.fromhex(member_sha256(archive, image)))
    entry = dataset.model_dump(mode="json")
    return {"entry": entry, "skeleton": skeleton.described, "sha256": digest.hexdigest()}


def read_noted(name: str, note: dict[str, Any]) -> PoseSet:
    """Read a set of one's own by what a manifest says of it, see :func:`note_of`.

    Raises
    ------
    ArchiveError
        If its files have changed since.
    """
    dataset, skeleton = Dataset.model_validate(note["entry"]), skeleton_from(note["skeleton"])
    if note_of(name, dataset, skeleton)["sha256"] != note["sha256"]:
        raise ArchiveError(f"the labels or images of {name} have changed since they were noted")
    return read_own(name, dataset, skeleton)
