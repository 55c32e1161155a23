"""Film scenes for the embedded data: one or two people from the waist up, somewhere in a cluttered frame.

Bodies are those of `bodies.py`, painted as `painting.py` paints them. A face detector has to find these
people, and it finds no painted face: so the face is a photograph, of the portrait of Eileen Collins that NASA
made (public domain) and scikit-image brings along. Skin and hair are tinted, and it turns with the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from deeppose.core.geometry import Floats
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.readers.observer_centric import observer_centric
from deeppose.data.synthetic.bodies import (
    ARMS,
    CALM,
    HEAD_TOP,
    L_HIP,
    NECK,
    R_HIP,
    Figure,
    Limits,
    sample_angle,
    sample_bones,
    sample_joints,
)
from deeppose.data.synthetic.painting import (
    HAIR_LAYERS,
    Clothes,
    Image,
    Part,
    background,
    develop,
    dressed_parts,
    fill,
    flat,
    paint,
    sample_cloth,
    sample_clothes,
    sample_light,
)

ASPECT = 1.5  # of a frame, as of FLIC's 720×480
UPPER = [row for arm in ARMS for row in arm] + [L_HIP, R_HIP, NECK, HEAD_TOP]

SHARE_OF_PAIRS = 0.22
SHARE_FROM_THE_BACK = 0.012
SHARE_AVERTED = 0.012
SHARE_BEHIND_A_TABLE = 0.15

# degrees, as in bodies.py; so wide that at 0.1 the mean pose finds about as many joints as on FLIC
STANCE: Limits = CALM | {
    "lean": (-10, 10),
    "pitch": (-4, 9),
    "side": (-10, 10),
    "nod": (-14, 20),
    "turn": (-24, 24),
}
AVERTED: tuple[Limits, Limits] = ({"turn": (90, 110)}, {"turn": (-110, -90)})
YAW_SPREAD, LARGEST_YAW = 22.0, 45.0
GESTURES: tuple[tuple[float, Limits], ...] = (
    (0.28, {"arm forward": (-15, 20), "arm out": (6, 26), "arm in": (-10, 45), "elbow": (5, 45)}),
    (0.13, {"arm forward": (-35, -8), "arm out": (30, 55), "arm in": (60, 90), "elbow": (70, 105)}),
    (0.19, {"arm forward": (5, 35), "arm out": (-5, 16), "arm in": (58, 90), "elbow": (70, 110)}),
    (0.24, {"arm forward": (5, 45), "arm out": (8, 35), "arm in": (-5, 50), "elbow": (40, 95)}),
    (0.07, {"arm forward": (35, 70), "arm out": (5, 35), "arm in": (15, 55), "elbow": (110, 140)}),
    (0.06, {"arm forward": (15, 60), "arm out": (35, 75), "arm in": (-70, -20), "elbow": (90, 130)}),
    (0.03, {"arm forward": (120, 165), "arm out": (5, 40), "arm in": (-20, 30), "elbow": (0, 70)}),
)
"""How often an arm does what: hangs, rests on the hip, folds, gestures, is near the face, waves, is up."""

# heights of a frame
BODY, BODY_SPREAD, BODY_LIMITS = 1.28, 0.18, (0.95, 1.8)
SMALLER_IN_PAIRS = 0.9
MARGIN = 0.025
HEAD_HEIGHT = (0.19, 0.4)

# shares of a frame's width where a person's trunk may be
ALONE = (0.22, 0.78)
ON_THE_LEFT, ON_THE_RIGHT = (0.19, 0.4), (0.6, 0.81)

PORTRAIT = "astronaut"
# (x, y) in its pixels; the eyes are named as they lie in it
EYE_ON_THE_LEFT, EYE_ON_THE_RIGHT = (203.5, 101.5), (246.0, 103.5)
NOSE = (222.5, 125.0)
CROWN, CHIN, MIDDLE = 16.0, 178.0, 226.0
HEAD_OUTLINE = (
    (232, 17), (250, 21), (267, 28), (281, 39), (291, 51), (297, 66), (299, 84), (297, 98), (292, 109),
    (282, 120), (273, 129), (267, 134), (265, 146), (259, 157), (253, 165), (246, 171), (238, 175),
    (224, 178), (210, 175), (199, 168), (191, 160), (186, 151), (183, 140), (182, 130), (176, 124),
    (172, 117), (162, 109), (157, 100), (155, 84), (156, 67), (164, 55), (174, 47), (186, 41), (193, 33),
    (203, 26), (218, 20),
)  # fmt: skip
FACE_OUTLINE = (
    (188, 80), (200, 80), (220, 81), (240, 82), (258, 87), (266, 93), (269, 110), (267, 130), (263, 148),
    (256, 161), (246, 171), (238, 175), (224, 178), (210, 175), (199, 168), (191, 160), (186, 150),
    (183, 130), (182, 112), (184, 95),
)  # fmt: skip
FEATHER = 2.5  # pixels of the portrait
SHARE_OF_FULL_HAIR = 0.5
SHORT_HAIR = 1.24  # how much larger the face is where the photograph's hair is left out
HAIR_CONTRAST = 0.45  # of the photograph's strands, that is left

HEAD_LOW, HEAD_HIGH = 0.18, 1.0  # chin and crown, in shares of the way from the neck to the head's top
FACE_DEPTH = 0.12  # of the photograph's plane before the head's middle, in the same unit
LEAST_FACING = 0.4  # cosine of the angle between head and camera below which no face is put on


@dataclass(frozen=True)
class Portrait:
    """The photograph's head, and where in it skin and hair lie.

    Attributes
    ----------
    pixels
        `(h, w, 3)`, BGR.
    masks
        `(h, w, 2)` in [0, 1]: the head with its hair, and the face alone.
    corner
        Of the cut, `(2,)` in pixels of the whole photograph.
    """

    pixels: NDArray[np.float32]
    masks: NDArray[np.float32]
    corner: Floats

    @property
    def size(self) -> Floats:
        """Width and height, pixels."""
        return np.array(self.pixels.shape[1::-1], dtype=np.float64)

    @cached_property
    def skin(self) -> Floats:
        """The face's mean colour."""
        face = self.masks[..., 1].ravel()
        return np.asarray(np.average(self.pixels.reshape(-1, 3), axis=0, weights=face))

    @cached_property
    def hair(self) -> float:
        """How bright the hair is."""
        hair_only = self.masks[..., 0] * (1 - self.masks[..., 1])
        return float(np.average(self.pixels.mean(axis=-1), weights=hair_only))

    def tinted(self, size: Sequence[int], skin: Floats, hair: Floats, full_hair: bool) -> NDArray[np.float32]:
        """The head at another size, (width, height), and in other colours; without its hair the face.

        Returns
        -------
        `(height, width, 4)`: BGR times opacity, opacity.
        """
        colours, masks = (
            cv2.resize(layers, size, interpolation=cv2.INTER_AREA) for layers in (self.pixels, self.masks)
        )
        face = masks[..., 1:]
        strands = 1 + HAIR_CONTRAST * (colours.mean(axis=-1, keepdims=True) / self.hair - 1)
        tinted = np.clip(face * colours * (skin / self.skin) + (1 - face) * strands * hair, 0, 255)
        opacity = masks[..., :1] if full_hair else face
        return np.dstack([tinted * opacity, opacity]).astype(np.float32)


