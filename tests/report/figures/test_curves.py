import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plotted import NETWORK, STAGES, joint_errors, ours

from deeppose.core.metrics import share_within
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.report.figures.curves import (
    joints_figure,
    limbs_figure,
    pdj_curves,
    risk_curves,
    select,
    training_figure,
    write_curves,
)
from deeppose.report.style import (
    JOINT_LINES,
    PEER_LINES,
    PREDICTOR_LINES,
)
from deeppose.report.tables import stacked_by_images


def test_curve_values_by_hand():
    found = pdj_curves(joint_errors([0.1, 0.2, 0.2, 0.6]), FULL_BODY, "lsp", 1)
    wrist = found[found["joint"] == "wrist"].set_index("t")["rate"]
    assert len(wrist) == 51
    assert wrist.loc[[0.0, 0.09, 0.1, 0.19, 0.2, 0.5]].tolist() == [0, 0, 0.25, 0.25, 0.75, 0.75]


def test_curves_pool_left_and_right_and_leave_out_what_does_not_count():
    errors = joint_errors([0.1])
    errors.loc[errors["joint"] == "left wrist", "error"] = np.inf
    errors.loc[errors["joint"] == "left elbow", "error"] = np.nan
    errors.loc[errors["joint"] == "neck", "error"] = np.nan
    end = pdj_curves(errors, FULL_BODY, "lsp", 1).query("t == 0.2").set_index("joint")["rate"]
    assert end["wrist"] == 0.5
    assert end["elbow"] == 1
    assert "neck" not in end.index


def surest_first(errors, spreads, predictor="stage 1"):
    return pd.DataFrame({"set": "lsp", "predictor": predictor, "error": errors, "spread": spreads})


def test_risk_by_hand():
    # From the most confident on: right, wrong, one without a label, right at the threshold, a miss.
    errors = surest_first([0.2, np.inf, 0.1, 0.3, np.nan], [0.5, 0.9, 0.1, 0.2, 0.3])
    found = risk_curves(pd.concat([errors, surest_first([0.1], [np.nan], "mean pose")]), "lsp")
    assert set(found["predictor"]) == {"stage 1"}
    risk = found.set_index("coverage")["risk"]
    assert len(risk) == 100
    assert risk.loc[[0.01, 0.25]].tolist() == [0, 0]
    assert risk.loc[[0.26, 0.5]].tolist() == [1 / 2, 1 / 2]
    assert risk.loc[0.75] == pytest.approx(1 / 3)
    assert risk.loc[1.0] == 1 / 2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=300))
def test_risk_ends_at_what_pdj_leaves(joints):
    errors = surest_first(*map(list, zip(*joints, strict=True)))
    found = risk_curves(errors, "lsp")
    assert found["risk"].between(0, 1).all()
    assert found["risk"].iloc[-1] == pytest.approx(1 - share_within(errors["error"].to_numpy(), 0.2))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_curves_never_fall(errors):
    found = pdj_curves(joint_errors(errors), FULL_BODY, "lsp", 1)
    assert found.groupby("joint")["rate"].apply(lambda rates: rates.is_monotonic_increasing).all()
    assert found["rate"].between(0, 1).all()


