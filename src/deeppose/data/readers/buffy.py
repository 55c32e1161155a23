"""Reader of Buffy stickmen: frames of a TV series, one person a frame, upper bodies as six sticks.

The package holds `data/buffy_s5eN_sticks.txt` for each episode N, and its frames as
`images/buffy_s5eN/NNNNNN.jpg` (version 3 has them in `images/buffy_s5eN_original/`), possibly below one top
folder. All of it tests.

Sticks are named as they appear in the image: the left arm is the one on the image's left. FLIC's names are
those of a person who faces the camera, whose left arm is on the image's right. So the left stick gives the
right joints here, and the other way round.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import Floats
from deeppose.core.skeleton import BUFFY_STICKS
from deeppose.data.archives.zips import open_archive, read_member
from deeppose.data.pose_set import OBSERVER_CENTRIC, PoseSet

STICK_FILE = re.compile(r"(?P<top>(?:[^/]+/)?)data/buffy_s5e(?P<episode>[0-9]{1,4})_sticks\.txt")
IMAGE = re.compile(
    r"(?P<folder>(?P<top>(?:[^/]+/)?)images/buffy_s5e(?P<episode>[0-9]{1,4})(?:_original)?)/(?P<frame>[0-9]{6})\.jpg"
)
STICKS = ("torso", "left upper arm", "right upper arm", "left lower arm", "right lower arm", "head")
TORSO, LEFT_UPPER, RIGHT_UPPER, LEFT_LOWER, RIGHT_LOWER, HEAD = range(len(STICKS))
# Every torso's box in FLIC is as wide, and reaches from the shoulders to the hips; faces lie as far above.
TORSO_ASPECT = 2 / 3
"""Width over height of a torso's box."""
BELOW_FACE = 1 / 3
"""How far below the middle of a head a torso's box begins, in its heights."""


@dataclass(frozen=True)
class _Frame:
    """An annotated frame, the line its number stands on, and its sticks `(6, 2, 2)` as published."""

    number: int
    line: int
    sticks: Floats


def read_buffy(archive: Path) -> PoseSet:
    """Buffy stickmen, from a zip archive or from a folder; a frame without sticks is no example.

    Coordinates are taken as MATLAB's, whose code the package comes with: x = 1 is the first column. The
    box of a torso as long as its stick, below the head's, says which of a frame's people is meant.

    Raises
    ------
    ArchiveError
        If the archive is cut short, has no file of sticks, or lacks the sticks of an episode whose frames it
        has, or the image of a frame whose sticks it has.
    AnnotationError
        If a file of sticks is not laid out as published, names a frame twice, or none at all.
    """
    with open_archive(archive) as opened:
        names = opened.namelist()
        files = _stick_files(archive, names)
        images = _images(archive, names, files)
        members: list[str] = []
        sticks: list[Floats] = []
        for episode, file in sorted(files.items()):
            frames = list(_frames(read_member(opened, file), f"{archive}: {file}"))
            if not frames:
                raise AnnotationError(f"{archive}: {file} annotates no frame: get the set again")
            for frame in frames:
                if (episode, frame.number) not in images:
                    raise ArchiveError(
                        f"{archive}: {file}, line {frame.line} annotates frame {frame.number}, but there is "
                        f"no images/buffy_s5e{episode}/{frame.number:06d}.jpg: get the whole archive"
                    )
                members.append(images[episode, frame.number])
                sticks.append(frame.sticks)
    poses = np.stack([sticks_to_pose(frame) for frame in sticks]) - 1
    return PoseSet(
        name="buffy",
        archive=archive,
        members=tuple(members),
        poses=poses,
        labelled=np.ones(poses.shape[:2], dtype=np.bool_),
        train=np.zeros(len(poses), dtype=np.bool_),
        skeleton=BUFFY_STICKS,
        labels=OBSERVER_CENTRIC,
        torso_boxes=_torso_boxes(poses),
    )


def read_buffy_unnamed(archive: Path) -> PoseSet:
    """As :func:`read_buffy`, but for who is meant: a frame's most confident face is the one to take then."""
    return replace(read_buffy(archive), name="buffy-confidence", torso_boxes=None)


def frame_of(member: str) -> tuple[int, int]:
    """Episode and number of a frame, from the member of its image."""
    match = IMAGE.fullmatch(member)
    assert match is not None, member
    return int(match["episode"]), int(match["frame"])


def sticks_to_pose(sticks: Floats) -> Floats:
    """The joints of BUFFY_STICKS, `(10, 2)`, from six sticks `(6, 2, 2)`: each two ends, in any order.

    The elbow is the middle of the two nearest ends of an upper and a lower arm; the other ends are shoulder
    and wrist. The torso's top is its end nearer to the middle of the shoulders, the head's bottom its end
    nearer to the torso's top.
    """
    # As seen in the image, left is the right of a person who faces the camera.
    left = _arm(sticks[RIGHT_UPPER], sticks[RIGHT_LOWER])
    right = _arm(sticks[LEFT_UPPER], sticks[LEFT_LOWER])
    top, bottom = _nearer_first(sticks[TORSO], (left[0] + right[0]) / 2)
    chin, crown = _nearer_first(sticks[HEAD], top)
    return np.stack([*left, *right, top, bottom, crown, chin])


