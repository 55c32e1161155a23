import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import TEMPLATE

from deeppose.core.errors import OutputError
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.deploy.drawing import LEAST_SIDE, MOST_SIDE, TITLE, drawn_people, drawn_stages, save_png
from deeppose.deploy.people import Person

K = len(FULL_BODY.joints)
WHITE = [255, 255, 255]


def grey(width=600, height=500):
    return np.full((height, width, 3), 110, np.uint8)


def somebody(first=(150, 100), sides=(200, 300), box=(249.5, 249.5, 300, 400), sure=0.9, stages=3):
    """A person in a rectangle, the earlier stages a little beside it."""
    pose = np.array(first) + TEMPLATE * sides
    poses = np.stack([pose + 10.0 * (stages - 1 - stage) for stage in range(stages)])
    confidences = None if sure is None else np.full(K, sure)
    return Person(np.array(box, dtype=float), None, poses, sure, confidences)


def at(picture, point):
    x, y = np.round(point).astype(int)
    return picture[y, x].tolist()


def all_white(picture, joints):
    """Whether joints are, but for those whom the number of their person may hide."""
    return all(at(picture, joint) == WHITE for joint in joints[TEMPLATE[:, 1] > 0.2])


def test_nobody_is_the_photo_itself():
    photo = grey()
    picture = drawn_people(photo, [], FULL_BODY, 0.5)
    np.testing.assert_array_equal(picture, photo)
    assert not np.shares_memory(picture, photo)


def test_joints_are_white_and_uncertain_ones_hollow():
    person = somebody()
    person.confidences[[4, 12]] = 0.49, 0.5
    picture = drawn_people(grey(), [person], FULL_BODY, 0.5)
    assert at(picture, person.pose[12]) == WHITE
    assert at(picture, person.pose[4]) != WHITE
    # A ring of white around it, one of black around that.
    ring = [sum(at(picture, person.pose[4] + [x, 0])) for x in range(1, 14)]
    assert max(ring) > 600
    assert min(ring) < 60
    everything = drawn_people(grey(), [person], FULL_BODY, 0.0)
    assert at(everything, person.pose[4]) == WHITE


def test_what_says_nothing_of_confidence_has_no_hollow_joint():
    person = somebody(sure=None)
    picture = drawn_people(grey(), [person], FULL_BODY, 1.0)
    assert all_white(picture, person.pose)


def test_a_score_is_written_above_the_head_and_a_box_goes_around():
    person = somebody()
    picture = drawn_people(grey(), [person], FULL_BODY, 0.5).astype(int)
    head = person.pose[person.pose[:, 1].argmin()].round().astype(int)
    above = picture[head[1] - 45 : head[1] - 10, head[0] - 30 : head[0] + 30]
    assert (above == 0).all(axis=-1).sum() > 300
    assert (above.min(axis=-1) > 200).sum() > 50
    for x, y in ((100, 249), (399, 249), (249, 50), (249, 449)):
        assert (picture[y - 2 : y + 3, x - 2 : x + 3] > 200).all(axis=-1).any()


def test_a_box_beyond_the_picture_is_drawn_at_its_edge():
    picture = drawn_people(grey(), [somebody(box=(299.5, 249.5, 5000, 5000))], FULL_BODY, 0.5)
    for edge in (picture[1, 5:-5], picture[-2, 5:-5], picture[5:-5, 1], picture[5:-5, -2]):
        assert (edge > 200).all()


def test_several_people_have_numbers_of_their_own():
    one, other = somebody(first=(60, 100)), somebody(first=(360, 100))
    both = drawn_people(grey(), [one, other], FULL_BODY, 0.5)
    swapped = drawn_people(grey(), [other, one], FULL_BODY, 0.5)
    assert (both != swapped).any()
    for person in (one, other):
        assert all_white(both, person.pose)


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((1600, 900), (1600, 900)),
        ((6000, 4000), (1600, 1066)),
        ((20_000, 50), (1600, 4)),
        ((50, 20_000), (4, 1600)),
        ((90, 120), (360, 480)),
        ((1, 1), (480, 480)),
        ((479, 300), (958, 600)),
    ],
)
def test_a_picture_is_no_larger_than_a_screen_and_no_smaller_than_is_seen(size, drawn):
    width, height = size
    person = somebody((0, 0), size, (width / 2, height / 2, width, height))
    picture = drawn_people(grey(*size), [person], FULL_BODY, 0.5)
    assert picture.shape == (drawn[1], drawn[0], 3)
    assert picture.dtype == np.uint8


@given(
    width=st.integers(1, 2500), height=st.integers(1, 2500), stages=st.integers(1, 3), people=st.booleans()
)
@settings(deadline=None, max_examples=25)
def test_panels_fit_whatever_the_photo(width, height, stages, people):
    shown = [somebody((0, 0), (width, height), stages=stages)] if people else []
    sheet = drawn_stages(grey(width, height), shown, FULL_BODY, 0.5, stages)
    assert max(sheet.shape[:2]) <= MOST_SIDE
    again = drawn_stages(grey(width, height), [], FULL_BODY, 0.5, stages)
    assert sheet.shape == again.shape, "frames of a video have one size, whoever is in them"


def test_panels_are_the_box_and_each_stage():
    person = somebody()
    sheet = drawn_stages(grey(), [person], FULL_BODY, 0.5, 3)
    assert sheet.shape == (2 * (500 + TITLE), 2 * 600, 3)
    corners = [(0, TITLE), (600, TITLE), (0, 528 + TITLE), (600, 528 + TITLE)]
    box, *stages = (sheet[y : y + 500, x : x + 600] for x, y in corners)
    assert at(box, person.pose[6]) == [110] * 3
    for number, panel in enumerate(stages):
        assert at(panel, person.stages[number, 6]) == WHITE
    assert at(stages[2], person.stages[0, 6]) != WHITE


def test_only_the_last_stage_has_confidences():
    person = somebody(sure=0.1)
    sheet = drawn_stages(grey(), [person], FULL_BODY, 0.5, 3)
    assert at(sheet, person.stages[0, 6] + [600, TITLE]) == WHITE
    assert at(sheet, person.stages[2, 6] + [600, 528 + TITLE]) != WHITE


def test_a_large_photo_is_drawn_where_its_joints_are():
    person = somebody((1000, 800), (2000, 3000), (2000, 2000, 3000, 3800))
    picture = drawn_people(grey(4000, 4000), [person], FULL_BODY, 0.5)
    assert all_white(picture, (person.pose + 0.5) * 0.4 - 0.5)


@pytest.mark.parametrize("far", [1e3, 1e5, 1e12])
def test_joints_far_outside_hurt_nothing(far):
    person = somebody()
    person.stages[-1, 3] = far, -far
    drawn_people(grey(), [person], FULL_BODY, 0.5)


def test_other_skeletons():
    pose = np.random.default_rng(0).uniform(50, 400, (1, 10, 2))
    person = Person(np.array([200.0, 200, 300, 300]), None, pose, 0.5, np.full(10, 0.9))
    assert (drawn_people(grey(), [person], UPPER_BODY, 0.5) != grey()).any()


def test_the_same_bytes_every_time(tmp_path):
    pictures = []
    for name in ("a.png", "b.png"):
        save_png(drawn_people(grey(), [somebody()], FULL_BODY, 0.95), tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_picture_is_saved_as_it_is(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    save_png(picture, tmp_path / "p.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "p.png"))[..., ::-1], picture)
    with pytest.raises(OutputError, match="can't be written"):
        save_png(picture, tmp_path / "p.png" / "q.png")
    assert LEAST_SIDE < MOST_SIDE
