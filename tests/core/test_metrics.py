import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deeppose.core.errors import GeometryError
from deeppose.core.geometry import diameter, mirror_poses
from deeppose.core.metrics import joint_errors, limb_errors, mean_pdj, pcp, pdj
from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY, Limb, Skeleton

ARM = Skeleton(
    name="arm",
    joints=("left shoulder", "left elbow", "left wrist"),
    limbs=(Limb("upper", 0, 1, "arm_upper"), Limb("across", 0, 2), Limb("lower", 1, 2, "arm_lower")),
    diameter=((0, 2),),
)
TRUTH = np.array([[[0.0, 0.0], [10.0, 0.0], [10.0, 20.0]]])
ALL = np.ones((1, 3), dtype=bool)


def moved(*shifts):
    return TRUTH + np.array([shifts])


class TestJointErrors:
    def test_by_hand(self):
        errors = joint_errors(moved((3, 4), (0, 0), (0, -8)), TRUTH, ALL, np.array([10.0]))
        np.testing.assert_allclose(errors, [[0.5, 0, 0.8]])

    def test_what_does_not_count_and_what_is_a_miss(self):
        truth = np.repeat(TRUTH, 3, axis=0)
        labelled = np.array([[True, True, False]] * 3)
        predicted = truth.copy()
        truth[:, 2] = np.nan
        predicted[0, 0, 1] = np.nan
        predicted[1, 2] = np.nan
        errors = joint_errors(predicted, truth, labelled, np.array([10.0, 10.0, np.nan]))
        nan, inf = np.nan, np.inf
        np.testing.assert_array_equal(errors, [[inf, 0, nan], [0, 0, nan], [nan, nan, nan]])

    def test_nan_and_infinite_coordinate_is_a_miss(self):
        errors = joint_errors(moved((np.inf, np.nan), (0, 0), (np.inf, 0)), TRUTH, ALL, np.array([1.0]))
        np.testing.assert_array_equal(errors, [[np.inf, 0, np.inf]])


class TestLimbErrors:
    def test_by_hand(self):
        strict, loose = limb_errors(moved((3, 4), (0, 1), (12, 0)), TRUTH, ALL, ARM)
        np.testing.assert_allclose(strict, [[5 / 10, 12 / 20]])
        np.testing.assert_allclose(loose, [[3 / 10, 6.5 / 20]])

    def test_order_is_that_of_the_limbs_with_a_kind(self):
        truth = np.random.default_rng(0).uniform(0, 100, (1, 14, 2))
        predicted = truth.copy()
        predicted[0, 6] += 1000
        strict, _ = limb_errors(predicted, truth, np.ones((1, 14), dtype=bool), FULL_BODY)
        assert strict.shape == (1, 8)
        assert np.flatnonzero(strict[0] > 0).tolist() == [4]
        assert [limb.name for limb in FULL_BODY.limbs if limb.kind][4] == "right lower arm"

    def test_unlabelled_end_and_missing_prediction(self):
        predicted = TRUTH.copy()
        predicted[0, 2] = np.nan
        for errors in limb_errors(predicted, TRUTH, np.array([[False, True, True]]), ARM):
            np.testing.assert_array_equal(errors, [[np.nan, np.inf]])

    def test_limb_without_length(self):
        truth = np.zeros((1, 3, 2))
        predicted = np.array([[[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]])
        for errors in limb_errors(predicted, truth, ALL, ARM):
            np.testing.assert_array_equal(errors, [[0, np.inf]])


class TestPcp:
    def test_strict_and_loose_part_ways(self):
        strict, loose = limb_errors(moved((0, 0), (0, 5.1), (0, 0)), TRUTH, ALL, ARM)
        assert pcp(strict, ARM) == {"arm_upper": 0.0, "arm_lower": 1.0, "ave": 0.5}
        assert pcp(loose, ARM) == {"arm_upper": 1.0, "arm_lower": 1.0, "ave": 1.0}

    def test_each_end_on_its_own(self):
        strict, _ = limb_errors(moved((5, 0), (0, 5), (0, 10)), TRUTH, ALL, ARM)
        assert pcp(strict, ARM) == {"arm_upper": 1.0, "arm_lower": 1.0, "ave": 1.0}

    def test_left_and_right_are_pooled(self):
        errors = np.full((1, 4), 1.0)
        kinds = [limb.kind for limb in FLIC_LABELLED.limbs if limb.kind]
        errors[0, kinds.index("arm_lower")] = 0.1
        assert pcp(errors, FLIC_LABELLED) == {"arm_upper": 0.0, "arm_lower": 0.5, "ave": 0.25}

    def test_unlabelled_limbs_are_on_neither_side(self):
        errors = np.array([[0.1, 0.1], [np.nan, np.inf], [np.nan, 0.2], [0.9, 0.3]])
        assert pcp(errors, ARM) == {"arm_upper": 1 / 2, "arm_lower": 3 / 4, "ave": 5 / 8}

    def test_a_kind_that_never_counts(self):
        errors = np.array([[np.nan, 0.1], [np.nan, 0.9]])
        assert pcp(errors, ARM) == {"arm_upper": None, "arm_lower": 0.5, "ave": 0.5}
        assert pcp(errors * np.nan, ARM) == {"arm_upper": None, "arm_lower": None, "ave": None}
        assert pcp(np.zeros((0, 2)), ARM)["ave"] is None


class TestPdj:
    def test_by_hand(self):
        errors = np.array([[0.1, 0.2, np.inf], [0.3, np.nan, 0.2]])
        assert pdj(errors, ARM, 0.2) == {"shoulder": 0.5, "elbow": 1.0, "wrist": 0.5}
        assert mean_pdj(errors, 0.2) == pytest.approx(2 / 3)

    def test_left_and_right_are_pooled(self):
        errors = np.zeros((2, 14))
        errors[0, FULL_BODY.joints.index("left wrist")] = 1
        shares = pdj(errors, FULL_BODY, 0.5)
        assert shares.pop("wrist") == 3 / 4
        assert set(shares.values()) == {1.0}
        assert set(shares) == {"shoulder", "elbow", "hip", "knee", "ankle", "neck", "head_top"}

    def test_nothing_counts(self):
        errors = np.full((2, 3), np.nan)
        assert pdj(errors, ARM, 0.2) == {"shoulder": None, "elbow": None, "wrist": None}
        assert mean_pdj(errors, 0.2) is None

    @pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.5, 0.7])
    def test_a_distance_at_the_threshold_is_detected(self, threshold):
        diameters = np.linspace(1, 300, 997)
        truth = np.zeros((997, 3, 2))
        predicted = np.stack([threshold * diameters, 0 * diameters], axis=-1)[:, None].repeat(3, axis=1)
        errors = joint_errors(predicted, truth, np.ones((997, 3), dtype=bool), diameters)
        assert pdj(errors, ARM, threshold) == {"shoulder": 1, "elbow": 1, "wrist": 1}
        assert pdj(errors, ARM, threshold * (1 - 1e-6)) == {"shoulder": 0, "elbow": 0, "wrist": 0}


