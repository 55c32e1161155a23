"""People drawn for the embedded data: a jointed body in three dimensions, projected, dressed and painted.

Lengths are shares of the body's height until :func:`draw` scales them. Axes of the body: x to the person's
left, y up, z forward; the camera looks along -z, so that somebody who faces it has their left on the
image's right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deeppose.geometry import Bools, Floats

Image = NDArray[np.uint8]

# rows of the pose, in the published order
R_ANKLE, R_KNEE, R_HIP, L_HIP, L_KNEE, L_ANKLE = range(6)
R_WRIST, R_ELBOW, R_SHOULDER, L_SHOULDER, L_ELBOW, L_WRIST, NECK, HEAD_TOP = range(6, 14)

BONES = {
    "spine": 0.29,
    "shoulders": 0.115,
    "hips": 0.065,
    "upper arm": 0.165,
    "lower arm": 0.145,
    "hand": 0.06,
    "upper leg": 0.245,
    "lower leg": 0.235,
    "foot": 0.095,
    "head": 0.175,
}

# degrees; what a body allows when it stands or walks, and when it does sports
CALM = {
    "lean": (-14, 14),
    "pitch": (-8, 14),
    "bend": (-5, 18),
    "side": (-8, 8),
    "twist": (-15, 15),
    "nod": (-12, 18),
    "turn": (-30, 30),
    "arm forward": (-25, 55),
    "arm out": (8, 75),
    "arm in": (-15, 55),
    "elbow": (5, 105),
    "leg forward": (-15, 42),
    "leg out": (1, 20),
    "leg in": (-22, 10),
    "knee": (2, 50),
    "ankle": (-8, 20),
}
STRONG = {
    "lean": (-35, 35),
    "pitch": (-20, 35),
    "bend": (-15, 45),
    "side": (-20, 20),
    "twist": (-35, 35),
    "nod": (-25, 30),
    "turn": (-55, 55),
    "arm forward": (-45, 160),
    "arm out": (5, 150),
    "arm in": (-50, 85),
    "elbow": (0, 140),
    "leg forward": (-30, 110),
    "leg out": (0, 60),
    "leg in": (-35, 20),
    "knee": (0, 125),
    "ankle": (-10, 45),
}
SHARE_STRONG = 0.25
SHARE_ANY_LEAN = 0.08
SHARE_FROM_THE_BACK = 0.22
SHARE_FROM_THE_SIDE = 0.16

SKINS = ((178, 205, 241), (150, 184, 226), (121, 157, 208), (96, 131, 188), (66, 97, 148), (45, 66, 104))
HAIRS = ((25, 25, 30), (30, 42, 62), (40, 68, 110), (60, 105, 165), (95, 165, 205), (120, 122, 126))

# the least depth, in heights, by which something must lie before a joint to hide it
HIDING_DEPTH = 0.035
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Drawing:
    """A drawn person.

    Attributes
    ----------
    image
        `(height, width, 3)`, BGR.
    pose
        `(14, 2)` 0-based pixels in the published order; person-centric sides.
    occluded
        `(14,)` where something painted later covers the joint.
    """

    image: Image
    pose: Floats
    occluded: Bools


@dataclass(frozen=True)
class Figure:
    """A posed body; positions are `(3,)` in heights from the middle of the hips."""

    joints: Floats  # (14, 3)
    chest: Floats  # (3, 3) rotation, as the next two
    head: Floats
    pelvis: Floats
    fingers: dict[str, Floats] = field(default_factory=dict)
    heels: dict[str, Floats] = field(default_factory=dict)
    toes: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Clothes:
    """Colours (BGR) and lengths of one person's clothes; a length is a share of the limb's two bones."""

    skin: Floats
    hair: Floats
    shirt: Floats
    trousers: Floats
    shoes: Floats
    sleeve: float
    trouser_leg: float
    build: float


@dataclass(frozen=True)
class Part:
    """What is painted in one go.

    Attributes
    ----------
    layers
        Convex polygons `(m, 2)` and their colours, from the bottom up; the first is the outline.
    ends
        `(2, 3)`: the axis, for the depth.
    joints
        The joints that this part shows.
    """

    layers: list[tuple[Floats, Floats]]
    ends: Floats
    joints: tuple[int, ...]

    @property
    def depth(self) -> float:
        return float(self.ends[:, 2].mean())


def draw(rng: np.random.Generator, textures: Sequence[Image], height: float) -> Drawing:
    """Draw one person before a cluttered background, cut out with a margin.

    Parameters
    ----------
    rng
        Decides everything.
    textures
        Colour images that the backgrounds are cut from.
    height
        Of a standing person, pixels; the drawn one is up to 12 % larger or smaller.
    """
    figure = sample_figure(rng)
    clothes = _sample_clothes(rng)
    scale = height * rng.uniform(0.88, 1.12)
    light = _unit(np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1), rng.uniform(0.4, 1)]))
    parts = sorted(_parts(figure, clothes, light), key=lambda part: part.depth)

    outline = np.concatenate([part.layers[0][0] for part in parts])
    low, high = outline.min(axis=0), outline.max(axis=0)
    margins = rng.uniform(0.05, 0.22, size=(2, 2)) * (high - low).max()
    low, high = low - margins[0], high + margins[1]
    width, rows = np.ceil((high - low) * scale).astype(int).tolist()

    canvas = _background(rng, textures, rows, width, clothes)
    for part in parts:
        for polygon, colour in part.layers:
            _fill(canvas, (polygon - low) * scale, colour)
    flat = figure.joints[:, :2] * (1, -1)
    return Drawing(_develop(rng, canvas), (flat - low) * scale, _occluded(figure, parts))


def sample_figure(rng: np.random.Generator) -> Figure:
    """Pose a body within the limits of its joints: elbows and knees bend one way."""
    limits = STRONG if rng.random() < SHARE_STRONG else CALM

    def angle(name: str) -> float:
        return float(np.radians(rng.uniform(*limits[name])))

    bone = {name: length * rng.normal(1, 0.04) for name, length in BONES.items()}
    lean = angle("lean")
    if rng.random() < SHARE_ANY_LEAN:
        lean = rng.uniform(-np.pi, np.pi)
    pelvis = _about(2, lean) @ _about(1, _sample_yaw(rng)) @ _about(0, angle("pitch"))
    chest = pelvis @ _about(0, angle("bend")) @ _about(2, angle("side")) @ _about(1, angle("twist"))
    head = chest @ _about(0, angle("nod")) @ _about(1, angle("turn"))

    joints = np.zeros((14, 3))
    figure = Figure(joints, chest, head, pelvis)
    joints[NECK] = pelvis @ (0, 0.1, 0) + chest @ (0, bone["spine"] - 0.1, 0)
    joints[HEAD_TOP] = joints[NECK] + head @ (0, bone["head"], 0)
    for side, sign, arm, leg in (
        ("left", 1, (L_SHOULDER, L_ELBOW, L_WRIST), (L_HIP, L_KNEE, L_ANKLE)),
        ("right", -1, (R_SHOULDER, R_ELBOW, R_WRIST), (R_HIP, R_KNEE, R_ANKLE)),
    ):
        upper = chest @ _about(0, -angle("arm forward")) @ _about(2, sign * angle("arm out"))
        upper = upper @ _about(1, -sign * angle("arm in"))
        lower = upper @ _about(0, -angle("elbow"))
        joints[arm[0]] = joints[NECK] + chest @ (sign * bone["shoulders"], -0.025, 0)
        joints[arm[1]] = joints[arm[0]] + upper @ (0, -bone["upper arm"], 0)
        joints[arm[2]] = joints[arm[1]] + lower @ (0, -bone["lower arm"], 0)
        figure.fingers[side] = joints[arm[2]] + lower @ (0, -bone["hand"], 0)

        thigh = pelvis @ _about(0, -angle("leg forward")) @ _about(2, sign * angle("leg out"))
        thigh = thigh @ _about(1, -sign * angle("leg in"))
        shin = thigh @ _about(0, angle("knee"))
        foot = shin @ _about(0, angle("ankle"))
        joints[leg[0]] = pelvis @ (sign * bone["hips"], 0, 0)
        joints[leg[1]] = joints[leg[0]] + thigh @ (0, -bone["upper leg"], 0)
        joints[leg[2]] = joints[leg[1]] + shin @ (0, -bone["lower leg"], 0)
        figure.heels[side] = joints[leg[2]] + foot @ (0, -0.022, -0.012)
        figure.toes[side] = joints[leg[2]] + foot @ (0, -0.034, bone["foot"])
    return figure


def _sample_yaw(rng: np.random.Generator) -> float:
    kind = rng.random()
    degrees = rng.normal(0, 28)
    if kind < SHARE_FROM_THE_BACK:
        degrees += 180
    elif kind < SHARE_FROM_THE_BACK + SHARE_FROM_THE_SIDE:
        degrees += rng.choice((-80, 80))
    return float(np.radians(degrees))


def _about(axis: int, angle: float) -> Floats:
    """The right-handed rotation about a coordinate axis."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = np.cos(angle)
    rotation[second, first] = np.sin(angle)
    rotation[first, second] = -np.sin(angle)
    return rotation


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _sample_clothes(rng: np.random.Generator) -> Clothes:
    gain = rng.uniform(0.9, 1.08)
    return Clothes(
        skin=np.array(SKINS[rng.integers(len(SKINS))]) * gain,
        hair=np.array(HAIRS[rng.integers(len(HAIRS))]) * gain,
        shirt=_cloth(rng, 70, 245),
        trousers=_cloth(rng, 35, 190),
        shoes=_cloth(rng, 25, 240),
        sleeve=float(rng.choice((0.0, 0.28, 0.42, 0.95))),
        trouser_leg=float(rng.choice((0.3, 0.42, 0.95, 0.95))),
        build=rng.uniform(0.88, 1.2),
    )


