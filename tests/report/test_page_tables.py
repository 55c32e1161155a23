"""The page's numbers are those of the tables beside it, to the last digit shown."""

import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import StageError
from deeppose.report.page_tables import glance, pcp_groups, pdj_rows
from deeppose.report.paper_results import LIMB_KINDS
from deeppose.report.tables import CI95, write_table

# A half, as it is and as sums leave it; what six digits would make a half of.
SHARES = [
    (0.4875, "0.488"),
    (0.48750000000000004, "0.488"),
    (np.nextafter(0.4875, 0), "0.488"),
    (0.4865, "0.487"),
    (0.48749996, "0.487"),
    (0.48650004, "0.487"),
    (1 / 3, "0.333"),
    (0.0, "0.000"),
    (1.0, "1.000"),
]


def numbers(markdown, count):
    """The last cells of each row below the heads."""
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("|")][2:]
    return [row[-count:] for row in rows]


@pytest.mark.parametrize(("share", "shown"), SHARES)
def test_pcp_is_rounded_once_and_alike_in_every_file(tmp_path, share, shown):
    columns = (*LIMB_KINDS, "ave")
    rows = [("stage 1", "this run", share), ("stage 1 − DeepPose-st1", "difference", -share)]
    table = pd.DataFrame(
        {"method": method, "source": source, "labels": "", "pcp": "loose"}
        | dict.fromkeys(columns, value)
        | {f"{column}{CI95}": np.nan for column in columns}
        for method, source, value in rows
    )
    write_table(table, tmp_path, "table", "PCP", [])
    difference = f"−{shown}" if share else "+0.000"
    in_markdown = numbers((tmp_path / "table.md").read_text("utf-8"), len(columns))
    assert in_markdown == [[shown] * len(columns), [difference] * len(columns)]
    assert f"& {shown} &" in (tmp_path / "table.tex").read_text("utf-8")
    [row] = pcp_groups(tmp_path / "table.csv")["groups"]["Looser PCP"]
    assert row["cells"] == [{"value": shown, "width": "–", "gap": difference}] * len(columns)


@pytest.mark.parametrize(("share", "shown"), SHARES)
def test_pdj_is_rounded_once_and_alike_in_every_file(tmp_path, share, shown):
    rates = {"wrist": share, "all_joints": share, f"wrist{CI95}": share, f"all_joints{CI95}": np.nan}
    table = pd.DataFrame([{"method": "stage 1", "labels": "", "t": 0.2, **rates}])
    write_table(table, tmp_path, "table", "PDJ", [])
    assert numbers((tmp_path / "table.md").read_text("utf-8"), 3) == [["0.2", f"{shown} ± {shown}", shown]]
    [row] = pdj_rows(tmp_path / "table.csv")["rows"]
    assert row["t"] == "0.2"
    assert row["cells"] == [{"value": shown, "width": shown}, {"value": shown, "width": "–"}]
    metrics = {"lsp": {"lsp": {"mean_pose": {"pdj@0.2": {"mean": share}}}}}
    [at_a_glance] = glance(metrics, cascade_stages=0)["rows"]
    assert at_a_glance["cells"] == [shown]


def test_what_nothing_counts_for_is_a_dash(tmp_path):
    rates = {"wrist": np.nan, f"wrist{CI95}": np.nan}
    table = pd.DataFrame([{"method": "stage 1", "labels": "", "t": 0.2, **rates}])
    write_table(table, tmp_path, "table", "PDJ", [])
    assert pdj_rows(tmp_path / "table.csv")["rows"][0]["cells"] == [{"value": "–", "width": "–"}]
    metrics = {"lsp": {"lsp": {"mean_pose": {"pdj@0.2": {"mean": None}}}}}
    assert glance(metrics, cascade_stages=0)["rows"][0]["cells"] == ["–"]


def test_whether_a_refinement_pays():
    of_stage = {"pdj@0.2": {"mean": 0.5}}
    of_set = dict.fromkeys(("mean_pose", "stage_1", "stage_2", "stage_3"), of_stage)
    gains = {
        "gain_of_stage_2": {"pdj@0.1": 0.08, "pcp.ave": 0.0315},
        "gain_of_stage_3": {"pdj@0.1": -0.01, "pcp.ave": 0.002},
    }
    found = glance({"lsp": {"parse": of_set, "held-out": of_set | gains}}, cascade_stages=3)["gains"]
    assert found == [
        "lsp, held-out images: stage 2 improves on stage 1: PDJ at 0.1 +0.080, mean PCP +0.032.",
        "lsp, held-out images: stage 3 improves on stage 2 in mean PCP alone: "
        "PDJ at 0.1 −0.010, mean PCP +0.002.",
    ]


@pytest.mark.parametrize("read", [pcp_groups, pdj_rows])
@pytest.mark.parametrize("content", [b"", b"\x89PNG\xff", b"t\n1\n1,2\n", b"method\nstage 1\n"])
def test_a_damaged_table_is_named(tmp_path, read, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(StageError, match=r"table\.csv is missing or damaged"):
        read(tmp_path / "table.csv")
