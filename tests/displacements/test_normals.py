import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppose.core.errors import NotFiniteError
from deeppose.displacements.normals import fit_normals, observed_displacements, sample_displacements

VARIANCES = st.floats(0, 1e6, allow_subnormal=False)


def displacements(points, joint=0):
    points = np.asarray(points, dtype=np.float64)
    joints = np.full(len(points), joint, dtype=np.int16)
    return pd.DataFrame({"joint": joints, "dx": points[:, 0], "dy": points[:, 1]})


def normal(mean, covariance):
    (var_x, cov_xy), (_, var_y) = covariance
    values = {"mean_x": mean[0], "mean_y": mean[1], "var_x": var_x, "var_y": var_y, "cov_xy": cov_xy}
    return pd.Series({"joint": 0, "count": 9, **values})


TRUTH = np.array([[[10.0, 20.0], [30.0, 40.0]], [[50.0, 60.0], [70.0, 80.0]], [[5.0, 6.0], [7.0, 8.0]]])
MOVED = np.array([[[1.0, 2.0], [-3.0, 4.0]], [[6.0, -8.0], [9.0, 9.0]], [[7.0, 7.0], [2.0, 1.0]]])


def test_displacements_are_the_prediction_less_the_truth():
    labelled = np.array([[True, True], [True, False], [False, True]])
    truth = np.where(labelled[..., None], TRUTH, np.nan)
    diameters = np.array([1.0, 2.0, np.nan])
    found = observed_displacements(TRUTH + MOVED, truth, labelled, diameters, "pixels")
    # The second pose's second joint and the third's first are unlabelled; no diameter is no matter.
    assert found["joint"].tolist() == [0, 1, 0, 1]
    assert found[["dx", "dy"]].to_numpy().tolist() == [[1, 2], [-3, 4], [6, -8], [2, 1]]


def test_in_units_of_the_diameter_poses_without_one_are_left_out():
    labelled = np.array([[True, True], [True, False], [True, True]])
    diameters = np.array([2.0, 4.0, np.nan])
    found = observed_displacements(TRUTH + MOVED, TRUTH, labelled, diameters, "diameter")
    assert found["joint"].tolist() == [0, 1, 0]
    assert found[["dx", "dy"]].to_numpy().tolist() == [[0.5, 1], [-1.5, 2], [1.5, -2]]


def test_fit_by_hand():
    # About the mean (3, 2) the points are (−2, −1), (2, 1), (−2, 1), (2, −1), and twice (0, ±3).
    points = [(1, 1), (5, 3), (1, 3), (5, 1), (3, 5), (3, -1)]
    table = pd.concat([displacements([(7, 8), (9, 4)], joint=3), displacements(points, joint=1)])
    fitted = fit_normals(table, "diagonal")
    assert fitted["joint"].tolist() == [1, 3]
    assert fitted["count"].tolist() == [6, 2]
    columns = ["mean_x", "mean_y", "var_x", "var_y", "cov_xy"]
    np.testing.assert_allclose(fitted[columns], [[3, 2, 16 / 6, 22 / 6, 0], [8, 6, 1, 4, 0]])


def test_a_full_covariance_keeps_what_x_and_y_share():
    table = displacements([(7, 8), (9, 4)])
    full, diagonal = (fit_normals(table, kind).iloc[0] for kind in ("full", "diagonal"))
    assert full["cov_xy"] == -2
    assert diagonal["cov_xy"] == 0
    assert full.drop("cov_xy").equals(diagonal.drop("cov_xy"))


def test_one_displacement_has_no_spread():
    fitted = fit_normals(displacements([(4, -1)]), "full").iloc[0]
    assert fitted[["mean_x", "mean_y", "var_x", "var_y", "cov_xy"]].tolist() == [4, -1, 0, 0, 0]


@pytest.mark.parametrize("covariance", [[[4.0, 0.0], [0.0, 9.0]], [[4.0, -3.0], [-3.0, 9.0]]])
def test_samples_have_the_mean_and_covariance_of_the_normal(covariance):
    drawn = sample_displacements(normal((5.0, -7.0), covariance), 40_000, np.random.default_rng(1))
    assert drawn.shape == (40_000, 2)
    np.testing.assert_allclose(drawn.mean(axis=0), (5, -7), atol=0.06)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.25)


def test_fitting_what_was_sampled_gives_the_normal_back():
    wanted = normal((0.1, -0.2), [[0.04, 0.01], [0.01, 0.02]])
    drawn = sample_displacements(wanted, 50_000, np.random.default_rng(2))
    fitted = fit_normals(displacements(drawn), "full").iloc[0]
    for name in ("mean_x", "mean_y", "var_x", "var_y", "cov_xy"):
        assert fitted[name] == pytest.approx(wanted[name], abs=0.004), name


def test_a_singular_covariance_can_be_sampled():
    # All displacements on the line y = 2x + 1: the covariance has rank 1, for which Cholesky fails.
    drawn = sample_displacements(normal((3.0, 7.0), [[1.0, 2.0], [2.0, 4.0]]), 500, np.random.default_rng(3))
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0] + 1, atol=1e-6)
    assert drawn[:, 0].std() == pytest.approx(1, abs=0.15)
    still = sample_displacements(normal((3.0, 7.0), np.zeros((2, 2))), 5, np.random.default_rng(3))
    assert still.tolist() == [[3, 7]] * 5


