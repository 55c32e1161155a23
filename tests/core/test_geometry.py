import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deeppose.core.errors import GeometryError
from deeppose.core.geometry import (
    centred,
    denormalise,
    diameter,
    from_first_column,
    image_box,
    joint_box_sides,
    joint_boxes,
    mirror_boxes,
    mirror_labels,
    mirror_poses,
    normalise,
    of_own_joint,
    pose_boxes,
    refined,
    square_boxes,
)
from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY

BOX = np.array([200.0, 80.0, 100.0, 50.0])
LEFT_SHOULDER, RIGHT_HIP = (FULL_BODY.joints.index(name) for name in ("left shoulder", "right hip"))
RIGHT_SHOULDER, LEFT_HIP = (FULL_BODY.joints.index(name) for name in ("right shoulder", "left hip"))

pixels = st.floats(-1e4, 1e4, allow_subnormal=False)
sides = st.floats(0.1, 1e4)
boxes = st.tuples(pixels, pixels, sides, sides).map(np.array)
poses = arrays(np.float64, (3, 14, 2), elements=pixels)
masks = arrays(np.bool_, (3, 14))
widths = arrays(np.int64, 3, elements=st.integers(1, 5000))


def pose(**joints):
    """A pose with the joints given, the others unlabelled."""
    points = np.full((1, 14, 2), np.nan)
    for name, point in joints.items():
        points[0, FULL_BODY.joints.index(name.replace("_", " "))] = point
    return points, ~np.isnan(points).any(axis=-1)


class TestNormalise:
    @pytest.mark.parametrize(
        ("point", "expected"),
        [
            ((200, 80), (0, 0)),
            ((150, 55), (-0.5, -0.5)),
            ((250, 105), (0.5, 0.5)),
            ((225, 70), (0.25, -0.2)),
            ((300, 80), (1, 0)),
        ],
    )
    def test_equation_1_by_hand(self, point, expected):
        np.testing.assert_allclose(normalise(np.array(point, dtype=float), BOX), expected)
        np.testing.assert_allclose(denormalise(np.array(expected, dtype=float), BOX), point)

    @given(points=poses, box=boxes)
    def test_inverse(self, points, box):
        np.testing.assert_allclose(denormalise(normalise(points, box), box), points, atol=1e-6)

    def test_a_box_for_each_pose(self):
        points = np.array([[[10.0, 10.0], [20.0, 10.0]], [[10.0, 10.0], [20.0, 10.0]]])
        two = np.array([[[10.0, 10.0, 10.0, 10.0]], [[20.0, 10.0, 20.0, 20.0]]])
        np.testing.assert_allclose(normalise(points, two)[..., 0], [[0, 1], [-0.5, 0]])

    def test_whole_image_ends_half_a_pixel_beyond_the_outer_centres(self):
        corners = np.array([[-0.5, -0.5], [99.5, 49.5]])
        np.testing.assert_allclose(normalise(corners, image_box(100, 50)), [[-0.5, -0.5], [0.5, 0.5]])

    def test_missing_points_stay_missing(self):
        assert np.isnan(normalise(np.array([np.nan, np.nan]), BOX)).all()

    @pytest.mark.parametrize("bad", [(0.0, 5.0), (5.0, 0.0), (-3.0, 5.0), (np.nan, 5.0)])
    @pytest.mark.parametrize("function", [normalise, denormalise])
    def test_box_without_area_is_named(self, function, bad):
        box = np.array([7.0, 8.0, *bad])
        with pytest.raises(GeometryError, match=r"without area.*\[7\.0, 8\.0, "):
            function(np.zeros(2), box)
        with pytest.raises(GeometryError, match=rf"\[7\.0, 8\.0, {bad[0]}, {bad[1]}\]"):
            function(np.zeros((3, 2)), np.stack([BOX, box, BOX]))