@dataclass(frozen=True)
class Person:
    """Where a person of a scene is, in pixels, x = 0 the centre of the first column.

    Attributes
    ----------
    pose
        `(14, 2)` in LSP's order, observer-centric.
    eyes, nose
        `(2, 2)`, the left one first, and `(2,)`; NaN where no face is seen.
    chin
        `(2,)`.
    """

    pose: Floats
    eyes: Floats
    nose: Floats
    chin: Floats


@dataclass(frozen=True)
class Scene:
    """A frame `(height, width, 3)`, BGR, and who is in it, the farthest first."""

    image: Image
    people: tuple[Person, ...]


def draw_scene(rng: np.random.Generator, textures: Sequence[Image], height: int) -> Scene:
    """Draw one frame.

    Parameters
    ----------
    rng
        Decides everything.
    textures
        Colour images `(h, w, 3)` that backgrounds are cut from.
    height
        Of the frame, pixels; its width is 1.5 times that.
    """
    width = round(height * ASPECT)
    places = [ALONE]
    if rng.random() < SHARE_OF_PAIRS:
        places = [ON_THE_LEFT, ON_THE_RIGHT]
        rng.shuffle(places)
    dresses = [sample_clothes(rng) for _ in places]
    canvas = background(rng, textures, height, width, dresses[0])
    _furnish(rng, canvas)
    people = [
        _add_person(rng, canvas, dress, place, SMALLER_IN_PAIRS if len(places) > 1 else 1.0)
        for dress, place in zip(dresses, places, strict=True)
    ]
    if rng.random() < SHARE_BEHIND_A_TABLE:
        edge = height * rng.uniform(0.8, 0.95, 2)
        colour = sample_cloth(rng, 40, 200)
        for drop, gain in ((0.0, 0.6), (0.012 * height, 1.0)):
            top = [[-1, edge[0] + drop], [width, edge[1] + drop]]
            fill(canvas, np.array([*top, [width, height], [-1, height]]), colour * gain)
    return Scene(develop(rng, canvas), tuple(people))


