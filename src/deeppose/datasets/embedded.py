"""The embedded data: drawn people, in the published archives' layouts of LSP and LSP extended."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from scipy.io import savemat
from tqdm import tqdm

from deeppose.datasets.drawing import Drawing, Image, draw
from deeppose.files import atomic_path
from deeppose.geometry import Floats
from deeppose.params import Embedded

# photographs that come inside scikit-image's wheel: nothing is downloaded for them
TEXTURES = (
    "brick", "clock", "coffee", "grass", "gravel", "hubble_deep_field", "moon", "retina", "rocket",
)  # fmt: skip
LARGEST_TEXTURE = 320

LSP, EXTENDED = 0, 1  # parts of a drawing's seed, so that the two sets share no image
SHARE_PARTLY_LABELLED = 0.6
OCCLUDED_IS_LEFT_OUT = 4.0  # times as often as a joint that can be seen

MAT_HEADER = b"MATLAB 5.0 MAT-file, drawn for the demo of DeepPose".ljust(116)
README = """{title}

People drawn by a program, to try the pipeline on: no photograph of a person is in here. The layout is that
of the published archive of the same name; numbers made of it are comparable with nobody's.

joints.mat holds `joints`, {layout}
Coordinates are 1-based pixels, left and right are the person's own. Joints are in this order:
right ankle, right knee, right hip, left hip, left knee, left ankle, right wrist, right elbow,
right shoulder, left shoulder, left elbow, left wrist, neck, head top
"""
LSP_README = README.format(
    title="Leeds Sports Pose Dataset: embedded stand-in",
    layout="3 x 14 x images: x, y, 1 where the joint is occluded.\n"
    "The first half is for training, the second for testing.",
)
EXTENDED_README = README.format(
    title="Leeds Sports Pose Extended Training Dataset: embedded stand-in",
    layout="14 x 3 x images: x, y, 1 where the joint is labelled.\n"
    "Coordinates of a joint that is not labelled mean nothing.",
)


def write_embedded(folder: Path, settings: Embedded, seed: int) -> list[Path]:
    """Draw both sets and write `lsp_dataset.zip` and `lspet_dataset.zip` into `folder`.

    The bytes depend on the arguments and on the versions of the libraries alone. Each image has a random
    stream of its own: more images leave those before them as they were.

    Returns
    -------
    The two archives' paths.

    Raises
    ------
    DiskFullError
        If the disk is full.
    """
    textures = _load_textures()
    lsp, extended = folder / "lsp_dataset.zip", folder / "lspet_dataset.zip"

    joints: list[Floats] = []
    images: list[bytes] = []
    for _, drawing in _draw_all(LSP, settings.lsp_images, textures, settings, seed):
        joints.append(np.vstack([_published(drawing), drawing.occluded]))
        images.append(_encode(drawing.image, settings.quality))
    _write_archive(lsp, np.stack(joints, axis=-1), LSP_README, images, digits=4)

    joints, images = [], []
    for rng, drawing in _draw_all(EXTENDED, settings.extended_images, textures, settings, seed):
        joints.append(_crowd_labels(rng, drawing, settings.unlabelled))
        images.append(_encode(drawing.image, settings.quality))
    _write_archive(extended, np.stack(joints, axis=-1), EXTENDED_README, images, digits=5)
    return [lsp, extended]


def _draw_all(
    part: int, count: int, textures: Sequence[Image], settings: Embedded, seed: int
) -> Iterator[tuple[np.random.Generator, Drawing]]:
    name = "lsp" if part == LSP else "lsp-extended"
    for index in tqdm(range(count), desc=f"drawing {name}", unit="image", disable=None):
        rng = np.random.default_rng([seed, part, index])
        yield rng, draw(rng, textures, settings.height)


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


def _published(drawing: Drawing) -> Floats:
    """The pose as `(2, 14)`, 1-based; rounded, so that the last bit of a machine's sine does not show."""
    return np.round(drawing.pose.T + 1, 3)


def _crowd_labels(rng: np.random.Generator, drawing: Drawing, unlabelled: float) -> Floats:
    """`(14, 3)` as published: labels lack, sooner of what can't be seen, and garbage is in their place."""
    share_of_images = SHARE_PARTLY_LABELLED if unlabelled < SHARE_PARTLY_LABELLED else 1.0
    labels = np.hstack([_published(drawing).T, np.ones((14, 1))])
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


def _write_archive(target: Path, joints: Floats, readme: str, images: Sequence[bytes], digits: int) -> None:
    mat = io.BytesIO()
    savemat(mat, {"joints": joints})
    members = {
        # the first 116 bytes are text, in which scipy names the day and the platform
        "joints.mat": MAT_HEADER + mat.getvalue()[len(MAT_HEADER) :],
        "README.txt": readme.encode(),
        **{f"images/im{number:0{digits}d}.jpg": image for number, image in enumerate(images, start=1)},
    }
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, contents in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, contents)