def test_curves_as_csv(curves, tmp_path):
    write_curves(curves, tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_text("utf-8").splitlines()[0] == "predictor,joint,t,rate,ci95"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curves.csv"), curves, check_dtype=False)


def test_figure_4_draws_the_curves_in_the_joints_colours(curves):
    figure = limbs_figure(curves, "stage 3", NETWORK, "PDJ on LSP")
    arms, legs = figure.axes
    for axes, joints in ((arms, ("elbow", "wrist")), (legs, ("knee", "ankle"))):
        for joint, solid, dotted in zip(joints, axes.lines[::2], axes.lines[1::2], strict=True):
            expected = curves.query("predictor == 'stage 3' and joint == @joint")
            np.testing.assert_array_equal(solid.get_xydata(), expected[["t", "rate"]])
            assert solid.get_color() == dotted.get_color() == JOINT_LINES[joint]["color"]
            assert (solid.get_linestyle(), dotted.get_linestyle()) == ("-", ":")
    assert arms.get_xlim() == (0, 0.5)


def test_figure_4_without_legs():
    errors = joint_errors([0.1], ("stage 3",), UPPER_BODY)
    figure = limbs_figure(pdj_curves(errors, UPPER_BODY, "lsp", 1), "stage 3", NETWORK, "PDJ")
    assert [axes.get_title() for axes in figure.axes] == ["Arms"]
    assert len(figure.axes[0].lines) == 2


def test_figure_5_has_a_panel_a_joint_and_a_line_a_stage(curves):
    figure = joints_figure(curves, ["elbow", "wrist", "knee"], NETWORK, "PDJ on LSP")
    assert [axes.get_title() for axes in figure.axes] == ["Elbow", "Wrist", "Knee"]
    names = [*(ours(stage) for stage in STAGES), "mean pose"]
    for axes, joint in zip(figure.axes, ("elbow", "wrist", "knee"), strict=True):
        assert [line.get_label() for line in axes.lines] == names
        for line, predictor in zip(axes.lines, (*STAGES, "mean pose"), strict=True):
            rows = (curves["predictor"] == predictor) & (curves["joint"] == joint)
            expected = curves[rows]
            np.testing.assert_array_equal(line.get_xydata(), expected[["t", "rate"]])
            assert line.get_color() == PREDICTOR_LINES[predictor]["color"]
    assert legend_of(figure) == names


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_cascade_of_any_length_has_its_own_lines(stages):
    errors = joint_errors([0.1, 0.3], (*STAGES[:stages], "mean pose"), UPPER_BODY)
    figure = joints_figure(pdj_curves(errors, UPPER_BODY, "lsp", 1), ["elbow", "wrist"], NETWORK, "PDJ")
    assert legend_of(figure) == [*(ours(stage) for stage in STAGES[:stages]), "mean pose"]
    assert [len(axes.lines) for axes in figure.axes] == [stages + 1] * 2


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_figure_3_sets_other_methods_beside_ours_as_far_as_they_predict():
    errors = joint_errors([0.1, 0.3], ("stage 2", "MODEC (Sapp and Taskar 2013)", "mean pose"), UPPER_BODY)
    of_peer = errors["predictor"].str.startswith("MODEC")
    errors.loc[of_peer & errors["joint"].str.contains("wrist"), "error"] = np.nan
    curves = pdj_curves(errors, UPPER_BODY, "lsp", 1)
    curves = select(curves, curves["predictor"].unique(), ["elbow", "wrist"], end=0.2)
    figure = joints_figure(curves, ["elbow", "wrist"], NETWORK, "PDJ on FLIC")
    elbow, wrist = figure.axes
    peer = "MODEC\n(Sapp and Taskar 2013)"
    assert legend_of(figure) == [ours("stage 2"), peer, "mean pose"]
    assert [line.get_label() for line in elbow.lines] == legend_of(figure)
    assert elbow.lines[1].get_color() == PEER_LINES[0]["color"]
    assert [line.get_label() for line in wrist.lines] == [ours("stage 2"), "mean pose"]
    assert elbow.get_xlim() == (0, 0.2)
    assert (elbow.get_ylabel(), wrist.get_ylabel()) == ("Detection rate", "")
    for axes in figure.axes:
        assert axes.get_xlabel() == "Normalised distance to the true joint\n(pose diameters)"


@pytest.mark.parametrize("stage", STAGES)
def test_figure_7_tells_the_part_from_the_whole(stage):
    whole = pdj_curves(joint_errors([0.1, 0.3], (stage, "mean pose"), UPPER_BODY), UPPER_BODY, "lsp", 1)
    part = pdj_curves(joint_errors([0.15], (stage,), UPPER_BODY), UPPER_BODY, "lsp", 1)
    figure = joints_figure(
        stacked_by_images({"all 2": whole, "1 of 2": part}), ["elbow", "wrist"], NETWORK, "PDJ on Buffy"
    )
    names = [f"{ours(stage)}\nall 2", "1 of 2", "mean pose\nall 2"]
    assert legend_of(figure) == names
    for axes in figure.axes:
        solid, dashed, _ = axes.lines
        assert solid.get_ydata()[[9, 10, 20]].tolist() == [0, 0.5, 0.5]
        assert dashed.get_ydata()[[14, 15]].tolist() == [0, 1]
        assert dashed.get_marker() == "o"
        assert dashed.get_markerfacecolor() == "white"
        assert solid.get_marker() == PREDICTOR_LINES[stage].get("marker", "None")


def test_a_figure_takes_its_own_curves_out_of_all(curves):
    found = select(curves, ["stage 2"], ["elbow", "wrist"], end=0.5)
    assert set(found["predictor"]) == {"stage 2"}
    assert set(found["joint"]) == {"elbow", "wrist"}
    assert len(found) == 2 * 51


def test_bands_are_as_wide_as_the_bootstrap_says():
    curves = pdj_curves(joint_errors([0.05] * 50 + [0.3] * 50), FULL_BODY, "lsp", 1)
    wrist = curves[curves["joint"] == "wrist"].set_index("t")["ci95"]
    # A share of one half of 100 examples: 1.96 standard errors of 0.05.
    assert wrist.loc[0.2] == pytest.approx(1.96 * 0.05, rel=0.1)
    assert wrist.loc[[0.0, 0.5]].tolist() == [0, 0]
    figure = joints_figure(curves, ["elbow", "wrist"], NETWORK, "PDJ")
    (band,) = figure.axes[1].collections
    heights = np.ptp(band.get_paths()[0].vertices[:, 1])
    assert heights == pytest.approx(1, abs=0.1)


def test_the_y_axis_of_training_begins_where_the_data_do():
    log = pd.DataFrame({"step": [10, 20], "loss": [0.5, 0.25], "held_out_pdj@0.2": [0.7, 0.8]})
    _, held_out = training_figure({"stage 1": log}, "Training").axes
    assert 0.68 < held_out.get_ylim()[0] < 0.7


def test_training_figure_draws_each_measure_where_it_was_taken():
    log = pd.DataFrame({"step": [10, 20], "loss": [0.5, 0.25], "held_out_pdj@0.2": [np.nan, 0.4]})
    losses, held_out = training_figure({"stage 1": log}, "Training").axes
    assert losses.get_yscale() == "log"
    assert losses.lines[0].get_xydata().tolist() == [[10, 0.5], [20, 0.25]]
    assert held_out.lines[0].get_xydata().tolist() == [[20, 0.4]]


def test_a_stage_that_reported_once_is_seen():
    log = pd.DataFrame({"step": [10], "loss": [0.5], "held_out_pdj@0.2": [0.4]})
    figure = training_figure({"stage 1": log, "stage 3": log}, "Training", "Profile demo.")
    for axes in figure.axes:
        assert [line.get_marker() for line in axes.lines] == ["o", "o"]
    assert "their levels don't compare" in " ".join(figure.get_supxlabel().split())


def test_captions_break_between_words_alone():
    log = pd.DataFrame({"step": [10], "loss": [0.5], "held_out_pdj@0.2": [0.4]})
    figure = training_figure({"stage 1": log}, "Training", "observer-centric " * 30)
    assert set(figure.get_supxlabel().split()) == {"observer-centric"}


def test_figure_7_tells_four_kinds_of_images_apart():
    whole = pdj_curves(joint_errors([0.1, 0.3], ("stage 2",), UPPER_BODY), UPPER_BODY, "lsp", 1)
    curves = stacked_by_images(dict.fromkeys(("all", "some", "all others", "some others"), whole))
    figure = joints_figure(curves, ["elbow", "wrist"], NETWORK, "PDJ on Buffy")
    looks = {
        (line.get_linestyle(), line.get_marker(), line.get_markerfacecolor(), line._unscaled_dash_pattern)
        for line in figure.axes[0].lines
    }
    assert len(looks) == 4
