"""The rates that the paper's claims ask for, on a set or a bootstrap resample of it."""

import copy
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from deeppose.core.geometry import Floats
from deeppose.core.metrics import pcp, pdj
from deeppose.core.predictors import is_other_method, stage_name, stage_number
from deeppose.core.viewpoint import SIDE
from deeppose.evaluation.error_tables import matrix
from deeppose.evaluation.evaluation import Evaluation
from deeppose.evaluation.rates import CURVE_THRESHOLDS
from deeppose.report.catalogue import PAPER_SETS, SetCatalogue, catalogue_of


def other_methods(errors: pd.DataFrame, set_name: str) -> list[str]:
    """The methods of other people whose errors on a set are in a table of errors."""
    names = errors.loc[errors["set"] == set_name, "predictor"].unique()
    return sorted(name for name in names if is_other_method(name))


def _whole(set_name: str) -> SetCatalogue:
    """The catalogue of a set, or of the one that it is a part of."""
    return next((shown for shown in PAPER_SETS.values() if set_name in shown.parts), catalogue_of(set_name))


class NotTestableError(Exception):
    """A claim can't be tested on this run; the message says why."""


class OnSet:
    """One model's errors on one set; what can't be measured raises :class:`NotTestableError`."""

    def __init__(self, evaluation: Evaluation, set_name: str) -> None:
        joints, limbs = evaluation.joints, evaluation.limbs
        joints, limbs = joints[joints["set"] == set_name], limbs[limbs["set"] == set_name]
        skeleton = evaluation.skeleton
        counted = [limb.name for limb in skeleton.limbs if limb.kind is not None]
        self._skeleton = skeleton
        # By predictor, a row an example.
        self._joints = {
            name: matrix(joints, name, "joint", skeleton.joints, "error")
            for name in joints["predictor"].unique()
        }
        self._limbs = {
            name: matrix(limbs, name, "limb", counted, "strict") for name in limbs["predictor"].unique()
        }
        counts = {len(errors) for errors in (*self._joints.values(), *self._limbs.values())}
        assert len(counts) == 1, f"predictors were measured on {sorted(counts)} examples of {set_name}"
        rates = evaluation.by_viewpoint
        self._by_viewpoint = rates[rates["set"] == set_name]
        self._others = other_methods(evaluation.joints, set_name)
        self.title = _whole(set_name).title

    def resampled(self, generator: np.random.Generator) -> "OnSet":
        """A bootstrap resample of the set: the errors on as many examples, taken with replacement.

        Of the people seen from each side there are as many as before; how many of them are exchanged is a
        sample of its own.
        """
        resample = copy.copy(self)
        examples = len(next(iter(self._joints.values())))
        rows = generator.integers(examples, size=examples)
        resample._joints = {name: errors[rows] for name, errors in self._joints.items()}
        resample._limbs = {name: errors[rows] for name, errors in self._limbs.items()}
        poses, exchanged = (self._by_viewpoint[name] for name in ("poses", "exchanged"))
        sampled = generator.binomial(poses, exchanged.fillna(0)) / poses.where(poses > 0)
        resample._by_viewpoint = self._by_viewpoint.assign(exchanged=sampled)
        return resample

    def stages(self, at_least: int) -> list[str]:
        """The stages that were measured, in their order; so many at least."""
        numbers = sorted(number for name in self._joints if (number := stage_number(name)))
        if len(numbers) < at_least:
            raise NotTestableError(
                f"it takes {at_least} stages, and {len(numbers)} were measured on {self.title}"
            )
        return [stage_name(number) for number in numbers]

    def last_stage(self) -> str:
        """The last of :meth:`stages`."""
        return self.stages(at_least=1)[-1]

    def rate(self, predictor: str, kinds: Sequence[str], threshold: float) -> float:
        """Mean PDJ of some kinds of joints."""
        return float(self._rates(predictor, kinds, [threshold])[0])

    def curve(self, predictor: str, kinds: Sequence[str]) -> Floats:
        """Mean PDJ of some kinds of joints at the distances 0, 0.01, … 0.5."""
        return self._rates(predictor, kinds, CURVE_THRESHOLDS)

    def pcp_of(self, predictor: str, kind: str) -> float:
        """PCP of one kind of limb, strict, or with "ave" their mean."""
        rate = pcp(self._errors(self._limbs, predictor), self._skeleton).get(kind)
        if rate is None:
            raise NotTestableError(f"no limb of {predictor} counts on {self.title}")
        return rate

    def best_other(self, kinds: Sequence[str], threshold: float) -> tuple[str, float]:
        """Who of the others is best at some kinds of joints, and the rate."""
        rates = {}
        for name in self._others:
            with suppress(NotTestableError):
                rates[name] = self.rate(name, kinds, threshold)
        if not rates:
            raise NotTestableError(
                f"no other method's predictions on {self.title} are at hand, and the paper has its "
                f"curves as a picture, not as numbers"
            )
        best = max(rates, key=lambda name: rates[name])
        return best, rates[best]

    def exchanged(self, predictor: str, value: str) -> tuple[float, int]:
        """Of the poses that are seen from a side the share in which left is taken for right; how many."""
        seen = self._by_viewpoint[self._by_viewpoint["kind"] == SIDE]
        if seen.empty:
            raise NotTestableError(
                f"the labels of {self.title} in this run don't say from which side a person is seen: "
                f"observer-centric ones of LSP do (`labels: oc`)"
            )
        rows = seen[(seen["predictor"] == predictor) & (seen["value"] == value) & (seen["poses"] > 0)]
        if rows.empty:
            raise NotTestableError(f"nobody who counts on {self.title} is seen from {value}")
        return float(rows["exchanged"].item()), int(rows["poses"].item())

    def only_those_at_hand(self) -> str:
        """What to note of :meth:`best_other`."""
        return f"of other methods only those at hand are compared: {', '.join(self._others)}"

    def dantone(self) -> str:
        """The predictor that is Dantone et al."""
        names = [name for name in self._others if name.startswith("Dantone")]
        if not names:
            raise NotTestableError(
                f"no predictions of Dantone et al. on {self.title} are at hand, and the paper has "
                f"their curves as a picture, not as numbers"
            )
        return names[0]

    def _rates(self, predictor: str, kinds: Sequence[str], thresholds: Sequence[float] | Floats) -> Floats:
        errors = self._errors(self._joints, predictor)
        found = []
        for threshold in thresholds:
            rates = pdj(errors, self._skeleton, threshold)
            counted = [rate for kind in kinds if (rate := rates.get(kind)) is not None]
            if len(counted) < len(kinds):
                raise NotTestableError(f"{predictor} has no {' and '.join(kinds)} that count on {self.title}")
            found.append(sum(counted) / len(counted))
        return np.array(found)

    def _errors(self, by_predictor: Mapping[str, Floats], predictor: str) -> Floats:
        if predictor not in by_predictor:
            raise NotTestableError(f"{predictor} was not measured on {self.title}")
        return by_predictor[predictor]


