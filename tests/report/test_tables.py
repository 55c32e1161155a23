import re

import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import PredictionsError
from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY, UPPER_BODY
from deeppose.core.viewpoint import viewpoints
from deeppose.evaluation.viewpoint_rates import rates_by_viewpoint
from deeppose.report.paper_results import paper_rows
from deeppose.report.tables import (
    pcp_table,
    pdj_table,
    refinement_table,
    stacked_by_images,
    viewpoint_table,
    write_table,
)

LIMBS = [limb for limb in FULL_BODY.limbs if limb.kind is not None]
LABELS = "observer-centric by the rule"


def limb_errors(skeleton=FULL_BODY, set_name="lsp", stages=("stage 1", "stage 2", "stage 3")):
    """Ten examples; a stage detects every limb in 5 + its number of them, loosely in all."""
    rows = []
    for predictor in (*stages, "mean pose"):
        detected = 5 + int(predictor[-1]) if predictor != "mean pose" else 1
        for example in range(10):
            for limb in skeleton.limbs:
                if limb.kind is not None:
                    strict = 0.4 if example < detected else 0.6
                    rows.append((set_name, predictor, example, limb.name, strict, 0.3))
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "limb", "strict", "loose"])


def joint_errors(value=0.15, skeleton=FULL_BODY):
    rows = [
        ("lsp", predictor, example, joint, value)
        for predictor in ("mean pose", "stage 2", "stage 1")
        for example in range(4)
        for joint in skeleton.joints
    ]
    table = pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error"])
    return table.assign(opposite=0.1)


@pytest.fixture
def shares(tmp_path):
    """Three poses, one of them on its side; as the evaluation stage hands them on."""
    poses = np.zeros((3, len(FULL_BODY.joints), 2))
    poses[:, [8, 9]] = [[[0, -10]], [[10, 0]], [[0, 10]]]
    seen = viewpoints("lsp", poses, FULL_BODY, np.ones((3, 14), dtype=bool), np.array([True, False, False]))
    rates_by_viewpoint(joint_errors(), seen).to_parquet(tmp_path / "shares.parquet")
    return pd.read_parquet(tmp_path / "shares.parquet")


def test_viewpoints_in_their_order_stages_before_the_mean_pose(tmp_path, shares):
    table = viewpoint_table(shares, "lsp", LABELS)
    order = ["joint: occluded", "seen from: the front", "seen from: the back"]
    order += [f"trunk: {word}" for word in ("upright", "on its side", "upside down")]
    assert table["viewpoint"].tolist() == [one for one in order for _ in range(3)]
    assert table["method"].tolist() == ["stage 1", "stage 2", "mean pose"] * len(order)
    write_table(table, tmp_path, "apart", "Apart", ["a note"])
    lines = (tmp_path / "apart.md").read_text("utf-8").splitlines()
    assert (
        "| Method | Viewpoint | Joints | PDJ at 0.1 | PDJ at 0.2 | PDJ at 0.5 | Poses | Sides exchanged |"
        in lines
    )
    assert "| stage 1 | joint: occluded | 42 | 0.000 | 1.000 | 1.000 | 3 | – |" in lines
    assert "| stage 1 | seen from: the back | 14 | 0.000 | 1.000 | 1.000 | 1 | 1.000 |" in lines
    with pytest.raises(PredictionsError, match="no errors of the set 'parse'"):
        viewpoint_table(shares, "parse", LABELS)


