"""Who is in a photo: boxes of faces, the full image and windows, kept by the cascade's confidence."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeppose.boxes.face_detector import FaceDetector
from deeppose.core.errors import GeometryError
from deeppose.core.geometry import (
    SMALLEST_DIAMETER,
    Bools,
    Estimate,
    Floats,
    diameter,
    enlarged,
    from_first_column,
    image_box,
)
from deeppose.core.images import Pixels
from deeppose.deploy.cascade import Cascade

FOUND = "people.json"
"""What scripts/people.py found on held-out images: see docs/people.md."""
MOST_FACES = 16
"""Of a photo, the most confident."""
MOST_TRIED = 8
"""Groups of boxes that stage 1 sees a second time."""
FACE_PARTS = 8
"""Of a pixel, to which faces are rounded, as later boxes are to pixels: so other last digits, by another
runtime, give the same crops."""
SMALLEST_SPREAD = 1e-6
"""Pose diameters; a map with all its mass in one cell has no spread."""

Indices = NDArray[np.int64]

Detector = Callable[[Pixels], Floats]
"""From a photo `(height, width, 3)` to boxes of people, `(n, 5)`: centre, sides, score."""


class Face(NamedTuple):
    """A face that was found: its box, `(4,)`, and its score."""

    box: Floats
    score: float


@dataclass(frozen=True)
class Person:
    """Somebody in a photo.

    Attributes
    ----------
    box
        The initial box b⁰, `(4,)` pixels: what stage 1 saw.
    face
        That the box was made of; None where it was made of something else.
    stages
        `(S, k, 2)` pixels, the pose after each stage.
    score
        How confident it is that somebody is there: the mean confidence of the more confident
        half of the joints after stage 1; None of networks without maps.
    confidences
        `(k,)`, the probability that a joint of the last stage is within 0.2 pose diameters of its place; None
        of networks without maps, which don't say.
    """

    box: Floats
    face: Face | None
    stages: Floats
    score: float | None
    confidences: Floats | None

    @property
    def pose(self) -> Floats:
        """After the last stage, `(k, 2)` pixels."""
        pose: Floats = self.stages[-1]
        return pose


@dataclass(frozen=True)
class Finding:
    """How people of one skeleton are found; all of it chosen on held-out images by scripts/people.py.

    Attributes
    ----------
    search
        The most pixels of a photo's longer side at which faces are looked for; smaller ones are not found.
    face_boxes
        Boxes that are tried for each face: how far above its centre they begin, their width and height, all
        in sides of the face. None: as the model was trained.
    windows
        Boxes that are tried all over the photo, half of each beside the next: height in heights of the photo,
        width in their own heights.
    enlarged
        Of the rectangle around a pose, for a second pass of stage 1; None where there is none.
    least, least_unseen
        The lowest score of who has a face or was detected, and of anybody else.
    apart
        Poses of a smaller mean distance between their joints, in diameters, are one person's.
    logistic
        By stage, "first" and "last": intercept and slope of a joint's confidence against the logarithm of its
        spread.
    """

    search: int
    face_boxes: list[list[float]] | None
    windows: list[list[float]]
    enlarged: float | None
    least: float
    least_unseen: float
    apart: float
    logistic: dict[str, list[float]]

    def below(self, face: Floats) -> list[Floats]:
        """The boxes to try for a face `(4,)`."""
        side = np.sqrt(face[2] * face[3])
        return [
            np.array([face[0], face[1] + (height / 2 - above) * side, width * side, height * side])
            for above, width, height in self.face_boxes or ()
        ]

    def all_over(self, photo: Pixels) -> list[Floats]:
        """The windows that are tried in a photo `(height, width, 3)`."""
        boxes = []
        sides = np.array([photo.shape[1], photo.shape[0]])
        for high, wide in self.windows:
            window = np.minimum(high * sides[1] * np.array([wide, 1]), sides)
            steps = np.ceil((sides - window) / (window / 2) - 1e-9).astype(int) + 1
            across, down = (
                np.linspace(part / 2, side - part / 2, count) - 0.5
                for part, side, count in zip(window, sides, steps, strict=True)
            )
            boxes += [np.array([x, y, *window]) for y in down for x in across]
        return boxes

    def scores(self, spreads: Floats) -> Floats:
        """How confident stage 1 is of each pose, `(n,)`: the mean over the more confident half of its joints.

        Of people who are half in the picture, or behind something, half of the joints is what can be seen.
        """
        confidences = np.sort(self.confidences(spreads, "first"), axis=1)
        scores: Floats = confidences[:, confidences.shape[1] // 2 :].mean(axis=1)
        return scores

    def confidences(self, spreads: Floats, stage: str) -> Floats:
        """The probability that a joint is within 0.2 pose diameters of its place, from its spread."""
        intercept, slope = self.logistic[stage]
        odds: Floats = np.exp(-(intercept + slope * np.log(np.maximum(spreads, SMALLEST_SPREAD))))
        return 1 / (1 + odds)


@functools.cache
def face_detector(most: int) -> FaceDetector:
    """One for all photos and frames: those of one size share its network."""
    return FaceDetector(threads=1, most=most)


@functools.cache
def findings() -> dict[str, Finding]:
    """By skeleton how its people are found."""
    text = resources.files("deeppose.deploy").joinpath(FOUND).read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return {skeleton: Finding(**found) for skeleton, found in known.items()}


def finding_of(skeleton: str) -> Finding:
    """That of a skeleton; of one that isn't ours, whoever the full image, or each face, may show is kept.

    Nothing was chosen for it; confidences are those of full bodies, whose maps are alike.
    """
    if skeleton in findings():
        return findings()[skeleton]
    full_body = findings()["full-body"]
    return replace(full_body, face_boxes=[], windows=[], enlarged=None, least=0.0, least_unseen=0.0)


class Candidates(NamedTuple):
    """What may be people, and what stage 1 makes of them.

    Attributes
    ----------
    boxes
        `(n, 4)` pixels.
    groups
        `(n,)`, what each box was made of: a number for each face, for the full image, for each window.
    faces
        By group; None where it is no face.
    detected
        By group, whether something else than the cascade says that somebody is there.
    """

    boxes: Floats
    groups: Indices
    faces: list[Face | None]
    detected: Bools


def find_people(cascade: Cascade, photo: Pixels, detector: Detector | None = None) -> list[Person]:
    """The people in a photo, the most confident first; there may be none.

    Of a network without confidences the full image is a person, or each face, as it was trained.

    Parameters
    ----------
    photo
        `(height, width, 3)`, RGB.
    detector
        Of people. None: boxes are made of the faces that are found and, for a model that was trained on it,
        of the full image and windows all over it.

    Raises
    ------
    GeometryError
        If it was trained on boxes that labels give, and there is no detector.
    NotFiniteError
        If a coordinate is NaN or infinite.
    """
    finding = finding_of(cascade.skeleton.name)
    if detector is None:
        candidates = _candidates(cascade, photo, finding)
    else:
        given = detector(photo)[:, :4]
        detected = np.ones(len(given), dtype=bool)
        candidates = Candidates(given, np.arange(len(given)), [None] * len(given), detected)
    boxes, groups, faces, _ = candidates
    if len(boxes) == 0:
        return []
    first = cascade.initial(photo, boxes)
    if cascade.has_maps:
        boxes, groups, first = _most_confident(cascade, photo, candidates, first, finding)
    if len(boxes) == 0:
        return []
    found: list[Person] = []
    everybody = _people(cascade, photo, boxes, [faces[group] for group in groups], first)
    # Poses that were apart after stage 1 may be of one person after the last.
    for person in sorted(everybody, key=lambda person: -(person.score or 0.0)):
        apart = [_apart(np.stack([person.pose, other.pose]), cascade) for other in found]
        if not cascade.has_maps or all(distance >= finding.apart for distance in apart):
            found.append(person)
    return found


def poses_in(cascade: Cascade, photo: Pixels, boxes: Floats) -> list[Person]:
    """The person in each of some boxes b⁰, `(n, 4)`, in their order, whoever it is.

    Raises
    ------
    GeometryError
        If a box and the photo have no pixel in common.
    NotFiniteError
        If a coordinate is NaN or infinite.
    """
    whole = image_box(photo.shape[1], photo.shape[0])
    for box in boxes:
        if (np.abs(box[:2] - whole[:2]) >= (box[2:] + whole[2:]) / 2).any():
            corner = ",".join(f"{value:g}" for value in from_first_column(box))
            raise GeometryError(
                f"the box {corner} lies outside the image, which is {whole[2]:g}×{whole[3]:g} pixels"
            )
    return _people(cascade, photo, boxes, [None] * len(boxes), cascade.initial(photo, boxes))


def _candidates(cascade: Cascade, photo: Pixels, finding: Finding) -> Candidates:
    """Boxes of the kind that the cascade was trained on."""
    rule = cascade.stages[0].description["initial_box"]
    if rule["kind"] == "annotation":
        raise GeometryError("the boxes that the model starts from are given: say by --box where it is")
    boxes: list[Floats] = []
    if rule["kind"] == "image":
        boxes.append(image_box(photo.shape[1], photo.shape[0]))
        if cascade.has_maps:
            boxes += finding.all_over(photo)
    groups = list(range(len(boxes)))
    faces: list[Face | None] = [None] * len(boxes)
    if rule["kind"] == "image" and not cascade.has_maps:
        return Candidates(np.array(boxes), np.array(groups), faces, np.array([True]))
    (found,) = face_detector(finding.search).detect([photo])
    for row in found[:MOST_FACES]:
        face = Face(np.round(row[:4] * FACE_PARTS) / FACE_PARTS, float(row[4]))
        of_face = [enlarged(face.box, rule["scale"])] if rule["kind"] == "face" else finding.below(face.box)
        boxes += of_face
        groups += [len(faces)] * len(of_face)
        faces.append(face)
    detected = np.array([face is not None for face in faces], dtype=bool)
    return Candidates(np.reshape(boxes, (-1, 4)), np.array(groups, dtype=np.int64), faces, detected)


def _most_confident(
    cascade: Cascade, photo: Pixels, candidates: Candidates, first: Estimate, finding: Finding
) -> tuple[Floats, Indices, Estimate]:
    """Of each group the box that stage 1 is most confident of, if it is a person, and nobody twice.

    A group's boxes are those that are given, and, of the most promising groups, one around the best pose.
    """
    boxes, groups, _, detected = candidates
    best = _distinct(first, groups, detected, cascade, finding)[:MOST_TRIED]
    if finding.enlarged is not None:
        around = boxes_around(first.poses[best], finding.enlarged).round()
        boxes, groups = np.concatenate([boxes, around]), np.concatenate([groups, groups[best]])
        second = cascade.initial(photo, around)
        first = Estimate(
            np.concatenate([first.poses, second.poses]), np.concatenate([first.spreads, second.spreads])
        )
    scores = finding.scores(first.spreads)
    wanted = np.where(detected[groups], finding.least, finding.least_unseen)
    kept = [
        number
        for number in _distinct(first, groups, detected, cascade, finding)
        if scores[number] >= wanted[number]
    ]
    kept.sort(key=lambda number: -scores[number])
    return boxes[kept], groups[kept], first.chosen(kept)


def _distinct(
    first: Estimate, groups: Indices, detected: Bools, cascade: Cascade, finding: Finding
) -> list[int]:
    """The best box of each group, but for those whose pose lies on a better one; detected groups go first."""
    scores = finding.scores(first.spreads)
    best = _best_of_each(scores, groups)
    kept: list[int] = []
    for number in best[np.lexsort((-scores[best], ~detected[groups[best]]))].tolist():
        if all(_apart(first.poses[[number, other]], cascade) >= finding.apart for other in kept):
            kept.append(number)
    return kept


def _best_of_each(scores: Floats, groups: Indices) -> Indices:
    """The number of the highest score in each group."""
    by_score = np.lexsort((-scores, groups))
    return by_score[np.unique(groups[by_score], return_index=True)[1]]


def _apart(two: Floats, cascade: Cascade) -> float:
    """The mean distance between the joints of two poses `(2, k, 2)`, in diameters of the smaller one."""
    diameters = diameter(two, np.ones(two.shape[:2], dtype=bool), cascade.skeleton)
    distance = np.linalg.norm(two[0] - two[1], axis=-1).mean()
    return float(distance / max(diameters.min(), SMALLEST_DIAMETER))


def boxes_around(poses: Floats, factor: float) -> Floats:
    """The rectangles around poses `(n, k, 2)`, their sides times `factor`: `(n, 4)`."""
    first, last = poses.min(axis=1), poses.max(axis=1)
    sides = np.maximum(last - first, SMALLEST_DIAMETER)
    return np.concatenate([(first + last) / 2, sides * factor], axis=-1)


def _people(
    cascade: Cascade, photo: Pixels, boxes: Floats, faces: list[Face | None], first: Estimate
) -> list[Person]:
    """The people whose poses in `boxes` are `first`, after all stages."""
    first = cascade.recropped(photo, first)
    estimate, stages = first, [first.poses]
    for stage in range(2, len(cascade.stages) + 1):
        estimate = cascade.refine(stage, photo, estimate.poses, boxes)
        stages.append(estimate.poses)
    scores: list[float | None] = [None] * len(boxes)
    confidences: list[Floats | None] = [None] * len(boxes)
    if cascade.has_maps:
        finding = finding_of(cascade.skeleton.name)
        scores = finding.scores(first.spreads).tolist()
        confidences = list(finding.confidences(estimate.spreads, "last" if len(stages) > 1 else "first"))
    of_each = zip(boxes, faces, np.stack(stages, axis=1), scores, confidences, strict=True)
    return [Person(*of_one) for of_one in of_each]
