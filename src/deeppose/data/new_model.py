"""From a file of labels to the params of a model of one's own, beside those that are there."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import AnnotationError, ParamsError
from deeppose.core.params import Dataset, Params
from deeppose.core.skeleton import Skeleton, skeleton_of
from deeppose.data.check import count_turned
from deeppose.data.own_sets import FORMATS, label_files, read_own
from deeppose.data.pose_set import PoseSet
from deeppose.data.readers.coco import Category, Coco, load_coco
from deeppose.data.readers.labelled import Labelled
from deeppose.data.readers.tables import deeplabcut_joints, table_joints
from deeppose.data.registry import ENTRIES

SETTINGS_OF = "cpu"
"""The profile whose network and settings a new one takes."""
STEPS = (1500, 1000, 500)
TEST_SHARE = 0.2
MOST_HELD_OUT = 50
NEARLY_ALL = 0.95
"""How often a pair that may be the diameter is labelled, as a share of the most often labelled one."""


@dataclass(frozen=True)
class NewModel:
    """A model's entry under `model`, its profile, and what is to be said of them."""

    model: dict[str, Any]
    profile: dict[str, Any]
    remarks: tuple[str, ...]


def new_model(
    name: str, labels_format: str, labels: str, images: str | None, params: Params, settings: dict[str, Any]
) -> NewModel:
    """The params of a model of the joints that labels have.

    Parameters
    ----------
    labels_format, labels
        One of :data:`deeppose.data.own_sets.FORMATS`, and its file, or several with a * in their name.
    images
        The folder that the labels' names of images start in; None: it is looked for around the labels.
    settings
        The values of the profile whose network and settings the new one takes.

    Raises
    ------
    ParamsError
        If there is such a model, profile or set already.
    DeepPoseError
        If the file can't be read, its joints don't fit together, or images are missing.
    """
    for what, taken in (
        ("model", params.model),
        ("profile", params.profiles),
        ("data set", [entry.name for entry in ENTRIES]),
    ):
        if name in taken:
            raise ParamsError(f"there is a {what} {name!r} already: take another name, or remove it first")
    path = label_files(labels)[0]
    joints, limbs = JOINTS_AND_LIMBS[labels_format](path)
    if len(joints) < 2:
        raise AnnotationError(f"{path} names {len(joints)} joints: a pose has two at least")
    entry: dict[str, Any] = {"joints": joints, "limbs": limbs}
    # Any two joints, until the labels are read.
    skeleton = skeleton_of(name, {**entry, "diameter": [joints[:2]]})
    examples = FORMATS[labels_format](path, joints)
    dataset = {
        "format": labels_format,
        "annotations": labels,
        "images": images or str(_images(path, examples)),
        "skeleton": name,
        "test": None if any(example.part for example in examples) else TEST_SHARE,
    }
    pose_set = read_own(name, Dataset.model_validate(dataset), skeleton)
    entry["diameter"] = [_diameter(pose_set)]
    several = len(set(pose_set.members)) < len(pose_set.members)
    boxed = pose_set.boxes is not None and not np.isnan(pose_set.boxes).any()
    training = len({image for image, train in zip(pose_set.members, pose_set.train, strict=True) if train})
    profile = {
        **settings,
        "archives": "mirror",
        "trusted": None,
        "tight_boxes": [],
        "recrops": {},
        "sigma": {},
    }
    for stage, steps in enumerate(STEPS, start=1):
        by_model: dict[str, Any] = {"steps": {name: steps}, "repeated": {}}
        if stage > 1:
            by_model["shrinkage"] = {}
        profile[f"stage{stage}"] = settings[f"stage{stage}"] | by_model
    return NewModel(
        model={
            "skeleton": name,
            "train": [name],
            "test": [name],
            "labels": "oc",
            "initial_box": "annotation" if several and boxed else "image",
            "face": None,
            "sigma": 1.0,
            "held_out": min(MOST_HELD_OUT, max(1, training // 5)),
        },
        profile={"datasets": {name: dataset}, "skeletons": {name: entry}, **profile},
        remarks=tuple(_remarks(pose_set, skeleton_of(name, entry), several=several, boxed=boxed)),
    )


def _of_coco(path: Path) -> tuple[list[str], dict[str, list[str]]]:
    category = _category(path, load_coco(path))
    return list(category.keypoints), _limbs(path, category)


JOINTS_AND_LIMBS: dict[str, Callable[[Path], tuple[list[str], dict[str, list[str]]]]] = {
    "coco": _of_coco,
    "table": lambda path: (table_joints(path), {}),
    "deeplabcut": lambda path: (deeplabcut_joints(path), {}),
}


def _category(path: Path, coco: Coco) -> Category:
    """The category with keypoints that most objects are of."""
    counts = Counter(annotation.category_id for annotation in coco.annotations)
    with_joints = [category for category in coco.categories if len(category.keypoints) > 1]
    if not with_joints:
        raise AnnotationError(f"{path}: none of its categories has two keypoints: these are boxes, no poses")
    return max(with_joints, key=lambda category: counts[category.id])


def _images(path: Path, examples: Sequence[Labelled]) -> Path:
    """The folder around the labels, or `images` beside them, that has the first image."""
    folders = [path.parent, path.parent / "images", *path.parent.parents]
    image = examples[0].image if examples else ""
    return next((folder for folder in folders if (folder / image).is_file()), path.parent)


def _limbs(path: Path, category: Category) -> dict[str, list[str]]:
    """The category's limbs by the names of their ends, each of a kind, which left and right share."""
    names = category.keypoints
    limbs = {}
    for ends in category.skeleton:
        if not all(1 <= end <= len(names) for end in ends):
            raise AnnotationError(
                f"{path}: category {category.name}: skeleton has {list(ends)}, joints are 1 to {len(names)}"
            )
        start, end = (names[end - 1] for end in ends)
        limbs[f"{start} to {end}"] = [start, end]
    kinds = {
        joint: kind
        for kind, joints in skeleton_of(
            category.name, {"joints": list(names), "diameter": [list(names[:2])]}
        ).joint_kinds.items()
        for joint in joints
    }
    return {limb: [*ends, "_".join(kinds[names.index(end)] for end in ends)] for limb, ends in limbs.items()}


def _diameter(pose_set: PoseSet) -> list[str]:
    """Of the pairs that nearly every pose has, the one that lies farthest apart, the upper joint first."""
    poses, labelled, joints = pose_set.poses, pose_set.labelled, pose_set.skeleton.joints
    pairs = list(combinations(range(len(joints)), 2))
    counts = [int((labelled[:, one] & labelled[:, other]).sum()) for one, other in pairs]
    if max(counts) == 0:
        raise AnnotationError(f"{pose_set.archive}: no pose has two labelled joints")
    often = [pair for pair, count in zip(pairs, counts, strict=True) if count >= NEARLY_ALL * max(counts)]
    apart = [np.nanmedian(np.linalg.norm(poses[:, one] - poses[:, other], axis=-1)) for one, other in often]
    pair = often[int(np.argmax(apart))]
    heights = np.nanmean(poses[:, list(pair), 1], axis=0)
    return [joints[joint] for joint in (pair if heights[0] <= heights[1] else pair[::-1])]


def _remarks(pose_set: PoseSet, skeleton: Skeleton, *, several: bool, boxed: bool) -> list[str]:
    """What was found, and what was made of it, in words."""
    labelled = pose_set.labelled
    turned = count_turned(pose_set)
    pairs = [
        f"{skeleton.joints[index]} and {skeleton.joints[other]}"
        for index, other in enumerate(skeleton.mirrored)
        if index < other
    ]
    first = " to ".join(skeleton.joints[joint] for joint in skeleton.diameter[0])
    box = "the full image"
    if several:
        box = "the box that is labelled" if boxed else "the full image, though some show several: label boxes"
    return [
        f"{len(labelled)} examples in {len(set(pose_set.members))} images: {pose_set.train.sum()} train, "
        f"{(~pose_set.train).sum()} test",
        f"{len(skeleton.joints)} joints, {labelled.sum()} of {labelled.size} labelled, "
        f"{0 if pose_set.occluded is None else pose_set.occluded.sum()} of them hidden",
        f"mirrored: {', '.join(pairs) or 'none; give `pairs` if joints have a left and a right'}",
        f"limbs: {len(skeleton.limbs) or 'none; give `limbs` to see them drawn, and counted by PCP'}",
        f"diameter: {first}, the farthest of those that nearly every pose has",
        f"initial box: {box}",
        *([f"{turned} images are turned upright, as their EXIF orientation says"] if turned else []),
    ]
