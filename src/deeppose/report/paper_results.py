"""The paper's own results (Tables 1 and 2), so that tables can print them beside ours."""

from pathlib import Path

import pandas as pd

LIMB_KINDS = ("arm_upper", "arm_lower", "leg_upper", "leg_lower")
NOTE_SEPARATOR = " | "


def paper_results() -> pd.DataFrame:
    """Tables 1 and 2 as published: PCP at 0.5, a share from 0 to 1.

    Returns
    -------
    A row per method with `table` (1, 2), `set` ("lsp", "parse"), `method`, `stage` (of the paper's
    own method; missing for its peers and where the paper doesn't say), `labels`, `pcp` ("strict", "loose"),
    `arm_upper`, `arm_lower`, `leg_upper`, `leg_lower`, `ave`, and `note` ("" where there is none).
    """
    path = Path(__file__).with_name("paper_results.csv")
    return pd.read_csv(path, comment="#", dtype={"stage": "Int64"}).fillna({"note": ""})


def paper_rows(set_name: str) -> pd.DataFrame:
    """The rows of :func:`paper_results` on one test set; none where the paper's tables don't have it."""
    results = paper_results()
    return results[results["set"] == set_name].reset_index(drop=True)