def _cloth(rng: np.random.Generator, darkest: int, brightest: int) -> Floats:
    hsv = np.array(
        [[[rng.integers(180), rng.integers(20, 220), rng.integers(darkest, brightest)]]], dtype=np.uint8
    )
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64)


def _parts(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    joints, build = figure.joints, clothes.build
    parts = [*_trunk(figure, clothes, light), *_head(figure, clothes, light)]
    for side, arm, leg in (
        ("left", (L_SHOULDER, L_ELBOW, L_WRIST), (L_HIP, L_KNEE, L_ANKLE)),
        ("right", (R_SHOULDER, R_ELBOW, R_WRIST), (R_HIP, R_KNEE, R_ANKLE)),
    ):
        parts += _limb(
            arm,
            joints,
            np.array([0.031, 0.025, 0.018]) * build,
            clothes.shirt,
            clothes.sleeve,
            clothes,
            light,
        )
        parts += _limb(
            leg,
            joints,
            np.array([0.05, 0.034, 0.021]) * build,
            clothes.trousers,
            clothes.trouser_leg,
            clothes,
            light,
        )
        hand = np.stack([joints[arm[2]], figure.fingers[side]])
        parts.append(Part(_rounded(hand, (0.019, 0.016), clothes.skin, light), hand, (arm[2],)))
        foot = np.stack([figure.heels[side], figure.toes[side]])
        parts.append(Part(_rounded(foot, (0.026, 0.02), clothes.shoes, light), foot, (leg[2],)))
    return parts


def _limb(
    rows: tuple[int, int, int],
    joints: Floats,
    radii: Floats,
    cloth: Floats,
    length: float,
    clothes: Clothes,
    light: Floats,
) -> list[Part]:
    """Two bones, the first `length` of them in cloth, the rest bare."""
    parts = []
    for bone in (0, 1):
        start, end = rows[bone], rows[bone + 1]
        ends = joints[[start, end]]
        covered = np.clip(2 * length - bone, 0, 1)
        layers = _rounded(ends, (radii[bone], radii[bone + 1]), clothes.skin, light)
        if covered > 0:
            hem = radii[bone] + covered * (radii[bone + 1] - radii[bone])
            sleeve = np.stack([ends[0], ends[0] + covered * (ends[1] - ends[0])])
            layers += _rounded(sleeve, (radii[bone] * 1.12, hem * 1.15), cloth, light, cut=covered < 1)
        parts.append(Part(layers, ends, (start, end)))
    return parts


def _trunk(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    joints, chest, pelvis, build = figure.joints, figure.chest, figure.pelvis, clothes.build
    neck = joints[NECK]
    waist = pelvis @ (0, 0.085, 0)
    upper = [
        (neck, 0.03),
        (joints[L_SHOULDER] + chest @ (-0.012, -0.008, 0), 0.034 * build),
        (joints[R_SHOULDER] + chest @ (0.012, -0.008, 0), 0.034 * build),
        (neck + chest @ (0, -0.09, 0.012), 0.07 * build),
        (waist + pelvis @ (0.03, 0, 0), 0.05 * build),
        (waist + pelvis @ (-0.03, 0, 0), 0.05 * build),
    ]
    lower = [
        (joints[L_HIP], 0.05 * build),
        (joints[R_HIP], 0.05 * build),
        (pelvis @ (0, 0.01, -0.02), 0.06 * build),
        (waist + pelvis @ (0.035, -0.02, 0), 0.046 * build),
        (waist + pelvis @ (-0.035, -0.02, 0), 0.046 * build),
    ]
    shirt = Part(_blob(upper, clothes.shirt, light), np.stack([neck, waist]), ())
    trousers = Part(_blob(lower, clothes.trousers, light), np.stack([waist, np.zeros(3)]), ())
    return [trousers, shirt]


def _head(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    """Neck, hair and, where it can be seen, the face: the part of an egg that looks forward."""
    neck, top, turned = figure.joints[NECK], figure.joints[HEAD_TOP], figure.head
    size = float(np.linalg.norm(top - neck))
    centre = neck + turned @ (0, size * 0.57, 0)
    radii = np.array([0.36, 0.43, 0.41]) * size
    turns = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    rim = _silhouette(turned, radii, turns)
    # in the head's own axes a face is what lies beyond a plane across the egg
    edge = np.stack([0.94 * np.cos(turns), 0.94 * np.sin(turns) - 0.12, np.full(28, 0.34)], axis=1)
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    forward = _unit(edge.mean(axis=0))
    limit = float(forward @ edge[0])
    points = np.concatenate([rim[rim @ forward > limit], edge[_facing(turned, radii, edge)]])

    def place(unit_points: Floats) -> Floats:
        return centre + (unit_points * radii) @ turned.T

    throat = np.stack([neck - figure.chest @ (0, 0.01, 0), neck + turned @ (0, size * 0.3, 0)])
    skin = clothes.skin * _lit(figure.head[:, 1], light)
    layers = [
        (_flat(centre + (rim * radii) @ turned.T * 1.04), clothes.hair * 0.6),
        (_flat(place(rim)), clothes.hair),
    ]
    if len(points) > 2:
        layers.append((_hull(_flat(place(points))), skin))
    for x in (-0.34, 0.34):
        eye = _unit(np.array([x, 0.02, 0.93]))[None]
        if _facing(turned, radii, eye)[0]:
            layers.append((_flat(place(eye)) + _disc(8) * 0.008, skin * 0.35))
    head = Part(layers, np.stack([centre, top]), (HEAD_TOP,))
    return [Part(_rounded(throat, (0.034, 0.03), clothes.skin * 0.9, light), throat, (NECK,)), head]


def _facing(turned: Floats, radii: Floats, points: Floats) -> Bools:
    """Which points of the unit sphere look at the camera once it is stretched by `radii` and turned."""
    return np.asarray((points / radii) @ turned[2] > 0)


def _silhouette(turned: Floats, radii: Floats, turns: Floats) -> Floats:
    """The points of the unit sphere, `(m, 3)`, that are the egg's outline as the camera sees it."""
    view = _unit(turned[2] / radii)
    across = _unit(np.cross(view, (0.0, 1.0, 0.0) if abs(view[1]) < 0.9 else (1.0, 0.0, 0.0)))
    upward = np.cross(view, across)
    return np.cos(turns)[:, None] * across + np.sin(turns)[:, None] * upward


def _flat(points: Floats) -> Floats:
    return points[..., :2] * (1, -1)


def _disc(count: int) -> Floats:
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def _hull(points: Floats) -> Floats:
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)


def _lit(axis: Floats, light: Floats) -> float:
    """How bright a cylinder along `axis` looks: it tells bones that meet at an angle apart."""
    along = float(_unit(axis) @ light)
    return 0.68 + 0.37 * float(np.sqrt(max(0.0, 1 - along * along)))


def _rounded(
    ends: Floats, radii: tuple[float, float], colour: Floats, light: Floats, cut: bool = False
) -> list[tuple[Floats, Floats]]:
    """A tapered bone with a dark edge and a bright strip; `cut` ends it straight, as a sleeve does."""
    flat = _flat(ends)
    lit = colour * _lit(ends[1] - ends[0], light) * (1 + 0.35 * np.clip(ends[:, 2].mean(), -0.5, 0.5))
    along = _unit(flat[1] - flat[0])
    shift = _flat(light) * 0.3

    def shape(grow: float, narrow: float, offset: Floats) -> Floats:
        first, second = (radius * narrow + grow for radius in radii)
        start = flat[0] + offset * radii[0] + _disc(16) * first
        if cut:
            across = np.array([-along[1], along[0]])
            end = flat[1] + offset * radii[1] + np.stack([across, -across]) * second
        else:
            end = flat[1] + offset * radii[1] + _disc(16) * second
        return _hull(np.concatenate([start, end]))

    none = np.zeros(2)
    return [
        (shape(0.004, 1.0, none), lit * 0.55),
        (shape(0.0, 1.0, none), lit * 0.93),
        (shape(0.0, 0.5, shift), lit * 1.1),
    ]


def _blob(balls: list[tuple[Floats, float]], colour: Floats, light: Floats) -> list[tuple[Floats, Floats]]:
    lit = colour * _lit(balls[0][0] - balls[-1][0], light)
    centre = _flat(np.mean([ball for ball, _ in balls], axis=0))

    def shape(grow: float) -> Floats:
        return _hull(np.concatenate([_flat(ball) + _disc(16) * (radius + grow) for ball, radius in balls]))

    inner = centre + (shape(0.0) - centre) * 0.62 + _flat(light) * 0.02
    return [(shape(0.004), lit * 0.55), (shape(0.0), lit * 0.95), (inner, lit * 1.06)]


def _occluded(figure: Figure, parts: list[Part]) -> Bools:
    """Joints that a part painted after their own covers, and that lie clearly behind it."""
    hidden = np.zeros(14, dtype=bool)
    for joint, place in enumerate(figure.joints):
        own = max(order for order, part in enumerate(parts) if joint in part.joints)
        point = tuple(_flat(place).tolist())
        for part in parts[own + 1 :]:
            inside = cv2.pointPolygonTest(part.layers[0][0].astype(np.float32), point, False) >= 0
            if inside and _depth_at(part.ends, place) > place[2] + HIDING_DEPTH:
                hidden[joint] = True
                break
    return hidden


def _depth_at(ends: Floats, place: Floats) -> float:
    """Depth of an axis where it passes nearest to a point of the image."""
    along = ends[1, :2] - ends[0, :2]
    share = np.clip((place[:2] - ends[0, :2]) @ along / max(float(along @ along), 1e-9), 0, 1)
    return float(ends[0, 2] + share * (ends[1, 2] - ends[0, 2]))


def _background(
    rng: np.random.Generator, textures: Sequence[Image], rows: int, width: int, clothes: Clothes
) -> Image:
    """A crop of a texture, often a second one as the floor, and shapes in the way."""
    canvas = _texture(rng, textures, rows, width)
    if rng.random() < 0.5:
        floor = int(rows * rng.uniform(0.5, 0.9))
        canvas[floor:] = _texture(rng, textures, rows, width)[floor:]
    size = np.array([width, rows])
    for _ in range(rng.integers(0, 6)):
        own = (clothes.skin, clothes.shirt, clothes.trousers)
        colour = own[rng.integers(3)] if rng.random() < 0.3 else rng.uniform(20, 235, 3)
        start = rng.uniform(-0.1, 1.1, 2) * size
        if rng.random() < 0.6:
            ends = np.stack([start, start + rng.normal(0, 0.25, 2) * rows])
            shape = _hull(np.concatenate([end + _disc(12) * rows * rng.uniform(0.015, 0.05) for end in ends]))
        else:
            shape = _hull(start + rng.normal(0, 0.1, (5, 2)) * rows)
        _fill(canvas, shape, colour)
    blur = rng.uniform(0.3, 2.0)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), blur), dtype=np.uint8)


