"""Anybody's predictions on the test part of a published set, measured as the paper measures (§4.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Floats, diameter
from deeppose.core.metrics import joint_errors, limb_errors, pcp, pdj
from deeppose.core.params import Labels
from deeppose.data.pose_set import PoseSet
from deeppose.data.prediction_files import predicted_joints, read_predictions
from deeppose.data.registry import PAPER_TEST_SETS, read_set

LIMB_KINDS = ("arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave")
JOINT_KINDS = ("wrist", "elbow", "shoulder", "hip", "knee", "ankle")
PDJ_THRESHOLDS = ("0.1", "0.2", "0.5")


@dataclass(frozen=True)
class Score:
    """Rates of one predictions file, and what a reader must know beside them.

    Attributes
    ----------
    rates
        As :func:`score` gives them.
    labels
        Which labels these are, in words.
    not_predicted
        Names of the joints that the method doesn't predict at all.
    without_diameter
        How many of the true poses have no diameter, so no PDJ.
    """

    rates: dict[str, Any]
    labels: str
    not_predicted: tuple[str, ...]
    without_diameter: int


def score(dataset: str, predictions: Path, labels: Labels, folders: Sequence[Path]) -> dict[str, Any]:
    """Score a predictions file on a set's test part.

    Parameters
    ----------
    dataset
        Name in the registry; its archive is looked for in `folders`.
    predictions
        In one of the layouts of :func:`deeppose.data.prediction_files.read_predictions`.
    labels
        Observer- or person-centric ones.

    Returns
    -------
    `dataset`, `labels`, `n` (examples), `pcp` and `pcp_loose` at 0.5 by kind of limb with their mean
    `ave`, and `pdj` by threshold and kind of joint: from 0 to 1; None where the set has no such joints
    or the method doesn't predict them. The kinds are the paper's; of a set that it doesn't have, all that
    its skeleton has.

    Raises
    ------
    PredictionsError
        If the file does not fit the set, or the set has no test part.
    DeepPoseError
        If the set can't be read.
    """
    return score_file(dataset, predictions, labels, folders).rates


def score_file(dataset: str, predictions: Path, labels: Labels, folders: Sequence[Path]) -> Score:
    """As :func:`score`, with what a reader must know beside the rates."""
    return score_set(read_set(dataset, folders, labels), predictions, labels)


def score_set(poseset: PoseSet, predictions: Path, labels: Labels) -> Score:
    """As :func:`score_file`, on a set that was read."""
    count = int((~poseset.train).sum())
    if count == 0:
        raise PredictionsError(f"{poseset.name} has no test part, so nothing can be scored on it")
    return measure(poseset, read_predictions(predictions, count, poseset.skeleton), labels)


def measure(poseset: PoseSet, predicted: Floats, labels: Labels) -> Score:
    """Score poses `(n, k, 2)`, pixels, of the n examples in the test part of `poseset`.

    Left and right are pooled, so a joint that isn't predicted takes the other side's rate with it:
    half of the joints would stand for all.
    """
    test, skeleton = ~poseset.train, poseset.skeleton
    truth, labelled = poseset.poses[test], poseset.labelled[test]
    is_predicted = predicted_joints(predicted)
    counted = labelled & is_predicted & is_predicted[list(skeleton.mirrored)]
    diameters = diameter(truth, labelled, skeleton)
    errors = joint_errors(predicted, truth, counted, diameters)
    strict, loose = limb_errors(predicted, truth, counted, skeleton)
    found = {
        "dataset": poseset.name,
        "labels": labels,
        "n": len(truth),
        "pcp": _shown(poseset, LIMB_KINDS, pcp(strict, skeleton)),
        "pcp_loose": _shown(poseset, LIMB_KINDS, pcp(loose, skeleton)),
        "pdj": {t: _shown(poseset, JOINT_KINDS, pdj(errors, skeleton, float(t))) for t in PDJ_THRESHOLDS},
    }
    return Score(
        rates=found,
        labels=poseset.labels,
        not_predicted=tuple(skeleton.joints[joint] for joint in np.flatnonzero(~is_predicted)),
        without_diameter=int(np.isnan(diameters).sum()),
    )


def _shown(
    poseset: PoseSet, of_paper: Sequence[str], rates: Mapping[str, float | None]
) -> dict[str, float | None]:
    kinds = of_paper if poseset.name in PAPER_TEST_SETS else rates
    return {kind: rates.get(kind) for kind in kinds}
