"""People painted for the embedded data: a posed body is dressed, lit and put before a cluttered background.

Shapes are convex polygons `(m, 2)` in heights of the body, y down, until they are filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deeppose.core.geometry import Bools, Floats
from deeppose.data.synthetic.bodies import (
    ARMS,
    HEAD_TOP,
    L_HIP,
    L_SHOULDER,
    LEGS,
    NECK,
    R_HIP,
    R_SHOULDER,
    Figure,
    sample_figure,
)

Image = NDArray[np.uint8]
Layer = tuple[Floats, Floats]  # a polygon, its colour (BGR)

# BGR
SKINS = ((178, 205, 241), (150, 184, 226), (121, 157, 208), (96, 131, 188), (66, 97, 148), (45, 66, 104))
HAIRS = ((25, 25, 30), (30, 42, 62), (40, 68, 110), (60, 105, 165), (95, 165, 205), (120, 122, 126))
# shares of an arm (leg) in cloth: vest, T-shirt, elbow, long; shorts, knee, long
SLEEVES = (0.0, 0.28, 0.42, 0.95)
TROUSER_LEGS = (0.3, 0.42, 0.95, 0.95)

ARM_RADII = np.array([0.031, 0.025, 0.018])
LEG_RADII = np.array([0.05, 0.034, 0.021])
CLOSE = np.array([0.05, 0.15])
EDGE = 0.004  # width of the dark line around a part
HAIR_LAYERS = 2  # of a head's layers, those below its face
FACE = 0.3  # the face is the part of the head's sphere that lies beyond this plane

# the least depth, in heights, by which something must lie before a joint to hide it: half a chest
HIDING_DEPTH = 0.065
SUBPIXEL_BITS = 4

_TURNS = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_DISC = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)


@dataclass(frozen=True)
class Drawing:
    """A synthetic person.

    Attributes
    ----------
    image
        `(height, width, 3)`, BGR.
    pose
        `(14, 2)` 0-based pixels in the published order; left and right are the person's own.
    occluded
        `(14,)` where something painted later covers the joint.
    """

    image: Image
    pose: Floats
    occluded: Bools


@dataclass(frozen=True)
class Clothes:
    """Colours (BGR), shares of the limbs that cloth covers, and how stout the body is."""

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
    """What is painted in one go: `layers` from the bottom up, the first of them the outline.

    `ends` `(2, 3)` is the axis, for the depth; `joints` are those that this part shows.
    """

    layers: list[Layer]
    ends: Floats
    joints: tuple[int, ...]


def draw(
    rng: np.random.Generator, textures: Sequence[Image], height: float, margins: Floats = CLOSE
) -> Drawing:
    """Draw one person, cut out with a margin.

    Parameters
    ----------
    rng
        Decides everything.
    textures
        Colour images `(h, w, 3)` that backgrounds are cut from.
    height
        Of a standing person, pixels; the painted one is up to 12 % larger or smaller.
    margins
        The least and the largest on a side, `(2,)`, or of both axes, `(2, 2)`, in shares of the person's
        longer side.
    """
    figure = sample_figure(rng)
    clothes = sample_clothes(rng)
    light = sample_light(rng)
    parts = dressed_parts(figure, clothes, light)

    outlines = np.concatenate([part.layers[0][0] for part in parts])
    low, high = outlines.min(axis=0), outlines.max(axis=0)
    space = rng.uniform(margins[0], margins[1], size=(2, 2)) * (high - low).max()
    low, high = low - space[0], high + space[1]
    scale = height * rng.uniform(0.88, 1.12)
    width, rows = np.ceil((high - low) * scale).astype(int).tolist()

    canvas = background(rng, textures, rows, width, clothes)
    for part in parts:
        paint(canvas, part, low, scale)
    pose = (flat(figure.joints) - low) * scale
    return Drawing(develop(rng, canvas), pose, _occluded(figure.joints, parts))


def paint(canvas: Image, part: Part, corner: Floats, scale: float) -> None:
    """Paint a part into an image whose first pixel is `corner`, with so many pixels to a height."""
    for polygon, colour in part.layers:
        fill(canvas, (polygon - corner) * scale, colour)


def sample_light(rng: np.random.Generator) -> Floats:
    """The direction `(3,)` towards a light from above and from the camera's side."""
    return unit(np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1), rng.uniform(0.4, 1)]))


