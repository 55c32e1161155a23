"""The page's tables as texts: the paper's, ours with the differences to it, and the run at a glance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from deeppose.core.files import reading
from deeppose.core.predictors import MEAN_POSE, as_key, stage_name
from deeppose.evaluation.formatting import difference_text, gain_text, published_text, rate_text
from deeppose.report.catalogue import catalogue_of
from deeppose.report.paper_results import LIMB_KINDS, NOTE_SEPARATOR, paper_rows
from deeppose.report.tables import CI95

MEASURES = {"strict": "Strict PCP", "loose": "Looser PCP"}

_PCP_COLUMNS = (*LIMB_KINDS, "ave")


def published_groups(set_name: str) -> dict[str, list[dict[str, Any]]]:
    """The paper's rows on a set by the kind of PCP, each with its cells as published."""
    groups: dict[str, list[dict[str, Any]]] = {}
    notes = published_notes(set_name)
    for row in paper_rows(set_name).to_dict("records"):
        marks = [notes.index(note) + 1 for note in row["note"].split(NOTE_SEPARATOR) if note]
        cells = [published_text(row[column]) for column in _PCP_COLUMNS]
        labels = "" if row["labels"] == "not stated" else row["labels"]
        shown = {"method": row["method"], "labels": labels, "marks": marks, "cells": cells}
        groups.setdefault(MEASURES[row["pcp"]], []).append(shown)
    return groups


def published_notes(set_name: str) -> list[str]:
    """What is to be said below the paper's rows on a set."""
    notes = paper_rows(set_name)["note"]
    return list(dict.fromkeys(part for note in notes if note for part in note.split(NOTE_SEPARATOR)))


def pcp_groups(path: Path) -> dict[str, Any]:
    """Our rows of a table of PCP by its kind, each cell with the difference to the paper's, if it has one."""
    with reading(path):
        numbers = [f"{column}{ending}" for column in _PCP_COLUMNS for ending in ("", CI95)]
        table = pd.read_csv(path, keep_default_na=False, na_values={column: [""] for column in numbers})
        groups: dict[str, list[dict[str, Any]]] = {}
        ours = table[table["source"] == "this run"]
        gaps = table[table["source"] == "difference"]
        for row in ours.to_dict("records"):
            beside = gaps[(gaps["pcp"] == row["pcp"]) & gaps["method"].str.startswith(f"{row['method']} − ")]
            gap = beside.to_dict("records")[0] if len(beside) else {}
            cells = [
                {
                    "value": rate_text(row[column]),
                    "width": rate_text(row[f"{column}{CI95}"]),
                    "gap": difference_text(gap[column]) if gap else "",
                }
                for column in _PCP_COLUMNS
            ]
            groups.setdefault(MEASURES[row["pcp"]], []).append({"method": row["method"], "cells": cells})
        return {"groups": groups, "labels": ", ".join(dict.fromkeys(ours["labels"]))}


def pdj_rows(path: Path) -> dict[str, Any]:
    """A table of PDJ: its heads, and its rows of words and numbers."""
    with reading(path):
        table = pd.read_csv(path).drop(columns=["labels"])
        words = [column for column in ("method", "images") if column in table.columns]
        numbers = [name for name in table.columns if name not in [*words, "t"] and not name.endswith(CI95)]
        rows = [
            {
                "words": [str(row[column]) for column in words],
                "t": f"{row['t']:g}",
                "cells": [
                    {"value": rate_text(row[column]), "width": rate_text(row[f"{column}{CI95}"])}
                    for column in numbers
                ],
            }
            for row in table.to_dict("records")
        ]
        return {"heads": [column.replace("_", " ") for column in (*words, "t", *numbers)], "rows": rows}


def glance(metrics: Mapping[str, Mapping[str, Any]], cascade_stages: int) -> dict[str, Any]:
    """Mean PDJ at 0.2 of the mean pose and the stages, by model and set; whether each refinement pays."""
    predictors = [MEAN_POSE, *(stage_name(stage) for stage in range(1, cascade_stages + 1))]
    rows = []
    for model, sets in metrics.items():
        for name, by_predictor in sets.items():
            found = [by_predictor[as_key(predictor)]["pdj@0.2"]["mean"] for predictor in predictors]
            held_out = f"held-out images of {model}"
            shown = held_out if name == "held-out" else catalogue_of(name).title
            rows.append({"set": shown, "cells": [rate_text(rate) for rate in found]})
    gains = [
        f"{model}, held-out images: {gain_text(stage, sets['held-out'][f'gain_of_stage_{stage}'])}."
        for model, sets in metrics.items()
        if "held-out" in sets
        for stage in range(2, cascade_stages + 1)
    ]
    return {"heads": predictors, "rows": rows, "gains": gains}