def _torso_boxes(poses: Floats) -> Floats:
    """`(n, 4)`, from poses `(n, 10, 2)`: as FLIC's lie below faces; of a torso without length none."""
    crown, chin, top, bottom = (
        poses[:, BUFFY_STICKS.joints.index(end)]
        for end in ("head top", "head bottom", "torso top", "torso bottom")
    )
    heights = np.linalg.norm(bottom - top, axis=-1)
    x, y = ((crown + chin) / 2).T
    boxes = np.stack([x, y + heights * (BELOW_FACE + 0.5), heights * TORSO_ASPECT, heights], axis=-1)
    return np.where(heights[:, None] > 0, boxes, np.nan)


def _arm(upper: Floats, lower: Floats) -> tuple[Floats, Floats, Floats]:
    """Shoulder, elbow and wrist."""
    gaps = np.linalg.norm(upper[:, None] - lower[None], axis=-1)
    near_upper, near_lower = divmod(int(gaps.argmin()), 2)
    elbow = (upper[near_upper] + lower[near_lower]) / 2
    return upper[1 - near_upper], elbow, lower[1 - near_lower]


def _nearer_first(stick: Floats, point: Floats) -> Floats:
    distances = np.linalg.norm(stick - point, axis=-1)
    return stick if distances[0] <= distances[1] else stick[::-1]


def _stick_files(archive: Path, names: Sequence[str]) -> dict[int, str]:
    """The member with the sticks of each episode."""
    found = [match for match in map(STICK_FILE.fullmatch, names) if match]
    if not found:
        raise ArchiveError(
            f"{archive} has no data/buffy_s5eN_sticks.txt, neither at its top nor in one folder below: it is "
            f"not the published package"
        )
    files: dict[int, str] = {}
    for match in found:
        other = files.setdefault(int(match["episode"]), match[0])
        if other != match[0]:
            raise ArchiveError(f"{archive} has both {other} and {match[0]}: keep one of them")
    return files


def _images(archive: Path, names: Sequence[str], files: dict[int, str]) -> dict[tuple[int, int], str]:
    """The member of each frame, by episode and frame number."""
    images: dict[tuple[int, int], str] = {}
    for match in map(IMAGE.fullmatch, names):
        if match is None:
            continue
        episode = int(match["episode"])
        if episode not in files:
            raise ArchiveError(
                f"{archive} has {match['folder']}/, but no "
                f"{match['top']}data/buffy_s5e{episode}_sticks.txt: get the whole archive"
            )
        other = images.setdefault((episode, int(match["frame"])), match[0])
        if other != match[0]:
            raise ArchiveError(f"{archive} has both {other} and {match[0]}: keep one of them")
    return images


def _frames(data: bytes, where: str) -> Iterator[_Frame]:
    """The frames of one file: each a line with its number, and a line for each stick."""
    texts = data.decode("utf-8-sig", errors="replace").split("\n")
    lines = [(number, text.split()) for number, text in enumerate(texts, start=1) if text.strip()]
    first_line: dict[int, int] = {}
    for start in range(0, len(lines), 1 + len(STICKS)):
        (line, head), *sticks = lines[start : start + 1 + len(STICKS)]
        if len(head) != 1 or not re.fullmatch(r"[0-9]{1,9}", head[0]):
            raise AnnotationError(
                f"{where}, line {line}: {' '.join(head)[:60]!r}, expected the number of a frame"
            )
        frame = int(head[0])
        if frame in first_line:
            raise AnnotationError(
                f"{where}, line {line}: frame {frame} has been annotated on line {first_line[frame]} already"
            )
        first_line[frame] = line
        points = [
            _ends(fields, f"{where}, line {at}: frame {frame}, {stick}")
            for (at, fields), stick in zip(sticks, STICKS, strict=False)
        ]
        if len(points) < len(STICKS):
            raise AnnotationError(
                f"{where}, line {lines[-1][0]}: the file ends in the middle of frame {frame}, after "
                f"{len(points)} of its {len(STICKS)} sticks: get it again"
            )
        yield _Frame(frame, line, np.reshape(points, (-1, 2, 2)))


def _ends(fields: Sequence[str], where: str) -> list[float]:
    """`x1 y1 x2 y2`; `where` names the file, the line, the frame and the stick."""
    try:
        ends = [float(field) for field in fields]
    except ValueError:
        ends = []
    if len(ends) != 4 or not np.isfinite(ends).all():
        raise AnnotationError(f"{where}: {' '.join(fields)[:60]!r}, expected four numbers, x1 y1 x2 y2")
    return ends
