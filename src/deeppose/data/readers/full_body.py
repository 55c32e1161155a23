"""What the readers of LSP, LSP extended and Image Parse share: fourteen joints a pose, numbered images."""

import re

import numpy as np

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.archives.zips import Archive


def zero_based(points: Floats, labelled: Bools, where: str) -> Floats:
    """Published poses, 1-based, as 0-based ones; NaN where unlabelled, whatever was written there.

    Parameters
    ----------
    points, labelled
        `(n, 14, 2)` pixels, and `(n, 14)`.
    where
        Names the file in errors.

    Raises
    ------
    AnnotationError
        If a labelled joint's coordinates are not finite.
    """
    bad = labelled & ~np.isfinite(points).all(axis=-1)
    if bad.any():
        example, joint = map(int, np.argwhere(bad)[0])
        raise AnnotationError(
            f"{where}: example {example}, {FULL_BODY.joints[joint]} is labelled but its coordinates are "
            f"{points[example, joint].tolist()}"
        )
    return np.where(labelled[..., None], points - 1, np.nan)


def numbered_images(
    archive: Archive, count: int, beginning: str, annotations: str, digits: int
) -> tuple[str, ...]:
    """The members `BEGINNINGim1.jpg` to `BEGINNINGimCOUNT.jpg`, numbers written with so many digits.

    Parameters
    ----------
    beginning
        Of their names: the folder, with a slash.
    annotations
        Name of the member that labels them, for errors.

    Raises
    ------
    ArchiveError
        If the archive holds more or fewer.
    """
    members = tuple(f"{beginning}im{number:0{digits}d}.jpg" for number in range(1, count + 1))
    image = re.compile(rf"{re.escape(beginning)}im\d+\.jpg")
    present = {name for name in archive.namelist() if image.fullmatch(name)}
    missing = [member for member in members if member not in present]
    if missing or len(present) != count:
        first = f"; the first one missing is {missing[0]}" if missing else ""
        raise ArchiveError(
            f"{archive.filename} holds {len(present)} images for the {count} poses of its "
            f"{annotations}{first}: get the whole archive"
        )
    return members