def _furnish(rng: np.random.Generator, canvas: Image) -> None:
    """Doors, shelves, pictures: upright boxes, the outer one darker."""
    rows, width = canvas.shape[:2]
    for _ in range(rng.integers(0, 4)):
        middle = rng.uniform(0, 1, 2) * (width, rows)
        half = rng.uniform(0.03, 0.22, 2) * rows
        colour = sample_cloth(rng, 40, 210)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        fill(canvas, middle + corners * half, colour * 0.7)
        fill(canvas, middle + corners * half * 0.86, colour)


def _add_person(
    rng: np.random.Generator, canvas: Image, clothes: Clothes, place: tuple[float, float], size: float
) -> Person:
    figure = _sample_figure(rng)
    scale, corner = _sample_place(rng, figure, canvas, place, size)
    full_hair, mirrored = rng.random() < SHARE_OF_FULL_HAIR, rng.random() < 0.5
    light = sample_light(rng)
    brightness = 0.82 + 0.25 * max(0.0, float(figure.head[:, 2] @ light))
    to_canvas = _from_portrait(figure, corner, scale, full_hair, mirrored)
    has_face = figure.head[2, 2] > LEAST_FACING
    for part in _throat_before_head(dressed_parts(figure, clothes, light)):
        if has_face and HEAD_TOP in part.joints:
            paint(canvas, replace(part, layers=part.layers[:HAIR_LAYERS]), corner, scale)
            _put(canvas, _portrait(), to_canvas, clothes.skin * brightness, clothes.hair, full_hair)
        else:
            paint(canvas, part, corner, scale)

    pose = (flat(figure.joints) - corner) * scale
    labelled = np.ones((1, len(pose)), dtype=bool)
    pose = observer_centric(pose[None], labelled, FULL_BODY)[0][0]
    chin = figure.joints[NECK] + HEAD_LOW * (figure.joints[HEAD_TOP] - figure.joints[NECK])
    marks = np.full((3, 2), np.nan)
    if has_face:
        marks = np.array([EYE_ON_THE_RIGHT, EYE_ON_THE_LEFT, NOSE]) @ to_canvas[:, :2].T + to_canvas[:, 2]
        if mirrored:
            marks = marks[[1, 0, 2]]
    return Person(pose, marks[:2], marks[2], (flat(chin) - corner) * scale)


def _throat_before_head(parts: Sequence[Part]) -> list[Part]:
    """The throat right below the head, wherever its own depth put it: else it hides a face that looks up."""
    (throat,) = (part for part in parts if part.joints == (NECK,))
    others = [part for part in parts if part is not throat]
    head = next(place for place, part in enumerate(others) if HEAD_TOP in part.joints)
    return [*others[:head], throat, *others[head:]]


def _sample_figure(rng: np.random.Generator) -> Figure:
    bones = sample_bones(rng)
    yaw = float(np.radians(np.clip(rng.normal(0, YAW_SPREAD), -LARGEST_YAW, LARGEST_YAW)))
    stance: Limits = STANCE
    kind = rng.random()
    if kind < SHARE_FROM_THE_BACK:
        yaw += np.pi
    elif kind < SHARE_FROM_THE_BACK + SHARE_AVERTED:
        stance = {**STANCE, **AVERTED[yaw < 0]}
    shares = [share for share, _ in GESTURES]
    left, right = (GESTURES[index][1] for index in rng.choice(len(GESTURES), size=2, p=shares))
    return sample_joints(rng, bones, sample_angle(rng, stance["lean"]), yaw, stance, (left, right))