class Rates:
    """All that a run measured on the paper's sets, and why something wasn't."""

    def __init__(
        self, evaluations: Sequence[Evaluation], synthetic: bool, left_out: Mapping[str, str]
    ) -> None:
        self._sets: dict[str, OnSet] = {}
        for evaluation in evaluations:
            for name in evaluation.joints["set"].unique():
                model = _whole(name).model
                if evaluation.model == model or (model and name not in self._sets):
                    self._sets[name] = OnSet(evaluation, name)
        self._synthetic, self._left_out = synthetic, left_out

    def resampled(self, seed: tuple[int, ...]) -> "Rates":
        """The same of each set's :meth:`OnSet.resampled`, each with numbers of its own."""
        resample = copy.copy(self)
        resample._sets = {
            name: on_set.resampled(np.random.default_rng([*seed, zlib.crc32(name.encode())]))
            for name, on_set in self._sets.items()
        }
        return resample

    def on(self, set_name: str) -> OnSet:
        """The errors on a set: of the model that the paper tests on it, else of the first that was."""
        if set_name in self._sets:
            return self._sets[set_name]
        whole = _whole(set_name)
        reason = f": {self._left_out[whole.name]}" if whole.name in self._left_out else ""
        raise NotTestableError(f"{whole.title} is not part of this run{reason}")

    def on_published(self, set_name: str) -> OnSet:
        """As :meth:`on`, for what is compared with other people's figures."""
        on_set = self.on(set_name)
        if self._synthetic:
            raise NotTestableError(
                f"synthetic people stand in for {on_set.title}, and no other method was measured on them"
            )
        return on_set