class TestDiameter:
    def test_left_shoulder_to_right_hip_though_the_other_pair_is_there(self):
        points, labelled = pose(
            left_shoulder=(0, 0), right_hip=(30, 40), right_shoulder=(0, 0), left_hip=(5, 12)
        )
        assert diameter(points, labelled, FULL_BODY).tolist() == [50.0]

    @pytest.mark.parametrize("missing", ["left shoulder", "right hip"])
    def test_falls_back_to_the_other_pair(self, missing):
        points, labelled = pose(
            left_shoulder=(0, 0), right_hip=(30, 40), right_shoulder=(0, 0), left_hip=(5, 12)
        )
        labelled[0, FULL_BODY.joints.index(missing)] = False
        assert diameter(points, labelled, FULL_BODY).tolist() == [13.0]

    @pytest.mark.parametrize(
        "joints",
        [
            {"left_shoulder": (0, 0), "right_shoulder": (30, 40)},
            {"left_shoulder": (0, 0), "left_hip": (30, 40)},
            {"left_shoulder": (3, 4), "right_hip": (3, 4)},
            {},
        ],
        ids=["no hip", "hip of the same side", "both at one place", "nothing"],
    )
    def test_none(self, joints):
        assert np.isnan(diameter(*pose(**joints), FULL_BODY)).all()

    def test_flic(self):
        points = np.zeros((1, 11, 2))
        points[0, FLIC_LABELLED.joints.index("right hip")] = (6, 8)
        assert diameter(points, np.ones((1, 11), dtype=bool), FLIC_LABELLED).tolist() == [10.0]

    def test_each_pose_has_its_own(self):
        first, first_labelled = pose(left_shoulder=(0, 0), right_hip=(3, 4))
        second, second_labelled = pose(right_shoulder=(0, 0), left_hip=(6, 8))
        found = diameter(
            np.concatenate([first, second]), np.concatenate([first_labelled, second_labelled]), FULL_BODY
        )
        assert found.tolist() == [5.0, 10.0]

    @given(points=poses, labelled=masks, moved=st.tuples(pixels, pixels), scale=st.floats(0.1, 10))
    def test_moves_and_grows_with_the_pose(self, points, labelled, moved, scale):
        before = diameter(points, labelled, FULL_BODY)
        after = diameter(points * scale + moved, labelled, FULL_BODY)
        known = before > 1
        np.testing.assert_allclose(after[known], before[known] * scale, atol=1e-6)


class TestJointBoxes:
    def test_sigma_times_diameter(self):
        found, clamped = joint_box_sides(
            np.array([10.0, 30.0]), np.array([[0.0, 0.0, 100.0, 50.0]] * 2), 2.0, 0.1
        )
        np.testing.assert_allclose(found, [20, 60])
        assert clamped.tolist() == [False, False]

    def test_clamped_to_a_share_of_the_shorter_side(self):
        initial = np.array([[0.0, 0.0, 100.0, 50.0], [0.0, 0.0, 30.0, 60.0], [0.0, 0.0, 100.0, 50.0]])
        found, clamped = joint_box_sides(np.array([2.0, np.nan, 2.5]), initial, 2.0, 0.1)
        np.testing.assert_allclose(found, [5, 3, 5])
        assert clamped.tolist() == [True, True, False]

    @given(
        diameters=arrays(np.float64, 5, elements=st.floats(0, 1e4) | st.just(np.nan)),
        sigma=st.floats(0.1, 5),
        share=st.floats(0.01, 1),
    )
    def test_always_an_area(self, diameters, sigma, share):
        initial = np.tile(BOX, (5, 1))
        found, clamped = joint_box_sides(diameters, initial, sigma, share)
        normalise(np.zeros((5, 2)), square_boxes(np.zeros((5, 2)), found))
        assert (found >= share * 50).all()
        np.testing.assert_allclose(found[~clamped], sigma * diameters[~clamped])

    def test_square_boxes(self):
        found = square_boxes(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0]))
        assert found.tolist() == [[1, 2, 5, 5], [3, 4, 6, 6]]

    def test_a_square_about_each_joint(self):
        previous = np.arange(2 * 14 * 2, dtype=float).reshape(2, 14, 2)
        previous[1] = 7.0
        found, sides, clamped = joint_boxes(previous, np.tile(BOX, (2, 1)), FULL_BODY, 1.5, 0.1)
        across = 1.5 * np.linalg.norm(previous[0, LEFT_SHOULDER] - previous[0, RIGHT_HIP])
        np.testing.assert_allclose(sides, [across, 5.0])
        assert clamped == 1
        np.testing.assert_allclose(found[3], [*previous[0, 3], across, across])
        np.testing.assert_allclose(found[14 + 3], [7, 7, 5, 5])

    def test_of_each_crop_its_own_joint_is_read_and_moves_that_joint(self):
        outputs = np.arange(2 * 3 * 3 * 2, dtype=float).reshape(6, 3, 2)
        own = of_own_joint(outputs, 2)
        assert own[1, 2].tolist() == outputs[5, 2].tolist()
        assert own[0, 1].tolist() == outputs[1, 1].tolist()
        moved = refined(np.ones((2, 3, 2)), np.array([10.0, 100.0]), outputs)
        np.testing.assert_allclose(moved[1, 2], 1 + 100 * outputs[5, 2])


