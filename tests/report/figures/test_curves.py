import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Ellipse

from deeppose.core.errors import PredictionsError
from deeppose.core.skeleton import FULL_BODY, SKELETONS, UPPER_BODY
from deeppose.report.figures.curves import (
    joints_figure,
    limbs_figure,
    pdj_curves,
    select,
    training_figure,
    write_curves,
)
from deeppose.report.figures.normals import MOST_POINTS, normals_figure, principal_axes
from deeppose.report.figures.poses import (
    choose_examples,
    choose_worst,
    predictions_sheet,
    stages_sheet,
    stick_sheet,
)
from deeppose.report.style import (
    JOINT_LINES,
    LIMB_COLOURS,
    PEER_LINES,
    PREDICTED_COLOUR,
    PREDICTOR_LINES,
    TRUE_COLOUR,
    limb_colours,
    save_photos,
    save_plot,
)
from deeppose.report.tables import stacked_by_images

STAGES = ("stage 1", "stage 2", "stage 3")
NETWORK = "a network"


def joint_errors(errors, predictors=("stage 1",), skeleton=FULL_BODY):
    """The same error of every joint of an example, `errors[example]`."""
    rows = [
        ("lsp", predictor, example, joint, error)
        for predictor in predictors
        for example, error in enumerate(errors)
        for joint in skeleton.joints
    ]
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error"])


def ours(stage):
    return f"DeepPose, {stage}\n({NETWORK})"


def pose(skeleton=FULL_BODY, seed=0):
    return np.random.default_rng(seed).uniform(5, 35, (len(skeleton.joints), 2))


