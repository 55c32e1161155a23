"""The normal distributions of the simulated displacements (§3.2) over what they were fitted to."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator

from deeppose.core.geometry import Floats
from deeppose.core.skeleton import Skeleton
from deeppose.report.style import new_figure, styled

MOST_POINTS = 1000

_COLUMNS = 5
_POINTS = "#7fb2dd"
_FIT = "#b3261e"
_LEGEND_TITLE = "predicted − true"


@styled
def normals_figure(
    displacements: pd.DataFrame,
    normals: pd.DataFrame,
    unit: str,
    skeleton: Skeleton,
    title: str,
    *,
    narrowest: float = 0.0,
) -> Figure:
    """A panel for each joint: observed displacements, the fitted mean, one and two standard deviations.

    Parameters
    ----------
    displacements
        Columns joint (index), dx, dy: prediction less truth. Of more than `MOST_POINTS` of a joint every
        n-th is plotted, n the smallest that keeps to that number.
    normals
        Columns joint, mean_x, mean_y, var_x, var_y, cov_xy.
    unit
        Of the displacements: "pixels" or "pose diameters".
    narrowest
        What smaller standard deviations were raised to, see
        :func:`deeppose.displacements.normals.fit_normals`.
    """
    joints = len(skeleton.joints)
    rows = math.ceil(joints / _COLUMNS)
    fitted = normals.set_index("joint").loc[list(range(joints))]
    means = fitted[["mean_x", "mean_y"]].to_numpy()
    variances = fitted[["var_x", "var_y"]].to_numpy()
    covariances = fitted[["var_x", "cov_xy", "cov_xy", "var_y"]].to_numpy().reshape(-1, 2, 2)
    # By joint and axis, whether the floor decides and not the displacements.
    raised = (narrowest > 0) & np.isclose(np.sqrt(variances), narrowest)
    caption = (
        f"n: displacements of the joint; beyond: those outside the axes, which are the same in all panels. "
        f"Where n is above {MOST_POINTS}, every ⌈n/{MOST_POINTS}⌉-th is shown."
    )
    if narrowest:
        caption += (
            f" A standard deviation below {narrowest:g} was raised to it: of {raised.size}, one in x and one "
            f"in y a joint, {raised.sum()} are that floor, not fitted; the titles say which."
        )
    legend_apart = joints == rows * _COLUMNS
    width = 1.75 * _COLUMNS + (1.7 if legend_apart else 0.5)
    figure = new_figure(width, 2.0 * rows + 1.2, title, caption)
    panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    reach = 1.05 * float((np.abs(means) + 3 * np.sqrt(variances)).max())
    for joint, axes in enumerate(panels[:joints]):
        observed = displacements.loc[displacements["joint"] == joint, ["dx", "dy"]].to_numpy()
        _joint_panel(axes, observed, means[joint], covariances[joint], reach)
        beyond = int((np.abs(observed) > reach).any(axis=1).sum())
        title = skeleton.joints[joint]
        if narrowest:
            in_x, in_y = raised[joint]
            alone = f"floor in {'x' if in_x else 'y'}" if in_x or in_y else "fitted"
            title += ": floor" if in_x and in_y else f": {alone}"
        axes.set_title(f"{title}\nn = {len(observed)}, {beyond} beyond", fontsize=8.5)
    for axes in panels[joints:]:
        axes.set_axis_off()
    for index, axes in enumerate(panels[:joints]):
        if index + _COLUMNS >= joints:
            axes.set_xlabel(f"Δx ({unit})")
            axes.tick_params(labelbottom=True)
        if index % _COLUMNS == 0:
            axes.set_ylabel(f"Δy ({unit})")
    if legend_apart:
        figure.legend(handles=_handles(), loc="outside right center", title=_LEGEND_TITLE)
    else:
        panels[-1].legend(handles=_handles(), loc="center", title=_LEGEND_TITLE)
    return figure


def _joint_panel(axes: Axes, observed: Floats, mean: Floats, covariance: Floats, reach: float) -> None:
    shown = observed[:: max(1, math.ceil(len(observed) / MOST_POINTS))]
    axes.scatter(shown[:, 0], shown[:, 1], s=3, c=_POINTS, alpha=0.5, linewidths=0, rasterized=True)
    variances, angle = principal_axes(*covariance[[0, 0, 1], [0, 1, 1]].tolist())
    sides = 2 * np.sqrt(np.maximum(variances, 0))
    centre = (float(mean[0]), float(mean[1]))
    for sigmas, line in ((1, "-"), (2, "--")):
        axes.add_patch(Ellipse(centre, *(sigmas * sides), angle=angle, fill=False, ec=_FIT, ls=line))
    axes.plot(*centre, marker="+", color=_FIT, markersize=7)
    axes.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    axes.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    axes.set_xlim(-reach, reach)
    # Downwards, as in the image.
    axes.set_ylim(reach, -reach)
    axes.set_aspect("equal")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def principal_axes(var_x: float, cov_xy: float, var_y: float) -> tuple[tuple[float, float], float]:
    """Variances along a covariance's principal axes, the smaller first, and that one's angle, degrees.

    By Jacobi's rotation and not by LAPACK, whose last bits hang on the processor; exact without a covariance.
    """
    slope = 0.0
    if cov_xy:
        ratio = (var_y - var_x) / (2 * cov_xy)
        slope = math.copysign(1 / (abs(ratio) + math.hypot(1, ratio)), ratio)
    along, across = var_x - slope * cov_xy, var_y + slope * cov_xy
    if along <= across:
        return (along, across), math.degrees(math.atan2(0.0 - slope, 1.0))
    return (across, along), math.degrees(math.atan2(1.0, slope))


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], marker="o", linestyle="", color=_POINTS, markersize=3, label="observed"),
        Line2D([], [], marker="+", linestyle="", color=_FIT, markersize=7, label="mean"),
        Line2D([], [], color=_FIT, linestyle="-", linewidth=1, label="1 s.d."),
        Line2D([], [], color=_FIT, linestyle="--", linewidth=1, label="2 s.d."),
    ]
