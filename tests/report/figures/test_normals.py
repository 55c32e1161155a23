import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Ellipse
from plotted import normals

from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.report.figures.normals import MOST_POINTS, normals_figure, principal_axes


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
    assert len(first) == MOST_POINTS // 2 + 1
    count = MOST_POINTS + 1
    assert figure.axes[0].get_title() == f"right ankle\nn = {count}, {count} beyond"
    assert figure.axes[1].get_title() == f"right knee\nn = {count}, 0 beyond"
