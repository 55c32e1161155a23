import json
import re

import horses
import pytest

from deeppose.core.errors import AnnotationError
from deeppose.data.readers.coco import read_coco


@pytest.fixture
def read(tmp_path):
    def read(change=lambda labels: None, joints=horses.JOINTS):
        labels = horses.labels(horses.poses(2))
        change(labels)
        (tmp_path / "horses.json").write_text(json.dumps(labels))
        return read_coco(tmp_path / "horses.json", joints)

    return read


def first(labels):
    return labels["annotations"][0]


def test_joints_boxes_and_sizes(read):
    one, other = read()
    assert (one.image, other.image) == ("00.jpg", "01.jpg")
    assert list(one.points.values()) == [tuple(point) for point in horses.poses(2)[0].tolist()]
    assert (one.size, one.part, one.hidden) == ((150, 110), None, frozenset())


def test_a_box_counts_from_the_edge_and_a_keypoint_from_the_centre_of_a_pixel(read):
    def change(labels):
        first(labels)["bbox"] = [0, 0, 150, 110]

    assert read(change)[0].box == (74.5, 54.5, 150, 110)


def test_visibility_as_coco_means_it(read):
    def change(labels):
        first(labels)["keypoints"][:9] = [0, 0, 0, 5, 6, 1, 7, 8, 2]

    found = read(change)[0]
    assert "nose" not in found.points
    assert (found.points["withers"], found.points["tail"]) == ((5, 6), (7, 8))
    assert found.hidden == {"withers"}


@pytest.mark.parametrize(
    "change",
    [
        lambda labels: first(labels).update(iscrowd=1),
        lambda labels: first(labels).update(keypoints=[0] * 21),
        lambda labels: first(labels).pop("keypoints"),
    ],
)
def test_crowds_and_what_has_no_joint_are_left_out(read, change):
    assert [found.image for found in read(change)] == ["01.jpg"]


def test_several_in_an_image_are_several(read):
    found = read(lambda labels: labels["annotations"][1].update(image_id=0))
    assert [one.image for one in found] == ["00.jpg", "00.jpg"]


def test_joints_that_the_skeleton_lacks_are_left_out(read):
    assert list(read(joints=("tail",))[0].points) == ["tail"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda labels: labels.pop("categories"), "COCO keypoints: categories: Field required"),
        (
            lambda labels: first(labels)["keypoints"].pop(),
            "annotation 0 has 20 numbers in keypoints",
        ),
        (
            lambda labels: first(labels)["keypoints"].__setitem__(2, 3),
            "the visibility of nose is 3, not 0",
        ),
        (lambda labels: first(labels)["keypoints"].__setitem__(0, float("nan")), "annotations.0.keypoints.0"),
        (lambda labels: first(labels)["keypoints"].__setitem__(0, "a"), "annotations.0.keypoints.0"),
        (lambda labels: first(labels).update(image_id=9), "annotation 0: no entry has the image_id 9"),
        (lambda labels: first(labels).update(category_id=9), "annotation 0: no entry has the category_id 9"),
        (lambda labels: first(labels).update(bbox=[1, 2, 0, 4]), "bbox [1.0, 2.0, 0.0, 4.0] has no area"),
        (lambda labels: labels["categories"][0]["keypoints"].__setitem__(0, "noes"), "no keypoint 'nose'"),
    ],
)
def test_what_can_not_be_right_is_named(read, change, told):
    with pytest.raises(AnnotationError, match=re.escape(told)) as caught:
        read(change)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_json_or_not_there(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(AnnotationError, match=r"a.json is not laid out as COCO keypoints: Invalid JSON"):
        read_coco(tmp_path / "a.json", ["nose"])
    with pytest.raises(AnnotationError, match=r"b.json can't be read"):
        read_coco(tmp_path / "b.json", ["nose"])
