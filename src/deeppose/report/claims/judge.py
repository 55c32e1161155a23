"""What the paper's text claims (§4), measured on a run's tables of errors: each verdict is computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pandas as pd

from deeppose.core.files import write_text
from deeppose.core.predictors import MEAN_POSE, stage_name
from deeppose.core.viewpoint import BACK, FRONT
from deeppose.evaluation.evaluation import Evaluation
from deeppose.evaluation.formatting import difference_text, rate_text
from deeppose.evaluation.rates import CURVE_THRESHOLDS
from deeppose.report.claims.rates import NotTestableError, OnSet, Rates
from deeppose.report.paper_results import paper_results
from deeppose.report.tables import markdown_rows

HOLDS, FAILS, UNDECIDED, NOT_TESTABLE = "holds", "does not hold", "undecided", "not testable"
VERDICTS = (HOLDS, FAILS, UNDECIDED, NOT_TESTABLE)
VERDICT_RESAMPLES = 100
"""How many bootstrap resamples of the test examples a verdict is computed again on."""
DECIDED = 90

BOOTSTRAP_NOTE = (
    f"Bootstrap: {VERDICT_RESAMPLES} resamples of the test examples, with replacement, judge each claim "
    f"again; the column counts equal verdicts, and below {DECIDED} the verdict is undecided. Other methods' "
    "published rates stay fixed. The variance between trainings is not included."
)
"""What the column `bootstrap` means, for readers."""

_ARMS, _LEGS = ("elbow", "wrist"), ("ankle", "knee")
_AFTER_TWO_STAGES = stage_name(2)
_PRECISE = (0.15, 0.2)
_COMPARABLE, _SLIGHTLY = 0.05, 0.1
_UPPER_LEGS = 0.78
# The paper gives no figure for "often": one pose in twenty.
_OFTEN = 0.05
# The paper gives two decimals: what rounds up to its figure has reached it.
_HALF_A_HUNDREDTH = 0.005
# Rates are fractions: their differences must not decide by the last bit.
_ROUNDING = 1e-9


Rule = Callable[[float], bool]
"""Whether a claim holds, given our rate less another's."""


@dataclass(frozen=True)
class Finding:
    """What was measured for a claim: our rate in words, whether the claim holds, and a note."""

    ours: str
    holds: bool
    note: str = ""


def paper_claims() -> pd.DataFrame:
    """The claims of the paper's text.

    Returns
    -------
    A row per claim with `id`, `claim`, `section`, `figure` ("" where none shows it), `measured`, `paper`
    (the paper's own figure as text; "" where it gives none).
    """
    path = Path(__file__).with_name("paper_claims.csv")
    return pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)


