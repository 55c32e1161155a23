"""Synthetic people, in the layouts of the published archives of all sets.

Full bodies stand in for LSP, LSP extended and Image Parse, film scenes for FLIC and Buffy.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.io import savemat

from deeppose.core.files import atomic_path
from deeppose.core.geometry import Floats
from deeppose.core.params import Embedded
from deeppose.core.progress import progress
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.readers.flic import COLUMNS_LABELLED, COLUMNS_PUBLISHED
from deeppose.data.readers.observer_centric import observer_centric
from deeppose.data.synthetic.bodies import ARMS, HEAD_TOP, L_HIP, NECK, R_HIP
from deeppose.data.synthetic.painting import CLOSE, Drawing, Image, draw
from deeppose.data.synthetic.scenes import Person, Scene, draw_scene

# photographs that come inside scikit-image's wheel: nothing is downloaded for them
TEXTURES = (
    "brick", "clock", "coffee", "grass", "gravel", "hubble_deep_field", "moon", "retina", "rocket",
)  # fmt: skip
LARGEST_TEXTURE = 320

# parts of a drawing's seed, so that no two sets share an image
LSP, EXTENDED, PARSE, FLIC, BUFFY = range(5)
NAMES = ("lsp", "lsp-extended", "parse", "flic", "buffy")

SHARE_PARTLY_LABELLED = 0.6
OCCLUDED_IS_LEFT_OUT = 4.0  # times as often as a joint that can be seen

PARSE_MARGINS = np.array([[0.08, 0.04], [0.36, 0.17]])  # x, y

ARMS_AND_HIPS = [row for arm in ARMS for row in arm] + [L_HIP, R_HIP]
TORSO = [0, 3, 6, 7]  # of ARMS_AND_HIPS
FLIC_UNLABELLED = 0.015
TORSO_BOX_NOISE = 0.06  # standard deviation of an edge, in shares of the box's side
SHARE_BOTH_LABELLED = 0.7  # of the frames that show two people
FRAMES_OF_A_FILM = 100

EPISODES = range(2, 7)
SHARE_WITHOUT_STICKS = 0.03
STICK_NOISE = 0.003  # standard deviation of a stick's end, in heights of the frame

MAT_HEADER = b"MATLAB 5.0 MAT-file, drawn for the demo of DeepPose".ljust(116)
README = """{title}

People drawn by a program, to try the pipeline on: {photographs} The layout is that
of the published archive of the same name; numbers made of it are comparable with nobody's.

