"""Faces and the initial boxes made of them, plotted on their images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from deeppose.boxes.faces import FACE_COLUMNS
from deeppose.boxes.initial_boxes import NO_FACE
from deeppose.core.errors import FaceError
from deeppose.core.examples import TORSO_COLUMNS, Examples, Indices
from deeppose.core.geometry import Floats, enlarged
from deeppose.core.images import ImageSource, Pixels
from deeppose.report.style import BOX_COLOURS, PREDICTED_COLOUR, TRUE_COLOUR, new_figure, strip, styled

ROWS = ("one face", "several faces", "no face of the person's")

# Free space around the image and its box, in shares of the longer side of both.
_MARGIN = 0.03
_LINES: dict[str, dict[str, Any]] = {
    "a detected face": {"color": BOX_COLOURS[0], "linestyle": "-", "linewidth": 1.0},
    "the person's face": {"color": PREDICTED_COLOUR, "linestyle": "-", "linewidth": 1.8},
    "torso, as labelled": {"color": "#ffffff", "linestyle": ":", "linewidth": 1.4},
    "initial box": {"color": BOX_COLOURS[1], "linestyle": "--", "linewidth": 1.8},
}
_CASING = [withStroke(linewidth=3.0, foreground="black", alpha=0.5)]


@dataclass(frozen=True)
class BoxExamples:
    """Which examples the figure shows, by rule.

    Attributes
    ----------
    rows
        By the figure's row (of ROWS) the examples' row numbers.
    counts
        By the figure's row, of how many examples they were taken.
    rule
        The rule in words, for the caption.
    """

    rows: dict[str, tuple[int, ...]]
    counts: dict[str, int]
    rule: str


def choose_box_examples(
    candidates: Indices, offsets: Indices, faces: pd.DataFrame, chosen: Sequence[str], columns: int = 5
) -> BoxExamples:
    """For each of ROWS the middles of `columns` equal parts of its examples, in the order of the set.

    Parameters
    ----------
    candidates
        Row numbers of the examples that may be shown, `(m,)`.
    offsets, chosen
        Of all examples, `(n,)`: where the image lies, and how the initial box came about.
    faces
        As of :func:`deeppose.boxes.faces.faces_table`.

    Raises
    ------
    FaceError
        If there is no candidate.
    """
    if not len(candidates):
        raise FaceError("there is no example to show initial boxes of")
    found = faces["offset"].value_counts().reindex(offsets[candidates], fill_value=0).to_numpy()
    without = np.array([chosen[row] == NO_FACE for row in candidates])
    groups = (~without & (found == 1), ~without & (found > 1), without)
    rows, counts = {}, {}
    for name, group in zip(ROWS, groups, strict=True):
        members = candidates[group]
        count = min(columns, len(members))
        middles = np.floor((np.arange(count) + 0.5) / max(count, 1) * len(members)).astype(int)
        rows[name] = tuple(int(row) for row in members[middles])
        counts[name] = len(members)
    rule = (
        f"Images chosen by rule: in each row the middles of {columns} equal parts of its examples, in the "
        f"order of the set. Without a face the initial box is the full image. Dots: labelled joints; grey: "
        f"beyond the image."
    )
    return BoxExamples(rows, counts, rule)


@styled
def boxes_figure(
    images: ImageSource,
    examples: Examples,
    faces: pd.DataFrame,
    choice: BoxExamples,
    scale: float,
    title: str,
) -> Figure:
    """Faces, the person's face, the torso's box and b⁰, a row for each of ROWS.

    Parameters
    ----------
    images
        By the examples' row numbers.
    examples
        With their initial boxes.
    faces
        As of :func:`deeppose.boxes.faces.faces_table`.
    scale
        The scaler between a face and its initial box.
    """
    columns = max(len(rows) for rows in choice.rows.values())
    figure = new_figure(columns * 1.6 + 1.9, len(ROWS) * 1.6 + 1.0, title, choice.rule)
    panels = figure.subplots(len(ROWS), columns, squeeze=False)
    torsos = examples.table[TORSO_COLUMNS].to_numpy(np.float64)
    offsets = examples.table["offset"].to_numpy(np.int64)
    for line, name in zip(panels, ROWS, strict=True):
        for axes in line:
            strip(axes)
        line[0].set_ylabel(f"{name}\n({choice.counts[name]} examples)")
        for axes, row in zip(line, choice.rows[name], strict=False):
            _show(axes, images[row], examples.boxes[row])
            for face in faces.loc[faces["offset"] == offsets[row], FACE_COLUMNS].to_numpy(np.float64):
                _plot(axes, face, "a detected face")
            _plot(axes, torsos[row], "torso, as labelled")
            _plot(axes, examples.boxes[row], "initial box")
            if name != ROWS[-1]:
                _plot(axes, enlarged(examples.boxes[row], 1 / scale), "the person's face")
            pose = examples.poses[row]
            axes.scatter(
                pose[:, 0], pose[:, 1], s=7, c=TRUE_COLOUR, edgecolors="black", linewidths=0.5, zorder=3
            )
    handles = [Line2D([], [], path_effects=_CASING, **look) for look in _LINES.values()]
    figure.legend(handles, list(_LINES), loc="outside right center")
    return figure


def _show(axes: Axes, image: Pixels, box: Floats) -> None:
    """The image, and around it as much as its initial box takes: cut off it would look like another box."""
    height, width = image.shape[:2]
    axes.set_facecolor("0.92")
    axes.imshow(image, interpolation="bicubic")
    first = np.minimum((-0.5, -0.5), box[:2] - box[2:] / 2)
    last = np.maximum((width - 0.5, height - 0.5), box[:2] + box[2:] / 2)
    margin = _MARGIN * (last - first).max()
    axes.set_xlim(first[0] - margin, last[0] + margin)
    axes.set_ylim(last[1] + margin, first[1] - margin)


def _plot(axes: Axes, box: Floats, what: str) -> None:
    if np.isnan(box).any():
        return
    corner = (float(box[0] - box[2] / 2), float(box[1] - box[3] / 2))
    axes.add_patch(
        Rectangle(corner, float(box[2]), float(box[3]), fill=False, path_effects=_CASING, **_LINES[what])
    )
