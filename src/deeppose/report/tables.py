"""PCP and PDJ as tables: Table 1 (and 2) of the paper with ours beside it, as CSV, Markdown and LaTeX."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deeppose.core.files import write_text
from deeppose.core.metrics import mean_pdj, pcp, pdj, share_within
from deeppose.core.predictors import stage_number
from deeppose.core.skeleton import Skeleton
from deeppose.evaluation.bootstrap import Resamples, resample_weights
from deeppose.evaluation.error_tables import matrix, of_set, predictors
from deeppose.evaluation.formatting import DECIMALS_KEPT, difference_text, published_text, rate_text
from deeppose.evaluation.rates import PDJ_THRESHOLDS
from deeppose.report.paper_results import LIMB_KINDS, NOTE_SEPARATOR, paper_rows

PCP_THRESHOLD = 0.5
MEASURES = ("strict", "loose")
ERROR_RANGES = (0.0, *PDJ_THRESHOLDS, 1.0, np.inf)
"""Between which a joint's error before a refinement lies, diameters of the true pose."""
CI95 = "_ci95"
"""What the name of a column of half-widths ends with."""

_OURS, _PAPER, _DIFFERENCE = "this run", "paper", "difference"
_HEADS = {"pcp": "PCP", "t": "t (pose diameters)", "ave": "Ave."} | {
    f"pdj@{t}": f"PDJ at {t}" for t in PDJ_THRESHOLDS
}
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: "\\" + character for character in "&%$#_"},
        # pdflatex stops at these where it reads plain UTF-8.
        "–": "--",
        "−": "$-$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "±": r"$\pm$",
        "σ": r"$\sigma$",
        "…": r"\ldots{}",
    }
)


def pcp_table(
    limb_errors: pd.DataFrame, skeleton: Skeleton, set_name: str, labels: str, seed: int
) -> pd.DataFrame:
    """PCP at 0.5 (§4.1), ours beside the paper's: first strict PCP, below it loose PCP.

    The paper's own method stands under our stage of the same number, followed by the difference (ours less
    the paper's); then come the mean pose and the paper's other rows.

    Parameters
    ----------
    limb_errors
        Columns set, predictor, example, limb, strict, loose: shares of the true limb's length.
    labels
        Which labels the errors were measured by ("observer-centric by the rule").
    seed
        Of the bootstrap.

    Returns
    -------
    Columns method, source ("this run", "paper", "difference"), labels, pcp, the limb kinds, ave, then for
    each of these its `_ci95` (half the width of its 95 % interval), note; NaN where nothing counts.

    Raises
    ------
    PredictionsError
        If `limb_errors` has nothing of that set.
    """
    errors = of_set(limb_errors, set_name)
    in_papers_order = dict.fromkeys((*LIMB_KINDS, *skeleton.limb_kinds))
    kinds = [kind for kind in in_papers_order if kind in skeleton.limb_kinds]
    columns = [*kinds, "ave"]
    # A mean over other limbs has no counterpart in the paper.
    compared = columns if kinds == list(LIMB_KINDS) else [kind for kind in kinds if kind in LIMB_KINDS]
    counted = [limb for limb in skeleton.limbs if limb.kind is not None]
    limbs = [limb.name for limb in counted]
    names = predictors(errors)
    last = [name for name in names if stage_number(name)][-1:]
    groups = [[index for index, limb in enumerate(counted) if limb.kind == kind] for kind in kinds]
    weights = resample_weights(errors["example"].nunique(), seed, set_name)
    published = paper_rows(set_name)
    rows: list[dict[str, Any]] = []
    for measure in MEASURES:
        peers = published[published["pcp"] == measure]
        for name in names:
            of_limbs = matrix(errors, name, "limb", limbs, measure)
            scores = pcp(of_limbs, skeleton, PCP_THRESHOLD)
            ours = {column: _number(scores[column]) for column in columns}
            resamples = Resamples(of_limbs, np.array([PCP_THRESHOLD]), weights)
            widths = {
                f"{column}{CI95}": resamples.half_widths(of_column)[0]
                for column, of_column in zip(columns, [*([group] for group in groups), groups], strict=True)
            }
            shared = {"pcp": measure, "note": ""}
            rows.append({"method": name, "source": _OURS, "labels": labels, **shared, **ours, **widths})
            for index, paper in _beside(peers, name, is_last=[name] == last).iterrows():
                rows.append({"source": _PAPER, **paper})
                gaps = {column: ours[column] - paper[column] for column in compared}
                method = f"{name} − {paper['method']}"
                rows.append({"method": method, "source": _DIFFERENCE, "labels": "", **shared, **gaps})
                peers = peers.drop(index=index)
        rows.extend({"source": _PAPER, **paper} for _, paper in peers.iterrows())
    widths_of = [f"{column}{CI95}" for column in columns]
    return pd.DataFrame(rows)[["method", "source", "labels", "pcp", *columns, *widths_of, "note"]]