def _texture(rng: np.random.Generator, textures: Sequence[Image], rows: int, width: int) -> Image:
    source = textures[rng.integers(len(textures))]
    side = int(min(source.shape[:2]) * rng.uniform(0.35, 1.0))
    top, left = (rng.integers(length - side + 1) for length in source.shape[:2])
    crop = cv2.resize(
        source[top : top + side, left : left + side], (width, rows), interpolation=cv2.INTER_AREA
    )
    gain = rng.uniform(0.45, 1.15) * rng.uniform(0.75, 1.25, 3)
    return np.clip(crop * gain + rng.uniform(0, 45), 0, 255).astype(np.uint8)


def _fill(canvas: Image, polygon: Floats, colour: Floats) -> None:
    points = np.round(polygon * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(canvas, points, np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SUBPIXEL_BITS)


def _develop(rng: np.random.Generator, canvas: Image) -> Image:
    """Contrast, uneven light, a lens that is not quite sharp, and noise."""
    rows, width = canvas.shape[:2]
    image = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.35, 0.75)).astype(np.float32)
    across, down = rng.uniform(-0.15, 0.15, 2)
    ramp = 1 + across * np.linspace(-1, 1, width) + down * np.linspace(-1, 1, rows)[:, None]
    contrast, brightness = rng.uniform(0.75, 1.1), rng.uniform(-18, 18)
    noise = rng.standard_normal((rows, width), dtype=np.float32) * rng.uniform(1.5, 5.0)
    image = (image - 128) * (contrast * ramp[..., None]) + (128 + brightness) + noise[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)
