"""Poses plotted on their images: the paper's Figures 6, 8 and 9."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from deeppose.core.colours import limb_colours
from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Floats
from deeppose.core.skeleton import Skeleton
from deeppose.evaluation.error_tables import of_set
from deeppose.report.style import PREDICTED_COLOUR, TRUE_COLOUR, new_figure, strip, styled

Image = NDArray[np.uint8]

# How far beyond its image a pose is still shown, in shares of the image's longer side.
_MARGIN = 0.2
# Side of a cut from a scene, as a multiple of the longer side of what the poses in it cover.
_CUT = 1.5
# Limbs of this side have a line along their middle, so that sides are told apart in grey.
_CENTRE_LINED = "left "
_CENTRE_LINE = 0.7
_CUT_RULE = "Each image is cut to a square around the true and the predicted poses."


@dataclass(frozen=True)
class Choice:
    """Which examples a sheet shows: by rule, so that nobody picks the good ones.

    Attributes
    ----------
    examples
        Their numbers, from the best to the worst.
    quantiles
        Where each stands among all examples by its mean joint error, 0 to 1.
    errors
        That mean joint error, in diameters of the true pose.
    rule
        The rule in words, for the caption.
    """

    examples: tuple[int, ...]
    quantiles: tuple[float, ...]
    errors: tuple[float, ...]
    rule: str


def choose_examples(
    joint_errors: pd.DataFrame, set_name: str, predictor: str, count: int, *, worst: bool = False
) -> Choice:
    """Evenly spaced quantiles of the mean joint error: the middles of `count` equal parts of all examples.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error; an example whose joints all don't count is passed over.
    worst
        Take the parts of the tenth whose mean joint error is largest.

    Raises
    ------
    PredictionsError
        If `joint_errors` has nothing of that set, or nothing that counts of that predictor.
    """
    rows = of_set(joint_errors, set_name)
    means = rows[rows["predictor"] == predictor].groupby("example")["error"].mean().dropna()
    if means.empty:
        raise PredictionsError(
            f"no joint of {predictor!r} counts on the set {set_name!r}: there is nothing to choose images by"
        )
    means = means.sort_values(kind="stable")
    among = max(len(means) // 10, 1) if worst else len(means)
    count = min(count, among)
    places = len(means) - among + np.floor((np.arange(count) + 0.5) / count * among).astype(int)
    picked = means.iloc[places]
    error = f"mean joint error of {predictor} (in diameters of the true pose)"
    parts = f"the middles of {count} equal parts"
    rule = (
        f"Images chosen by rule, not the best ones: {parts} of the {len(means)} test examples, ordered by "
        f"the {error}, best first. With each image: its place in that order, and its error."
    )
    if worst:
        rule = (
            f"Of the {len(means)} test examples the tenth with the largest {error}: {parts}, the worst last. "
            f"With each image: its place in the order of all, and its error."
        )
    return Choice(
        tuple(int(example) for example in picked.index),
        tuple(((places + 0.5) / len(means)).tolist()),
        tuple(picked.tolist()),
        rule,
    )


@styled
def stages_sheet(
    images: Sequence[Image],
    truth: Floats,
    poses_by_stage: Mapping[str, Floats],
    skeleton: Skeleton,
    choice: Choice,
    title: str,
    *,
    cut: bool = False,
) -> Figure:
    """Figure 6: predicted (red) and true (green) poses, a row for each example, a column for each stage.

    Parameters
    ----------
    images
        The chosen examples' images, each `(height, width, 3)`.
    truth
        Their true poses, `(n, k, 2)` pixels; NaN where unlabelled.
    poses_by_stage
        By stage ("stage 1") their predictions, `(n, k, 2)` pixels.
    cut
        Show of each image the square around the poses alone: for scenes in which the person is small.
    """
    widest = 1.0 if cut else max(image.shape[1] / image.shape[0] for image in images)
    height = 2.1
    width = max(len(poses_by_stage) * height * min(max(widest, 0.7), 1.4) + 1.5, 5.0)
    figure = new_figure(width, len(images) * height + 1.1, title, _rule(choice, cut=cut))
    panels = figure.subplots(len(images), len(poses_by_stage), squeeze=False)
    for row, image in enumerate(images):
        shown = [truth[row], *(poses[row] for poses in poses_by_stage.values())]
        for axes, (stage, poses) in zip(panels[row], poses_by_stage.items(), strict=True):
            _show(axes, image, shown, cut=cut)
            _plot_plain(axes, truth[row], skeleton, TRUE_COLOUR, "black")
            _plot_plain(axes, poses[row], skeleton, PREDICTED_COLOUR, "white")
            if row == 0:
                axes.set_title(stage.capitalize())
        panels[row, 0].set_ylabel(_standing(choice, row))
    handles = [
        Line2D([], [], color=colour, linewidth=2, path_effects=[withStroke(linewidth=3.4, foreground=casing)])
        for colour, casing in ((PREDICTED_COLOUR, "0.6"), (TRUE_COLOUR, "black"))
    ]
    figure.legend(handles, ["predicted", "true"], loc="outside right center", handlelength=1.8)
    return figure


@styled
def stick_sheet(
    images: Sequence[Image],
    truth: Floats,
    poses: Floats,
    skeleton: Skeleton,
    choice: Choice,
    title: str,
    *,
    cut: bool = False,
    columns: int = 6,
) -> Figure:
    """Figures 8 and 9: predicted poses as stick figures; a limb has the same colour in all images.

    Parameters
    ----------
    images
        The chosen examples' images, each `(height, width, 3)`.
    truth
        Their true poses, `(n, k, 2)` pixels, NaN where unlabelled; not plotted, but what is shown of an image
        holds them.
    poses
        Their predictions, `(n, k, 2)` pixels.
    cut
        Show of each image the square around both poses alone: for scenes in which the person is small.
    """
    rows = math.ceil(len(images) / columns)
    height = 1.75 if cut else 2.15
    figure = new_figure(columns * 1.5 + 1.5, rows * height + 0.9, title, _rule(choice, cut=cut))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, axes in enumerate(panels):
        if index >= len(images):
            axes.set_axis_off()
            continue
        _show(axes, images[index], [truth[index], poses[index]], cut=cut)
        _plot_sticks(axes, poses[index], skeleton)
        axes.set_xlabel(_standing(choice, index), fontsize=8, labelpad=2)
    _limb_legend(figure, skeleton)
    return figure


def _rule(choice: Choice, *, cut: bool) -> str:
    return f"{choice.rule} {_CUT_RULE}" if cut else choice.rule


def _standing(choice: Choice, index: int) -> str:
    return f"{choice.quantiles[index]:.1%}: {choice.errors[index]:.2f} diam."


def _show(axes: Axes, image: Image, poses: Sequence[Floats], *, cut: bool = False) -> None:
    height, width = image.shape[:2]
    axes.set_facecolor("0.92")
    axes.imshow(image, interpolation="bicubic")
    strip(axes)
    points = np.concatenate([pose.reshape(-1, 2) for pose in poses])
    points = points[np.isfinite(points).all(axis=-1)]
    reach = _MARGIN * max(width, height)
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    # A pose that left its image must not look as if it had a limb less.
    seen = points if cut else np.concatenate([points, corners])
    beyond = np.clip(seen, corners[0] - reach, corners[1] + reach)
    (left, top), (right, bottom) = beyond.min(axis=0), beyond.max(axis=0)
    if cut:
        (left, right), (top, bottom) = _square((left, right), (top, bottom), corners)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _square(
    across: tuple[float, float], down: tuple[float, float], corners: Floats
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square around a rectangle, moved into the image as far as it fits and still holds the rectangle."""
    side = _CUT * max(across[1] - across[0], down[1] - down[0])
    sides = []
    for axis, (low, high) in enumerate((across, down)):
        start = (low + high - side) / 2
        first, last = corners[:, axis]
        inside = min(max(start, first), last - side) if side <= last - first else (first + last - side) / 2
        start = min(max(inside, high - side), low)
        sides.append((start, start + side))
    return sides[0], sides[1]


