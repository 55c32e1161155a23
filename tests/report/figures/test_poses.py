import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from plotted import STAGES, image, joint_errors, pose

from deeppose.core.colours import LIMB_COLOURS
from deeppose.core.errors import PredictionsError
from deeppose.core.skeleton import FULL_BODY, SKELETONS, UPPER_BODY
from deeppose.report.figures.poses import (
    choose_examples,
    stages_sheet,
    stick_sheet,
)
from deeppose.report.style import (
    PREDICTED_COLOUR,
    TRUE_COLOUR,
)


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
    found = choose_examples(joint_errors(np.arange(40, 0, -1) / 100), "lsp", "stage 1", 2, worst=True)
    assert found.examples == (2, 0)
    assert found.errors == pytest.approx((0.38, 0.4))
    assert found.quantiles == pytest.approx((37.5 / 40, 39.5 / 40))
    assert "Of the 40 test examples the tenth with the largest mean joint error of stage 1" in found.rule
    few = choose_examples(joint_errors([0.3, 0.1]), "lsp", "stage 1", 24, worst=True)
    assert few.examples == (0,)


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(PredictionsError, match="no joint of 'stage 9' counts on the set 'lsp'"):
        choose_examples(joint_errors([0.1]), "lsp", "stage 9", 2)
    with pytest.raises(PredictionsError, match="no joint of 'stage 9' counts on the set 'lsp'"):
        choose_examples(joint_errors([0.1]), "lsp", "stage 9", 2, worst=True)


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
