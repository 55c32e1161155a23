"""Detection rate against distance (the paper's Figures 3, 4, 5 and 7); curves of training and the scaler."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter, StrMethodFormatter

from deeppose.core.files import write_text
from deeppose.core.metrics import share_within, within
from deeppose.core.predictors import MEAN_POSE, is_other_method
from deeppose.core.skeleton import Skeleton
from deeppose.evaluation.bootstrap import Resamples, resample_weights
from deeppose.evaluation.error_tables import matrix, of_set, predictors
from deeppose.evaluation.rates import CURVE_THRESHOLDS
from deeppose.report.style import (
    JOINT_LINES,
    PEER_LINES,
    PREDICTED_COLOUR,
    PREDICTOR_LINES,
    new_figure,
    styled,
)

COVERAGES = np.arange(1, 101) / 100
RISK_THRESHOLD = 0.2
"""In diameters, as that of the confidence in predictions of photos."""
LIMB_JOINTS = {"Arms": ("elbow", "wrist"), "Legs": ("knee", "ankle")}
HELD_OUT = "held_out_pdj@0.2"

_HOLLOW: dict[str, Any] = {"linestyle": (0, (4, 1.5)), "linewidth": 1.1, "markerfacecolor": "white"}
# How lines of the second, third and fourth images differ from those of the first.
_LATER_IMAGES: tuple[dict[str, Any], ...] = (
    _HOLLOW,
    {"linestyle": "-", "linewidth": 0.9, "marker": "^"},
    {**_HOLLOW, "linestyle": (0, (1.5, 1.5)), "marker": "^"},
)
_DOTTED: dict[str, Any] = {"linestyle": ":", "linewidth": 1.2, "markerfacecolor": "white", "markersize": 3}
_DISTANCE = "Normalised distance to the true joint\n(pose diameters)"
_RATE = "Detection rate"
_LOSSES = (
    "Stage 1's loss is a sum over the joints, in units of the initial box; a later stage's is that of one "
    "joint, in units of its sub-image: their levels don't compare."
)


def pdj_curves(joint_errors: pd.DataFrame, skeleton: Skeleton, set_name: str, seed: int) -> pd.DataFrame:
    """PDJ (§4.1) of each joint, left and right pooled, at the distances 0, 0.01, … 0.5.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error: multiples of the true pose's diameter.
    seed
        Of the bootstrap.

    Returns
    -------
    Columns predictor, joint (a kind: "wrist"), t, rate (0 to 1), ci95 (half the width of its 95 % interval).
    A joint that a predictor doesn't predict, or that is labelled nowhere, has no rows.

    Raises
    ------
    PredictionsError
        If `joint_errors` has nothing of that set.
    """
    errors = of_set(joint_errors, set_name)
    weights = resample_weights(errors["example"].nunique(), seed, set_name)
    pieces = []
    for predictor in predictors(errors):
        distances = matrix(errors, predictor, "joint", skeleton.joints, "error")
        resamples = Resamples(distances, CURVE_THRESHOLDS, weights)
        for kind, joints in skeleton.joint_kinds.items():
            of_kind = distances[:, list(joints)]
            if np.isnan(of_kind).all():
                continue
            rates = [share_within(of_kind, t) for t in CURVE_THRESHOLDS]
            curve = {"predictor": predictor, "joint": kind, "t": CURVE_THRESHOLDS, "rate": rates}
            pieces.append(pd.DataFrame(curve | {"ci95": resamples.half_widths([joints])}))
    columns = ["predictor", "joint", "t", "rate", "ci95"]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=columns)


def select(curves: pd.DataFrame, chosen: Sequence[str], joints: Sequence[str], end: float) -> pd.DataFrame:
    """The curves of some predictors and kinds of joints up to a distance: what one figure shows."""
    wanted = curves["predictor"].isin(chosen) & curves["joint"].isin(joints) & (curves["t"] <= end)
    return curves[wanted].reset_index(drop=True)


def write_curves(curves: pd.DataFrame, target: Path) -> None:
    """Write what :func:`pdj_curves` gave as CSV, for `dvc plots` and other programs."""
    write_text(target, curves.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


@styled
def limbs_figure(curves: pd.DataFrame, predictor: str, network: str, title: str, caption: str = "") -> Figure:
    """Figure 4: one predictor's curves for the joints of the arms and of the legs, the mean pose dotted.

    A skeleton without legs gets the arms' panel alone.

    Parameters
    ----------
    curves
        From :func:`pdj_curves`.
    predictor
        Whose curves are solid: the last stage.
    network
        What the stages are networks of, for the legend.
    """
    known = set(curves["joint"])
    shown = {limbs: joints for limbs, joints in LIMB_JOINTS.items() if known.intersection(joints)}
    figure = new_figure(1.8 + 2.9 * len(shown), 3.4, title, caption)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (limbs, joints) in zip(panels, shown.items(), strict=True):
        for joint in joints:
            line = JOINT_LINES[joint]
            _curve(axes, curves, predictor, joint, markevery=10, **line)
            _curve(axes, curves, MEAN_POSE, joint, markevery=(5, 10), **{**line, **_DOTTED})
        axes.set_title(limbs)
        _finish(axes, curves)
        axes.set_xlabel(_DISTANCE)
    panels[0].set_ylabel(_RATE)
    handles = [Line2D([], [], label=joint, **line) for joint, line in JOINT_LINES.items() if joint in known]
    handles.append(Line2D([], [], color="0.3", label=_named(predictor, network)))
    handles.append(Line2D([], [], color="0.3", label=MEAN_POSE, **_DOTTED))
    figure.legend(handles=handles, loc="outside right center")
    return figure


@styled
def joints_figure(
    curves: pd.DataFrame, joints: Sequence[str], network: str, title: str, caption: str = ""
) -> Figure:
    """Figures 3, 5 and 7: a panel for each joint, in it a line for each predictor.

    Parameters
    ----------
    curves
        From :func:`pdj_curves`; all of it is plotted. With a column `images`, as
        :func:`deeppose.report.tables.stacked_by_images` makes it, of four images at most, the first images'
        lines are as ever, the others' are thin, with other dashes and markers.
    joints
        Joint kinds, two panels in a row.
    network
        What the stages are networks of, for the legend.
    """
    rows = (len(joints) + 1) // 2
    images = list(dict.fromkeys(curves["images"])) if "images" in curves else [""]
    # Several kinds of images take room in the legend and in the caption.
    width, height = (8.4, 2.0) if len(images) > 1 else (7.6, 1.0)
    figure = new_figure(width, height + 2.4 * rows, title, caption)
    panels = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
    lines = _lines(curves, images, network)
    for axes, joint in zip(panels, joints, strict=False):
        for predictor, part, line in lines:
            rows_of_part = curves[curves["images"] == part] if part else curves
            _curve(axes, rows_of_part, predictor, joint, **line)
        axes.set_title(joint.replace("_", " ").capitalize())
        _finish(axes, curves)
    for axes in panels[len(joints) :]:
        axes.remove()
    for axes in panels[: len(joints)][-2:]:
        axes.set_xlabel(_DISTANCE)
        axes.tick_params(labelbottom=True)
    for axes in panels[: len(joints) : 2]:
        axes.set_ylabel(_RATE)
    handles = [Line2D([], [], **line) for _, _, line in lines]
    figure.legend(handles=handles, loc="outside right center")
    return figure


def _named(predictor: str, network: str) -> str:
    """A predictor's name for legends: with a stage its network, with another method its authors."""
    if is_other_method(predictor):
        return predictor.replace(" (", "\n(")
    return predictor if predictor == MEAN_POSE else f"DeepPose, {predictor}\n({network})"