def _segments(pose: Floats, skeleton: Skeleton) -> tuple[list[Floats], list[str]]:
    complete = [limb for limb in skeleton.limbs if np.isfinite(pose[[limb.start, limb.end]]).all()]
    return [pose[[limb.start, limb.end]] for limb in complete], [limb.name for limb in complete]


def _plot_plain(axes: Axes, pose: Floats, skeleton: Skeleton, colour: str, casing: str) -> None:
    segments, _ = _segments(pose, skeleton)
    effects = [withStroke(linewidth=3.2, foreground=casing)]
    axes.add_collection(
        LineCollection(segments, colors=colour, linewidths=1.8, path_effects=effects, capstyle="round"),
        autolim=False,
    )
    ends = {end for limb in skeleton.limbs for end in (limb.start, limb.end)}
    alone = pose[[joint for joint in range(len(pose)) if joint not in ends]]
    if len(alone):
        axes.scatter(alone[:, 0], alone[:, 1], s=12, c=colour, edgecolors=casing, linewidths=0.8, zorder=3)


def _plot_sticks(axes: Axes, pose: Floats, skeleton: Skeleton) -> None:
    segments, names = _segments(pose, skeleton)
    palette = limb_colours(limb.name for limb in skeleton.limbs)
    colours = [palette[name] for name in names]
    effects = [withStroke(linewidth=4.2, foreground="black")]
    axes.add_collection(
        LineCollection(segments, colors=colours, linewidths=2.6, path_effects=effects, capstyle="round"),
        autolim=False,
    )
    left = [segment for segment, name in zip(segments, names, strict=True) if name.startswith(_CENTRE_LINED)]
    axes.add_collection(LineCollection(left, colors="black", linewidths=_CENTRE_LINE), autolim=False)
    axes.scatter(pose[:, 0], pose[:, 1], s=9, c="white", edgecolors="black", linewidths=0.7, zorder=3)


def _limb_legend(figure: Figure, skeleton: Skeleton) -> None:
    effects = [withStroke(linewidth=4, foreground="black")]
    limbs = [
        Line2D([], [], color=colour, linewidth=2.6, path_effects=effects)
        for colour in limb_colours(limb.name for limb in skeleton.limbs).values()
    ]
    names = [limb.name for limb in skeleton.limbs]
    lined = Line2D([], [], color="black", linewidth=_CENTRE_LINE)
    handles: list[Any] = [
        (limb, lined) if name.startswith(_CENTRE_LINED) else limb
        for limb, name in zip(limbs, names, strict=True)
    ]
    figure.legend(handles, names, loc="outside right center", handlelength=1.8)
