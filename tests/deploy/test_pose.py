import inspect
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_cascade import photo_pixels, write_weights
from somebody import as_somebody, open_folder

import deeppose
from deeppose.core.errors import GeometryError, ImageError, WeightsError
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.deploy.people import Person
from deeppose.deploy.pose import Pose, load_cascade

K = len(FULL_BODY.joints)


@pytest.fixture
def weights(tmp_path):
    write_weights(tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def pose(weights):
    return Pose(weights=weights)


def same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        # In batches of other sizes the last bits differ.
        np.testing.assert_allclose(first.stages, second.stages, rtol=0, atol=1e-3)


def test_an_array_and_the_file_of_it_have_the_same_people(pose, tmp_path):
    cv2.imwrite(str(tmp_path / "p.png"), photo_pixels()[..., ::-1])
    (person,) = people = pose(photo_pixels())
    assert isinstance(person, Person)
    assert person.pose.shape == (K, 2)
    assert person.stages.shape == (3, K, 2)
    assert pose.joints == FULL_BODY.joints
    same(people, pose(tmp_path / "p.png"))
    same(people, pose(str(tmp_path / "p.png")))
    same(people, pose(np.ascontiguousarray(photo_pixels()[:, ::-1])[:, ::-1]))


def test_the_image_stays_as_it_is(pose):
    photo = photo_pixels()
    pose(photo)
    np.testing.assert_array_equal(photo, photo_pixels())


def test_boxes_say_where_people_are(pose):
    (whole,) = pose(photo_pixels())
    first, second = pose(photo_pixels(), boxes=[[0, 0, 90, 120], [20, 10, 31, 40]])
    same([whole], [first])
    assert second.box.tolist() == [35, 29.5, 31, 40]
    assert pose(photo_pixels(), boxes=[]) == []
    same([second], pose(photo_pixels(), boxes=np.array([[20.0, 10, 31, 40]])))


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([1, 2, 3, 4], "boxes are rows of first column"),
        ([[1, 2, 3]], r"with an area: \(n, 4\), not"),
        ([[1, 2, 0, 4]], "with an area"),
        ([[1, 2, np.nan, 4]], "with an area"),
        ([[90, 0, 10, 10]], "the box 90,0,10,10 lies outside the image, which is 90×120 pixels"),
    ],
)
def test_what_is_no_box_is_refused(pose, boxes, said):
    with pytest.raises(GeometryError, match=said):
        pose(photo_pixels(), boxes=boxes)


def test_a_detector_finds_the_people(pose):
    seen = []

    def detector(photo):
        seen.append(photo)
        return np.array([[35, 29.5, 31, 40, 0.9]])

    same(pose(photo_pixels(), detector=detector), pose(photo_pixels(), boxes=[[20, 10, 31, 40]]))
    np.testing.assert_array_equal(seen[0], photo_pixels())


@pytest.mark.parametrize(
    "image",
    [
        photo_pixels()[..., 0],
        photo_pixels() / 255,
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((2, 5, 5, 3), np.uint8),
    ],
)
def test_an_array_that_is_no_image_is_described(pose, image):
    with pytest.raises(ImageError, match=r"an image is \(height, width, 3\) of uint8, RGB; this array is"):
        pose(image)


def test_a_file_that_is_none_is_named(pose):
    with pytest.raises(ImageError, match=r"none\.jpg can't be read"):
        pose("none.jpg")


def test_published_weights_are_found_from_any_folder(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    monkeypatch.setattr(deeppose, "__file__", str(checkout / "src/deeppose/__init__.py"))
    write_weights(checkout / "data/cpu/flic", skeleton=UPPER_BODY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Pose("flic").joints == UPPER_BODY.joints
    assert not list(Path().iterdir())
    with pytest.raises(
        WeightsError, match=r"no weights of a model 'lsp' .* `python scripts/published\.py weights`"
    ):
        Pose()


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no weights, stage1\.safetensors or stage1\.onnx"):
        Pose(weights=tmp_path)


def test_stages_that_a_run_did_without_are_empty_and_left_out(weights):
    (weights / "stage3.safetensors").write_bytes(b"")
    assert Pose(weights=weights)(photo_pixels(), boxes=[[20, 20, 40, 40]])[0].stages.shape[0] == 2


def test_what_it_takes_and_gives_is_said_with_shapes_and_units():
    for part in ("`(n, 4)`", "pixels", "`(height, width, 3)` uint8, RGB", "ImageError"):
        assert part in (inspect.getdoc(Pose.__call__) or "")


# Weights


def test_weights_cut_short_are_named(weights):
    path = weights / "stage2.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"stage2\.safetensors"):
        Pose(weights=weights)


def test_a_missing_stage_is_an_error(weights):
    paths = sorted(weights.iterdir())
    with pytest.raises(WeightsError, match=r"stage4\.safetensors is not there"):
        load_cascade([*paths, weights / "stage4.safetensors"])
    (weights / "stage2.safetensors").unlink()
    with pytest.raises(
        WeightsError, match=r"stage3\.safetensors holds weights of stage 3 .*, not of stage 2"
    ):
        Pose(weights=weights)


def test_stages_of_different_joints_are_no_cascade(weights, tmp_path):
    write_weights(tmp_path / "upper", skeleton=UPPER_BODY)
    (weights / "stage2.safetensors").write_bytes((tmp_path / "upper/stage2.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=r"stage2\.safetensors holds weights of stage 2 for upper-body"):
        Pose(weights=weights)


@pytest.mark.parametrize("closed", ["stage2.safetensors", "."])
def test_weights_that_one_may_not_read_are_not_called_missing(closed):
    with open_folder() as folder:
        paths = write_weights(folder / "weights")
        (folder / "weights" / closed).chmod(0)
        with as_somebody(), pytest.raises(WeightsError, match=r"stage\d\.safetensors can't be read: Perm"):
            load_cascade(paths)