{layout}
"""
NO_PHOTOGRAPH = "no photograph of a person is in here."
FACES = """the pictures are of nobody, but for the
faces, which a face detector has to find. They are all cut from one portrait: that of the astronaut Eileen
Collins, which NASA made and which is in the public domain, as scikit-image brings it along.
"""
JOINTS = """Joints are in this order:
right ankle, right knee, right hip, left hip, left knee, left ankle, right wrist, right elbow,
right shoulder, left shoulder, left elbow, left wrist, neck, head top"""
LSP_README = README.format(
    title="Leeds Sports Pose Dataset: embedded stand-in",
    photographs=NO_PHOTOGRAPH,
    layout="joints.mat holds `joints`, 3 x 14 x images: x, y, 1 where the joint is occluded.\n"
    "The first half is for training, the second for testing.\n"
    f"Coordinates are 1-based pixels, left and right are the person's own. {JOINTS}",
)
EXTENDED_README = README.format(
    title="Leeds Sports Pose Extended Training Dataset: embedded stand-in",
    photographs=NO_PHOTOGRAPH,
    layout="joints.mat holds `joints`, 14 x 3 x images: x, y, 1 where the joint is labelled.\n"
    "Coordinates of a joint that is not labelled mean nothing.\n"
    f"Coordinates are 1-based pixels, left and right are the person's own. {JOINTS}",
)
PARSE_README = README.format(
    title="Image Parse: embedded stand-in",
    photographs=NO_PHOTOGRAPH,
    layout="labels.mat holds `ptsAll`, 14 x 2 x images: x, y. The first 100 images are for training, the\n"
    "others for testing. Coordinates are 1-based pixels, left and right as if the person faced the\n"
    f"camera. {JOINTS}",
)
FLIC_README = README.format(
    title="Frames Labeled In Cinema: embedded stand-in",
    photographs=FACES,
    layout="examples.mat holds `examples`, 1 x people. Of the columns of `coords` these are labelled,\n"
    "counted from 0: left shoulder, elbow, wrist 0 1 2, right ones 3 4 5, hips 6 9, eyes 12 13, nose 16;\n"
    "NaN elsewhere. Left and right are as if the person faced the camera, coordinates 1-based pixels;\n"
    "`torsobox` is x1 y1 x2 y2, and says which person of a frame is meant.",
)
BUFFY_README = README.format(
    title="Buffy stickmen: embedded stand-in",
    photographs=FACES,
    layout="data/buffy_s5eN_sticks.txt has for each frame a line with its number and six with the ends of a\n"
    "stick, x1 y1 x2 y2: torso, left upper arm, right upper arm, left lower arm, right lower arm, head.\n"
    "Coordinates are 1-based pixels, the left arm is the one on the image's left, and which end of a\n"
    "stick comes first means nothing. One person a frame has sticks, in a few frames nobody.",
)


def write_embedded(folder: Path, settings: Embedded, seed: int) -> list[Path]:
    """Draw all sets and write their archives into `folder`.

    The bytes depend on the arguments and on the versions of the libraries alone. Each image has a random
    stream of its own: more images leave those before them as they were.

    Returns
    -------
    The archives' paths: `lsp_dataset.zip`, `lspet_dataset.zip`, `people.zip`, `FLIC.zip` and
    `buffy_stickmen.zip`.

    Raises
    ------
    DiskFullError
        If the disk is full.
    """
    textures = _load_textures()
    for name, members_of in ARCHIVES.items():
        members = members_of(textures, settings, seed)
        with atomic_path(folder / name) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for member, contents in members.items():
                info = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
                info.create_system = 3
                info.external_attr = 0o644 << 16
                archive.writestr(info, contents)
    return [folder / name for name in ARCHIVES]


def _lsp(textures: Sequence[Image], settings: Embedded, seed: int) -> dict[str, bytes]:
    streams = _streams(LSP, settings.lsp_images, seed)

    def labels_of(_: np.random.Generator, drawing: Drawing) -> Floats:
        return np.asarray(np.vstack([_published(drawing.pose).T, drawing.occluded]))

    return _sports(*_drawn(textures, settings, streams, labels_of), digits=4, readme=LSP_README)


def _lsp_extended(textures: Sequence[Image], settings: Embedded, seed: int) -> dict[str, bytes]:
    labels_of = partial(_crowd_labels, unlabelled=settings.unlabelled)
    streams = _streams(EXTENDED, settings.extended_images, seed)
    return _sports(*_drawn(textures, settings, streams, labels_of), digits=5, readme=EXTENDED_README)


def _drawn(
    textures: Sequence[Image],
    settings: Embedded,
    streams: Iterable[np.random.Generator],
    labels_of: Callable[[np.random.Generator, Drawing], Floats],
    margins: Floats = CLOSE,
) -> tuple[list[Floats], list[bytes]]:
    """Labels and encoded images of a person each, who fills the image but for the margins."""
    labels, images = [], []
    for rng in streams:
        drawing = draw(rng, textures, settings.height, margins)
        labels.append(labels_of(rng, drawing))
        images.append(_encode(drawing.image, settings.quality))
    return labels, images


def _sports(joints: list[Floats], images: list[bytes], *, digits: int, readme: str) -> dict[str, bytes]:
    return {
        "joints.mat": _mat({"joints": np.stack(joints, axis=-1)}),
        "README.txt": readme.encode(),
        **{f"images/im{number:0{digits}d}.jpg": image for number, image in enumerate(images, start=1)},
    }


def _parse(textures: Sequence[Image], settings: Embedded, seed: int) -> dict[str, bytes]:
    """Image Parse: the person fills less of the image."""
    streams = _streams(PARSE, settings.parse_images, seed)
    poses, images = _drawn(textures, settings, streams, lambda _, drawing: drawing.pose, PARSE_MARGINS)
    labelled = np.ones((len(poses), len(FULL_BODY.joints)), dtype=bool)
    turned, _, _ = observer_centric(np.stack(poses), labelled, FULL_BODY)
    return {
        "people_all/labels.mat": _mat({"ptsAll": _published(turned).transpose(1, 2, 0)}),
        "people_all/README.txt": PARSE_README.encode(),
        **{f"people_all/im{number:04d}.jpg": image for number, image in enumerate(images, start=1)},
    }


def _flic(textures: Sequence[Image], settings: Embedded, seed: int) -> dict[str, bytes]:
    """FLIC: a person is an example; as in the published one, a file with two people is in both parts."""
    examples: list[dict[str, Any]] = []
    images: dict[str, bytes] = {}
    for index, rng in enumerate(_streams(FLIC, settings.flic_images, seed)):
        scene = draw_scene(rng, textures, settings.scene_height)
        film, frame = f"drawn-film-{index // FRAMES_OF_A_FILM + 1:02d}", index % FRAMES_OF_A_FILM * 10 + 1
        name = f"{film}-{frame:08d}.jpg"
        images[f"FLIC/images/{name}"] = _encode(scene.image, settings.quality)
        train = index < settings.flic_images - settings.flic_test_images
        people = scene.people if rng.random() < SHARE_BOTH_LABELLED else scene.people[-1:]
        examples += [
            _flic_example(rng, scene, person, film=film, name=name, frame=frame, train=train)
            for person in people
        ]
    # The second person of the last training file that labels two is put into the test part.
    for example, following in reversed(list(pairwise(examples))):
        if following["istrain"] and example["filepath"] == following["filepath"]:
            following["istrain"], following["istest"] = following["istest"], following["istrain"]
            break
    fields = [(field, object) for field in examples[0]]
    struct = np.array([[tuple(example.values()) for example in examples]], dtype=fields)
    return {
        "FLIC/examples.mat": _mat({"examples": struct}),
        "FLIC/README.txt": FLIC_README.encode(),
        **images,
    }


def _flic_example(
    rng: np.random.Generator, scene: Scene, person: Person, film: str, name: str, frame: int, train: bool
) -> dict[str, Any]:
    points = np.vstack([person.pose[ARMS_AND_HIPS], person.eyes, person.nose])
    labels = _published(points)
    labels[rng.random(len(labels)) < FLIC_UNLABELLED] = np.nan
    coords = np.full((2, COLUMNS_PUBLISHED), np.nan)
    coords[:, COLUMNS_LABELLED] = labels.T

    low, high = points[TORSO].min(axis=0), points[TORSO].max(axis=0)
    noise = rng.normal(0, TORSO_BOX_NOISE, (2, 2)) * (high - low)
    return {
        "poselet_hit_idx": np.zeros((1, 1), np.uint16),
        "moviename": film,
        "coords": coords,
        "filepath": name,
        "imgdims": np.array([scene.image.shape], np.uint16),
        "currframe": np.array([[frame]], np.uint16),
        "torsobox": np.concatenate([low + 1 + noise[0], high + 1 + noise[1]])[None].round(3).astype("f4"),
        "istrain": np.array([[train]], np.uint8),
        "istest": np.array([[not train]], np.uint8),
    }


def _buffy(textures: Sequence[Image], settings: Embedded, seed: int) -> dict[str, bytes]:
    """Buffy: the nearest person of a frame has sticks."""
    sticks = {episode: "" for episode in EPISODES}
    images: dict[int, dict[str, bytes]] = {episode: {} for episode in EPISODES}
    for index, rng in enumerate(_streams(BUFFY, settings.buffy_frames, seed)):
        scene = draw_scene(rng, textures, settings.scene_height)
        episode, frame = EPISODES[index % len(EPISODES)], 1000 + 17 * index
        images[episode][f"images/buffy_s5e{episode}/{frame:06d}.jpg"] = _encode(scene.image, settings.quality)
        if rng.random() >= SHARE_WITHOUT_STICKS:
            sticks[episode] += f"{frame}\n{_stick_lines(rng, scene.people[-1], settings.scene_height)}"
    shown = [episode for episode in EPISODES if sticks[episode]]  # of few frames some have none
    return {
        "README.txt": BUFFY_README.encode(),
        **{f"data/buffy_s5e{episode}_sticks.txt": sticks[episode].encode() for episode in shown},
        **{name: image for episode in shown for name, image in sorted(images[episode].items())},
    }


def _stick_lines(rng: np.random.Generator, person: Person, height: int) -> str:
    """Six lines, the ends of each stick in either order; an arm is called after its side of the image."""
    pose = person.pose
    shown_right, shown_left = ARMS
    ends = np.array(
        [
            [pose[NECK], pose[[L_HIP, R_HIP]].mean(axis=0)],
            *(pose[[arm[bone], arm[bone + 1]]] for bone in (0, 1) for arm in (shown_left, shown_right)),
            [pose[HEAD_TOP], person.chin],
        ]
    )
    ends = _published(ends + rng.normal(0, STICK_NOISE * height, ends.shape))
    turned = rng.random(len(ends)) < 0.5
    ends[turned] = ends[turned, ::-1]
    return "".join(" ".join(f"{value:.3f}" for value in stick.ravel()) + "\n" for stick in ends)


ARCHIVES = {
    "lsp_dataset.zip": _lsp,
    "lspet_dataset.zip": _lsp_extended,
    "people.zip": _parse,
    "FLIC.zip": _flic,
    "buffy_stickmen.zip": _buffy,
}


def _streams(part: int, count: int, seed: int) -> Iterator[np.random.Generator]:
    for index in progress(range(count), f"drawing {NAMES[part]}", unit="image"):
        yield np.random.default_rng([seed, part, index])


def _load_textures() -> list[Image]:
    textures = []
    for name in TEXTURES:
        image = np.asarray(getattr(skimage.data, name)())
        code = cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR
        factor = min(1.0, LARGEST_TEXTURE / min(image.shape[:2]))
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        small = cv2.resize(cv2.cvtColor(image, code), size, interpolation=cv2.INTER_AREA)
        textures.append(np.asarray(small, dtype=np.uint8))
    return textures


def _published(points: Floats) -> Floats:
    """Points 1-based; rounded, so that the last bit of a machine's sine does not show."""
    return np.round(points + 1, 3)


def _crowd_labels(rng: np.random.Generator, drawing: Drawing, unlabelled: float) -> Floats:
    """`(14, 3)` as published: labels lack, sooner of what can't be seen, and garbage is in their place."""
    share_of_images = SHARE_PARTLY_LABELLED if unlabelled < SHARE_PARTLY_LABELLED else 1.0
    labels = np.hstack([_published(drawing.pose), np.ones((14, 1))])
    if rng.random() < share_of_images:
        count = rng.binomial(14, unlabelled / share_of_images)
        weights = np.where(drawing.occluded, OCCLUDED_IS_LEFT_OUT, 1.0)
        missing = rng.choice(14, size=count, replace=False, p=weights / weights.sum())
        rows, width = drawing.image.shape[:2]
        labels[missing, :2] = np.round(rng.uniform(-1, 1, (count, 2)) * (width, rows), 3)
        labels[missing, 2] = 0
    return labels


def _encode(image: Image, quality: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _mat(variables: Mapping[str, NDArray[Any]]) -> bytes:
    contents = io.BytesIO()
    savemat(contents, dict(variables))
    # the first 116 bytes are text, in which scipy names the day and the platform
    return MAT_HEADER + contents.getvalue()[len(MAT_HEADER) :]