def _lines(
    curves: pd.DataFrame, images: Sequence[str], network: str
) -> list[tuple[str, str, dict[str, Any]]]:
    """Each predictor and part of the images that has curves, and how its line looks."""
    every = max(1, (curves["t"].nunique() - 1) // 10)
    peers = [name for name in predictors(curves) if is_other_method(name)]
    lines: list[tuple[str, str, dict[str, Any]]] = []
    for predictor in predictors(curves):
        known = PREDICTOR_LINES.get(predictor)
        look = known or PEER_LINES[peers.index(predictor) % len(PEER_LINES)]
        for number, part in enumerate(images):
            if part and not ((curves["predictor"] == predictor) & (curves["images"] == part)).any():
                continue
            line = {"marker": "o", **look, **_LATER_IMAGES[number - 1]} if number else look
            line = {**line, "markevery": (every, every)}
            # Once a predictor is named, what its other lines are of is enough.
            names = [] if any(predictor == shown for shown, *_ in lines) else [_named(predictor, network)]
            label = "\n".join([*names, part] if part else names)
            lines.append((predictor, part, {**line, "label": label}))
    return lines


def risk_curves(joint_errors: pd.DataFrame, set_name: str) -> pd.DataFrame:
    """Risk against coverage of each stage: the share wrong of the most confident joints, all kinds.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, error in true-pose diameters, and spread: the smaller, the more confident.

    Returns
    -------
    Columns predictor, coverage: the share of the joints that are kept, 0.01, 0.02, … 1; risk: the share of
    those that are more than 0.2 diameters off (1 − PDJ at 0.2).
    """
    errors = of_set(joint_errors, set_name).dropna(subset=["error", "spread"])
    pieces = []
    for predictor in predictors(errors):
        # Ties stay in the table's order.
        ordered = errors[errors["predictor"] == predictor].sort_values("spread", kind="stable")
        wrong = ~within(ordered["error"].to_numpy(np.float64), RISK_THRESHOLD)
        kept = np.ceil(np.arange(1, 101) * len(wrong) / 100).astype(int)
        risk = np.cumsum(wrong)[kept - 1] / kept
        pieces.append(pd.DataFrame({"predictor": predictor, "coverage": COVERAGES, "risk": risk}))
    return pd.concat(pieces, ignore_index=True)


@styled
def risk_figure(curves: pd.DataFrame, network: str, title: str, caption: str = "") -> Figure:
    """Risk against coverage, a line for each stage; `curves` are of :func:`risk_curves`."""
    figure = new_figure(6.4, 3.4, title, caption)
    axes = figure.subplots()
    for predictor, rows in curves.groupby("predictor"):
        line = {**PREDICTOR_LINES[str(predictor)], "label": _named(str(predictor), network), "markevery": 10}
        axes.plot(rows["coverage"], rows["risk"], clip_on=False, **line)
    axes.set_xlabel("Coverage: share of the joints, the most confident first")
    axes.set_ylabel(f"Risk: 1 − PDJ at {RISK_THRESHOLD:g}")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    figure.legend(handles=axes.get_lines(), loc="outside right center")
    return figure


@styled
def training_figure(logs: Mapping[str, pd.DataFrame], title: str, caption: str = "") -> Figure:
    """The loss (Eq. 4, 8; logarithmic) and the held-out PDJ at 0.2 against the step, a line for each stage.

    `logs` have by stage ("stage 1") columns step, loss, held_out_pdj@0.2; a row may lack one of the two.
    """
    figure = new_figure(7.6, 3.3, title, f"{caption} {_LOSSES}".lstrip() if len(logs) > 1 else caption)
    losses, held_out = figure.subplots(1, 2)
    for stage, log in logs.items():
        line = PREDICTOR_LINES[stage]
        # A stage that reported once is a dot: without a marker it would not be seen.
        dots = {**line, "marker": "o", "markersize": 2.5}
        loss = log.dropna(subset=["loss"])
        losses.plot(loss["step"], loss["loss"], label=stage, **{**dots, "linewidth": 1.2})
        judged = log.dropna(subset=[HELD_OUT])
        held_out.plot(judged["step"], judged[HELD_OUT], label=stage, **dots)
    losses.set_yscale("log")
    losses.set_ylabel("Training loss")
    held_out.set_ylabel("Held-out PDJ at 0.2, all joints")
    # From where the data begin: what stages differ by is a small part of 0 to 1.
    held_out.margins(y=0.08)
    held_out.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g}%"))
    for axes in (losses, held_out):
        axes.set_xlabel("Step")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    figure.legend(handles=held_out.get_lines(), loc="outside right center")
    return figure


