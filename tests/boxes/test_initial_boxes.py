import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deeppose.boxes.face_detector import FaceDetector
from deeppose.boxes.faces import faces_table
from deeppose.boxes.initial_boxes import (
    assign_boxes,
    choose_faces,
    containing_factor,
    containment_curve,
    enlarged,
    face_boxes,
    factors_needed,
    fix_scaler,
    image_boxes,
    tight_boxes,
)
from deeppose.core.errors import AnnotationError, FaceError
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import image_box
from deeppose.data.archives.zips import open_archive, read_image
from deeppose.data.readers.flic import read_flic

NOBODY = (np.nan,) * 4
TORSO = (100.0, 150.0, 40.0, 60.0)  # its upper edge at y = 120, the face looked for at (100, 100)

coordinates = st.floats(-500, 500)
sides = st.floats(1, 200)


@st.composite
def people(draw):
    """Faces with areas, poses, and labels, one at least."""
    count, joints = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    faces = np.concatenate(
        [
            draw(arrays(np.float64, (count, 2), elements=coordinates)),
            draw(arrays(np.float64, (count, 2), elements=sides)),
        ],
        axis=-1,
    )
    poses = draw(arrays(np.float64, (count, joints, 2), elements=coordinates))
    labelled = draw(arrays(bool, (count, joints)))
    assume(labelled.any())
    return faces, np.where(labelled[..., None], poses, np.nan), labelled


def inside(boxes, poses, slack=1e-9):
    """Whether joints `(n, k, 2)` are in their box, written apart from the code under test."""
    left, top = boxes[:, :1] - boxes[:, 2:3] / 2, boxes[:, 1:2] - boxes[:, 3:] / 2
    right, bottom = left + boxes[:, 2:3], top + boxes[:, 3:]
    x, y = poses[..., 0], poses[..., 1]
    return (left - slack <= x) & (x <= right + slack) & (top - slack <= y) & (y <= bottom + slack)


# The enlargement


def test_enlarged_about_its_own_centre():
    assert enlarged(np.array([[10.0, 20.0, 3.0, 4.0]]), 2.5).tolist() == [[10, 20, 7.5, 10]]


def test_factors_by_hand():
    faces = np.array([[10.0, 20.0, 4.0, 8.0], [0.0, 0.0, 2.0, 2.0], NOBODY])
    poses = np.array([[[10.0, 20.0], [14.0, 20.0], [8.0, 32.0]], [[1.0, -5.0], [np.nan] * 2, [0.0, 0.0]]])
    poses = np.concatenate([poses, np.zeros((1, 3, 2))])
    labelled = np.array([[True] * 3, [True, False, False], [True] * 3])
    np.testing.assert_array_equal(
        factors_needed(faces, poses, labelled), [[0, 2, 3], [5, np.nan, np.nan], [np.nan] * 3]
    )


@given(people())
def test_all_joints_are_inside_at_the_full_share_and_one_touches_the_edge(someone):
    faces, poses, labelled = someone
    factor = containing_factor(factors_needed(faces, poses, labelled), 1.0)
    assert inside(enlarged(faces, factor), poses)[labelled].all()
    if factor > 1e-6:
        assert not inside(enlarged(faces, 0.999 * factor), poses, slack=0)[labelled].all()


@given(people(), st.floats(0, 1))
def test_at_least_the_share_is_inside_and_below_the_factor_less(someone, share):
    faces, poses, labelled = someone
    needed = factors_needed(faces, poses, labelled)
    counted = needed[labelled]
    factor = containing_factor(needed, share)
    assert (counted <= factor).mean() >= share - 1e-9
    assert (counted < factor).mean() <= share + 1e-9