def test_what_refinements_do_by_the_error_before_them(tmp_path):
    by_stage = {
        "stage 1": [0.05, 0.15, 0.15, 0.3, 0.7, 5.0, np.nan, 0.2],
        "stage 2": [0.07, 0.05, 0.25, 0.15, 0.6, 4.0, 0.1, np.nan],
        "stage 3": [0.01, np.nan, 0.1, np.nan, np.nan, np.nan, np.nan, 0.1],
    }
    skeleton = FULL_BODY
    rows = [
        ("lsp", name, 0, joint, error)
        for name, errors in by_stage.items()
        for joint, error in zip(skeleton.joints, errors, strict=False)
    ]
    errors = pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error"])
    table = refinement_table(errors, skeleton, "lsp", LABELS)
    assert table.drop(columns=["labels", "change"]).to_numpy().tolist() == [
        ["stage 2", "0 to 0.1", 1 / 6, 0, 1, 1, 1],
        ["stage 2", "0.1 to 0.2", 2 / 6, 0.5, 0.5, 0.5, 1],
        ["stage 2", "0.2 to 0.5", 1 / 6, 1, 0, 1, 1],
        ["stage 2", "0.5 to 1", 1 / 6, 1, 0, 0, 0],
        ["stage 2", "from 1 on", 1 / 6, 1, 0, 0, 0],
        ["stage 3", "0 to 0.1", 1 / 2, 1, 1, 1, 1],
        ["stage 3", "0.2 to 0.5", 1 / 2, 1, 1, 1, 1],
    ]
    assert table["change"].tolist() == pytest.approx([0.02, 0.0, -0.15, -0.1, -1, -0.06, -0.15])
    write_table(table, tmp_path, "refined", "Refined", [])
    lines = (tmp_path / "refined.md").read_text("utf-8").splitlines()
    heads = "Error before | Share of joints | Nearer | Change | PDJ at 0.1 | PDJ at 0.2 | PDJ at 0.5"
    assert f"| Method | {heads} |" in lines
    assert "| stage 2 | 0.2 to 0.5 | 0.167 | 1.000 | −0.150 | 0.000 | 1.000 | 1.000 |" in lines


def row(table, method, source, measure="strict"):
    found = table[(table["method"] == method) & (table["source"] == source) & (table["pcp"] == measure)]
    assert len(found) == 1
    return found.iloc[0]


def test_ours_stands_beside_the_paper_with_the_difference():
    table = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)
    assert row(table, "stage 2", "this run")["arm_lower"] == pytest.approx(0.7)
    assert row(table, "DeepPose-st2", "paper")["arm_lower"] == 0.36
    assert row(table, "stage 2 − DeepPose-st2", "difference")["arm_lower"] == pytest.approx(0.34)
    assert row(table, "stage 1", "this run", "loose")["ave"] == 1
    methods = table["method"].tolist()
    at = methods.index("stage 1")
    assert methods[at : at + 3] == ["stage 1", "DeepPose-st1", "stage 1 − DeepPose-st1"]


def test_every_row_of_the_paper_is_there_once_under_its_own_pcp():
    table = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)
    columns = ["method", "labels", "pcp", "arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave", "note"]
    printed = table.loc[table["source"] == "paper", columns].sort_values("method").reset_index(drop=True)
    published = paper_rows("lsp")[columns].sort_values("method").reset_index(drop=True)
    pd.testing.assert_frame_equal(printed, published)


def test_strict_rows_come_before_loose_ones():
    measures = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)["pcp"].tolist()
    assert measures == sorted(measures, reverse=True)


def test_our_rows_say_which_labels():
    table = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)
    assert set(table.loc[table["source"] == "this run", "labels"]) == {LABELS}
    assert row(table, "Pishchulin", "paper")["labels"] == "person-centric"


def test_table_2_is_compared_with_the_last_stage():
    table = pcp_table(limb_errors(set_name="parse"), FULL_BODY, "parse", LABELS, 1)
    assert table.loc[table["source"] == "difference", "method"].tolist() == ["stage 3 − DeepPose"]
    assert row(table, "stage 3 − DeepPose", "difference")["leg_lower"] == pytest.approx(0.8 - 0.5)


@pytest.mark.parametrize("stages", [("stage 1",), ("stage 1", "stage 2")])
def test_table_2_is_compared_with_the_last_stage_of_a_shorter_cascade(stages):
    table = pcp_table(limb_errors(set_name="parse", stages=stages), FULL_BODY, "parse", LABELS, 1)
    assert table.loc[table["source"] == "difference", "method"].tolist() == [f"{stages[-1]} − DeepPose"]


def test_table_2_says_that_the_papers_heads_look_swapped(tmp_path):
    table = pcp_table(limb_errors(set_name="parse"), FULL_BODY, "parse", LABELS, 1)
    write_table(table, tmp_path, "table2", "Table 2", [])
    text = (tmp_path / "table2.md").read_text("utf-8")
    assert text.count("look swapped in the paper") == 1
    assert "| DeepPose [1] [2] | paper | not stated | strict | 0.80 | 0.75 | 0.71 | 0.50 | 0.69 |" in text
    assert "| Yang et al. [1] |" in text


