"""Sets of one's own: which images test, what is missing, EXIF orientation, what a manifest notes."""

import json

import archives
import cv2
import horses
import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from deeppose.boxes.initial_boxes import assign_boxes
from deeppose.core.errors import AnnotationError, ArchiveError, ImageError, MissingArchiveError
from deeppose.core.params import Dataset
from deeppose.core.skeleton import skeleton_of
from deeppose.data.annotate import annotate
from deeppose.data.archives.zips import open_archive, read_image
from deeppose.data.check import check_own
from deeppose.data.own_sets import note_of, read_noted, read_own
from deeppose.deploy.photo import read_photo

HORSE = skeleton_of("horse", {"joints": list(horses.JOINTS), "diameter": [["withers", "tail"]]})
ORIENTATION = 0x0112
QUARTER_TURN = 6


def dataset(**changes):
    entry = {"format": "coco", "annotations": "horses.json", "images": "photos", "skeleton": "horse"}
    return TypeAdapter(Dataset).validate_python(entry | changes)


def change_labels(folder, change, name="horses.json"):
    labels = json.loads((folder / "horses.json").read_text())
    change(labels)
    (folder / name).write_text(json.dumps(labels))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    horses.write(tmp_path)
    return tmp_path


def test_joints_that_are_not_labelled_or_hidden(folder):
    def change(labels):
        labels["annotations"][0]["keypoints"][:6] = [0, 0, 0, 5, 6, 1]

    change_labels(folder, change)
    found = read_own("horses", dataset(), HORSE)
    assert found.members[:2] == ("00.jpg", "01.jpg")
    assert np.isnan(found.poses[0, 0]).all()
    assert found.labelled[0].tolist() == [False, *[True] * 6]
    assert np.argwhere(found.occluded).tolist() == [[0, 1]]
    np.testing.assert_array_equal(found.poses[1:], horses.poses(12)[1:])


def test_a_share_of_the_images_tests_always_the_same_and_few_change(folder):
    tests = ~read_own("horses", dataset(test=0.25), HORSE).train
    assert tests.sum() == 3
    assert (~read_own("horses", dataset(test=0.01), HORSE).train).sum() == 1
    assert read_own("horses", dataset(test=0.0), HORSE).train.all()
    assert read_own("horses", dataset(), HORSE).train.all()

    def drop(labels):
        del labels["annotations"][np.flatnonzero(~tests)[0]]

    change_labels(folder, drop)
    found = read_own("horses", dataset(test=0.25), HORSE)
    assert {m for m, t in zip(found.members, found.train, strict=True) if not t} == {
        f"{number:02}.jpg" for number in np.flatnonzero(tests)
    }


def test_several_in_an_image_are_in_one_part(folder):
    def pair(labels):
        for number, annotation in enumerate(labels["annotations"]):
            annotation["image_id"] = number // 2

    change_labels(folder, pair)
    found = read_own("horses", dataset(test=0.5), HORSE)
    assert (len(found.poses), len(set(found.members))) == (12, 6)
    assert (found.train[::2] == found.train[1::2]).all()
    assert check_own(found)["images_of_several"] == 6


def test_labels_of_their_own_that_test(folder):
    change_labels(folder, lambda labels: labels["annotations"].__delitem__(slice(9, None)), "train.json")
    change_labels(folder, lambda labels: labels["annotations"].__delitem__(slice(9)), "test.json")
    found = read_own("horses", dataset(annotations="train.json", test="test.json"), HORSE)
    assert found.train.tolist() == [True] * 9 + [False] * 3
    with pytest.raises(AnnotationError, match=r"09.jpg is both in horses.json and in test.json"):
        read_own("horses", dataset(test="test.json"), HORSE)


def test_a_table_says_what_tests(folder):
    lines = ["image,part,joint,x,y", "00.jpg,train,nose,1,2", "01.jpg,test,nose,3,4"]
    (folder / "horses.csv").write_text("\n".join(lines))
    entry = {"format": "table", "annotations": "horses.csv"}
    found = read_own("horses", dataset(**entry), HORSE)
    assert found.train.tolist() == [True, False]
    assert (found.boxes, found.occluded) == (None, None)
    assert not found.sizes.any()
    with pytest.raises(
        AnnotationError, match=r"horses.csv says which images test: datasets.horses.test must"
    ):
        read_own("horses", dataset(**entry, test=0.5), HORSE)


def test_several_files_of_labels(folder):
    change_labels(folder, lambda labels: labels["annotations"].__delitem__(slice(9, None)), "a.json")
    change_labels(folder, lambda labels: labels["annotations"].__delitem__(slice(9)), "b.json")
    assert len(read_own("horses", dataset(annotations="?.json"), HORSE).poses) == 12
    assert len(read_own("horses", dataset(annotations=str(folder / "?.json")), HORSE).poses) == 12


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"annotations": "labels.json"}, MissingArchiveError, "labels.json, a file of labels, is not there"),
        ({"images": "pictures"}, MissingArchiveError, "pictures, the images of horses, is not there"),
        ({"images": "."}, ArchiveError, r"\. lacks 12 images that horses.json names, 00.jpg for one"),
    ],
)
def test_what_is_not_there_is_named(folder, changes, error, told):
    with pytest.raises(error, match=told):
        read_own("horses", dataset(**changes), HORSE)


@pytest.mark.parametrize("pattern", ["", "\0", "**/nothing", "/", "../*.jsonl", "photos"])
def test_what_names_no_file_of_labels(folder, pattern):
    with pytest.raises(MissingArchiveError, match="a file of labels, is not there"):
        read_own("horses", dataset(annotations=pattern), HORSE)