class TestShapes:
    @pytest.mark.parametrize("shape", [(1, 3, 2), (4, 1, 2), (4, 3, 1), (3, 2)])
    def test_predictions_do_not_broadcast(self, shape):
        truth, labelled = np.zeros((4, 3, 2)), np.ones((4, 3), dtype=bool)
        for measure in (
            lambda: joint_errors(np.zeros(shape), truth, labelled, np.ones(4)),
            lambda: limb_errors(np.zeros(shape), truth, labelled, ARM),
        ):
            with pytest.raises(GeometryError) as caught:
                measure()
            assert str(shape) in str(caught.value)
            assert "(4, 3, 2)" in str(caught.value)

    def test_mask_and_diameters_do_not_broadcast(self):
        poses, labelled = np.zeros((4, 3, 2)), np.ones((4, 3), dtype=bool)
        with pytest.raises(GeometryError, match=r"\(1, 3\).*\(4, 3, 2\)"):
            joint_errors(poses, poses, labelled[:1], np.ones(4))
        with pytest.raises(GeometryError, match=r"\(4, 1\).*\(4, 3, 2\)"):
            limb_errors(poses, poses, labelled[:, :1], ARM)
        with pytest.raises(GeometryError, match=r"\(1,\).*\(4, 3, 2\)"):
            joint_errors(poses, poses, labelled, np.ones(1))
        with pytest.raises(GeometryError, match=r"\(4, 3\): "):
            joint_errors(poses[..., 0], poses[..., 0], labelled, np.ones(4))

    def test_poses_of_another_skeleton(self):
        poses = np.zeros((4, 11, 2))
        with pytest.raises(GeometryError, match=r"\(4, 11\) for the joints of full-body, which are 14"):
            limb_errors(poses, poses, np.ones((4, 11), dtype=bool), FULL_BODY)
        with pytest.raises(GeometryError, match=r"\(4, 4\) for the limbs of full-body .*are 8"):
            pcp(np.zeros((4, 4)), FULL_BODY)
        with pytest.raises(GeometryError, match=r"\(4, 11\) for the joints of full-body, which are 14"):
            pdj(np.zeros((4, 11)), FULL_BODY, 0.2)


