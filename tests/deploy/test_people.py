import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stand_in import FINDING, TEMPLATE, StandIn, photo_of, says, sees

from deeppose.core.errors import GeometryError
from deeppose.core.geometry import centred, enlarged, image_box
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.deploy import people
from deeppose.deploy.cascade import Cascade
from deeppose.deploy.people import (
    MOST_FACES,
    Finding,
    boxes_around,
    find_people,
    finding_of,
    findings,
    poses_in,
)

K = len(FULL_BODY.joints)
SOMEBODY = (80, 40, 40, 80)
"""A rectangle; its head is at its top."""
HEAD = [99.5, 49.5, 10.0, 10.0, 0.9]


@pytest.fixture
def found_by(monkeypatch):
    """Sets how people are found, and the faces that are found."""

    def rule(faces=(), **changes):
        finding = Finding(**vars(FINDING) | changes)
        monkeypatch.setattr(people, "finding_of", lambda skeleton: finding)

        class Faces:
            def __init__(self, most):
                assert most == finding.search

            def detect(self, photos):
                return [np.reshape(faces, (-1, 5)).astype(float) for _ in photos]

        monkeypatch.setattr(people, "face_detector", Faces)
        return finding

    return rule


def cascade(**described):
    return Cascade((StandIn(sees, **described),))


# Boxes and confidences by hand


def test_the_boxes_of_a_face():
    first, second = FINDING.below(np.array([100.0, 50.0, 20.0, 5.0]))  # √(20·5) = 10 pixels a side
    # From one side above the face's centre, four wide, eight high.
    np.testing.assert_allclose(first, [100, 50 + 3 * 10, 40, 80])
    np.testing.assert_allclose(second, [100, 50 + 6 * 10, 80, 160])


def test_a_box_around_a_pose():
    poses = np.array([[[10.0, 20], [30, 80], [20, 50]], [[5.0, 5], [5, 5], [5, 5]]])
    np.testing.assert_allclose(boxes_around(poses, 1.5), [[20, 50, 30, 90], [5, 5, 1.5, 1.5]])


def test_confidences_by_hand():
    spreads = np.array([[1.0, np.exp(-1.0)], [np.exp(-2.0), 0.0]])
    found = FINDING.confidences(spreads, "first")  # −3 − 3 ln s
    np.testing.assert_allclose(found[:, 0], [1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))])
    np.testing.assert_allclose([found[0, 1], found[1, 1]], [0.5, 1], atol=1e-9)
    # The surer half of two joints is one.
    np.testing.assert_allclose(FINDING.scores(spreads), found.max(axis=1))
    assert FINDING.confidences(spreads, "last")[0, 0] == pytest.approx(1 / (1 + np.exp(2)))


@given(arrays(float, 2, elements=st.floats(0, 1e6)), st.sampled_from(["first", "last"]))
@pytest.mark.parametrize("skeleton", ["full-body", "upper-body"])
def test_the_wider_the_spread_the_less_confident(skeleton, spreads, stage):
    narrow, wide = findings()[skeleton].confidences(np.sort(spreads), stage)
    assert 0 <= wide <= narrow <= 1


@pytest.mark.parametrize("skeleton", ["full-body", "upper-body"])
def test_what_was_chosen_makes_sense(skeleton):
    chosen = findings()[skeleton]
    assert 0 < chosen.least < 1
    assert chosen.least <= chosen.least_unseen <= 1
    assert chosen.apart > 0
    assert chosen.enlarged is None or chosen.enlarged > 1
    assert all(slope < 0 for _, slope in chosen.logistic.values())
    assert (chosen.face_boxes is None) == (skeleton == "upper-body")


def test_of_a_skeleton_of_ones_own_the_full_image_is_kept_however_sure():
    finding = finding_of("horse")
    assert finding.logistic == findings()["full-body"].logistic
    assert (finding.windows, finding.face_boxes, finding.least_unseen) == ([], [], 0)


# Who is there


def test_of_each_face_the_box_is_kept_that_stage_1_is_surest_of(found_by):
    # The first box is 40 wide, 80 high, where a person fills it; of the second, 160 high, it is a half.
    finding = found_by([HEAD])
    photo = photo_of(SOMEBODY)
    (person,) = find_people(cascade(), photo)
    np.testing.assert_allclose(person.box, finding.below(np.array(HEAD[:4]))[1])
    np.testing.assert_allclose(person.pose, np.array([80, 40]) + TEMPLATE * [40, 80], atol=8)
    assert person.face is not None
    assert person.face.score == 0.9
    assert person.face.box.tolist() == HEAD[:4]


