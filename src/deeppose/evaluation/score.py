"""Anybody's predictions on the test part of a published set, measured as the paper measures (§4.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import diameter
from deeppose.core.metrics import joint_errors, limb_errors, pcp, pdj
from deeppose.core.params import Labels
from deeppose.data.pose_set import PoseSet
from deeppose.data.prediction_files import predicted_joints, read_predictions
from deeppose.data.registry import PAPER_TEST_SETS
from deeppose.evaluation.hints import hints
from deeppose.evaluation.rates import PDJ_THRESHOLDS

LIMB_KINDS = ("arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave")
JOINT_KINDS = ("wrist", "elbow", "shoulder", "hip", "knee", "ankle")


@dataclass(frozen=True)
class Score:
    """Rates of one predictions file, and what a reader must know beside them.

    Attributes
    ----------
    rates
        `dataset`, `labels`, `n` (examples), `pcp` and `pcp_loose` at 0.5 by kind of limb with their mean
        `ave`, and `pdj` by threshold and kind of joint: from 0 to 1; None where the set has no such joints
        or the method doesn't predict them. The kinds are the paper's; of a set that it doesn't have, all that
        its skeleton has.
    labels
        Which labels these are, in words.
    not_predicted
        Names of the joints that the method doesn't predict at all.
    without_diameter
        How many of the true poses have no diameter, so no PDJ.
    remarks
        What was made of the file that not everybody expects, in words.
    hints
        What looks wrong with the file as a whole, in words.
    """

    rates: dict[str, Any]
    labels: str
    not_predicted: tuple[str, ...]
    without_diameter: int
    remarks: tuple[str, ...]
    hints: tuple[str, ...]


def score(poseset: PoseSet, predictions: Path, labels: Labels) -> Score:
    """Score a predictions file on the test part of `poseset`, which was read with these labels.

    Left and right are pooled, so a joint that isn't predicted takes the other side's rate with it:
    half of the joints would stand for all.

    Parameters
    ----------
    predictions
        In one of the layouts of :func:`deeppose.data.prediction_files.read_predictions`.
    labels
        Observer- or person-centric ones.

    Raises
    ------
    PredictionsError
        If the file does not fit the set, or the set has no test part.
    """
    if poseset.train.all():
        raise PredictionsError(f"{poseset.name} has no test part, so nothing can be scored on it")
    tests, skeleton = poseset.taking(np.flatnonzero(~poseset.train)), poseset.skeleton
    predicted, remarks = read_predictions(predictions, tests.members, skeleton)
    is_predicted = predicted_joints(predicted)
    counted = tests.labelled & is_predicted & is_predicted[list(skeleton.mirrored)]
    diameters = diameter(tests.poses, tests.labelled, skeleton)
    errors = joint_errors(predicted, tests.poses, counted, diameters)
    strict, loose = limb_errors(predicted, tests.poses, counted, skeleton)
    rates = {
        "dataset": poseset.name,
        "labels": labels,
        "n": len(tests.poses),
        "pcp": _shown(poseset, LIMB_KINDS, pcp(strict, skeleton)),
        "pcp_loose": _shown(poseset, LIMB_KINDS, pcp(loose, skeleton)),
        "pdj": {str(t): _shown(poseset, JOINT_KINDS, pdj(errors, skeleton, t)) for t in PDJ_THRESHOLDS},
    }
    return Score(
        rates=rates,
        labels=poseset.labels,
        not_predicted=tuple(skeleton.joints[joint] for joint in np.flatnonzero(~is_predicted)),
        without_diameter=int(np.isnan(diameters).sum()),
        remarks=remarks,
        hints=tuple(hints(tests, predicted, counted, diameters)),
    )


def _shown(
    poseset: PoseSet, of_paper: Sequence[str], rates: Mapping[str, float | None]
) -> dict[str, float | None]:
    kinds = of_paper if poseset.name in PAPER_TEST_SETS else rates
    return {kind: rates.get(kind) for kind in kinds}