def test_a_zip_of_images(folder):
    photos = {path.name: path.read_bytes() for path in (folder / "photos").iterdir()}
    archives.write_zip(folder / "photos.zip", photos)
    assert check_own(read_own("horses", dataset(images="photos.zip"), HORSE))["images"] == 12


# EXIF orientation


def turn(path):
    """Store a photo lying on its side, with the note that it does."""
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    with Image.open(path) as image:
        image.rotate(90, expand=True).save(path, exif=exif, quality=95)


def test_a_photo_is_upright_in_training_as_in_prediction(folder):
    path = folder / "photos" / "00.jpg"
    turn(path)
    found = read_own("horses", dataset(), HORSE)
    assert check_own(found)["images_with_exif_orientation_turned_upright"] == 1
    files = folder / "train.rgb", folder / "test.rgb"
    made = annotate([found], [], HORSE, *files, held_out=1, trusted=["horses"], seed=0).train.table.iloc[0]
    assert (made["file"], made["width"], made["height"]) == ("00.jpg", 150, 110)
    trained_on = np.fromfile(files[0], np.uint8, 150 * 110 * 3).reshape(110, 150, 3)
    np.testing.assert_array_equal(trained_on, read_photo(path).pixels)
    with open_archive(path.parent) as archive:
        assert read_image(archive, "00.jpg").shape == (150, 110, 3)  # of the published sets


def test_labels_of_the_photo_as_stored_are_refused(folder):
    turn(folder / "photos" / "00.jpg")
    change_labels(folder, lambda labels: labels["images"][0].update(width=110, height=150))
    found = read_own("horses", dataset(), HORSE)
    told = r"photos: 00.jpg is 150×110 pixels, 110×150 by its labels: it was labelled lying as it is stored"
    with pytest.raises(ImageError, match=told):
        check_own(found)
    with pytest.raises(ImageError, match=told):
        annotate(
            [found], [], HORSE, folder / "a.rgb", folder / "b.rgb", held_out=1, trusted=["horses"], seed=0
        )


def test_labels_of_another_size_are_refused(folder):
    cv2.imwrite("photos/03.jpg", np.zeros((55, 75, 3), np.uint8))
    change_labels(folder, lambda labels: labels["images"][0].pop("width"))
    with pytest.raises(
        ImageError, match=r"03.jpg is 75×55 pixels, 150×110 by its labels: the labels are of an"
    ):
        check_own(read_own("horses", dataset(), HORSE))


# What a manifest notes


def test_what_has_changed_since_it_was_noted_is_refused(folder):
    note = json.loads(json.dumps(note_of("horses", dataset(test=0.25), HORSE)))
    assert read_noted("horses", note).skeleton == HORSE
    (folder / "photos" / "more.jpg").write_bytes(archives.jpeg(0))
    read_noted("horses", note)
    cv2.imwrite("photos/03.jpg", np.zeros((110, 150, 3), np.uint8))
    with pytest.raises(ArchiveError, match="the labels or images of horses have changed since"):
        read_noted("horses", note)


# Boxes


@pytest.fixture
def annotated(folder):
    def annotated(change=lambda labels: None):
        change_labels(folder, change)
        found = read_own("horses", dataset(test=0.25), HORSE)
        files = folder / "train.rgb", folder / "test.rgb"
        made = annotate([found], [found], HORSE, *files, held_out=1, trusted=["horses"], seed=0)
        return found, (made.train, made.test)

    return annotated


def test_boxes_of_the_labels(annotated):
    found, halves = annotated()
    (train, test), rule, counted, curve = assign_boxes(halves, [], None, 0.99, annotated=True)
    assert (rule, curve) == ({"kind": "annotation"}, None)
    np.testing.assert_array_equal(train.iloc[:, :4], found.boxes[found.train])
    np.testing.assert_array_equal(test.iloc[:, :4], found.boxes[~found.train])
    assert counted["examples"]["test"]["horses"] == {"annotation": 3}


def test_an_example_without_a_box_is_named(annotated):
    _, halves = annotated(lambda labels: labels["annotations"][5].pop("bbox"))
    with pytest.raises(
        AnnotationError, match=r"1 examples have no box in their labels, one in 05.jpg of hors"
    ):
        assign_boxes(halves, [], None, 0.99, annotated=True)


def test_a_whole_image_that_shows_several_is_said(annotated, capsys):
    _, halves = annotated(lambda labels: labels["annotations"][1].update(image_id=0))
    assign_boxes(halves, [], None, 0.99)
    assert (
        "1 examples share an image, and so b⁰, with another: `initial_box: annotation`"
        in capsys.readouterr().out
    )


def test_the_torso_tells_whose_face_it_is(folder):
    named = ["left_shoulder", "right_shoulder", "left_hip", "right_hip"]
    lines = [
        f"00.jpg,{joint},{x},{y}" for joint, x, y in zip(named, (9, 1, 8, 2), (2, 3, 30, 32), strict=True)
    ]
    lines += [f"01.jpg,{joint},5,6" for joint in named[:3]]
    (folder / "people.csv").write_text("\n".join(["image,joint,x,y", *lines]))
    people = skeleton_of("people", {"joints": named, "diameter": [["left_shoulder", "right_hip"]]})
    found = read_own("people", dataset(format="table", annotations="people.csv"), people)
    np.testing.assert_array_equal(found.torso_boxes, [[5, 17, 8, 30], [np.nan] * 4])