def image():
    return np.full((60, 40, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def curves():
    return pdj_curves(joint_errors([0.1, 0.2, 0.3, 0.6], (*STAGES, "mean pose")), FULL_BODY, "lsp", 1)


@pytest.fixture(scope="module")
def choice():
    return choose_examples(joint_errors([0.1, 0.2]), "lsp", "stage 1", 2)


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
    names = [f"{ours(stage)}\nall 2", f"{ours(stage)}\n1 of 2", "mean pose\nall 2"]
    assert legend_of(figure) == names
    for axes in figure.axes:
        solid, dashed, _ = axes.lines
        assert solid.get_ydata()[[9, 10, 20]].tolist() == [0, 0.5, 0.5]
        assert dashed.get_ydata()[[14, 15]].tolist() == [0, 1]
        assert dashed.get_marker() == "o"
        assert dashed.get_markerfacecolor() == "white"
        assert solid.get_marker() == PREDICTOR_LINES[stage].get("marker", "None")


def test_a_figure_takes_its_own_curves_out_of_all(curves):
    found = select(curves, ["stage 2"], ["elbow", "wrist"])
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


def test_examples_are_the_middles_of_equal_parts():
    found = choose_examples(joint_errors([0.8, 0.1, 0.7, 0.2, 0.6, 0.3, 0.5, 0.4]), "lsp", "stage 1", 2)
    assert found.examples == (5, 2)
    assert found.quantiles == (2.5 / 8, 6.5 / 8)
    assert found.errors == pytest.approx((0.3, 0.7))
    assert "not the best ones: the middles of 2 equal parts of the 8 test examples" in found.rule
    assert "stage 1" in found.rule


def test_examples_that_do_not_count_are_passed_over_and_misses_come_last():
    found = choose_examples(joint_errors([np.nan, np.inf, 0.1]), "lsp", "stage 1", 5)
    assert found.examples == (2, 1)


def test_the_worst_are_the_last_tenth_the_worst_last():
    found = choose_worst(joint_errors(np.arange(40, 0, -1) / 100), "lsp", "stage 1", 2)
    assert found.examples == (2, 0)
    assert found.errors == pytest.approx((0.38, 0.4))
    assert found.quantiles == pytest.approx((37.5 / 40, 39.5 / 40))
    assert "Of the 40 test examples the tenth with the largest mean joint error of stage 1" in found.rule
    few = choose_worst(joint_errors([0.3, 0.1]), "lsp", "stage 1", 24)
    assert few.examples == (0,)


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(PredictionsError, match="no joint of 'stage 9' counts on the set 'lsp'"):
        choose_examples(joint_errors([0.1]), "lsp", "stage 9", 2)
    with pytest.raises(PredictionsError, match="no joint of 'stage 9' counts on the set 'lsp'"):
        choose_worst(joint_errors([0.1]), "lsp", "stage 9", 2)


def test_every_limb_has_a_colour_of_its_own():
    assert len(set(LIMB_COLOURS.values())) == len(LIMB_COLOURS)
    for skeleton in SKELETONS.values():
        assert {limb.name for limb in skeleton.limbs} <= set(LIMB_COLOURS)


def limbs_drawn(axes):
    lines, _ = (item for item in axes.collections if isinstance(item, LineCollection))
    return {to_hex(c): s.tolist() for c, s in zip(lines.get_colors(), lines.get_segments(), strict=True)}


def test_a_limb_keeps_its_colour_in_all_images(choice):
    poses = np.stack([pose(), pose(seed=1)])
    poses[1, FULL_BODY.joints.index("right ankle")] = np.nan
    sheet = stick_sheet([image(), image()], poses, poses, FULL_BODY, choice, "Poses", columns=3)
    for axes, drawn in zip(sheet.axes, poses, strict=False):
        expected = {
            LIMB_COLOURS[limb.name]: drawn[[limb.start, limb.end]].tolist()
            for limb in FULL_BODY.limbs
            if np.isfinite(drawn[[limb.start, limb.end]]).all()
        }
        assert limbs_drawn(axes) == expected
    assert len(limbs_drawn(sheet.axes[1])) == len(FULL_BODY.limbs) - 1


def test_figure_6_draws_true_green_and_predicted_red_on_each_stage(choice):
    truth = np.stack([pose(), pose(seed=1)])
    stages = {stage: truth + shift for shift, stage in enumerate(STAGES, start=1)}
    sheet = stages_sheet([image(), image()], truth, stages, FULL_BODY, choice, "Poses")
    assert [axes.get_title() for axes in sheet.axes[:3]] == ["Stage 1", "Stage 2", "Stage 3"]
    for index, axes in enumerate(sheet.axes):
        row, stage = divmod(index, 3)
        green, red = axes.collections
        assert (to_hex(green.get_colors()[0]), to_hex(red.get_colors()[0])) == (TRUE_COLOUR, PREDICTED_COLOUR)
        first = [FULL_BODY.limbs[0].start, FULL_BODY.limbs[0].end]
        np.testing.assert_allclose(green.get_segments()[0], truth[row, first])
        np.testing.assert_allclose(red.get_segments()[0], truth[row, first] + stage + 1)


def test_the_rule_is_printed_on_the_sheet(choice):
    poses = np.stack([pose(), pose()])
    sheet = stick_sheet([image(), image()], poses, poses, FULL_BODY, choice, "Poses")
    assert " ".join(sheet.get_supxlabel().split()) == choice.rule


def test_left_limbs_have_a_line_along_their_middle(choice):
    poses = np.stack([pose(UPPER_BODY), pose(UPPER_BODY)])
    sheet = stick_sheet([image()] * 2, poses, poses, UPPER_BODY, choice, "Poses")
    _, lined = (item for item in sheet.axes[0].collections if isinstance(item, LineCollection))
    left = [limb for limb in UPPER_BODY.limbs if limb.name.startswith("left ")]
    assert len(left) == 3
    np.testing.assert_array_equal(lined.get_segments(), [poses[0][[limb.start, limb.end]] for limb in left])


def test_the_line_along_a_left_limb_is_seen_in_grey():
    left = [colour for name, colour in LIMB_COLOURS.items() if name.startswith("left ")]
    assert len(left) == 5
    assert all(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) > 0.45 for colour in left)


def test_both_skeletons_give_a_limb_the_same_colour(choice):
    colours = []
    for skeleton in (FULL_BODY, UPPER_BODY):
        poses = np.stack([pose(skeleton), pose(skeleton)])
        sheet = stick_sheet([image()] * 2, poses, poses, skeleton, choice, "Poses")
        (legend,) = sheet.legends
        names = [text.get_text() for text in legend.get_texts()]
        assert names == [limb.name for limb in skeleton.limbs]
        drawn = limbs_drawn(sheet.axes[0])
        colours.append(dict(zip(names, drawn, strict=True)))
    assert colours[1].items() <= colours[0].items()


def scene(truth_at, predicted_at):
    """A sheet of one cut from a scene of 300 × 200, poses spread over 20 pixels from these points on."""
    square = np.array([[0, 0], [20, 0], [20, 20], [0, 20], [0, 10]] * 2)
    truth, predicted = (np.array(at) + square[None] for at in (truth_at, predicted_at))
    chosen = choose_examples(joint_errors([0.1]), "lsp", "stage 1", 1)
    wide = np.zeros((200, 300, 3), np.uint8)
    sheet = stick_sheet([wide], truth, predicted, UPPER_BODY, chosen, "Poses", cut=True, columns=1)
    return sheet.axes[0]


def test_a_scene_is_cut_to_a_square_around_both_poses():
    axes = scene((100, 60), (140, 60))
    assert axes.get_xlim() == (85, 175)
    assert axes.get_ylim() == (115, 25)
    assert "cut to a square around the true and the predicted pose" in " ".join(
        axes.figure.get_supxlabel().split()
    )


def test_a_cut_stays_inside_its_image_where_it_can():
    axes = scene((2, 2), (2, 2))
    assert axes.get_xlim() == (-0.5, 29.5)
    assert axes.get_ylim() == (29.5, -0.5)


def test_a_cut_holds_a_pose_that_left_its_image():
    axes = scene((270, 100), (320, 100))
    assert axes.get_xlim()[0] <= 270
    assert axes.get_xlim()[1] == 340
    assert axes.get_ylim()[0] - axes.get_ylim()[1] == pytest.approx(np.diff(axes.get_xlim())[0])


def test_joints_without_a_limb_are_drawn_as_dots(choice):
    truth = np.stack([pose(UPPER_BODY), pose(UPPER_BODY, seed=1)])
    sheet = stages_sheet([image()] * 2, truth, {"stage 1": truth + 1}, UPPER_BODY, choice, "Poses", cut=True)
    green, red = (item for item in sheet.axes[0].collections if not isinstance(item, LineCollection))
    np.testing.assert_allclose(green.get_offsets(), truth[0][-2:])
    np.testing.assert_allclose(red.get_offsets(), truth[0][-2:] + 1)


def test_a_pose_outside_its_image_is_still_seen():
    outside = pose()
    outside[0] = (-6, 20)
    (axes,) = predictions_sheet(image(), {"stage 1": outside}, FULL_BODY).axes
    assert axes.get_xlim() == (-6, 39.5)
    assert axes.get_ylim() == (59.5, -0.5)


def test_predictions_side_by_side():
    poses = {stage: pose(seed=seed) for seed, stage in enumerate(STAGES)}
    figure = predictions_sheet(image(), poses, FULL_BODY)
    assert [axes.get_title() for axes in figure.axes] == ["Stage 1", "Stage 2", "Stage 3"]
    for axes, drawn in zip(figure.axes, poses.values(), strict=True):
        limb = FULL_BODY.limbs[0]
        assert limbs_drawn(axes)[LIMB_COLOURS[limb.name]] == drawn[[limb.start, limb.end]].tolist()


def normals(count, joints=14):
    fitted = pd.DataFrame({"joint": range(joints), "mean_x": 1.0, "mean_y": 2.0, "var_x": 4.0, "var_y": 9.0})
    joints = np.repeat(np.arange(joints), count)
    noise = np.random.default_rng(0).normal(size=(len(joints), 2))
    observed = pd.DataFrame({"joint": joints, "dx": noise[:, 0], "dy": noise[:, 1]})
    return observed, fitted.assign(cov_xy=0.0)


def test_normals_are_drawn_at_one_and_two_sigma():
    observed, fitted = normals(3)
    figure = normals_figure(observed, fitted, "pixels", FULL_BODY, "Normals")
    panel = figure.axes[0]
    inner, outer = (patch for patch in panel.patches if isinstance(patch, Ellipse))
    for ellipse, sigmas in ((inner, 1), (outer, 2)):
        assert ellipse.center == (1, 2)
        assert (ellipse.width, ellipse.height) == pytest.approx((4 * sigmas, 6 * sigmas))
    assert panel.get_aspect() == 1
    assert panel.get_ylim()[0] > 0 > panel.get_ylim()[1]
    assert panel.get_ylabel() == "Δy (pixels)"
    assert [axes.get_title() for axes in figure.axes[:14]] == [
        f"{joint}\nn = 3, 0 beyond" for joint in FULL_BODY.joints
    ]


@pytest.mark.parametrize("skeleton", [FULL_BODY, UPPER_BODY])
def test_every_column_of_normals_has_its_axis_and_the_legend_a_place(skeleton):
    count = len(skeleton.joints)
    figure = normals_figure(*normals(3, count), "pixels", skeleton, "Normals")
    labelled = [axes.get_title() for axes in figure.axes if axes.get_xlabel() == "Δx (pixels)"]
    assert [title.partition("\n")[0] for title in labelled] == list(skeleton.joints[-5:])
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    assert [legend.get_title().get_text() for legend in legends] == ["predicted − true"]
    assert len(figure.axes) == 5 * -(-count // 5)


@pytest.mark.parametrize("narrowest", [0.0, 0.15])
def test_normals_that_were_widened_are_said_to_be(narrowest):
    figure = normals_figure(*normals(3), "pose diameters", FULL_BODY, "Normals", narrowest=narrowest)
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert ("below 0.15 was raised to it" in said) == bool(narrowest)


def test_a_panel_says_where_the_floor_decides():
    observed, fitted = normals(3)
    fitted.loc[0, ["var_x", "var_y"]] = 0.15**2
    fitted.loc[1, "var_y"] = 0.15**2
    figure = normals_figure(observed, fitted, "pose diameters", FULL_BODY, "Normals", narrowest=0.15)
    titles = [axes.get_title().partition("\n")[0] for axes in figure.axes[:3]]
    assert titles == ["right ankle: floor", "right knee: floor in y", "right hip: fitted"]


def test_a_tilted_normal_is_drawn_along_its_longer_axis():
    observed, fitted = normals(3)
    figure = normals_figure(observed, fitted.assign(var_y=4.0, cov_xy=3.0), "pixels", FULL_BODY, "Normals")
    ellipse = next(patch for patch in figure.axes[0].patches if isinstance(patch, Ellipse))
    # Eigenvalues 1 and 7, the larger along (1, 1).
    longer = ellipse.angle if ellipse.width > ellipse.height else ellipse.angle + 90
    assert sorted((ellipse.width, ellipse.height)) == pytest.approx([2, 2 * 7**0.5])
    assert longer % 180 == pytest.approx(45)


@settings(deadline=None)
@given(var_x=st.floats(0, 99), var_y=st.floats(0, 99), correlation=st.floats(-1, 1))
def test_principal_axes_make_the_covariance(var_x, var_y, correlation):
    cov_xy = correlation * np.sqrt(var_x * var_y)
    (small, large), angle = principal_axes(var_x, cov_xy, var_y)
    assert small <= large
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    found = [small * cos**2 + large * sin**2, (small - large) * cos * sin, small * sin**2 + large * cos**2]
    np.testing.assert_allclose(found, [var_x, cov_xy, var_y], atol=1e-12)
    assert principal_axes(var_x, 0.0, var_y) == (
        (min(var_x, var_y), max(var_x, var_y)),
        0.0 if var_x <= var_y else 90.0,
    )


def test_many_displacements_are_thinned_and_those_beyond_counted():
    observed, fitted = normals(MOST_POINTS + 1)
    observed.loc[observed["joint"] == 0, "dx"] = 1000.0
    figure = normals_figure(observed, fitted, "pixels", FULL_BODY, "Normals")
    first, second = (axes.collections[0].get_offsets() for axes in figure.axes[:2])
    np.testing.assert_array_equal(second, observed.loc[observed["joint"] == 1, ["dx", "dy"]][::2])
    assert len(first) == 1001
    count = MOST_POINTS + 1
    assert figure.axes[0].get_title() == f"right ankle\nn = {count}, {count} beyond"
    assert figure.axes[1].get_title() == f"right knee\nn = {count}, 0 beyond"


def test_the_same_figure_gives_the_same_bytes(curves, choice, tmp_path):
    for run in ("first", "second"):
        folder = tmp_path / run
        save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), folder, "figure4")
        save_plot(normals_figure(*normals(5), "pixels", FULL_BODY, "Normals"), folder, "normals")
        poses = np.stack([pose(), pose()])
        save_photos(stick_sheet([image()] * 2, poses, poses, FULL_BODY, choice, "Poses"), folder, "figure8")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["figure4.png", "figure4.svg", "figure8.png", "normals.png", "normals.svg"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_files_carry_no_date_no_version_and_no_font(curves, tmp_path):
    save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "figure4")
    svg = (tmp_path / "figure4.svg").read_text("utf-8")
    assert not re.search(r"<dc:date>|Matplotlib v|<text", svg)
    assert b"Matplotlib" not in (tmp_path / "figure4.png").read_bytes()


def test_the_users_matplotlibrc_changes_nothing(curves, tmp_path):
    save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "plain")
    with matplotlib.rc_context({"font.size": 20, "savefig.facecolor": "red", "svg.hashsalt": "other"}):
        save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "own")
        assert matplotlib.rcParams["font.size"] == 20
    for suffix in ("png", "svg"):
        assert (tmp_path / f"own.{suffix}").read_bytes() == (tmp_path / f"plain.{suffix}").read_bytes()


def test_limbs_that_have_no_colour_of_their_own_get_one():
    colours = limb_colours(["left upper arm", "left thumb", "right thumb"])
    assert colours["left upper arm"] == LIMB_COLOURS["left upper arm"]
    assert len(set(colours.values())) == 3
    assert colours == limb_colours(["left upper arm", "left thumb", "right thumb"])