def pdj_table(
    joint_errors: pd.DataFrame, skeleton: Skeleton, set_name: str, labels: str, seed: int
) -> pd.DataFrame:
    """PDJ (§4.1) at 0.1, 0.2 and 0.5 of each joint, left and right pooled, for each predictor.

    Parameters
    ----------
    joint_errors
        Columns set, predictor, example, joint, error: multiples of the true pose's diameter.
    seed
        Of the bootstrap.

    Returns
    -------
    Columns method, labels, t, the joint kinds, all_joints, then for each of these its `_ci95` (half the width
    of its 95 % interval); NaN where nothing counts. A method that doesn't
    predict all the joints that others do has no all_joints: its mean would be over easier or harder ones.

    Raises
    ------
    PredictionsError
        If `joint_errors` has nothing of that set.
    """
    errors = of_set(joint_errors, set_name)
    by_name = {name: matrix(errors, name, "joint", skeleton.joints, "error") for name in predictors(errors)}
    counting = {name: ~np.isnan(distances).all(axis=0) for name, distances in by_name.items()}
    counted = np.logical_or.reduce(list(counting.values()))
    groups = {kind: [list(joints)] for kind, joints in skeleton.joint_kinds.items()}
    groups["all_joints"] = [[joint] for joint in range(len(skeleton.joints))]
    weights = resample_weights(errors["example"].nunique(), seed, set_name)
    rows = []
    for name, distances in by_name.items():
        complete = bool((counting[name] == counted).all())
        resamples = Resamples(distances, np.array(PDJ_THRESHOLDS), weights)
        half_widths = {column: resamples.half_widths(of_column) for column, of_column in groups.items()}
        for index, threshold in enumerate(PDJ_THRESHOLDS):
            rates = {kind: _number(rate) for kind, rate in pdj(distances, skeleton, threshold).items()}
            rates["all_joints"] = _number(mean_pdj(distances, threshold)) if complete else np.nan
            widths = {
                f"{column}{CI95}": half_widths[column][index]
                for column in groups
                if not np.isnan(rates[column])
            }
            rows.append({"method": name, "labels": labels, "t": threshold, **rates, **widths})
    widths_of = [f"{column}{CI95}" for column in groups]
    return pd.DataFrame(rows).reindex(columns=["method", "labels", "t", *groups, *widths_of])


