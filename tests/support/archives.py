"""Small archives in exactly the published layouts."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

FLIC_FIELDS = (
    "poselet_hit_idx",
    "moviename",
    "coords",
    "filepath",
    "imgdims",
    "currframe",
    "torsobox",
    "istrain",
    "istest",
)
FLIC_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)


def mat(**variables: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


def jpeg(seed: int, width: int = 12, height: int = 16) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def lsp_joints(count: int, seed: int = 0) -> NDArray[np.float64]:
    """`joints` of LSP, 3×14×n, 1-based, some joints occluded."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(1, 12, (2, 14, count))
    return np.concatenate([points, rng.integers(0, 2, (1, 14, count))])


def extended_joints(count: int, seed: int = 0) -> NDArray[np.float64]:
    """`joints` of LSP extended, 14×3×n, 1-based, some unlabelled with garbage as coordinates."""
    rng = np.random.default_rng(seed)
    labelled = rng.integers(0, 2, (14, 1, count))
    points = np.where(labelled == 1, rng.uniform(1, 12, (14, 2, count)), -322.0)
    return np.concatenate([points, labelled], axis=1)


def lsp_members(joints: NDArray[Any], digits: int = 4) -> dict[str, bytes]:
    count = joints.shape[2] if joints.ndim == 3 else 1
    images = {f"images/im{n + 1:0{digits}d}.jpg": jpeg(n) for n in range(count)}
    return {"joints.mat": mat(joints=joints), "README.txt": b"drawn by a test", **images}


def write_lsp(folder: Path, joints: NDArray[Any]) -> Path:
    return write_zip(folder / "lsp_dataset.zip", lsp_members(joints))


def write_lsp_extended(folder: Path, joints: NDArray[Any]) -> Path:
    return write_zip(folder / "lspet_dataset.zip", lsp_members(joints, digits=5))


def write_lsp_oc(folder: Path, joints: NDArray[Any]) -> Path:
    path = folder / "lsp-joints-OC.mat"
    path.write_bytes(mat(joints=joints))
    return path


def flic_example(number: int, train: bool, file: str | None = None) -> dict[str, Any]:
    coords = np.full((2, 29), np.nan)
    coords[:, FLIC_COLUMNS] = np.random.default_rng(number).uniform(1, 12, (2, len(FLIC_COLUMNS)))
    return {
        "poselet_hit_idx": np.array([[number + 1]], dtype=np.uint16),
        "moviename": "a-film",
        "coords": coords,
        "filepath": file or f"a-film-{number:08d}.jpg",
        "imgdims": np.array([16, 12, 3], dtype=np.uint16),
        "currframe": np.uint16(number),
        "torsobox": np.array([3, 4, 9, 12], dtype=np.float32),
        "istrain": np.uint8(train),
        "istest": np.uint8(not train),
    }


def flic_members(examples: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    fields = list(examples[0])
    struct = np.empty((1, len(examples)), dtype=[(name, object) for name in fields])
    for number, example in enumerate(examples):
        struct[0, number] = tuple(example[name] for name in fields)
    files = dict.fromkeys(str(example.get("filepath", "none.jpg")) for example in examples)
    images = {f"FLIC/images/{name}": jpeg(n) for n, name in enumerate(files)}
    return {"FLIC/examples.mat": mat(examples=struct), **images}


def parse_points(count: int, seed: int = 0) -> NDArray[np.float64]:
    """`ptsAll` of Image Parse, 14×2×n, 1-based."""
    return np.random.default_rng(seed).uniform(1, 12, (14, 2, count))


def parse_members(points: NDArray[Any]) -> dict[str, bytes]:
    images = {f"people_all/im{n + 1:04d}.jpg": jpeg(n) for n in range(points.shape[2])}
    return {
        "people_all/README.txt": b"drawn by a test",
        **images,
        "people_all/labels.mat": mat(ptsAll=points),
    }


def write_parse(folder: Path, points: NDArray[Any]) -> Path:
    return write_zip(folder / "people.zip", parse_members(points))


# Arms that hang, palms out; 1-based. "left" is the image's left. Each stick is written from its lower end.
BUFFY_STICKS = (
    (60, 100, 60, 50),  # torso
    (40, 80, 45, 55),  # left upper arm
    (80, 80, 75, 55),  # right upper arm
    (30, 95, 40, 80),  # left lower arm
    (90, 95, 80, 80),  # right lower arm
    (60, 45, 61, 20),  # head
)


def buffy_text(frames: Mapping[int, Sequence[Sequence[float]]]) -> str:
    """A file of sticks: for each frame its number and six sticks, with the blanks of the published files."""
    blocks = []
    for number, sticks in frames.items():
        lines = [" ".join(f"{value:.3f}" for value in stick) for stick in sticks]
        blocks.append("\n".join([f"{number:06d} ", *(f" {line} " for line in lines)]))
    return "\n".join(blocks) + "\n"


def buffy_members(
    episodes: Mapping[int, Mapping[int, Sequence[Sequence[float]]]], top: str = "", suffix: str = ""
) -> dict[str, bytes]:
    """Frames of each episode with their sticks; `top` goes around all, `suffix` behind the image folders."""
    members = {}
    for episode, frames in episodes.items():
        members[f"{top}data/buffy_s5e{episode}_sticks.txt"] = buffy_text(frames).encode()
        for number in frames:
            members[f"{top}images/buffy_s5e{episode}{suffix}/{number:06d}.jpg"] = jpeg(number, 120, 110)
    return members


def buffy_estimates(
    frames: Mapping[tuple[int, int], Sequence[tuple[Any, Any]]],
    lacking: str = "",
    parts: int = 6,
    window: Sequence[float] | None = None,
) -> bytes:
    """`techrep2010_buffy` with sticks and windows of the people in each frame, by its episode and number."""
    person_of, frame_of = (
        np.dtype([(name, object) for name in names if name != lacking])
        for names in (("coor", "det", "detscore"), ("stickmen", "episode", "frame"))
    )
    struct = np.empty((1, len(frames)), dtype=frame_of)
    for number, ((episode, frame), people) in enumerate(frames.items()):
        stickmen = np.empty((1, len(people)), dtype=person_of)
        for at, (sticks, corners) in enumerate(people):
            values = {
                "coor": np.array(sticks, dtype=float)[:parts].T,
                "det": np.array([window or corners], dtype=float),
                "detscore": 1.0,
            }
            stickmen[0, at] = tuple(values[name] for name in person_of.names or ())
        of_frame = {"stickmen": stickmen, "episode": float(episode), "frame": float(frame)}
        struct[0, number] = tuple(of_frame[name] for name in frame_of.names or ())
    return mat(techrep2010_buffy=struct)


def write_folder(path: Path, members: Mapping[str, bytes]) -> Path:
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def write_flic(folder: Path, examples: Sequence[Mapping[str, Any]]) -> Path:
    return write_zip(folder / "FLIC.zip", flic_members(examples))