@given(people(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_needs_no_smaller_factor(someone, one, other):
    needed = factors_needed(*someone)
    assert containing_factor(needed, min(one, other)) <= containing_factor(needed, max(one, other))


@given(people(), st.tuples(coordinates, coordinates), st.floats(0.1, 10))
def test_moving_and_scaling_the_image_changes_no_factor(someone, moved, scale):
    faces, poses, labelled = someone
    other = np.concatenate([faces[:, :2] * scale + moved, faces[:, 2:] * scale], axis=-1)
    np.testing.assert_allclose(
        factors_needed(other, poses * scale + moved, labelled),
        factors_needed(faces, poses, labelled),
        rtol=1e-6,
        atol=1e-6,
    )


@given(people())
def test_the_curve_rises_to_all_joints(someone):
    needed = factors_needed(*someone)
    curve = containment_curve(needed)
    assert curve["factor"].is_monotonic_increasing
    assert curve["factor"].is_unique
    assert curve["share"].is_monotonic_increasing
    assert curve["share"].iloc[-1] == 1
    assert curve["factor"].iloc[-1] == containing_factor(needed, 1.0)
    for factor, share in curve.itertuples(index=False):
        assert (needed[~np.isnan(needed)] <= factor).mean() == share


def test_the_curve_by_hand():
    curve = containment_curve(np.array([[1.0, 2.0], [np.nan, 2.0], [4.0, np.nan]]))
    assert curve.to_numpy().tolist() == [[1, 0.25], [2, 0.75], [4, 1]]


# The choice of a face


def faces(*by_image):
    """A table of the faces of images 0, 1, …; a face is x, y, score, or all five values."""
    full = [
        np.array([face if len(face) == 5 else (*face[:2], 10.0, 12.0, face[2]) for face in image])
        for image in by_image
    ]
    return faces_table(np.arange(len(full)), [image.reshape(-1, 5) for image in full])


def choose(found, torsos, rule="torso", offsets=None):
    offsets = np.arange(len(torsos)) if offsets is None else np.array(offsets)
    own, chosen = choose_faces(found, offsets, np.array(torsos), rule)
    return own[:, :2].tolist(), chosen.tolist()


def test_the_face_above_the_torso_and_not_the_most_confident():
    found = faces([(300, 100, 0.9), (104, 98, 0.5), (60, 100, 0.8)])
    assert choose(found, [TORSO]) == ([[104, 98]], ["torso"])
    assert choose(found, [TORSO], "confidence") == ([[300, 100]], ["confidence"])
    assert choose(found, [NOBODY]) == ([[300, 100]], ["confidence"])


def test_distances_are_in_the_torsos_sides():
    # 25 pixels to the side are 5/8 of the torso's width, 30 upwards half of its height.
    found = faces([(125, 100, 0.9), (100, 70, 0.5)])
    assert choose(found, [TORSO])[0] == [[100, 70]]
    assert choose(found, [(100, 150, 60, 60)])[0] == [[125, 100]]


def test_a_face_far_from_the_torso_is_anothers():
    # 0.75 of 40 pixels.
    assert choose(faces([(129.9, 100, 0.9)]), [TORSO]) == ([[129.9, 100]], ["only face"])
    own, chosen = choose_faces(faces([(130.1, 100, 0.9)]), np.array([0]), np.array([TORSO]), "torso")
    assert np.isnan(own).all()
    assert own.shape == (1, 4)
    assert chosen.tolist() == ["no face"]
    assert choose(faces([(130.1, 100, 0.9)]), [TORSO], "confidence")[1] == ["only face"]
    assert choose(faces([(130.1, 100, 0.9), (10, 100, 0.9)]), [TORSO])[1] == ["no face"]


def test_two_people_in_one_image_have_their_own_faces():
    other = (200.0, 150.0, 40.0, 60.0)
    found = faces([], [(201, 100, 0.9), (99, 100, 0.8)])
    assert choose(found, [TORSO, other, TORSO], offsets=[1, 1, 0])[1] == ["torso", "torso", "no face"]
    assert choose(found, [TORSO, other], offsets=[1, 1])[0] == [[99, 100], [201, 100]]


@pytest.mark.parametrize("rule", ["torso", "confidence"])
def test_without_faces_there_is_none(rule):
    own, chosen = choose_faces(faces([], []), np.array([0, 1]), np.array([TORSO, NOBODY]), rule)
    assert own.shape == (2, 4)
    assert np.isnan(own).all()
    assert chosen.tolist() == ["no face", "no face"]


def test_of_equals_the_leftmost_whatever_the_order_of_the_table():
    found = faces([(110, 100, 0.9), (90, 100, 0.9)])
    for table in (found, found[::-1]):
        assert choose(table, [TORSO])[0] == [[90, 100]]
        assert choose(table, [NOBODY])[0] == [[90, 100]]


@given(st.permutations(range(4)), st.sampled_from(["torso", "confidence"]))
def test_the_order_of_the_table_decides_nothing(order, rule):
    found = faces([(90, 90, 0.6), (100, 105, 0.7), (120, 90, 0.8)], [(100, 100, 0.5)])
    torsos = [TORSO, NOBODY]
    assert choose(found.iloc[list(order)], torsos, rule) == choose(found, torsos, rule)


# All of it


def examples(rows, torsos, poses=None, labelled=None):
    """Examples of rows (part, set, image), all of 200×100 pixels."""
    count = len(rows)
    table = pd.DataFrame(rows, columns=["part", "set", "offset"]).assign(width=200, height=100)
    table[["torso_x", "torso_y", "torso_width", "torso_height"]] = np.array(torsos, dtype=float)
    poses = np.full((count, 2, 2), 100.0) if poses is None else np.array(poses, dtype=float)
    labelled = np.ones(poses.shape[:2], dtype=bool) if labelled is None else np.array(labelled)
    return Examples(table, np.where(labelled[..., None], poses, np.nan), labelled)


ROWS = [
    ("train", "flic", 0),
    ("train", "flic", 1),
    ("train", "flic", 2),
    ("held-out", "flic", 3),
    ("test", "flic", 4),
    ("test", "buffy", 5),
]
FOUND = faces(
    [(100, 100, 0.9)],
    [(100, 100, 0.9), (190, 10, 0.8)],
    [(190, 10, 0.8)],
    [(100, 100, 0.9)],
    [],
    [(50, 50, 0.9), (20, 20, 0.6)],
)
POSES = [
    [(100, 100), (120, 100)],  # 40 / 10
    [(100, 130), (100, 100)],  # 60 / 12
    [(0, 0), (0, 0)],  # its face is another's
    [(100, 900), (100, 100)],  # held out
    [(0, 0), (0, 0)],
    [(900, 0), (0, 0)],
]
TORSOS = [TORSO] * 5 + [NOBODY]


def test_boxes_from_faces():
    made, _ = face_boxes(examples(ROWS, TORSOS, POSES), FOUND, "torso", 5.0)
    assert made["chosen"].tolist() == ["only face", "torso", "no face", "only face", "no face", "confidence"]
    whole = image_box(200, 100).tolist()
    face = [100, 100, 50, 60]
    assert made[BOX_COLUMNS].to_numpy().tolist() == [face, face, whole, face, whole, [50, 50, 50, 60]]


@pytest.mark.parametrize(("share", "scale"), [(1.0, 5), (0.75, 4)])
def test_the_scaler_is_the_smallest_that_contains_the_share_of_the_training_joints(share, scale):
    *found, curve = fix_scaler(examples(ROWS, TORSOS, POSES), FOUND, "torso", share)
    assert found == [scale, share]
    assert curve.to_numpy().tolist() == [[0, 0.5], [4, 0.75], [5, 1]]


def test_every_example_and_image_is_counted():
    counts = face_boxes(examples(ROWS, TORSOS, POSES), FOUND, "torso", 5.0)[1]
    assert counts["examples"] == {
        "train": {"flic": {"torso": 1, "only face": 1, "confidence": 0, "no face": 1}},
        "held-out": {"flic": {"torso": 0, "only face": 1, "confidence": 0, "no face": 0}},
        "test": {
            "flic": {"torso": 0, "only face": 0, "confidence": 0, "no face": 1},
            "buffy": {"torso": 0, "only face": 0, "confidence": 1, "no face": 0},
        },
    }
    assert counts["images"] == {
        "train": {"flic": {"no face": 0, "one face": 2, "several faces": 1}},
        "held-out": {"flic": {"no face": 0, "one face": 1, "several faces": 0}},
        "test": {
            "flic": {"no face": 1, "one face": 0, "several faces": 0},
            "buffy": {"no face": 0, "one face": 0, "several faces": 1},
        },
    }
    assert counts["faces_of_others_only"] == {
        "train": {"flic": 1},
        "held-out": {"flic": 0},
        "test": {"flic": 0, "buffy": 0},
    }
    json.dumps(counts, allow_nan=False)


def test_an_image_of_two_examples_is_one_image():
    rows = [("train", "flic", 0), ("train", "flic", 0)]
    counts = face_boxes(examples(rows, [TORSO] * 2, POSES[:2]), FOUND, "torso", 1.0)[1]
    assert counts["images"] == {"train": {"flic": {"no face": 0, "one face": 1, "several faces": 0}}}


def test_examples_without_labels_fix_nothing():
    labelled = [[True, True], [False, False], *[[True, True]] * 4]
    assert fix_scaler(examples(ROWS, TORSOS, POSES, labelled), FOUND, "torso", 1.0)[0] == 4


@pytest.mark.parametrize(
    ("found", "labelled"),
    [
        (faces(*[[]] * 5, [(50, 50, 0.9)]), None),
        (faces(*[[]] * 3, [(100, 100, 0.9)], [], []), None),
        (FOUND, [[False, False]] * 3 + [[True, True]] * 3),
    ],
    ids=["no face but in a test image", "no face but in a held-out image", "no label"],
)
def test_without_a_training_face_the_scaler_cant_be_fixed(found, labelled):
    with pytest.raises(FaceError, match=r"none of the 3 training examples .*`initial_box: image`"):
        fix_scaler(examples(ROWS, TORSOS, POSES, labelled), found, "torso", 1.0)


def test_the_full_image():
    made, counts = image_boxes(examples(ROWS, TORSOS))
    assert made[BOX_COLUMNS].to_numpy().tolist() == [image_box(200, 100).tolist()] * 6
    assert set(made["chosen"]) == {"image"}
    assert counts["examples"]["test"] == {"flic": {"image": 1}, "buffy": {"image": 1}}


def test_each_image_has_the_box_of_its_own_size():
    sizes = np.random.default_rng(0).integers(1, 5000, (50, 2))
    table = pd.DataFrame({"set": "lsp", "part": "train", "width": sizes[:, 0], "height": sizes[:, 1]})
    made, _ = image_boxes(Examples(table, np.zeros((50, 1, 2)), np.ones((50, 1), dtype=bool)))
    assert made[BOX_COLUMNS].to_numpy().dtype == np.float64
    assert made[BOX_COLUMNS].to_numpy().tolist() == [
        [(w - 1) / 2, (h - 1) / 2, w, h] for w, h in sizes.tolist()
    ]


# Tight boxes


def people_in_images(sets, sizes, poses, part="train"):
    """Examples of one labelled pose `(k, 2)` an image; NaN where a joint has no label.

    A diameter have those whose first two joints are labelled.
    """
    table = pd.DataFrame({"set": sets, "part": part}).assign(
        width=[width for width, _ in sizes], height=[height for _, height in sizes]
    )
    poses = np.array(poses, dtype=np.float64)
    table["diameter"] = np.linalg.norm(poses[:, 0] - poses[:, 1], axis=-1)
    return Examples(table, poses, ~np.isnan(poses[..., 0]))


LIKE = (100, 200), [(20, 30), (79, 179), (50, 100)]
"""Margins of 20.5, 30.5, 20.5 and 20.5 pixels left, above, right and below; the longer side is 149."""


def test_a_tight_box_by_hand():
    size, pose = LIKE
    twice = [(500, 200), (500 + 2 * 149, 210), (np.nan, np.nan)]
    images = people_in_images(["lsp", "extended"], [size, (1000, 400)], [pose, twice])
    (made, _), rule, counts, _ = assign_boxes([images, images], [], None, 0.99, tight=["extended"])
    assert made[BOX_COLUMNS].to_numpy().tolist() == [
        [49.5, 99.5, 100, 200],
        [500 + 149, 205 - 10, 2 * 149 + 2 * 41, 10 + 2 * 51],
    ]
    assert made["chosen"].tolist() == ["image", "tight"]
    assert rule == {"kind": "image"}
    assert counts["examples"]["train"] == {
        "lsp": {"image": 1, "tight": 0},
        "extended": {"image": 0, "tight": 1},
    }


def test_recrops_take_the_median_margin_of_images_that_are_not_tight():
    size, pose = LIKE
    poses = [pose, *[[(20, 20), (39, 39), (20, 39)]] * 2]
    images = people_in_images(["lsp", "lsp", "extended"], [size, (60, 60), (900, 900)], poses)
    _, rule, _, _ = assign_boxes([images, images], [], None, 0.99, tight=["extended"], recrops=2)
    margins = [20.5 / 149] * 3 + [30.5 / 149] + [20.5 / 19] * 4
    assert rule == {"kind": "image", "recrops": 2, "margin": round(float(np.median(margins)), 3)}


def test_margins_are_taken_in_turn():
    poses = [[(10, 10), (89, 89)], [(20, 20), (79, 79)], *[[(100, 100), (199, 199)]] * 3]
    sets = ["lsp", "lsp", *["extended"] * 3]
    rows, made = tight_boxes(people_in_images(sets, [(100, 100)] * 5, poses), ["extended"])
    sides = [99 + 99 * 21 / 79, 99 + 99 * 41 / 59]
    assert rows.tolist() == [2, 3, 4]
    np.testing.assert_allclose(made[:, 2], [sides[0], sides[1], sides[0]])


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=5),
    st.integers(100, 300),
    st.integers(100, 300),
)
def test_with_its_own_margins_an_image_is_its_tight_box(pose, width, height):
    assume(pose[0] != pose[1])
    images = people_in_images(["lsp", "extended"], [(width, height)] * 2, [pose, pose])
    _, made = tight_boxes(images, ["extended"])
    np.testing.assert_allclose(made[0], image_box(width, height), rtol=0, atol=1e-9)


