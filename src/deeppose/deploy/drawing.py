"""Poses drawn into photos: limbs in the colours of the reports, uncertain joints hollow."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deeppose.core.colours import limb_colours
from deeppose.core.files import atomic_path
from deeppose.core.geometry import Floats, diameter
from deeppose.core.images import Pixels
from deeppose.core.skeleton import Skeleton
from deeppose.deploy.people import Person

LEAST_SIDE, MOST_SIDE = 480, 1600
"""Of the longer side of a picture, pixels."""
LIMB_WIDTH = 0.06
"""In pose diameters."""
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (190, 190, 190)
FONT = cv2.FONT_HERSHEY_SIMPLEX
TITLE = 28
"""Height of a panel's title, pixels."""


def drawn_people(photo: Pixels, people: Sequence[Person], skeleton: Skeleton, least: float) -> Pixels:
    """A picture of all people: their boxes, numbers and scores, and the pose after the last stage.

    Parameters
    ----------
    photo
        `(height, width, 3)`, RGB.
    least
        Joints of a lower confidence are hollow.

    Returns
    -------
    `(h, w, 3)`, RGB, the longer side LEAST_SIDE to MOST_SIDE.
    """
    picture, scale = _canvas(photo)
    for person in people:
        _draw_box(picture, person.box, scale)
        _draw_pose(picture, person.pose, person.confidences, skeleton, scale, least)
    for number, person in enumerate(people, start=1):
        score = "" if person.score is None else f" {person.score:.2f}"
        left, top = _pixel(person.box[:2] - person.box[2:] / 2, scale)
        _write(picture, f"{number}{score}", (left + 3, top + 17))
    return picture


def drawn_stages(photo: Pixels, people: Sequence[Person], skeleton: Skeleton, least: float) -> Pixels:
    """The panels of the cascade side by side, of wide photos one below the other: b⁰, then the
    poses after each stage; else as :func:`drawn_people`."""
    canvas, scale = _canvas(photo)
    stages = len(people[0].stages) if people else 0
    panels = []
    for stage in range(stages + 1):
        panel = canvas.copy()
        for person in people:
            if stage == 0:
                _draw_box(panel, person.box, scale)
            else:
                confidences = person.confidences if stage == stages else None
                _draw_pose(panel, person.stages[stage - 1], confidences, skeleton, scale, least)
        title = np.full((TITLE, panel.shape[1], 3), 255, dtype=np.uint8)
        words = f"stage {stage}" if stage else "initial box"
        cv2.putText(title, words, (6, TITLE - 9), FONT, 0.55, BLACK, 1, cv2.LINE_AA)
        panels.append(np.concatenate([title, panel]))
    return _shrunk(np.concatenate(panels, axis=int(canvas.shape[0] > canvas.shape[1])))[0]


def save_png(picture: Pixels, path: Path) -> None:
    """Write a picture `(h, w, 3)`, RGB, whole or not at all.

    Raises
    ------
    OutputError
        If it can't be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _canvas(photo: Pixels) -> tuple[Pixels, Floats]:
    """The photo at the size of a picture, and the scale from one to the other along x and y."""
    picture, scale = _shrunk(photo)
    longer = max(picture.shape[:2])
    if longer < LEAST_SIDE:
        factor = -(-LEAST_SIDE // longer)
        picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
        scale = scale * factor
    return np.ascontiguousarray(picture) if picture is not photo else photo.copy(), scale


def _shrunk(photo: Pixels) -> tuple[Pixels, Floats]:
    sides = np.array([photo.shape[1], photo.shape[0]])
    wanted = np.maximum(1, np.round(sides * min(1, MOST_SIDE / sides.max()))).astype(int)
    if (wanted == sides).all():
        return photo, np.ones(2)
    picture: Pixels = cv2.resize(photo, wanted.tolist(), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return picture, wanted / sides


def _pixel(point: Floats, scale: Floats) -> tuple[int, int]:
    """Where a point of the photo lies in the picture; far outside of it at its limit."""
    x, y = np.clip((point + 0.5) * scale - 0.5, -(2**14), 2**14).round()
    return int(x), int(y)


def _draw_box(picture: Pixels, box: Floats, scale: Floats) -> None:
    corners = [_pixel(box[:2] + sign * box[2:] / 2, scale) for sign in (-1, 1)]
    cv2.rectangle(picture, corners[0], corners[1], BLACK, 3, cv2.LINE_AA)
    cv2.rectangle(picture, corners[0], corners[1], GREY, 1, cv2.LINE_AA)


def _draw_pose(
    picture: Pixels,
    pose: Floats,
    confidences: Floats | None,
    skeleton: Skeleton,
    scale: Floats,
    least: float,
) -> None:
    diameters = diameter(pose[None] * scale, np.ones((1, len(pose)), dtype=bool), skeleton)
    width = int(np.clip(round(float(np.nan_to_num(diameters[0])) * LIMB_WIDTH), 2, 12))
    places = [_pixel(joint, scale) for joint in pose]
    colours = limb_colours(limb.name for limb in skeleton.limbs)
    for limb in skeleton.limbs:
        ends = places[limb.start], places[limb.end]
        cv2.line(picture, *ends, BLACK, width + 2, cv2.LINE_AA)
        cv2.line(picture, *ends, _rgb(colours[limb.name]), width, cv2.LINE_AA)
        # Left limbs have a line along their middle, so that sides are told apart in grey.
        if limb.name.startswith("left "):
            cv2.line(picture, *ends, BLACK, 1, cv2.LINE_AA)
    radius = max(3, round(width * 0.7))
    for joint, place in enumerate(places):
        sure = confidences is None or confidences[joint] >= least
        cv2.circle(picture, place, radius + 1, BLACK, -1 if sure else 3, cv2.LINE_AA)
        cv2.circle(picture, place, radius, WHITE, -1 if sure else 1, cv2.LINE_AA)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _write(picture: Pixels, words: str, place: tuple[int, int]) -> None:
    """Words whose lower left corner is at a place, or as near as the picture has room."""
    (width, height), below = cv2.getTextSize(words, FONT, 0.5, 1)
    x = min(max(place[0], 2), max(2, picture.shape[1] - width - 2))
    y = min(max(place[1], height + 2), max(height + 2, picture.shape[0] - below))
    cv2.rectangle(picture, (x - 2, y - height - 2), (x + width + 2, y + below), BLACK, -1)
    cv2.putText(picture, words, (x, y), FONT, 0.5, WHITE, 1, cv2.LINE_AA)