def viewpoint_table(rates: pd.DataFrame, set_name: str, labels: str) -> pd.DataFrame:
    """PDJ of a set's joints, and poses with sides exchanged, by trunk direction, view and occlusion.

    Parameters
    ----------
    rates
        From :func:`deeppose.evaluation.viewpoint_rates.rates_by_viewpoint`; its order is kept.

    Returns
    -------
    Columns method, labels, viewpoint ("trunk: upright"), joints (how many count), pdj@0.1, pdj@0.2,
    pdj@0.5, poses (how many count) and sides_exchanged.

    Raises
    ------
    PredictionsError
        If `rates` has nothing of that set.
    """
    rows = of_set(rates, set_name)
    names = predictors(rows)
    rows = rows.assign(viewpoint=rows["kind"] + ": " + rows["value"])
    first, of_predictor = list(rows["viewpoint"].unique()), rows["predictor"].map(names.index)
    rows = rows.assign(first=rows["viewpoint"].map(first.index), then=of_predictor)
    rows = rows.sort_values(["first", "then"])
    return pd.DataFrame(
        {
            "method": rows["predictor"],
            "labels": labels,
            "viewpoint": rows["viewpoint"],
            "joints": rows["joints"],
            **{f"pdj@{t}": rows[f"pdj@{t}"] for t in PDJ_THRESHOLDS},
            "poses": rows["poses"],
            "sides_exchanged": rows["exchanged"],
        }
    ).reset_index(drop=True)


def refinement_table(
    joint_errors: pd.DataFrame, skeleton: Skeleton, set_name: str, labels: str
) -> pd.DataFrame:
    """What each refinement makes of joints by the error that the stage before has left, all kinds pooled.

    `joint_errors` is as of :func:`pdj_table`.

    Returns
    -------
    Columns method (the refinement), labels, error_before ("0.2 to 0.5", diameters), share_of_joints (that had
    it), of these nearer (the share that came nearer), change (the median change of their errors, diameters)
    and pdj@0.1, pdj@0.2, pdj@0.5 after it; no row of errors that no joint had.

    Raises
    ------
    PredictionsError
        If `joint_errors` has nothing of that set.
    """
    errors = of_set(joint_errors, set_name)
    stages = [name for name in predictors(errors) if stage_number(name)]
    by_stage = [matrix(errors, name, "joint", skeleton.joints, "error").ravel() for name in stages]
    rows: list[dict[str, Any]] = []
    for name, (before, after) in zip(stages[1:], pairwise(by_stage), strict=True):
        counted = np.isfinite(before) & np.isfinite(after)
        for least, most in pairwise(ERROR_RANGES):
            chosen = counted & (before >= least) & (before < most)
            if chosen.any():
                words = f"{least:g} to {most:g}" if np.isfinite(most) else f"from {least:g} on"
                shares = {f"pdj@{t}": share_within(after[chosen], t) for t in PDJ_THRESHOLDS}
                rows.append(
                    {
                        "method": name,
                        "labels": labels,
                        "error_before": words,
                        "share_of_joints": float(chosen.sum() / counted.sum()),
                        "nearer": float((after[chosen] < before[chosen]).mean()),
                        "change": float(np.median(after[chosen] - before[chosen])),
                        **shares,
                    }
                )
    return pd.DataFrame(rows)