@given(people(), st.integers(0, 9))
def test_a_tight_box_holds_all_labelled_joints_whatever_the_others_margins_are(someone, seed):
    _, poses, labelled = someone
    assume(poses.shape[1] > 1)
    count = len(poses)
    others = np.random.default_rng(seed).uniform(-50, 150, poses.shape)  # some of them outside their image
    images = people_in_images(
        ["lsp"] * count + ["extended"] * count, [(100, 100)] * 2 * count, np.concatenate([others, poses])
    )
    rows, made = tight_boxes(images, ["extended"])
    assert rows.tolist() == (count + np.flatnonzero(labelled[:, :2].all(axis=1))).tolist()
    assert (inside(made, images.poses[rows]) | ~images.labelled[rows]).all()


def test_too_few_labels_give_no_tight_box_and_no_margins():
    nowhere = (np.nan, np.nan)
    poses = [[(50, 50), nowhere], LIKE[1][:2], [nowhere] * 2, [(7, 7), nowhere], LIKE[1][:2]]
    images = people_in_images(["lsp", "lsp", *["extended"] * 3], [LIKE[0]] * 5, poses)
    made, counts = image_boxes(images, ["extended"])
    assert made["chosen"].tolist() == ["image"] * 4 + ["tight"]
    np.testing.assert_allclose(made[BOX_COLUMNS].to_numpy(), [[49.5, 99.5, 100, 200]] * 5)
    assert counts["examples"]["train"]["extended"] == {"image": 2, "tight": 1}