def test_a_shorter_cascade_keeps_the_papers_third_stage_without_a_difference():
    table = pcp_table(limb_errors(stages=("stage 1", "stage 2")), FULL_BODY, "lsp", LABELS, 1)
    assert row(table, "DeepPose-st3", "paper")["ave"] == 0.61
    assert (table["source"] == "difference").sum() == 2


def test_an_upper_body_has_no_leg_columns_and_no_paper():
    table = pcp_table(limb_errors(FLIC_LABELLED, "flic"), FLIC_LABELLED, "flic", LABELS, 1)
    limbs = [column for column in table.columns if column.startswith(("arm", "leg"))]
    assert limbs == ["arm_upper", "arm_lower", "arm_upper_ci95", "arm_lower_ci95"]
    assert set(table["source"]) == {"this run"}


def test_a_limb_that_counts_nowhere_is_empty_not_zero():
    errors = limb_errors()
    errors.loc[errors["limb"].str.contains("lower arm"), "strict"] = np.nan
    table = pcp_table(errors, FULL_BODY, "lsp", LABELS, 1)
    assert np.isnan(row(table, "stage 1", "this run")["arm_lower"])
    assert np.isnan(row(table, "stage 1 − DeepPose-st1", "difference")["arm_lower"])
    assert row(table, "stage 1", "this run")["ave"] == pytest.approx(0.6)


def test_pdj_by_threshold():
    table = pdj_table(joint_errors(), FULL_BODY, "lsp", LABELS, 1)
    assert table["method"].tolist() == ["stage 1"] * 3 + ["stage 2"] * 3 + ["mean pose"] * 3
    assert table["t"].tolist() == [0.1, 0.2, 0.5] * 3
    assert table["wrist"].tolist() == [0, 1, 1] * 3
    assert table["all_joints"].tolist() == [0, 1, 1] * 3


def test_a_joint_that_is_not_predicted_is_empty():
    errors = joint_errors()
    errors = errors[~errors["joint"].str.contains("neck")]
    assert pdj_table(errors, FULL_BODY, "lsp", LABELS, 1)["neck"].isna().all()


def with_peer(errors, name="MODEC (Sapp and Taskar 2013)"):
    """The errors and, of a method that predicts the arms alone, 0.05 everywhere else NaN."""
    peer = errors[errors["predictor"] == "stage 1"].assign(predictor=name, error=0.05)
    peer.loc[~peer["joint"].str.contains("shoulder|elbow|wrist"), "error"] = np.nan
    return pd.concat([errors, peer], ignore_index=True)


@pytest.mark.parametrize("absent", [False, True])
def test_a_peer_has_no_figure_for_joints_that_it_does_not_predict(absent):
    errors = with_peer(joint_errors(skeleton=UPPER_BODY))
    if absent:
        errors = errors.dropna()
    table = pdj_table(errors, UPPER_BODY, "lsp", LABELS, 1).set_index(["method", "t"])
    peer = table.loc["MODEC (Sapp and Taskar 2013)"]
    assert peer["wrist"].tolist() == [1, 1, 1]
    assert peer[["hip", "eye", "all_joints"]].isna().all(axis=None)
    assert table.loc["stage 1", "all_joints"].tolist() == [0, 1, 1]


def test_joints_that_a_set_labels_nowhere_do_not_take_the_mean_away():
    errors = joint_errors(skeleton=UPPER_BODY)
    errors.loc[errors["joint"].str.contains("hip|eye"), "error"] = np.nan
    table = pdj_table(errors, UPPER_BODY, "lsp", LABELS, 1)
    assert table["hip"].isna().all()
    assert table["all_joints"].tolist() == [0, 1, 1] * 3


