"""Pictures with labelled people, and pictures of nobody, on which scripts/people.py judges what is found."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from deeppose.core.geometry import Floats
from deeppose.core.images import Pixels
from deeppose.core.skeleton import Skeleton
from deeppose.data.archives.zips import open_archive, read_member
from deeppose.data.pose_set import PoseSet
from deeppose.deploy.photo import decode_photo

NOBODY = Path("docs/nobody.csv")
SEED_OF_NOBODY = (7, 4)


class Picture(NamedTuple):
    """A photo, and the labelled people in it: `(n, k, 2)`, NaN where unlabelled."""

    pixels: Pixels
    poses: Floats


def people_of(of: PoseSet, examples: Sequence[int], skeleton: Skeleton) -> Iterator[Picture]:
    """The images of some examples with all people that are labelled on them, joints as in `skeleton`."""
    of = of.on(skeleton)
    with open_archive(of.archive) as archive:
        for member in dict.fromkeys(of.members[example] for example in examples):
            poses = of.poses[[name == member for name in of.members]]
            yield Picture(decode_photo(read_member(archive, member), member).pixels, poses)


def pictures_of_nobody(flic: PoseSet) -> Iterator[Picture]:
    """The rectangles that NOBODY names, and several as one photo, in which small faces are looked for."""
    alone = list(rectangles_of_nobody(flic))
    yield from alone
    yield from crowds(alone, 3, 3, np.random.default_rng(SEED_OF_NOBODY))


def rectangles_of_nobody(flic: PoseSet) -> Iterator[Picture]:
    """The rectangles that NOBODY names."""
    with open_archive(flic.archive) as archive:
        for frame, x, y, width, height in pd.read_csv(NOBODY).itertuples(index=False):
            pixels = decode_photo(read_member(archive, frame), frame).pixels[y : y + height, x : x + width]
            yield Picture(np.ascontiguousarray(pixels), np.empty((0, 14, 2)))


def pasted(
    people_alone: Sequence[Picture], backgrounds: Sequence[Pixels], generator: np.random.Generator
) -> Iterator[Picture]:
    """Scenes of one to four people beside each other, each in their own picture, on a blurred background."""
    for count in np.repeat([1, 2, 3, 4], 10):
        height, width = 480, int(generator.integers(480, 900))
        scene = cv2.resize(backgrounds[generator.integers(len(backgrounds))], (width, height))
        scene = cv2.GaussianBlur(scene, (0, 0), 25).astype(np.uint8)
        poses, slot = [], width // count
        for place, number in enumerate(generator.choice(len(people_alone), count, replace=False)):
            pixels, (pose,) = people_alone[number]
            room = np.array([slot, height * generator.uniform(0.45, 0.98)])
            sides = np.array([pixels.shape[1], pixels.shape[0]])
            scaled = np.maximum(1, (sides * (room / sides).min()).astype(int))
            x, y = (generator.uniform(0, 1, 2) * ([slot, height] - scaled)).astype(int)
            x += place * slot
            area = cv2.INTER_AREA if scaled[0] < sides[0] else cv2.INTER_CUBIC
            scene[y : y + scaled[1], x : x + scaled[0]] = cv2.resize(
                pixels, scaled.tolist(), interpolation=area
            )
            poses.append((pose + 0.5) * scaled / sides - 0.5 + [x, y])
        yield Picture(scene, np.array(poses))


def crowds(
    people_alone: Sequence[Picture], columns: int, rows: int, generator: np.random.Generator
) -> Iterator[Picture]:
    """Pictures beside and below each other, six times: many people, each of them small."""
    for _ in range(6):
        chosen = [people_alone[n] for n in generator.choice(len(people_alone), columns * rows, replace=False)]
        height, width = np.max([picture.pixels.shape[:2] for picture in chosen], axis=0)
        scene, poses = np.full((rows * height, columns * width, 3), 128, np.uint8), []
        for number, (pixels, of_picture) in enumerate(chosen):
            corner = np.array(divmod(number, columns))[::-1] * [width, height]
            (x, y), (of_rows, of_columns, _) = corner, pixels.shape
            scene[y : y + of_rows, x : x + of_columns] = pixels
            poses.append(of_picture + corner)
        yield Picture(scene, np.concatenate(poses))