@pytest.mark.parametrize("part", ["held-out", "test"])
def test_who_judges_starts_from_the_full_image(part):
    made, _ = image_boxes(people_in_images(["extended"], [LIKE[0]], [LIKE[1]], part), ["extended"])
    assert made["chosen"].tolist() == ["image"]


def test_margins_come_from_another_set():
    images = people_in_images(["extended"] * 2, [LIKE[0]] * 2, [LIKE[1]] * 2)
    told = r"tight_boxes \(extended\) doesn't name.*take a set out of it, or train on another one too"
    with pytest.raises(AnnotationError, match=told):
        image_boxes(images, ["extended"])


@pytest.mark.realdata
def test_the_face_of_the_person_on_flic(mirror):
    """In every twentieth training example, the face that is chosen holds the labelled nose."""
    flic = read_flic(mirror / "FLIC.zip")
    flic = flic.taking(np.flatnonzero(flic.train)[::20])
    assert flic.torso_boxes is not None
    with open_archive(flic.archive) as archive:
        found = FaceDetector(threads=2).detect(read_image(archive, member) for member in flic.members)
    images = np.arange(len(found))
    nose = flic.poses[:, flic.skeleton.joints.index("nose")]
    holds = {}
    for rule in ("torso", "confidence"):
        own, chosen = choose_faces(faces_table(images, found), images, flic.torso_boxes, rule)
        holds[rule] = (np.abs(nose - own[:, :2]) <= own[:, 2:] / 2).all(axis=-1)
        if rule == "torso":
            assert holds[rule][chosen != "no face"].mean() > 0.95
    assert holds["torso"].mean() > 0.9
    assert holds["confidence"].mean() < 0.85, "FLIC's frames show several people"