@styled
def containment_figure(curve: pd.DataFrame, scale: float, share: float, title: str) -> Figure:
    """How many joints an enlarged face contains, and the scaler that follows from the share asked for (§4.1).

    Parameters
    ----------
    curve
        As of :func:`deeppose.boxes.initial_boxes.containment_curve`.
    scale, share
        The factor taken, and the share of the training joints that it contains.
    """
    caption = f"Dotted: {scale:.2f}, the factor taken, with {share:.1%} of the labelled training joints."
    figure = new_figure(4.6, 3.2, title, caption)
    axes = figure.subplots()
    # Where it runs along the panel's edge the line is shown whole.
    axes.plot(curve["factor"], curve["share"], color=PREDICTED_COLOUR, clip_on=False)
    axes.axvline(scale, color="black", linestyle=":", linewidth=1.2)
    axes.set_xlabel("Factor by which the face's rectangle is enlarged")
    axes.set_ylabel("Share of joints inside")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    return figure


def _curve(axes: Axes, curves: pd.DataFrame, predictor: str, joint: str, **line: object) -> None:
    rows = curves[(curves["predictor"] == predictor) & (curves["joint"] == joint)]
    if not rows.empty:
        # Markers on the panel's edge are shown whole.
        (curve,) = axes.plot(rows["t"], rows["rate"], clip_on=False, **line)  # type: ignore[arg-type]
        low, high = (rows["rate"] + sign * rows["ci95"] for sign in (-1, 1))
        colour = curve.get_color()
        axes.fill_between(rows["t"], low.clip(0), high.clip(upper=1), color=colour, alpha=0.15, linewidth=0)


def _finish(axes: Axes, curves: pd.DataFrame) -> None:
    axes.set_xlim(0, curves["t"].max())
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