COORDINATES = st.integers(-3000, 3000).map(lambda eighths: eighths / 8)


@st.composite
def cases(draw):
    """Poses whose coordinates are eighths of pixels, some unlabelled, some predictions missing."""
    skeleton = draw(st.sampled_from([FULL_BODY, FLIC_LABELLED]))
    n, k = draw(st.integers(1, 4)), len(skeleton.joints)
    truth = draw(arrays(np.float64, (n, k, 2), elements=COORDINATES))
    predicted = truth + draw(arrays(np.float64, (n, k, 2), elements=COORDINATES)) / 4
    labelled = draw(arrays(np.bool_, (n, k)))
    predicted[draw(arrays(np.bool_, (n, k), elements=st.sampled_from([True, *[False] * 7])))] = np.nan
    return skeleton, predicted, truth, labelled


def measured(skeleton, predicted, truth, labelled):
    """All three arrays of errors; where they count and where a prediction is missing is in them."""
    errors = joint_errors(predicted, truth, labelled, diameter(truth, labelled, skeleton))
    return (errors, *limb_errors(predicted, truth, labelled, skeleton))


def shares(skeleton, errors, strict, loose, threshold):
    return [
        *pdj(errors, skeleton, threshold).values(),
        *pcp(strict, skeleton, threshold).values(),
        *pcp(loose, skeleton, threshold).values(),
        mean_pdj(errors, threshold),
    ]


PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)


@PROPERTY
@given(cases(), st.sampled_from([0.25, 0.5, 3.0, 10.0]), st.tuples(COORDINATES, COORDINATES))
def test_scale_and_translation_change_nothing(case, scale, shift):
    skeleton, predicted, truth, labelled = case
    before = measured(skeleton, predicted, truth, labelled)
    after = measured(skeleton, predicted * scale + shift, truth * scale + shift, labelled)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert shares(skeleton, *before, 0.5) == shares(skeleton, *after, 0.5)


@PROPERTY
@given(cases(), st.integers(1, 500))
def test_mirrored_images_with_sides_swapped_change_nothing(case, width):
    skeleton, predicted, truth, labelled = case
    widths = np.full(len(truth), width)
    swapped = labelled[:, list(skeleton.mirrored)]
    # Mirroring turns one diagonal into the other, so the diameters are kept as they are.
    diameters = diameter(truth, labelled, skeleton)
    mirrored = mirror_poses(predicted, widths, skeleton), mirror_poses(truth, widths, skeleton), swapped
    before = joint_errors(predicted, truth, labelled, diameters)
    after = joint_errors(*mirrored, diameters)
    np.testing.assert_allclose(after, before[:, list(skeleton.mirrored)], rtol=1e-9)
    assert pdj(before, skeleton, 0.2) == pdj(after, skeleton, 0.2)
    for one, other in zip(
        limb_errors(predicted, truth, labelled, skeleton), limb_errors(*mirrored, skeleton), strict=True
    ):
        assert pcp(one, skeleton) == pcp(other, skeleton)


@PROPERTY
@given(cases(), st.floats(0, 2), st.floats(0, 2))
def test_shares_grow_with_the_threshold(case, one, other):
    errors = measured(*case)
    low, high = sorted([one, other])
    for smaller, larger in zip(shares(case[0], *errors, low), shares(case[0], *errors, high), strict=True):
        assert (smaller is None) == (larger is None)
        assert smaller is None or 0 <= smaller <= larger <= 1


@PROPERTY
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_examples_changes_nothing(case, random):
    skeleton, predicted, truth, labelled = case
    order = list(range(len(truth)))
    random.shuffle(order)
    before = measured(skeleton, predicted, truth, labelled)
    after = measured(skeleton, predicted[order], truth[order], labelled[order])
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[order], other)
    assert shares(skeleton, *before, 0.5) == shares(skeleton, *after, 0.5)


@PROPERTY
@given(cases())
def test_strict_is_no_looser_than_loose(case):
    _, strict, loose = measured(*case)
    np.testing.assert_array_equal(np.isnan(strict), np.isnan(loose))
    assert (strict >= loose * (1 - 1e-12))[~np.isnan(strict)].all()


@PROPERTY
@given(cases())
def test_the_truth_itself_scores_one(case):
    skeleton, _, truth, labelled = case
    for value in shares(skeleton, *measured(skeleton, truth, truth, labelled), 0.0):
        assert value in (1, None)