def test_the_generator_decides_the_sample():
    wanted = normal((0.0, 0.0), [[1.0, 0.5], [0.5, 1.0]])
    first, again, other = (sample_displacements(wanted, 9, np.random.default_rng(s)) for s in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


@given(x=st.floats(0.01, 100), y=st.floats(0.01, 100), slope=st.sampled_from([-1, 1]))
def test_a_singular_covariance_never_gives_a_nan(x, y, slope):
    # Rounding makes the smaller eigenvalue negative as often as not.
    wanted = normal((0.0, 0.0), [[x * x, slope * x * y], [slope * x * y, y * y]])
    assert np.isfinite(sample_displacements(wanted, 9, np.random.default_rng(6))).all()


def test_a_normal_is_no_narrower_than_it_may_be():
    table = pd.DataFrame({"joint": [0, 0, 1, 1], "dx": [0.0, 0.0, 1.0, -1.0], "dy": [1.0, -1.0, 0.1, -0.1]})
    fitted = fit_normals(table, "diagonal", narrowest=0.5)
    np.testing.assert_allclose(fitted[["var_x", "var_y"]], [[0.25, 1.0], [1.0, 0.25]])


class TwoDraws:
    """In place of a generator: the draws (0, 0), (1, 0) and (0, 1)."""

    def standard_normal(self, shape):
        assert shape == (3, 2)
        return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@settings(deadline=None)
@given(var_x=VARIANCES, var_y=VARIANCES, mean=st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_a_diagonal_sample_is_the_mean_and_scaled_draws(var_x, var_y, mean):
    wanted = normal(mean, [[var_x, 0.0], [0.0, var_y]])
    drawn = sample_displacements(wanted, 50, np.random.default_rng(7))
    draws = np.random.default_rng(7).standard_normal((50, 2))
    if var_x > var_y:
        draws = draws[:, ::-1]
    np.testing.assert_array_equal(drawn, np.array(mean) + draws * np.sqrt([var_x, var_y]))


@settings(deadline=None)
@given(var_x=VARIANCES, var_y=VARIANCES, correlation=st.floats(-1, 1))
def test_what_the_draws_are_multiplied_by_squares_to_the_covariance(var_x, var_y, correlation):
    cov_xy = correlation * np.sqrt(var_x) * np.sqrt(var_y)
    covariance = np.array([[var_x, cov_xy], [cov_xy, var_y]])
    rows = sample_displacements(normal((0.0, 0.0), covariance), 3, TwoDraws())
    assert rows[0].tolist() == [0, 0]
    factor = rows[1:].T
    np.testing.assert_allclose(factor @ factor.T, covariance, rtol=1e-12, atol=1e-12 * covariance.max())


def test_a_full_sample_by_hand():
    # y = 2b and x = a + b, a the first draw and b the second, have the covariance (2 2; 2 4).
    by_x, by_y = ([[2.0, 2.0], [2.0, 4.0]], [[4.0, 2.0], [2.0, 2.0]])
    for covariance, wanted in ((by_x, [[5, 7], [6, 7], [6, 9]]), (by_y, [[5, 7], [5, 8], [7, 8]])):
        assert sample_displacements(normal((5.0, 7.0), covariance), 3, TwoDraws()).tolist() == wanted


@settings(deadline=None)
@given(points=st.lists(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), min_size=1, max_size=40))
def test_a_fit_does_not_know_which_axis_is_which(points):
    there = fit_normals(displacements(points), "full").iloc[0]
    swapped = fit_normals(displacements([(y, x) for x, y in points]), "full").iloc[0]
    assert swapped[["mean_x", "var_x", "cov_xy"]].tolist() == there[["mean_y", "var_y", "cov_xy"]].tolist()
    spread = np.cov(np.array(points).T, bias=True)
    found = there[["var_x", "cov_xy", "var_y"]].to_numpy()
    np.testing.assert_allclose(found, spread[[0, 0, 1], [0, 1, 1]], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_fit_that_is_not_finite_names_the_joint(covariance, bad):
    table = pd.concat([displacements([(1, 2), (3, 5)], joint=0), displacements([(1, 2), (bad, 5)], joint=1)])
    with pytest.raises(NotFiniteError, match=r"right knee: mean .* of its 2 displacements"):
        fit_normals(table, covariance, joints=("right ankle", "right knee"))


BYTES = """
import numpy as np
import pandas as pd
from deeppose.displacements.normals import fit_normals, sample_displacements

x, y = np.random.default_rng(8).normal((0.1, 7.0), (1.0, 3.0), (4001, 2)).T
table = pd.DataFrame({"joint": np.arange(4001) % 3, "dx": x, "dy": y + 0.3 * x})
for kind in ("full", "diagonal"):
    fitted = fit_normals(table, kind)
    print(fitted.to_numpy(np.float64).tobytes().hex())
    for _, row in fitted.iterrows():
        print(sample_displacements(row, 99, np.random.default_rng(9)).tobytes().hex())
"""


def test_another_kernel_of_the_blas_gives_the_same_bytes():
    # Nehalem's kernels, without fused products and sums, are those that differ most from a newer processor's.
    runs = [
        subprocess.run(
            [sys.executable, "-c", BYTES],
            env={**os.environ, **kernel, "OPENBLAS_VERBOSE": "2"},
            capture_output=True,
            text=True,
            check=True,
        )
        for kernel in ({}, {"OPENBLAS_CORETYPE": "Nehalem"})
    ]
    if "Core: Nehalem" not in runs[1].stderr:
        pytest.skip("NumPy's BLAS here lets no kernel of Nehalem's be chosen: not OpenBLAS, or not for x86")
    assert runs[0].stdout == runs[1].stdout
