"""Poses drawn into photos: limbs in the colours of the reports, uncertain joints hollow."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX
TITLE = 28
"""Height of a panel's title, pixels."""
LETTERS = 0.5
"""Size of letters, in OpenCV's unit: 11 pixels high. In pictures of MOST_SIDE they are twice as high."""


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
    picture, scale = _canvas(photo, MOST_SIDE, MOST_SIDE)
    for person in people:
        _draw_box(picture, person.box, scale)
        _draw_pose(picture, person.pose, person.confidences, skeleton, scale, least)
    for number, person in enumerate(people, start=1):
        score = "" if person.score is None else f" {person.score:.2f}"
        # Boxes may begin outside the picture, all of them at one corner of it.
        highest = person.pose[person.pose[:, 1].argmin()]
        _write(picture, f"{number}{score}", _pixel(highest, scale))
    return picture


def drawn_stages(
    photo: Pixels, people: Sequence[Person], skeleton: Skeleton, least: float, stages: int
) -> Pixels:
    """A panel with b⁰ and one with the poses after each of the stages; else as :func:`drawn_people`."""
    columns = max(range(1, stages + 2), key=lambda count: _room(photo, count, stages + 1).scale)
    room = _room(photo, columns, stages + 1)
    canvas, scale = _canvas(photo, room.width, room.height)
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
        cv2.putText(title, words, (6, TITLE - 9), FONT, LETTERS, BLACK, 1, cv2.LINE_AA)
        panels.append(np.concatenate([title, panel]))
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    rows = [np.concatenate(panels[first : first + columns], 1) for first in range(0, len(panels), columns)]
    return np.concatenate(rows)


class _Room(NamedTuple):
    """What a panel's picture may have, pixels, and by how much the photo is scaled for that."""

    width: int
    height: int
    scale: float


def _room(photo: Pixels, columns: int, panels: int) -> _Room:
    width, height = MOST_SIDE // columns, MOST_SIDE // -(-panels // columns) - TITLE
    return _Room(width, height, min(width / photo.shape[1], height / photo.shape[0]))


def save_png(picture: Pixels, path: Path) -> None:
    """Write a picture `(h, w, 3)`, RGB, whole or not at all.

    Raises
    ------
    OutputError
        If it can't be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _canvas(photo: Pixels, most_width: int, most_height: int) -> tuple[Pixels, Floats]:
    """The photo at the size of a picture, and the scale from one to the other along x and y."""
    sides = np.array([photo.shape[1], photo.shape[0]])
    room = float((np.array([most_width, most_height]) / sides).min())
    wanted = np.maximum(1, (sides * min(1.0, room)).astype(int))
    picture = cv2.resize(photo, wanted.tolist(), interpolation=cv2.INTER_AREA).astype(np.uint8)
    factor = max(1, min(-(-LEAST_SIDE // int(sides.max())), int(room)))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1), wanted / sides * factor


def _pixel(point: Floats, scale: Floats) -> tuple[int, int]:
    """Where a point of the photo lies in the picture; far outside of it at its limit."""
    x, y = np.clip((point + 0.5) * scale - 0.5, -(2**14), 2**14).round()
    return int(x), int(y)


def _draw_box(picture: Pixels, box: Floats, scale: Floats) -> None:
    """A box, what lies outside the picture at its edge."""
    last = np.array([picture.shape[1], picture.shape[0]]) - 2
    corners = [
        np.clip(_pixel(box[:2] + sign * box[2:] / 2, scale), 1, np.maximum(last, 1)).tolist()
        for sign in (-1, 1)
    ]
    cv2.rectangle(picture, corners[0], corners[1], BLACK, 3, cv2.LINE_AA)
    cv2.rectangle(picture, corners[0], corners[1], WHITE, 1, cv2.LINE_AA)


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
    """Words right above a place, or as near as the picture has room."""
    size = max(LETTERS, 2 * LETTERS * max(picture.shape[:2]) / MOST_SIDE)
    thick = round(2 * size)
    (width, height), below = cv2.getTextSize(words, FONT, size, thick)
    x = min(max(place[0] - width // 2, 2), max(2, picture.shape[1] - width - 2))
    y = min(max(place[1] - 2 * height, height + 2), max(height + 2, picture.shape[0] - below))
    cv2.rectangle(picture, (x - 2, y - height - 2), (x + width + 2, y + below), BLACK, -1)
    cv2.putText(picture, words, (x, y), FONT, size, WHITE, thick, cv2.LINE_AA)