def test_parts_of_a_set_say_which_images(tmp_path):
    whole = pdj_table(joint_errors(), FULL_BODY, "lsp", LABELS, 1)
    part = pdj_table(joint_errors(value=0.05), FULL_BODY, "lsp", LABELS, 1)
    table = stacked_by_images({"all 8": whole, "3 of them": part})
    assert table["images"].tolist() == ["all 8"] * 9 + ["3 of them"] * 9
    assert table.columns[:2].tolist() == ["method", "images"]
    assert "images" not in whole
    write_table(table, tmp_path, "pdj", "PDJ", [])
    text = (tmp_path / "pdj.md").read_text("utf-8")
    assert "| stage 1 | all 8 | 0.1 | 0.000 ± 0.000 |" in text
    assert "| stage 1 | 3 of them | 0.1 | 1.000 ± 0.000 |" in text


def test_an_unknown_set_is_named():
    with pytest.raises(PredictionsError, match=r"no errors of the set 'flic'.*\['lsp'\]"):
        pdj_table(joint_errors(), FULL_BODY, "flic", LABELS, 1)


@pytest.fixture
def written(tmp_path):
    table = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)
    write_table(table, tmp_path, "table1", "PCP at 0.5 on LSP", ["Profile demo & 100 % drawn."])
    return {suffix: (tmp_path / f"table1.{suffix}").read_text("utf-8") for suffix in ("csv", "md", "tex")}


def test_markdown_cells(written):
    lines = written["md"].splitlines()
    assert (
        "| Method | Source | Labels | PCP | Arm upper | Arm lower | Leg upper | Leg lower | Ave. |" in lines
    )
    ours = rf"\| stage 1 \| this run \| {LABELS} \| strict \|( 0\.600 ± 0\.\d{{3}} \|){{5}}"
    assert any(re.fullmatch(ours, line) for line in lines)
    assert "| DeepPose-st1 | paper | not stated | strict | 0.50 | 0.27 | 0.74 | 0.65 | 0.54 |" in lines
    assert (
        "| stage 1 − DeepPose-st1 | difference |  | strict | +0.100 | +0.330 | −0.140 | −0.050 | +0.060 |"
        in lines
    )
    assert "| Wang et al. [2] | paper | not stated | loose | 0.565 | 0.37 | 0.76 | 0.68 | 0.59 |" in lines


def test_markdown_notes(written):
    assert (
        "[1] The average of Tian et al. is printed as published; the mean of their row is 0.54."
        in written["md"]
    )
    assert "its table has 0.76 for Wang et al." in written["md"]
    assert written["md"].endswith("Profile demo & 100 % drawn.\n")


def test_latex_is_escaped_and_balanced(written):
    tex = written["tex"]
    assert r"Profile demo \& 100 \% drawn." in tex
    assert r"stage 1 $-$ DeepPose-st1 & difference &  & strict & +0.100 & +0.330 & $-$0.140" in tex
    for name in ("table", "tabular"):
        assert tex.count(rf"\begin{{{name}}}") == tex.count(rf"\end{{{name}}}") == 1
    rows = [line for line in tex.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {8}
    assert all(rule in tex for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert tex.isascii()


def test_csv_reads_back(written, tmp_path):
    table = pcp_table(limb_errors(), FULL_BODY, "lsp", LABELS, 1)
    empty = {column: [""] for column in table.select_dtypes("number").columns}
    read = pd.read_csv(tmp_path / "table1.csv", keep_default_na=False, na_values=empty)
    pd.testing.assert_frame_equal(read, table, check_exact=False, rtol=1e-5, check_dtype=False)


def test_what_is_the_same_in_all_rows_is_said_once(tmp_path):
    write_table(pdj_table(joint_errors(), FULL_BODY, "lsp", LABELS, 1), tmp_path, "pdj", "PDJ on LSP", [])
    text = (tmp_path / "pdj.md").read_text("utf-8")
    assert text.count(LABELS) == 1
    assert f"Labels: {LABELS}." in text
    assert "| stage 1 | 0.1 | 0.000 ± 0.000 |" in text


def test_nothing_is_a_dash(tmp_path):
    table = pdj_table(joint_errors(value=np.nan), FULL_BODY, "lsp", LABELS, 1)
    write_table(table, tmp_path, "pdj", "PDJ on LSP", [])
    assert "| stage 1 | 0.1 | – | – |" in (tmp_path / "pdj.md").read_text("utf-8")
    assert "nan" not in (tmp_path / "pdj.csv").read_text("utf-8").lower()