def _sample_place(
    rng: np.random.Generator, figure: Figure, canvas: Image, place: tuple[float, float], size: float
) -> tuple[float, Floats]:
    """Pixels to a height, and the frame's first pixel in heights: all joints but the legs' are inside."""
    frame = np.array(canvas.shape[1::-1], dtype=np.float64)
    points = flat(figure.joints[UPPER])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * frame[1]
    wanted = np.clip(size * BODY * np.exp(rng.normal(0, BODY_SPREAD)), *BODY_LIMITS) * frame[1]
    scale = float(min(wanted, *((frame - 1 - 2 * margin) / (high - low))))

    trunk, head = points[[0, 3, 6, 7]].mean(axis=0), flat(figure.joints[[NECK, HEAD_TOP]]).mean(axis=0)
    origin = frame * (rng.uniform(*place), rng.uniform(*HEAD_HEIGHT)) - scale * np.array([trunk[0], head[1]])
    origin = np.clip(origin, margin - low * scale, frame - 1 - margin - high * scale)
    return scale, -origin / scale


def _from_portrait(figure: Figure, corner: Floats, scale: float, full_hair: bool, mirrored: bool) -> Floats:
    """The affine map `(2, 3)` from the photograph's pixels to the frame's: its plane turns with the head."""
    neck, top, head = figure.joints[NECK], figure.joints[HEAD_TOP], figure.head
    size = float(np.linalg.norm(top - neck))
    chin = flat(neck + head @ (0, size * HEAD_LOW, size * FACE_DEPTH))
    pixel = (HEAD_HIGH - HEAD_LOW) * size / (CHIN - CROWN) * (1.0 if full_hair else SHORT_HAIR)
    across, down = flat(head[:, 0]) * (-1 if mirrored else 1), flat(-head[:, 1])
    turn = np.stack([across, down], axis=1) * pixel * scale
    return np.column_stack([turn, (chin - corner) * scale - turn @ (MIDDLE, CHIN)])


def _put(
    canvas: Image, portrait: Portrait, to_canvas: Floats, skin: Floats, hair: Floats, full_hair: bool
) -> None:
    shrink = min(1.0, float(np.sqrt(abs(np.linalg.det(to_canvas[:, :2])))))
    size = np.maximum(np.round(portrait.size * shrink), 1).astype(int).tolist()
    grow = portrait.size / size

    corners = portrait.corner + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * portrait.size
    landed = corners @ to_canvas[:, :2].T + to_canvas[:, 2]
    low = np.maximum(np.floor(landed.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(landed.max(axis=0)).astype(int) + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    shift = to_canvas[:, :2] @ (portrait.corner + grow / 2 - 0.5) + to_canvas[:, 2] - low
    turn = np.column_stack([to_canvas[:, :2] * grow, shift])
    small = portrait.tinted(size, skin, hair, full_hair)
    head = cv2.warpAffine(small, turn, (high - low).tolist(), flags=cv2.INTER_LINEAR)
    under = canvas[low[1] : high[1], low[0] : high[0]]
    under[:] = np.clip(under * (1 - head[..., 3:]) + head[..., :3], 0, 255)


@cache
def _portrait() -> Portrait:
    photograph = np.asarray(getattr(skimage.data, PORTRAIT)())[..., ::-1]
    outlines = [np.array(outline, dtype=np.float64) for outline in (HEAD_OUTLINE, FACE_OUTLINE)]
    low = outlines[0].min(axis=0).astype(int) - 8
    high = outlines[0].max(axis=0).astype(int) + 9
    masks = []
    for outline in outlines:
        mask = np.zeros(photograph.shape[:2], dtype=np.float32)
        cv2.fillPoly(mask, [outline.astype(np.int32)], 1.0)
        masks.append(cv2.GaussianBlur(mask, (0, 0), FEATHER))
    pixels, cut_masks = (
        np.array(whole[low[1] : high[1], low[0] : high[0]], dtype=np.float32)
        for whole in (photograph, np.dstack(masks))
    )
    return Portrait(pixels, cut_masks, low.astype(np.float64))