def stacked_by_images(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The same table of several parts of a set, one below the other, with a column `images` that says which.

    `tables` are by the words for the images.
    """
    stacked = pd.concat(tables.values(), ignore_index=True)
    stacked.insert(1, "images", np.repeat(list(tables), [len(table) for table in tables.values()]))
    return stacked


def write_table(table: pd.DataFrame, folder: Path, name: str, title: str, notes: Sequence[str]) -> None:
    """Write a table as `name`.csv, `name`.md and `name`.tex into `folder`.

    The CSV holds the table as it is, with so many digits that its numbers, rounded, are those of the others.
    In Markdown and LaTeX a text column with one value throughout is said once above the table, and the notes
    of single rows become numbered ones below it.

    Parameters
    ----------
    table
        From one of the functions above.
    notes
        What holds for the whole table: the profile, the set, what the numbers can't be compared with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = table.round(DECIMALS_KEPT)
    csv = table.to_csv(index=False, lineterminator="\n", float_format=f"%.{DECIMALS_KEPT}g")
    write_text(folder / f"{name}.csv", csv)
    cells, said_once, footnotes = _as_text(table)
    below = [*footnotes, *notes]
    write_text(folder / f"{name}.md", _markdown(cells, title, said_once, below))
    write_text(folder / f"{name}.tex", _latex(cells, name, title, said_once, below))


def _beside(peers: pd.DataFrame, predictor: str, *, is_last: bool) -> pd.DataFrame:
    own = peers["method"].str.startswith("DeepPose")
    same_stage = own & (peers["stage"] == stage_number(predictor)).fillna(False).astype(bool)
    stage_not_told = own & peers["stage"].isna() & is_last
    return peers[same_stage | stage_not_told]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _as_text(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    numbers = table.select_dtypes("number").columns
    widths = [column for column in table.columns if column.endswith(CI95)]
    text = table.drop(columns=["note", *widths], errors="ignore").astype(object)
    sources = table.get("source", [_OURS] * len(table))
    for column in numbers.drop(widths):
        of_column = table.get(f"{column}{CI95}", [np.nan] * len(table))
        text[column] = [
            _cell(value, column, source) + ("" if np.isnan(width) else f" ± {rate_text(width)}")
            for value, source, width in zip(table[column], sources, of_column, strict=True)
        ]
    notes = [note.split(NOTE_SEPARATOR) if note else [] for note in table.get("note", [""] * len(table))]
    footnotes = list(dict.fromkeys(part for parts in notes for part in parts))
    marks = ["".join(f" [{footnotes.index(part) + 1}]" for part in parts) for parts in notes]
    text["method"] += marks
    constant = [c for c in text.columns[1:] if c not in numbers and text[c].nunique() == 1]
    said_once = [f"{_head(column)}: {text[column].iloc[0]}." for column in constant]
    text = text.drop(columns=constant).rename(columns=_head)
    return text, said_once, [f"[{number}] {note}" for number, note in enumerate(footnotes, start=1)]


def _cell(value: float, column: str, source: str) -> str:
    if column in ("t", "joints", "poses"):
        return f"{value:g}"
    if source == _PAPER:
        return published_text(value)
    is_difference = source == _DIFFERENCE or column == "change"
    return difference_text(value) if is_difference else rate_text(value)


def _head(column: str) -> str:
    return _HEADS.get(column, column.replace("_", " ").capitalize())


def _alignment(cells: pd.DataFrame) -> str:
    words = {"Method", "Images", "Source", "Labels", "PCP", "Viewpoint", "Error before"}
    return "".join("l" if column in words else "r" for column in cells.columns)


def _markdown(cells: pd.DataFrame, title: str, above: Sequence[str], below: Sequence[str]) -> str:
    rules = ["---" if letter == "l" else "---:" for letter in _alignment(cells)]
    rows = [list(cells.columns), rules, *cells.to_numpy().tolist()]
    return "\n\n".join([f"**{title}**", *above, markdown_rows(rows), *below]) + "\n"


def markdown_rows(rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown: its heads, the rule below them and its rows, each cell in one line."""
    cells = ([" ".join(str(cell).split()).replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def _latex(cells: pd.DataFrame, name: str, title: str, above: Sequence[str], below: Sequence[str]) -> str:
    escaped = cells.map(_escape).rename(columns=_escape)
    text = escaped.style.hide(axis="index").to_latex(
        hrules=True,
        column_format=_alignment(cells),
        caption=_escape(" ".join([f"{title}.", *above])),
        label=f"tab:{name}",
        position="htbp",
        position_float="centering",
    )
    small = "".join(f"\n\n{_escape(note)}" for note in below)
    ending = f"\n\\par\\smallskip\\raggedright\\footnotesize{small}\n\\end{{table}}"
    text = text.replace(r"\begin{tabular}", "\\small\n\\begin{tabular}").replace("\n\\end{table}", ending)
    return f"% needs \\usepackage{{booktabs}}\n{text}"


def _escape(text: str) -> str:
    return text.translate(_LATEX)