def test_a_face_s_last_digits_change_nothing(found_by):
    poses = []
    for shift in (0, 1e-3, -1e-3):
        found_by([[*(np.array(HEAD[:4]) + shift), HEAD[4]]])
        poses += [person.pose for person in find_people(cascade(), photo_of(SOMEBODY))]
    np.testing.assert_array_equal(poses, [poses[0]] * 3)


def test_the_full_image_is_a_candidate_too(found_by):
    found_by([])
    (person,) = find_people(cascade(), photo_of((80, 40, 40, 80)))
    assert person.box.tolist() == image_box(200, 160).tolist()
    assert person.face is None


def test_a_second_pass_takes_the_box_around_the_pose_if_that_is_surer(found_by):
    photo = photo_of((100, 60, 16, 32))
    found_by([], least_unseen=0.0)
    (first,) = find_people(cascade(), photo)
    found_by([], least_unseen=0.0, enlarged=2.0)
    (second,) = find_people(cascade(), photo)
    np.testing.assert_array_equal(second.box, boxes_around(first.pose[None], 2.0)[0].round())
    assert second.score > first.score
    # Where it is less sure, the first one stays.
    found_by([], least_unseen=0.0, enlarged=1.0)
    (third,) = find_people(cascade(), photo_of(SOMEBODY))
    assert third.box.tolist() == image_box(200, 160).tolist()


def test_who_scores_too_little_is_nobody(found_by):
    found_by([HEAD])
    assert find_people(cascade(), photo_of()) == []
    (person,) = find_people(cascade(), photo_of(SOMEBODY))
    found_by([HEAD], least=person.score, least_unseen=1.0)
    assert len(find_people(cascade(), photo_of(SOMEBODY))) == 1
    found_by([HEAD], least=np.nextafter(person.score, 1), least_unseen=1.0)
    assert find_people(cascade(), photo_of(SOMEBODY)) == []


def test_who_has_no_face_needs_a_higher_score(found_by):
    found_by([], least=0.0)
    (person,) = find_people(cascade(), photo_of(SOMEBODY))
    found_by([], least=0.0, least_unseen=np.nextafter(person.score, 1))
    assert find_people(cascade(), photo_of(SOMEBODY)) == []


def test_windows_are_all_over_the_photo():
    finding = Finding(**vars(FINDING) | {"windows": [[1.0, 0.5], [0.5, 1.0]]})
    high, low = finding.all_over(photo_of())[:4], finding.all_over(photo_of())[4:]
    # 200 columns hold windows of 80 in steps of 40: four of them.
    assert [box.tolist() for box in high] == [[x, 79.5, 80, 160] for x in (39.5, 79.5, 119.5, 159.5)]
    assert len(low) == 4 * 3
    assert {tuple(box[2:]) for box in low} == {(80, 80)}
    (narrow,) = finding.all_over(np.zeros((160, 30, 3), np.uint8))[:1]
    assert narrow.tolist() == [14.5, 79.5, 30, 160]


def test_people_without_a_face_are_found_in_windows(found_by):
    found_by([], least_unseen=0.4)
    people_there = [(10, 40, 40, 80), (150, 40, 40, 80)]

    def seen():
        poses = [person.pose for person in find_people(cascade(), photo_of(*people_there))]
        wanted = [np.array([x, y]) + TEMPLATE * [w, h] for x, y, w, h in people_there]
        return [any(np.abs(pose - true).max() < 8 for pose in poses) for true in wanted]

    assert seen() == [False, False], "in the full image both are taken for one"
    found_by([], windows=[[1.0, 0.5]], least_unseen=0.4)
    assert seen() == [True, True]


def test_nobody_is_found_twice(found_by):
    faces = [HEAD, [101.5, 52.0, 12.0, 12.0, 0.8]]
    found_by(faces)
    assert len(find_people(cascade(), photo_of(SOMEBODY))) == 1
    found_by(faces, apart=0.0)
    assert len(find_people(cascade(), photo_of(SOMEBODY))) == 3  # each face, and the full image