class TestMirror:
    def test_pixel_centres_by_hand(self):
        points, _ = pose(left_wrist=(0, 7), head_top=(9, 1))
        mirrored = mirror_poses(points, np.array([10]), FULL_BODY)
        assert mirrored[0, FULL_BODY.joints.index("right wrist")].tolist() == [9, 7]
        assert mirrored[0, FULL_BODY.joints.index("head top")].tolist() == [0, 1]
        assert np.isnan(mirrored[0, FULL_BODY.joints.index("left wrist")]).all()

    def test_lands_where_the_flipped_image_has_the_pixel(self):
        image = np.zeros((4, 11))
        image[2, 3] = 1
        points, labelled = pose(neck=(3, 2))
        mirrored = mirror_poses(points, np.array([11]), FULL_BODY)[labelled]
        assert np.argwhere(image[:, ::-1])[0].tolist() == mirrored[0, ::-1].tolist()

    @given(points=poses, labelled=masks, width=widths)
    def test_twice_is_nothing(self, points, labelled, width):
        once = mirror_poses(points, width, FULL_BODY)
        np.testing.assert_allclose(mirror_poses(once, width, FULL_BODY), points, atol=1e-9)
        again = mirror_labels(mirror_labels(labelled, FULL_BODY), FULL_BODY)
        np.testing.assert_array_equal(again, labelled)

    @given(points=poses, width=widths)
    def test_boxes_and_points_mirror_alike(self, points, width):
        around = square_boxes(points[:, 0], np.array([10.0, 20.0, 30.0]))
        mirrored = mirror_boxes(around, width)
        swapped = FULL_BODY.mirrored[0]
        np.testing.assert_allclose(mirrored[:, :2], mirror_poses(points, width, FULL_BODY)[:, swapped])
        np.testing.assert_array_equal(mirrored[:, 2:], around[:, 2:])

    def test_labels_go_with_their_joints(self):
        points, labelled = pose(left_wrist=(0, 7), right_hip=(1, 2), neck=(3, 3))
        mirrored = mirror_poses(points, np.array([10]), FULL_BODY)
        np.testing.assert_array_equal(mirror_labels(labelled, FULL_BODY), ~np.isnan(mirrored).any(axis=-1))

    def test_the_input_is_left_alone(self):
        points, _ = pose(neck=(3, 2))
        box = BOX[None].copy()
        before = points.copy()
        mirror_poses(points, np.array([10]), FULL_BODY)
        mirror_boxes(box, np.array([10]))
        np.testing.assert_array_equal(points, before)
        np.testing.assert_array_equal(box[0], BOX)


class TestFirstPixels:
    def test_by_hand(self):
        boxes = np.array([[0.0, 0, 90, 120], [20, 10, 31, 40]])
        np.testing.assert_array_equal(centred(boxes), [[44.5, 59.5, 90, 120], [35, 29.5, 31, 40]])
        np.testing.assert_array_equal(from_first_column(centred(boxes)), boxes)

    def test_the_whole_image_begins_at_the_first_pixel(self):
        np.testing.assert_array_equal(from_first_column(image_box(7, 5)), [0, 0, 7, 5])


class TestPoseBoxes:
    def test_by_hand(self):
        poses = np.array([[(10.2, 20.0), (49.8, 99.9)], [(2.0, 50.0), (30.0, 78.0)]])
        made = pose_boxes(poses, 0.1, image_box(np.array([100, 90]), np.array([200, 80])))
        # Columns 2 to 58 and rows 12 to 108; columns 0 to 33 and rows 47 to 79, both cut by the image.
        assert from_first_column(made).tolist() == [[2, 12, 57, 97], [0, 47, 34, 33]]

    @given(poses, st.floats(0, 2), widths, widths)
    def test_they_lie_in_the_image_and_hold_its_joints(self, poses, margin, widths, heights):
        images = image_box(widths, heights)
        made = from_first_column(pose_boxes(poses, margin, images))
        low, high = made[:, :2], made[:, :2] + made[:, 2:]
        assert (made == made.round()).all()
        assert (made[:, 2:] >= 1).all()
        assert (low >= 0).all()
        assert (high <= images[:, 2:]).all()
        shown = ((poses > -0.5) & (poses < images[:, None, 2:] - 0.5)).all(axis=-1)
        inside = ((poses >= low[:, None] - 0.5) & (poses <= high[:, None] - 0.5)).all(axis=-1)
        assert (inside | ~shown).all()