def judge(
    evaluations: Sequence[Evaluation],
    *,
    synthetic: bool,
    seed: int,
    network: str,
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Every claim of the paper with our rate and the verdict that follows from it.

    Parameters
    ----------
    evaluations
        One for each model that was run; a set is looked up in all of them.
    synthetic
        Whether synthetic people stand in for the published sets. Nothing is compared with published figures
        then, and what is compared within the run says what it was measured on.
    seed
        Of the bootstrap.
    network
        The network that the verdicts are about, in words.
    left_out
        By set, why it is not part of the run.

    Returns
    -------
    The columns of :func:`paper_claims`, then `ours` ("" where nothing was measured), `verdict` (one of
    ``VERDICTS``), `network`, `bootstrap` (how many of ``VERDICT_RESAMPLES`` resamples of the test examples
    give the same answer, "97 of 100") and `notes`; network and bootstrap are "" where nothing was measured.
    """
    rates = Rates(evaluations, synthetic, left_out or {})
    claims = paper_claims()
    found = {name: _measured(name, rates) for name in claims["id"]}
    tested = {name: finding.holds for name, finding in found.items() if isinstance(finding, Finding)}
    same = dict.fromkeys(tested, 0)
    for number in range(VERDICT_RESAMPLES):
        resample = rates.resampled((seed, number))
        for name, holds in tested.items():
            finding = _measured(name, resample)
            same[name] += isinstance(finding, Finding) and finding.holds == holds
    rows = []
    for name, finding in found.items():
        if isinstance(finding, NotTestableError):
            rows.append(("", NOT_TESTABLE, "", "", str(finding)))
            continue
        notes = [finding.note, "measured on synthetic people" if synthetic else ""]
        verdict = HOLDS if finding.holds else FAILS
        if same[name] < DECIDED * VERDICT_RESAMPLES / 100:
            verdict = UNDECIDED
        bootstrap = f"{same[name]} of {VERDICT_RESAMPLES}"
        rows.append((finding.ours, verdict, network, bootstrap, "; ".join(filter(None, notes))))
    columns = ["ours", "verdict", "network", "bootstrap", "notes"]
    return claims.join(pd.DataFrame(rows, columns=columns))


def _measured(name: str, rates: Rates) -> Finding | NotTestableError:
    if name in _NEVER_MEASURED:
        return NotTestableError(_NEVER_MEASURED[name])
    try:
        return _MEASURES[name](rates)
    except NotTestableError as error:
        return error


def write_claims(claims: pd.DataFrame, csv: Path, markdown: Path, title: str) -> None:
    """Write what :func:`judge` gave as CSV, and as a table in Markdown."""
    write_text(csv, claims.to_csv(index=False, lineterminator="\n"))
    heads = ["Claim of the paper", "Where", "Paper", "This run", "Verdict", "Bootstrap", "Notes"]
    lines = [heads, ["---"] * len(heads)]
    for row in claims.to_dict("records"):
        where = ", ".join(part for part in (row["section"], row["figure"]) if part)
        verdict = f"{row['verdict']}, {row['network']}" if row["network"] else row["verdict"]
        measured = [row["ours"], verdict, row["bootstrap"], row["notes"]]
        lines.append([row["claim"], where, row["paper"], *measured])
    rules = f"What is measured for each claim, and from where on it holds, stands in `{csv.name}`."
    write_text(markdown, f"**{title}**\n\n{markdown_rows(lines)}\n\n{BOOTSTRAP_NOTE}\n\n{rules}\n")


def _over_next_best(rates: Rates, set_name: str, kinds: Sequence[str], holds: Rule) -> Finding:
    on_set = rates.on_published(set_name)
    best, rate = on_set.best_other(kinds, 0.2)
    ours = on_set.rate(_AFTER_TWO_STAGES, kinds, 0.2)
    shown = f"{difference_text(ours - rate)} ({rate_text(ours)}; {best} {rate_text(rate)})"
    return Finding(shown, holds(ours - rate), on_set.only_those_at_hand())


def _flic_gains_at_low_precision(rates: Rates) -> Finding:
    flic = rates.on_published("flic")
    fine, coarse = (
        flic.rate(_AFTER_TWO_STAGES, _ARMS, threshold) - flic.best_other(_ARMS, threshold)[1]
        for threshold in (0.1, 0.2)
    )
    return _gains_at_low_precision({0.1: fine, 0.2: coarse}, flic.only_those_at_hand())


def _lsp_gains_at_low_precision(rates: Rates) -> Finding:
    lsp = rates.on_published("lsp")
    return _gains_at_low_precision({t: _over_dantone(lsp, (*_LEGS, *_ARMS), t) for t in (0.2, 0.5)}, "")


def _gains_at_low_precision(gains: Mapping[float, float], note: str) -> Finding:
    fine, coarse = gains.values()
    shown = ", ".join(f"{difference_text(gain)} at {threshold:g}" for threshold, gain in gains.items())
    return Finding(shown, coarse > max(fine, 0) + _ROUNDING, note)


def _lsp_over_dantone(rates: Rates, kinds: Sequence[str], threshold: float, holds: Rule) -> Finding:
    gain = _over_dantone(rates.on_published("lsp"), kinds, threshold)
    return Finding(difference_text(gain), holds(gain))


def _over_dantone(lsp: OnSet, kinds: Sequence[str], threshold: float) -> float:
    return lsp.rate(lsp.last_stage(), kinds, threshold) - lsp.rate(lsp.dantone(), kinds, threshold)


def _over_table(rates: Rates, set_name: str, table: int, holds: Rule) -> Finding:
    on_set = rates.on_published(set_name)
    published = paper_results()
    others = published[(published["table"] == table) & ~published["method"].str.startswith("DeepPose")]
    best = others.sort_values("ave", kind="stable").iloc[-1]
    ours = on_set.pcp_of(on_set.last_stage(), "ave")
    gain = ours - float(best["ave"])
    shown = f"{difference_text(gain)} ({rate_text(ours)}; {best['method']} {best['ave']:.2f})"
    return Finding(shown, holds(gain))


def _lsp_upper_legs(rates: Rates) -> Finding:
    ours = rates.on_published("lsp").pcp_of(_AFTER_TWO_STAGES, "leg_upper")
    note = "the paper's own Table 1 has 0.76 for the next best method, not 0.74"
    return Finding(rate_text(ours), _reaches(ours, _UPPER_LEGS), note)


def _lsp_better_by_stage(rates: Rates) -> Finding:
    lsp = rates.on("lsp")
    averages = [lsp.pcp_of(stage, "ave") for stage in lsp.stages(at_least=2)]
    rises = [later > earlier + _ROUNDING for earlier, later in pairwise(averages)]
    return Finding(" → ".join(map(rate_text, averages)), all(rises))


def _refinement_at_high_precision(rates: Rates) -> Finding:
    flic = rates.on("flic")
    first, *_, last = flic.stages(at_least=2)
    gains = flic.curve(last, _ARMS) - flic.curve(first, _ARMS)
    largest = gains.max()
    at = CURVE_THRESHOLDS[gains >= largest - _ROUNDING]
    within = (at >= _PRECISE[0]) & (at <= _PRECISE[1])
    mean = gains[_precise()].mean()
    shown = at[within][0] if within.any() else at[0]
    ours = (
        f"largest gain {difference_text(largest)}, at {shown:g}; "
        f"mean gain {difference_text(mean)} from 0.15 to 0.2"
    )
    return Finding(ours, bool(largest > _ROUNDING and within.any()))


def _first_refinement_gains_most(rates: Rates) -> Finding:
    flic = rates.on("flic")
    stages = flic.stages(at_least=3)
    first, second, last = (
        flic.curve(stage, _ARMS)[_precise()].mean() for stage in (stages[0], stages[1], stages[-1])
    )
    shown = f"{difference_text(second - first)} of {difference_text(last - first)}"
    if last - first <= _ROUNDING:
        return Finding(shown, False, "refinement gains nothing in all")
    share = (second - first) / (last - first)
    return Finding(f"{share:.0%} ({shown})", bool(share > 0.5 + _ROUNDING))


def _precise() -> slice:
    low, high = (round(100 * threshold) for threshold in _PRECISE)
    return slice(low, high + 1)


def _over_mean_pose(stage: str, rate: Callable[[str], float]) -> Finding:
    ours, mean_pose = rate(stage), rate(MEAN_POSE)
    shown = f"{difference_text(ours - mean_pose)} ({rate_text(ours)}; {MEAN_POSE} {rate_text(mean_pose)})"
    return Finding(shown, _is_better(ours - mean_pose))


def _sides_exchanged_at_the_back(rates: Rates) -> Finding:
    lsp = rates.on("lsp")
    (back, behind), (front, before) = (lsp.exchanged(lsp.last_stage(), value) for value in (BACK, FRONT))
    shown = f"{rate_text(back)} of {behind} from the back, {rate_text(front)} of {before} from the front"
    note = "labels are observer-centric: left and right as if every person faced the camera"
    return Finding(shown, back >= _OFTEN - _ROUNDING and back > front + _ROUNDING, note)


def _reaches(value: float, wanted: float) -> bool:
    return value >= wanted - _HALF_A_HUNDREDTH - _ROUNDING


def _is_better(gain: float) -> bool:
    return gain > _ROUNDING


def _is_no_worse(gain: float) -> bool:
    return gain >= -_ROUNDING


def _is_comparable(gain: float) -> bool:
    return abs(gain) <= _COMPARABLE + _ROUNDING


def _is_slightly_worse(gain: float) -> bool:
    return -_SLIGHTLY - _ROUNDING <= gain < -_ROUNDING


_MEASURES: dict[str, Callable[[Rates], Finding]] = {
    "flic-elbow-at-0.2": lambda rates: _over_next_best(rates, "flic", ["elbow"], lambda g: _reaches(g, 0.15)),
    "flic-wrist-at-0.2": lambda rates: _over_next_best(rates, "flic", ["wrist"], lambda g: _reaches(g, 0.20)),
    "flic-gains-at-low-precision": _flic_gains_at_low_precision,
    "lsp-gains-at-low-precision": _lsp_gains_at_low_precision,
    "lsp-at-0.5": lambda rates: _lsp_over_dantone(rates, (*_LEGS, *_ARMS), 0.5, lambda g: _reaches(g, 0.1)),
    "lsp-legs-at-0.2": lambda rates: _lsp_over_dantone(rates, _LEGS, 0.2, _is_comparable),
    "lsp-arms-at-0.2": lambda rates: _lsp_over_dantone(rates, _ARMS, 0.2, _is_slightly_worse),
    "lsp-best-average": lambda rates: _over_table(rates, "lsp", 1, _is_better),
    "lsp-upper-legs": _lsp_upper_legs,
    "lsp-better-by-stage": _lsp_better_by_stage,
    "refinement-at-high-precision": _refinement_at_high_precision,
    "first-refinement-gains-most": _first_refinement_gains_most,
    "carries-over-to-parse": lambda rates: _over_mean_pose(
        rates.on("parse").last_stage(), lambda name: rates.on("parse").pcp_of(name, "ave")
    ),
    "parse-state-of-the-art": lambda rates: _over_table(rates, "parse", 2, _is_no_worse),
    "carries-over-to-buffy": lambda rates: _over_mean_pose(
        _AFTER_TWO_STAGES, lambda name: rates.on("buffy").rate(name, _ARMS, 0.2)
    ),
    "buffy-state-of-the-art": lambda rates: _over_next_best(rates, "buffy-276", _ARMS, _is_no_worse),
    "left-and-right-from-the-back": _sides_exchanged_at_the_back,
}
_NEVER_MEASURED = {
    "time-for-an-image": "the paper's CPU isn't named: seconds on another machine say nothing about it",
    "cost-of-training": "hours on about 100 workers have no counterpart on another machine",
}