def test_several_people_the_most_confident_first(found_by):
    faces = [[30.0, 30.0, 8.0, 8.0, 0.7], [150.0, 30.0, 8.0, 8.0, 0.9]]
    # The second fills its box less well than the first.
    photo = photo_of((18, 22, 24, 64), (142, 22, 24, 40))
    found_by(faces, face_boxes=[[2.0, 8.0, 16.0]], least=0.0)
    found = [person for person in find_people(cascade(), photo) if person.face is not None]
    assert [person.face.score for person in found] == [0.7, 0.9]
    assert found[0].score > found[1].score


def test_of_very_many_faces_the_most_confident_are_looked_at(found_by):
    found_by([[100.0, 50, 9, 9, 1 - n / 100] for n in range(MOST_FACES + 5)], apart=0.0, least=0.0)
    assert len(find_people(cascade(), photo_of(SOMEBODY))) == MOST_FACES + 1


def test_confidences_of_the_last_stage_and_the_score_of_the_first(found_by):
    finding = found_by([])
    wide, narrow = np.full((K, 2), 0.01), np.full((K, 2), 0.0004)
    pose = TEMPLATE - 0.5
    still = np.zeros((K, 2))
    two = Cascade((StandIn(says(pose, wide)), StandIn(says(still, narrow), 2)))
    (person,) = poses_in(two, photo_of(), centred(np.array([[0.0, 0, 200, 160]])))
    diameter = np.linalg.norm(person.pose[9] - person.pose[2])
    first = finding.confidences(np.array([[0.1 * np.hypot(200, 160) / diameter]]), "first")
    last = finding.confidences(np.array([0.02 * np.sqrt(2)]), "last")
    assert person.score == pytest.approx(float(first[0, 0]), rel=1e-4)
    np.testing.assert_allclose(person.confidences, np.full(K, last[0]), rtol=1e-4)
    assert person.stages.shape == (2, K, 2)


# Networks without maps, models for faces, detectors, boxes


def test_a_network_without_maps_has_one_person_and_says_nothing_of_it(found_by):
    found_by([HEAD])
    plain = Cascade((StandIn(says(TEMPLATE - 0.5), has_maps=False),))
    (person,) = find_people(plain, photo_of())
    assert person.box.tolist() == image_box(200, 160).tolist()
    assert person.score is None
    assert person.confidences is None


@pytest.mark.parametrize("has_maps", [True, False])
def test_a_model_for_faces_looks_around_them_as_in_training(found_by, has_maps):
    rule = {"kind": "face", "scale": 6.0}
    said = says(np.linspace(-0.3, 0.3, 20).reshape(10, 2), np.full((10, 2), 1e-4) if has_maps else None)
    model = Cascade((StandIn(said, skeleton=UPPER_BODY, has_maps=has_maps, initial_box=rule),))
    found_by([HEAD], face_boxes=None)
    (person,) = find_people(model, photo_of())
    assert person.box.tolist() == enlarged(np.array(HEAD[:4]), 6.0).tolist()
    assert person.face.score == 0.9
    found_by([], face_boxes=None)
    assert find_people(model, photo_of()) == []


def test_a_detector_of_people_gives_the_boxes(found_by):
    found_by([HEAD], apart=0.0)
    boxes = np.array([[99.5, 79.5, 80, 160, 0.7], [20.0, 20, 30, 30, 0.9]])
    (person,) = find_people(cascade(), photo_of(SOMEBODY), lambda photo: boxes)
    assert person.box.tolist() == boxes[0, :4].tolist()
    assert person.face is None
    assert find_people(cascade(), photo_of(SOMEBODY), lambda photo: np.empty((0, 5))) == []


def test_given_boxes_are_all_taken_in_their_order(found_by):
    found_by([], least=0.99)
    boxes = centred(np.array([[0.0, 0, 20, 20], [60, 0, 80, 160]]))
    first, second = poses_in(cascade(), photo_of(SOMEBODY), boxes)
    assert first.score < second.score
    assert np.stack([first.box, second.box]).tolist() == boxes.tolist()


@pytest.mark.parametrize("box", [[200, 0, 9, 9], [0, 160, 9, 9], [-20, 5, 20, 20], [5, -9, 20, 9]])
def test_a_box_outside_the_image_is_refused(box):
    said = f"the box {','.join(map(str, box))} lies outside the image, which is 200×160 pixels"
    with pytest.raises(GeometryError, match=said):
        poses_in(cascade(), photo_of(), centred(np.array([box], dtype=float)))
