"""Predictions as text, written as they come: JSON, JSON lines, COCO results, CSV for `deeppose score`."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from deeppose.core.geometry import from_first_column
from deeppose.core.predictors import stage_name
from deeppose.core.skeleton import Skeleton
from deeppose.deploy.people import Person

Format = Literal["json", "jsonl", "coco", "csv"]


class Found(NamedTuple):
    """The people in one image, or in one frame of a video.

    Attributes
    ----------
    image
        The file, as it was given.
    width, height
        Pixels.
    frame
        Of a video, counted from 0.
    """

    image: str
    width: int
    height: int
    people: list[Person]
    frame: int | None = None


def as_values(found: Found) -> dict[str, Any]:
    """What JSON has of an image; docs/prediction.schema.json says what it means."""
    frame = {} if found.frame is None else {"frame": found.frame}
    size = {"width": found.width, "height": found.height}
    return {"image": found.image, **frame, **size, "people": [_person(person) for person in found.people]}


def _person(person: Person) -> dict[str, Any]:
    confidences = [None] * len(person.pose) if person.confidences is None else person.confidences.tolist()
    values: dict[str, Any] = {"box": from_first_column(person.box).tolist(), "score": person.score}
    if person.face is not None:
        values["face"] = {"box": from_first_column(person.face.box).tolist(), "score": person.face.score}
    return values | {
        "keypoints": [[*joint, sure] for joint, sure in zip(person.pose.tolist(), confidences, strict=True)],
        "stages": {stage_name(number): pose.tolist() for number, pose in enumerate(person.stages, start=1)},
    }


def lines_of(
    wanted: Format, images: Iterator[Found], about: dict[str, Any], skeleton: Skeleton
) -> Iterator[str]:
    """Text for the people in images, a piece for each image as soon as it is there.

    Parameters
    ----------
    about
        What goes with all of it: version, model, joints, limbs, labels, weights.
    """
    writers: dict[Format, Callable[[], Iterator[str]]] = {
        "json": lambda: _json(images, about),
        "jsonl": lambda: (json.dumps(as_values(found) | about, allow_nan=False) for found in images),
        "coco": lambda: _in_brackets(map(_coco, images), "[", "]"),
        "csv": lambda: _csv(images, skeleton),
    }
    return writers[wanted]()


def _json(images: Iterator[Found], about: dict[str, Any]) -> Iterator[str]:
    head = json.dumps(about, indent=2, allow_nan=False).removesuffix("\n}")
    pieces = (json.dumps(as_values(found), allow_nan=False) for found in images)
    return _in_brackets(([piece] for piece in pieces), head + ',\n  "images": [', "]}")


def _in_brackets(groups: Iterator[list[str]], first: str, last: str) -> Iterator[str]:
    """A list in JSON whose items come in groups; what was written when something fails lacks its end."""
    yield first
    between = ""
    for items in groups:
        for item in items:
            yield between + item
            between = ","
    yield last


def _coco(found: Found) -> list[str]:
    """COCO's results: https://cocodataset.org/#format-results, x and y from 0 at the first pixel's centre.

    Confidences and scores are numbers there: they are 1 of networks without.
    """
    stem = Path(found.image).stem
    name: int | str = int(stem) if stem.isdecimal() else found.image
    if found.frame is not None:
        name = found.frame
    results = []
    for person in found.people:
        sure = np.ones(len(person.pose)) if person.confidences is None else person.confidences
        keypoints = np.concatenate([person.pose, sure[:, None]], axis=1).ravel().tolist()
        score = 1.0 if person.score is None else person.score
        result = {"image_id": name, "category_id": 1, "keypoints": keypoints, "score": score}
        results.append(json.dumps(result, allow_nan=False))
    return results


def _csv(images: Iterator[Found], skeleton: Skeleton) -> Iterator[str]:
    """One person an image, the most confident; of an image without people all joints are misses."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["example", "joint", "x", "y"])
    for found in images:
        # By the image's name, which a broken file before it doesn't change.
        example = found.image if found.frame is None else found.frame
        best = max(found.people, key=lambda person: person.score or 0.0, default=None)
        pose = [("", "")] * len(skeleton.joints) if best is None else best.pose.tolist()
        rows.writerows([example, joint, x, y] for joint, (x, y) in zip(skeleton.joints, pose, strict=True))
        yield written.getvalue().removesuffix("\n")
        written.seek(0)
        written.truncate()
    if rest := written.getvalue():
        yield rest.removesuffix("\n")