def sample_clothes(rng: np.random.Generator) -> Clothes:
    """Skin, hair and dress."""
    gain = rng.uniform(0.9, 1.08)
    return Clothes(
        skin=np.array(SKINS[rng.integers(len(SKINS))]) * gain,
        hair=np.array(HAIRS[rng.integers(len(HAIRS))]) * gain,
        shirt=sample_cloth(rng, 70, 245),
        trousers=sample_cloth(rng, 35, 190),
        shoes=sample_cloth(rng, 25, 240),
        sleeve=float(rng.choice(SLEEVES)),
        trouser_leg=float(rng.choice(TROUSER_LEGS)),
        build=rng.uniform(0.88, 1.2),
    )


def sample_cloth(rng: np.random.Generator, darkest: int, brightest: int) -> Floats:
    """A colour, BGR, whose largest channel lies between the two."""
    hsv = rng.integers((0, 20, darkest), (180, 220, brightest)).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv[None, None], cv2.COLOR_HSV2BGR)[0, 0], dtype=np.float64)


def dressed_parts(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    """The parts of a body in the order in which they are painted: the farthest first."""
    joints, skin = figure.joints, clothes.skin
    parts = [*_trunk(figure, clothes, light), *_head(figure, clothes, light)]
    sleeve, trouser_leg = (clothes.shirt, clothes.sleeve), (clothes.trousers, clothes.trouser_leg)
    for side, (arm, leg) in enumerate(zip(ARMS, LEGS, strict=True)):
        parts += _limb(arm, joints, ARM_RADII * clothes.build, skin, sleeve, light)
        parts += _limb(leg, joints, LEG_RADII * clothes.build, skin, trouser_leg, light)
        hand = np.stack([joints[arm[2]], figure.fingers[side]])
        parts.append(Part(_bone(hand, (0.019, 0.016), skin, light), hand, (arm[2],)))
        foot = np.stack([figure.heels[side], figure.toes[side]])
        parts.append(Part(_bone(foot, (0.026, 0.02), clothes.shoes, light), foot, (leg[2],)))
    return sorted(parts, key=lambda part: float(part.ends[:, 2].mean()))


def _limb(
    rows: tuple[int, int, int],
    joints: Floats,
    radii: Floats,
    skin: Floats,
    dress: tuple[Floats, float],
    light: Floats,
) -> list[Part]:
    """Two bones; cloth covers the given share of their length, from the trunk outwards."""
    cloth, share = dress
    parts = []
    for bone in (0, 1):
        ends = joints[[rows[bone], rows[bone + 1]]]
        covered = np.clip(2 * share - bone, 0, 1)
        layers = _bone(ends, (radii[bone], radii[bone + 1]), skin, light)
        if covered > 0:
            hem = radii[bone] + covered * (radii[bone + 1] - radii[bone])
            sleeve = np.stack([ends[0], ends[0] + covered * (ends[1] - ends[0])])
            layers += _bone(sleeve, (radii[bone] * 1.12, hem * 1.15), cloth, light, cut=covered < 1)
        parts.append(Part(layers, ends, (rows[bone], rows[bone + 1])))
    return parts


def _trunk(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    joints, chest, pelvis, build = figure.joints, figure.chest, figure.pelvis, clothes.build
    neck = joints[NECK]
    upper = [
        (neck, 0.03),
        (joints[L_SHOULDER] + chest @ (-0.012, -0.008, 0), 0.034 * build),
        (joints[R_SHOULDER] + chest @ (0.012, -0.008, 0), 0.034 * build),
        (neck + chest @ (0, -0.09, 0.012), 0.07 * build),
        (pelvis @ (0.03, 0.085, 0), 0.05 * build),
        (pelvis @ (-0.03, 0.085, 0), 0.05 * build),
    ]
    lower = [
        (pelvis @ (0.035, 0.065, 0), 0.046 * build),
        (pelvis @ (-0.035, 0.065, 0), 0.046 * build),
        (joints[L_HIP], 0.05 * build),
        (joints[R_HIP], 0.05 * build),
        (pelvis @ (0, 0.01, -0.02), 0.06 * build),
    ]
    waist = pelvis @ (0, 0.085, 0)
    return [
        Part(_blob(lower, clothes.trousers, light), np.stack([waist, np.zeros(3)]), ()),
        Part(_blob(upper, clothes.shirt, light), np.stack([neck, waist]), ()),
    ]


def _head(figure: Figure, clothes: Clothes, light: Floats) -> list[Part]:
    """Neck, hair and as much of the face as can be seen, on an egg: a sphere stretched and turned."""
    neck, top, turned = figure.joints[NECK], figure.joints[HEAD_TOP], figure.head
    size = float(np.linalg.norm(top - neck))
    centre = neck + turned @ (0, size * 0.59, 0)
    radii = np.array([0.33, 0.41, 0.38]) * size
    view = turned[2] / radii  # a point u of the sphere can be seen where u · view > 0
    forward = unit(np.array([0.0, -0.2, 1.0]))

    def place(points: Floats, larger: float = 1.0) -> Floats:
        return flat(centre + (points * radii * larger) @ turned.T)

    rim, hairline = _circle(unit(view), 0.0), _circle(forward, FACE)
    face = np.concatenate([rim[rim @ forward > FACE], hairline[hairline @ view > 0]])
    skin = clothes.skin * _lit(turned[:, 1], light)
    layers: list[Layer] = [(place(rim, 1.05), clothes.hair * 0.6), (place(rim), clothes.hair)]
    if len(face) > 2:
        layers.append((hull(place(face)), skin))
    for x in (-0.32, 0.32):
        eye = unit(np.array([x, 0.0, 0.95]))
        if eye @ view > 0:
            layers.append((place(eye) + _DISC * 0.008, skin * 0.35))

    throat = np.stack([neck - figure.chest @ (0, 0.01, 0), neck + turned @ (0, size * 0.3, 0)])
    return [
        Part(_bone(throat, (0.032, 0.028), clothes.skin * 0.9, light), throat, (NECK,)),
        Part(layers, np.stack([centre, top]), (HEAD_TOP,)),
    ]


def _circle(axis: Floats, share: float) -> Floats:
    """Where the plane `axis` · u = `share` cuts the unit sphere, `(m, 3)`."""
    across = unit(np.cross(axis, np.eye(3)[np.abs(axis).argmin()]))
    turns = np.outer(_DISC[:, 0], across) + np.outer(_DISC[:, 1], np.cross(axis, across))
    return np.asarray(share * axis + np.sqrt(1 - share * share) * turns)


def _bone(
    ends: Floats, radii: tuple[float, float], colour: Floats, light: Floats, cut: bool = False
) -> list[Layer]:
    """A tapered bone with a dark edge and a bright strip; `cut` ends it straight, as a hem does."""
    axis = flat(ends)
    along = unit(axis[1] - axis[0])
    far_end = np.array([[-along[1], along[0]], [along[1], -along[0]]]) if cut else _DISC
    nearness = 1 + 0.35 * np.clip(ends[:, 2].mean(), -0.5, 0.5)
    lit = colour * _lit(ends[1] - ends[0], light) * nearness

    def shape(grow: float, narrow: float, shift: float) -> Floats:
        first, second = (radius * narrow + grow for radius in radii)
        centres = axis + flat(light) * shift * np.array(radii)[:, None]
        return hull(np.concatenate([centres[0] + _DISC * first, centres[1] + far_end * second]))

    return [
        (shape(EDGE, 1.0, 0.0), lit * 0.55),
        (shape(0.0, 1.0, 0.0), lit * 0.93),
        (shape(0.0, 0.5, 0.3), lit * 1.1),
    ]


def _blob(balls: list[tuple[Floats, float]], colour: Floats, light: Floats) -> list[Layer]:
    """The skin over some balls (centre, radius), the first above the last."""
    lit = colour * _lit(balls[0][0] - balls[-1][0], light)
    outline, shape = (
        hull(np.concatenate([flat(centre) + _DISC * (radius + grow) for centre, radius in balls]))
        for grow in (EDGE, 0.0)
    )
    middle = flat(np.mean([centre for centre, _ in balls], axis=0))
    bright = middle + (shape - middle) * 0.62 + flat(light) * 0.02
    return [(outline, lit * 0.55), (shape, lit * 0.95), (bright, lit * 1.06)]


def _lit(axis: Floats, light: Floats) -> float:
    """How bright a cylinder along `axis` looks: it tells bones that meet at an angle apart."""
    along = float(unit(axis) @ light)
    return 0.68 + 0.37 * float(np.sqrt(max(0.0, 1 - along * along)))


def flat(points: Floats) -> Floats:
    """Points `(..., 3)` as the camera sees them, `(..., 2)`, y down."""
    return np.asarray(points[..., :2] * np.array([1.0, -1.0]))


def unit(vector: Floats) -> Floats:
    """The vector at length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def hull(points: Floats) -> Floats:
    """Corners of the smallest convex polygon around the points."""
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], dtype=np.float64)


def _occluded(joints: Floats, parts: list[Part]) -> Bools:
    """Joints that a part painted after their own covers, and that lie clearly behind it."""
    hidden = np.zeros(len(joints), dtype=bool)
    for joint, place in enumerate(joints):
        own = max(order for order, part in enumerate(parts) if joint in part.joints)
        point = tuple(flat(place).tolist())
        hidden[joint] = any(
            _depth_at(part.ends, place) > place[2] + HIDING_DEPTH
            and cv2.pointPolygonTest(part.layers[0][0].astype(np.float32), point, False) >= 0
            for part in parts[own + 1 :]
        )
    return hidden


def _depth_at(ends: Floats, place: Floats) -> float:
    """Depth of an axis where it passes nearest to a point of the image."""
    along = ends[1, :2] - ends[0, :2]
    share = np.clip((place[:2] - ends[0, :2]) @ along / max(float(along @ along), 1e-9), 0, 1)
    return float(ends[0, 2] + share * (ends[1, 2] - ends[0, 2]))


def background(
    rng: np.random.Generator, textures: Sequence[Image], rows: int, width: int, clothes: Clothes
) -> Image:
    """A crop of a texture, often another one as the floor, and shapes that might be limbs."""
    canvas = _texture(rng, textures, rows, width)
    if rng.random() < 0.5:
        floor = int(rows * rng.uniform(0.5, 0.9))
        canvas[floor:] = _texture(rng, textures, rows - floor, width)
    own = (clothes.skin, clothes.shirt, clothes.trousers)
    for _ in range(rng.integers(0, 6)):
        colour = own[rng.integers(3)] if rng.random() < 0.3 else sample_cloth(rng, 20, 235)
        start = rng.uniform(-0.1, 1.1, 2) * (width, rows)
        if rng.random() < 0.65:
            ends = np.stack([start, start + rng.normal(0, 0.22, 2) * rows])
            radii = rows * rng.uniform(0.015, 0.05, 2)
            shape = hull(np.concatenate([ends[0] + _DISC * radii[0], ends[1] + _DISC * radii[1]]))
        else:
            shape = hull(start + rng.normal(0, 0.08, (6, 2)) * rows)
        fill(canvas, shape, colour)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.8)), dtype=np.uint8)


def _texture(rng: np.random.Generator, textures: Sequence[Image], rows: int, width: int) -> Image:
    source = textures[int(rng.integers(len(textures)))]
    side = int(min(source.shape[:2]) * rng.uniform(0.35, 1.0))
    top, left = (rng.integers(length - side + 1) for length in source.shape[:2])
    high, wide = (max(1, side * length // max(rows, width)) for length in (rows, width))
    crop = cv2.resize(source[top : top + high, left : left + wide], (width, rows))
    gain = rng.uniform(0.45, 1.15) * rng.uniform(0.75, 1.25, 3)
    return np.asarray(np.clip(crop * gain + rng.uniform(0, 45), 0, 255), dtype=np.uint8)


def fill(canvas: Image, polygon: Floats, colour: Floats) -> None:
    """Paint a convex polygon `(m, 2)`, pixels, with smooth edges."""
    points = np.round(polygon * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(canvas, points, np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SUBPIXEL_BITS)


def develop(rng: np.random.Generator, canvas: Image) -> Image:
    """Contrast, uneven light, a lens that is not quite sharp, and noise."""
    rows, width = canvas.shape[:2]
    image = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.35, 0.75)).astype(np.float32)
    across, down = rng.uniform(-0.15, 0.15, 2)
    ramp = 1 + across * np.linspace(-1, 1, width) + down * np.linspace(-1, 1, rows)[:, None]
    contrast, brightness = rng.uniform(0.75, 1.1), rng.uniform(-18, 18)
    noise = rng.standard_normal((rows, width), dtype=np.float32) * rng.uniform(1.5, 5.0)
    gain = (contrast * ramp).astype(np.float32)
    image = (image - 128) * gain[..., None] + (noise + np.float32(128 + brightness))[..., None]
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)
