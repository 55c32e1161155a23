"""Reader of keypoints as COCO lays them out in JSON: https://cocodataset.org/#format-data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deeppose.core.errors import AnnotationError
from deeppose.data.readers.labelled import Labelled

Identifier = int | str
Side = Annotated[int, Field(gt=0)] | None


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Image(_Section):
    """An image; `width` and `height` in pixels."""

    id: Identifier
    file_name: str
    width: Side = None
    height: Side = None


class Category(_Section):
    """A kind of object: the names of its keypoints, and its limbs by number from 1."""

    id: Identifier
    name: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


class Annotation(_Section):
    """One object: of each keypoint x, y and v, and the box left, top, width, height."""

    id: Identifier = ""
    image_id: Identifier
    category_id: Identifier
    keypoints: tuple[float, ...] = ()
    bbox: tuple[float, float, float, float] | None = None
    iscrowd: Literal[0, 1] | bool = 0


class Coco(_Section):
    """A whole file."""

    images: tuple[Image, ...]
    annotations: tuple[Annotation, ...]
    categories: tuple[Category, ...]


def load_coco(path: Path) -> Coco:
    """What a file holds.

    Raises
    ------
    AnnotationError
        If it can't be read, or is not laid out as COCO's, naming the first thing that isn't.
    """
    try:
        return Coco.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AnnotationError(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise AnnotationError(f"{path} is not laid out as COCO keypoints: {said}") from error


def read_coco(path: Path, joints: Sequence[str]) -> list[Labelled]:
    """The objects that have a labelled joint, in the file's order; crowds are left out.

    v = 0 is no label, v = 1 a label of what can't be seen, v = 2 of what can. A keypoint's x counts from the
    centre of the first column, as here; a box's from that column's left edge.

    Raises
    ------
    AnnotationError
        If no category has one of the `joints`, or an object's numbers can't be right, naming it.
    """
    coco = load_coco(path)
    images = {image.id: image for image in coco.images}
    categories = {category.id: category for category in coco.categories}
    known = {name for category in coco.categories for name in category.keypoints}
    if lacking := [joint for joint in joints if joint not in known]:
        raise AnnotationError(
            f"{path} has no keypoint {lacking[0]!r}, which the skeleton has, only {', '.join(sorted(known))}"
        )
    found = []
    for number, annotation in enumerate(coco.annotations):
        where = f"{path}: annotation {annotation.id if annotation.id != '' else number}"
        for what, key, keys in (
            ("image_id", annotation.image_id, images),
            ("category_id", annotation.category_id, categories),
        ):
            if key not in keys:
                raise AnnotationError(f"{where}: no entry has the {what} {key!r}")
        names = categories[annotation.category_id].keypoints
        if annotation.iscrowd or not annotation.keypoints or not set(joints) & set(names):
            continue
        if len(annotation.keypoints) != 3 * len(names):
            raise AnnotationError(
                f"{where} has {len(annotation.keypoints)} numbers in keypoints, not 3 for each of "
                f"{len(names)}"
            )
        points, hidden = {}, set()
        for name, (x, y, v) in zip(names, np.reshape(annotation.keypoints, (-1, 3)).tolist(), strict=True):
            if v not in (0, 1, 2):
                raise AnnotationError(f"{where}: the visibility of {name} is {v:g}, not 0, 1 or 2")
            if v and name in joints:
                points[name] = (x, y)
                if v == 1:
                    hidden.add(name)
        if not points:
            continue
        box = None
        if annotation.bbox is not None:
            left, top, width, height = annotation.bbox
            if not (width > 0 and height > 0):
                raise AnnotationError(f"{where}: bbox {list(annotation.bbox)} has no area")
            box = (left + (width - 1) / 2, top + (height - 1) / 2, width, height)
        image = images[annotation.image_id]
        size = (image.width, image.height) if image.width and image.height else None
        found.append(Labelled(image.file_name, points, frozenset(hidden), box, size))
    return found
