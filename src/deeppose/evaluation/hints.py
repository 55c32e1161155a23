"""What is wrong with a file of predictions as a whole, told by scoring what it may have been meant to be."""

from collections.abc import Iterator

import numpy as np

from deeppose.core.errors import DeepPoseError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.metrics import joint_errors, mean_pdj, share_within
from deeppose.data.archives.zips import open_archive, read_image
from deeppose.data.pose_set import PoseSet

CLEARLY = 0.1
"""By how much an alternative must be better, as a share of the joints: of the published predictions on LSP
and FLIC each takes 0.16 at least, so the right one of a wrong file gives as much."""
DETECTED = 0.2
"""Of PDJ, in diameters."""
EXACT = 0.5
"""Pixels. A pixel more or less shows in this figure alone, and only for predictions that are as exact."""


def hints(tests: PoseSet, predicted: Floats, counted: Bools, diameters: Floats) -> Iterator[str]:
    """What looks wrong with poses `(n, k, 2)`, pixels, of a test part's n examples, a line each.

    `counted`, `(n, k)`, says which joints count; `diameters`, `(n,)`, are those of the true poses.
    """
    truth, mirrored = tests.poses, list(tests.skeleton.mirrored)

    def detected(poses: Floats) -> float:
        return mean_pdj(joint_errors(poses, truth, counted, diameters), DETECTED) or 0.0

    def exact(poses: Floats) -> float:
        return share_within(joint_errors(poses, truth, counted, np.ones(len(truth))), EXACT) or 0.0

    shown = predicted[np.isfinite(predicted)]
    if len(shown) and shown.min() >= 0 and shown.max() <= 1:
        scaled = _times_sides(tests, predicted)
        told = "" if scaled is None else f"; times the images' sides this would be {detected(scaled):.2f}"
        yield f"all coordinates lie between 0 and 1: pixels are expected{told}"
        return
    now = detected(predicted)
    alternatives = {
        "with left and right exchanged": predicted[:, mirrored],
        "with x and y exchanged": predicted[..., ::-1],
        "shifted by one row: with each pose one example earlier": _shifted(predicted, 1),
        "shifted by one row: with each pose one example later": _shifted(predicted, -1),
    }
    for words, poses in alternatives.items():
        if (figure := detected(poses)) >= now + CLEARLY:
            yield f"{words} this would be {figure:.2f} (mean PDJ at {DETECTED}, now {now:.2f})"
    for pixels, words in (
        (-1, "counted from 1: with one pixel less"),
        (1, "off by one: with one pixel more"),
    ):
        if (figure := exact(predicted + pixels)) >= (share := exact(predicted)) + CLEARLY:
            yield f"{words} in x and y, {figure:.2f} of the joints would be exact (now {share:.2f})"


def _shifted(predicted: Floats, rows: int) -> Floats:
    """With each pose so many examples earlier; NaN where none is left."""
    shifted = np.roll(predicted, -rows, axis=0)
    shifted[-rows if rows > 0 else slice(0, -rows)] = np.nan
    return shifted


def _times_sides(tests: PoseSet, predicted: Floats) -> Floats | None:
    """Poses from shares of their images; None where the images can't be read."""
    try:
        with open_archive(tests.archive) as archive:
            shapes = {member: read_image(archive, member).shape for member in dict.fromkeys(tests.members)}
    except DeepPoseError:
        return None
    sides = np.array([shapes[member][1::-1] for member in tests.members])
    scaled: Floats = predicted * sides[:, None] - 0.5
    return scaled
