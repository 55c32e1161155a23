import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from deeppose.boxes.faces import faces_table
from deeppose.core.errors import FaceError
from deeppose.core.examples import BOX_COLUMNS, TORSO_COLUMNS, Examples
from deeppose.report.figures.curves import containment_figure
from deeppose.report.figures.faces import ROWS, boxes_figure, choose_box_examples
from deeppose.report.style import save_picture

FACE = (50.0, 30.0, 10.0, 12.0, 0.9)
OTHER = (90.0, 30.0, 10.0, 12.0, 0.8)
TORSO = (50.0, 60.0, 20.0, 30.0)
SCALE = 4.0
# What each image shows, and how its box came about.
IMAGES = [
    ([FACE], "only face"),
    ([FACE, OTHER], "torso"),
    ([], "no face"),
    ([OTHER], "no face"),
    ([OTHER, FACE], "confidence"),
    ([FACE], "only face"),
    ([FACE], "only face"),
]
CHOSEN = [chosen for _, chosen in IMAGES]
OFFSETS = np.arange(len(IMAGES)) * 100
FACES = faces_table(OFFSETS, [np.array(faces).reshape(-1, 5) for faces, _ in IMAGES])
NAMES = ("a detected face", "the person's face", "torso, as labelled", "initial box")


@pytest.fixture
def examples():
    table = pd.DataFrame({"offset": OFFSETS, "width": 120, "height": 80})
    table[TORSO_COLUMNS] = np.array([*[TORSO] * 6, [np.nan] * 4])
    box = (FACE[0], FACE[1], SCALE * FACE[2], SCALE * FACE[3])
    whole = (59.5, 39.5, 120.0, 80.0)
    table[BOX_COLUMNS] = np.array([whole if chosen == "no face" else box for chosen in CHOSEN])
    return Examples(table, np.full((len(table), 3, 2), 40.0), np.ones((len(table), 3), dtype=bool))


def figure(examples, rows=range(7), columns=2):
    choice = choose_box_examples(np.array(rows), OFFSETS, FACES, CHOSEN, columns)
    images = [np.full((80, 120, 3), 90, np.uint8)] * len(IMAGES)
    return boxes_figure(images, examples, FACES, choice, SCALE, "Boxes")


def rectangles(axes, colours):
    """The rectangles of a panel by what they mean, as centre and size."""
    found = {name: [] for name in NAMES}
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        x, y, width, height = *patch.get_xy(), patch.get_width(), patch.get_height()
        found[colours[to_hex(patch.get_edgecolor())]].append((x + width / 2, y + height / 2, width, height))
    return found


def colours_of(drawn):
    (legend,) = drawn.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert tuple(names) == NAMES
    return {to_hex(line.get_color()): name for line, name in zip(legend.get_lines(), names, strict=True)}


def test_examples_go_where_they_belong_and_are_the_middles_of_equal_parts():
    choice = choose_box_examples(np.arange(7), OFFSETS, FACES, CHOSEN, 2)
    assert choice.counts == dict(zip(ROWS, (3, 2, 2), strict=True))
    assert choice.rows == dict(zip(ROWS, ((0, 6), (1, 4), (2, 3)), strict=True))
    one = choose_box_examples(np.arange(7), OFFSETS, FACES, CHOSEN, 1)
    assert one.rows == dict(zip(ROWS, ((5,), (4,), (3,)), strict=True))
    assert "middles of 1 equal parts" in one.rule


def test_only_candidates_are_shown():
    choice = choose_box_examples(np.array([1, 3, 6]), OFFSETS, FACES, CHOSEN)
    assert choice.rows == dict(zip(ROWS, ((6,), (1,), (3,)), strict=True))
    with pytest.raises(FaceError, match="no example"):
        choose_box_examples(np.array([], dtype=np.int64), OFFSETS, FACES, CHOSEN)


def test_the_boxes_are_where_they_are(examples):
    drawn = figure(examples)
    panels, colours = drawn.axes, colours_of(drawn)
    assert len(panels) == 6
    face, box = FACE[:4], (FACE[0], FACE[1], SCALE * FACE[2], SCALE * FACE[3])
    several = rectangles(panels[2], colours)
    np.testing.assert_allclose(several["a detected face"], [face, OTHER[:4]])
    np.testing.assert_allclose(several["the person's face"], [face])
    np.testing.assert_allclose(several["torso, as labelled"], [TORSO])
    np.testing.assert_allclose(several["initial box"], [box])
    none = rectangles(panels[4], colours)
    assert none["a detected face"] == none["the person's face"] == []
    assert none["initial box"] == [(59.5, 39.5, 120, 80)]
    np.testing.assert_allclose(rectangles(panels[5], colours)["a detected face"], [OTHER[:4]])
    # Nobody is named there.
    assert rectangles(panels[1], colours)["torso, as labelled"] == []
    assert panels[0].collections[0].get_offsets().tolist() == [[40, 40]] * 3


def test_a_row_without_examples_stays_empty(examples):
    drawn = figure(examples, rows=[0, 5])
    assert [len(axes.images) for axes in drawn.axes] == [1, 1, 0, 0, 0, 0]
    assert "0 examples" in drawn.axes[2].get_ylabel()


def test_an_initial_box_is_seen_whole(examples):
    far = Examples(
        examples.table.assign(**dict(zip(BOX_COLUMNS, (10.0, 70.0, 200.0, 150.0), strict=True))),
        examples.poses,
        examples.labelled,
    )
    for axes in figure(far).axes:
        left, right = axes.get_xlim()
        bottom, top = axes.get_ylim()
        assert left < 10 - 100 < 119.5 < right
        assert top < 70 - 75 < 70 + 75 < bottom


def test_the_same_bytes_every_time(examples, tmp_path):
    for name in ("a", "b"):
        save_picture(figure(examples), tmp_path, name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_scaler_stands_where_the_curve_reaches_the_share():
    curve = pd.DataFrame({"factor": [1.0, 2.0, 4.0], "share": [0.2, 0.9, 1.0]})
    axes = containment_figure(curve, 2.0, 0.9, "a title").axes[0]
    line, mark = axes.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), curve)
    assert set(mark.get_xdata()) == {2.0}
    assert not line.get_clip_on()
    assert axes.figure.get_supxlabel().startswith("Dotted: 2.00, the factor taken")
