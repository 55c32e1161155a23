import dataclasses
import json

import archives
import numpy as np
import pytest

from deeppose.core.errors import ArchiveError, ImageError
from deeppose.data import check
from deeppose.data.check import check_set, read_all_images
from deeppose.data.registry import Counts, entry_named, read_set


@pytest.fixture
def small_flic(tmp_path, monkeypatch):
    """A FLIC of four people in three frames, one of them in both parts, and an entry that expects it."""
    examples = [archives.flic_example(n, train=n < 2) for n in range(4)]
    examples[3]["filepath"] = examples[0]["filepath"]
    examples[1]["coords"][:, [0, 9]] = [[400, 5], [5, 5]]
    examples[1]["torsobox"] = np.array([3, 4, 9, 17])
    examples[2]["coords"][:] = np.nan
    archives.write_flic(tmp_path, examples)
    entry = dataclasses.replace(entry_named("flic"), counts=Counts(examples=4, train=2, test=2, images=3))
    monkeypatch.setattr(check, "entry_named", lambda name: entry)
    return tmp_path


def test_findings_are_reported(small_flic):
    report = check_set("flic", [small_flic])
    frame = "flic: FLIC/images/a-film-00000000.jpg"
    assert json.loads(json.dumps(report)) == report | {
        "equal_images_in_train_and_test": [{"train": [frame], "test": [frame]}]
    }
    wanted = {
        "dataset": "flic",
        "packing": "unknown packing",
        "labels": "observer-centric as published",
        "examples": 4,
        "train": 2,
        "test": 2,
        "images": 3,
        "smallest_width": 12,
        "largest_width": 12,
        "images_without_example": 0,
        "unexpected_counts": [],
        "examples_without_labels": 1,
        "unlabelled_joints": 11,
        "joints_outside_image": 1,
        "torso_boxes_outside_image": 1,
        "poses_without_diameter": 1,
        "exchanged": {},
    }
    assert {key: report[key] for key in wanted} == wanted


def test_findings_in_buffy_are_reported(tmp_path):
    exchanged = [archives.BUFFY_STICKS[row] for row in (0, 2, 1, 4, 3, 5)]
    members = archives.buffy_members({2: {1: archives.BUFFY_STICKS, 2: exchanged}, 3: {1: exchanged}})
    members |= {f"images/buffy_s5e2/{n:06d}.jpg": archives.jpeg(n) for n in (7, 8)}
    members["overlays/buffy_s5e2_withoverlays/000001.jpg"] = archives.jpeg(1)
    report = check_set("buffy", [archives.write_folder(tmp_path / "buffy", members).parent])
    wanted = {
        "packing": "unknown packing",
        "labels": "observer-centric as published",
        "examples": 3,
        "train": 0,
        "test": 3,
        "images": 3,
        "images_without_example": 2,
        "unexpected_counts": ["3 examples for 748", "3 test examples for 748", "3 images for 748"],
        "joints_outside_image": 0,
        "torso_boxes_outside_image": 0,
        "poses_without_diameter": 0,
        "arms_against_the_naming": 2,
    }
    assert {key: report[key] for key in wanted} == wanted
    assert report == json.loads(json.dumps(report))


def test_wrong_contents_stop(tmp_path):
    archives.write_lsp(tmp_path, archives.lsp_joints(2))
    with pytest.raises(ArchiveError, match="the contents are not those of Leeds Sports Pose"):
        check_set("lsp", [tmp_path])


def test_an_image_that_cannot_be_decoded_stops(tmp_path):
    members = archives.lsp_members(archives.lsp_joints(2)) | {"images/im0002.jpg": b"none"}
    archives.write_zip(tmp_path / "lsp_dataset.zip", members)
    with pytest.raises(ImageError, match=r"lsp_dataset.zip: image images/im0002.jpg"):
        read_all_images(read_set("lsp", [tmp_path], "pc"))


@pytest.mark.realdata
def test_the_published_lsp(mirror, tmp_path):
    report = check_set("lsp", [mirror])
    assert (report["train"], report["test"]) == (1000, 1000)
    assert (report["smallest_width"], report["largest_width"]) == (57, 202)
    assert report["unlabelled_joints"] == report["poses_without_diameter"] == 0
    assert report["joints_outside_image"] == 1
    assert report["equal_images_in_train_and_test"] == []


@pytest.mark.realdata
def test_the_published_lsp_extended(mirror, tmp_path):
    report = check_set("lsp-extended", [mirror])
    assert (report["train"], report["test"]) == (10000, 0)
    assert (report["smallest_width"], report["largest_width"]) == (51, 1723)
    assert report["unlabelled_joints"] == 16787
    assert report["joints_outside_image"] == 20
    # 1705 as published: where the rule exchanges the arms or the legs alone, a diagonal may come or go
    assert report["poses_without_diameter"] == 1540


@pytest.mark.realdata
def test_the_published_flic(mirror, tmp_path):
    report = check_set("flic", [mirror])
    assert (report["examples"], report["images"]) == (5003, 4552)
    assert report["joints_outside_image"] == 13
    assert (report["train"], report["test"]) == (3987, 1016)
    assert report["torso_boxes_outside_image"] == 0
    assert report["examples_without_labels"] == report["unlabelled_joints"] == 0
    assert report["arms_against_the_naming"] == 247
    assert len(report["equal_images_in_train_and_test"]) == 2


@pytest.mark.realdata
def test_the_published_parse(mirror, tmp_path):
    report = check_set("parse", [mirror])
    assert (report["examples"], report["train"], report["test"]) == (305, 100, 205)
    assert report["packing"] == "known other packing: the published files, packed again"
    assert report["joints_outside_image"] == 2
    assert report["unlabelled_joints"] == report["poses_without_diameter"] == 0
    assert report["arms_against_the_naming"] == 14
    assert report["equal_images_in_train_and_test"] == []
