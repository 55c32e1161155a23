"""Reader of the sticks that Eichner et al. estimated on Buffy, which the package holds from version 3 on.

For each frame of episodes 2, 5 and 6 there are the people that they found: six sticks, laid out as the labels
are, and the window about head and shoulders that an upper-body detector had found them in.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import BUFFY_STICKS
from deeppose.data.archives.zips import find_member, open_archive, read_mat, read_member
from deeppose.data.readers.buffy import STICKS, frame_of, read_buffy, sticks_to_pose

FILE, VARIABLE = "techrep2010_buffy_results.mat", "techrep2010_buffy"
# Of the package's own evaluation, of which its README gives the results.
WINDOW_ASPECT = 0.9
"""Height over width of the window that follows from labels."""
OVERLAP = 0.5
"""Intersection over union that a detector's window must exceed to be on the labelled person."""

Found = tuple[Floats, Floats]
"""A person who was found: sticks `(6, 2, 2)`, and the window's corners `(2, 2)`; 1-based pixels."""


def read_estimates(archive: Path) -> dict[tuple[int, int], list[Found]]:
    """The people who were found, by episode and number of the frame; in some frames there is nobody.

    Raises
    ------
    PredictionsError
        If the file is not laid out as published.
    ArchiveError, AnnotationError
        If it is missing or can't be read.
    """
    with open_archive(archive) as opened:
        member = find_member(opened, FILE)
        where = f"{archive}: {member}"
        frames = read_mat(read_member(opened, member), where, VARIABLE).ravel()
    estimates: dict[tuple[int, int], list[Found]] = {}
    for number, frame in enumerate(frames):
        episode, image = (
            int(
                _numbers(_field(frame, name, f"{where}: frame {number}"), (1,), f"{where}: {name} {number}")[
                    0
                ]
            )
            for name in ("episode", "frame")
        )
        what = f"{where}: episode {episode}, frame {image}"
        if (episode, image) in estimates:
            raise PredictionsError(f"{what} is there twice: get the archive again")
        estimates[episode, image] = list(_people(_field(frame, "stickmen", what), what))
    return estimates


def estimated_poses(archive: Path) -> tuple[Floats, Bools]:
    """What was estimated of the annotated people.

    As in the package's own evaluation it is the one whose window lies on the annotated person's.

    Returns
    -------
    poses
        `(n, 10, 2)`, the joints of BUFFY_STICKS in all frames of :func:`read_buffy`, pixels, 0-based; NaN of
        somebody who was not found.
    predicted
        `(n,)`, which frames were looked at.
    """
    labelled, estimates = read_buffy(archive), read_estimates(archive)
    frames = [frame_of(member) for member in labelled.members]
    poses = np.full(labelled.poses.shape, np.nan)
    for row, (frame, truth) in enumerate(zip(frames, labelled.poses, strict=True)):
        found = person_found(estimates.get(frame, ()), truth + 1)
        if found is not None:
            poses[row] = sticks_to_pose(found) - 1
    return poses, np.array([frame in estimates for frame in frames])


def person_found(people: Sequence[Found], truth: Floats) -> Floats | None:
    """The sticks `(6, 2, 2)` of the person whose labelled pose is `truth`, `(10, 2)`; None if not found."""
    labelled = labelled_window(truth)
    return next((sticks for sticks, window in people if overlap(window, labelled) > OVERLAP), None)


def labelled_window(pose: Floats) -> Floats:
    """The window `(2, 2)` of a labelled pose `(10, 2)`: from the head down to the middle of the torso."""
    places = {end: pose[BUFFY_STICKS.joints.index(end)] for end in BUFFY_STICKS.joints}
    torso = (places["torso top"] + places["torso bottom"]) / 2
    ends = np.stack([places["head top"], places["head bottom"], torso])
    middle = (ends[:2].mean(axis=0) + torso)[0] / 2
    top, bottom = ends[:, 1].min(), ends[:, 1].max()
    half = (bottom - top) / WINDOW_ASPECT / 2
    return np.array([[middle - half, top], [middle + half, bottom]])


def overlap(window: Floats, other: Floats) -> float:
    """Intersection over union of two windows, `(2, 2)` each."""
    shared = np.clip(np.minimum(window[1], other[1]) - np.maximum(window[0], other[0]), 0, None).prod()
    union = sum((corners[1] - corners[0]).prod() for corners in (window, other)) - shared
    return float(shared / union) if union > 0 else 0.0


def _people(stickmen: NDArray[Any], where: str) -> Iterator[Found]:
    for person in stickmen.ravel():
        sticks = _numbers(_field(person, "coor", where), (4, len(STICKS)), f"{where}: coor")
        window = _numbers(_field(person, "det", where), (4,), f"{where}: det")
        yield sticks.T.reshape(-1, 2, 2), window.reshape(2, 2)


def _field(record: Any, name: str, where: str) -> NDArray[Any]:  # noqa: ANN401 - of a MATLAB struct
    fields = getattr(getattr(record, "dtype", None), "names", None) or ()
    if name not in fields:
        raise PredictionsError(f"{where} has no field {name!r}, only {list(fields)}: not the published file")
    return np.asarray(record[name])


def _numbers(values: NDArray[Any], shape: tuple[int, ...], where: str) -> Floats:
    fits = (
        values.size == np.prod(shape)
        and values.dtype.kind in "fiu"
        and (len(shape) == 1 or values.shape == shape)
    )
    if not fits or not np.isfinite(values).all():
        raise PredictionsError(
            f"{where} is {'×'.join(map(str, values.shape))} {values.dtype}, expected "
            f"{'×'.join(map(str, shape))} finite numbers"
        )
    return values.astype(np.float64).reshape(shape)
