import csv
import io
import json
import re

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from project import ROOT
from stand_in import TEMPLATE

from deeppose.core.skeleton import FULL_BODY
from deeppose.data.coco_results import read_coco_results
from deeppose.data.prediction_files import read_predictions
from deeppose.deploy.people import Face, Person
from deeppose.deploy.results import Found, as_values, lines_of

K = len(FULL_BODY.joints)
ABOUT = {
    "version": "0.1.0",
    "model": "lsp",
    "joints": list(FULL_BODY.joints),
    "limbs": [[limb.start, limb.end] for limb in FULL_BODY.limbs],
    "labels": "observer-centric",
    "weights": {"stage 1": "0" * 64, "stage 2": "f" * 64},
}


def person(shift=0.0, sure=0.75, face=False):
    poses = np.stack([TEMPLATE * 90 + shift, TEMPLATE * 80 + 5 + shift])
    found = Face(np.array([49.5, 19.5, 20.0, 30.0]), 0.9) if face else None
    confidences = None if sure is None else np.full(K, sure)
    return Person(np.array([44.5, 59.5, 90.0, 120.0]), found, poses, sure, confidences)


IMAGES = [
    Found("images/im1001.jpg", 90, 120, [person(), person(7.0, 0.25, face=True)]),
    Found("none.png", 60, 50, []),
    Found('plain, "odd".png', 60, 50, [person(sure=None)]),
]
FRAMES = [Found("v.mp4", 64, 48, [person()], 0), Found("v.mp4", 64, 48, [], 1)]


def written(form, images):
    return "\n".join(lines_of(form, iter(images), ABOUT, FULL_BODY)) + "\n"


@pytest.fixture(scope="module")
def schema():
    loaded = json.loads((ROOT / "docs/prediction.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded)


def test_what_json_has_of_an_image():
    found = as_values(IMAGES[0])
    assert list(found) == ["image", "width", "height", "people"]
    first, second = found["people"]
    assert list(first) == ["box", "score", "keypoints", "stages"]
    assert list(second) == ["box", "score", "face", "keypoints", "stages"]
    assert first["box"] == [0, 0, 90, 120]
    assert second["face"] == {"box": [40, 5, 20, 30], "score": 0.9}
    assert first["keypoints"][3] == [*IMAGES[0].people[0].pose[3], 0.75]
    assert list(first["stages"]) == ["stage 1", "stage 2"]
    assert first["stages"]["stage 2"] == [keypoint[:2] for keypoint in first["keypoints"]]
    assert as_values(FRAMES[1]) == {"image": "v.mp4", "frame": 1, "width": 64, "height": 48, "people": []}


def test_what_is_not_known_is_null():
    (found,) = as_values(IMAGES[2])["people"]
    assert found["score"] is None
    assert [keypoint[2] for keypoint in found["keypoints"]] == [None] * K


@pytest.mark.parametrize("images", [IMAGES, FRAMES, []], ids=["photos", "a video", "nothing"])
def test_json_is_one_document_of_the_schema(schema, images):
    document = json.loads(written("json", images))
    schema.validate(document)
    assert {key: document[key] for key in ABOUT} == ABOUT
    assert document["images"] == [as_values(found) for found in images]


@pytest.mark.parametrize("images", [IMAGES, FRAMES], ids=["photos", "a video"])
def test_jsonl_has_everything_in_each_line(schema, images):
    lines = written("jsonl", images).splitlines()
    assert [json.loads(line) for line in lines] == [as_values(found) | ABOUT for found in images]
    for line in lines:
        schema.validate(json.loads(line))


def test_the_example_of_the_page_is_of_the_schema(schema):
    page = (ROOT / "docs/predict.md").read_text("utf-8")
    document, coco = map(json.loads, re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    schema.validate(document)
    assert set(document) == {*ABOUT, "images"}
    assert set(coco[0]) == set(json.loads(written("coco", IMAGES))[0])


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda document: document.pop("weights"),
        lambda document: document.pop("labels"),
        lambda document: document["images"][0].pop("people"),
        lambda document: document["images"][0].update(peple=[]),
        lambda document: document["images"][0]["people"][0].update(score=1.5),
        lambda document: document["images"][0]["people"][0]["keypoints"].append([1, 2]),
        lambda document: document["images"][0]["people"][0]["box"].pop(),
        lambda document: document["images"][0].update(width="90"),
    ],
)
def test_the_schema_refuses_what_is_not_written(schema, spoilt):
    document = json.loads(written("json", IMAGES))
    spoilt(document)
    assert not schema.is_valid(document)


def test_text_comes_as_images_do():
    seen = []

    def images():
        for found in IMAGES:
            seen.append(found.image)
            yield found

    pieces = lines_of("jsonl", images(), ABOUT, FULL_BODY)
    next(pieces)
    assert seen == [IMAGES[0].image]
    pieces = lines_of("csv", images(), ABOUT, FULL_BODY)
    next(pieces)
    assert seen == [IMAGES[0].image] * 2


def test_coco_is_what_coco_has():
    results = json.loads(written("coco", IMAGES))
    assert [result["image_id"] for result in results] == ["images/im1001.jpg"] * 2 + ['plain, "odd".png']
    first, second, plain = results
    assert (first["category_id"], first["score"], second["score"]) == (1, 0.75, 0.25)
    np.testing.assert_allclose(
        np.reshape(first["keypoints"], (K, 3)), np.column_stack([IMAGES[0].people[0].pose, np.full(K, 0.75)])
    )
    assert (plain["score"], plain["keypoints"][2::3]) == (1.0, [1.0] * K)
    assert [result["image_id"] for result in json.loads(written("coco", FRAMES))] == [0]
    assert json.loads(written("coco", [])) == []


def test_coco_numbers_images_whose_names_are_numbers():
    found = Found("val2017/000000397133.jpg", 9, 9, [person()])
    assert json.loads(written("coco", [found]))[0]["image_id"] == 397133


def test_coco_is_read_by_score(tmp_path):
    (tmp_path / "p.json").write_text(written("coco", IMAGES[:2]))
    poses, _ = read_coco_results(tmp_path / "p.json", ["images/im1001.jpg", "images/none.jpg"], FULL_BODY)
    np.testing.assert_allclose(poses[0], IMAGES[0].people[0].pose)
    assert np.isnan(poses[1]).all()


def test_csv_has_the_most_confident_person_and_misses():
    rows = list(csv.reader(io.StringIO(written("csv", IMAGES))))
    assert rows[0] == ["example", "joint", "x", "y"]
    assert len(rows) == 1 + 3 * K
    assert [row[0] for row in rows[1::K]] == [found.image for found in IMAGES]
    assert rows[1][1] == FULL_BODY.joints[0]
    np.testing.assert_allclose(np.float64([row[2:] for row in rows[1 : K + 1]]), IMAGES[0].people[0].pose)
    assert [row[2:] for row in rows[1 + K : 1 + 2 * K]] == [["", ""]] * K
    assert written("csv", []) == "example,joint,x,y\n"
    assert [line.split(",")[0] for line in written("csv", FRAMES).splitlines()[1::K]] == ["0", "1"]


def test_csv_has_the_most_confident_wherever_it_stands():
    """People in given boxes come in the boxes' order."""
    images = [Found("p.png", 9, 9, [person(7.0, 0.25), person()])]
    assert written("csv", images) == written("csv", [Found("p.png", 9, 9, [person()])])


def test_csv_is_read_by_score(tmp_path):
    (tmp_path / "p.csv").write_text(written("csv", IMAGES[:2]), encoding="utf-8")
    members = ["images/none.png", "images/im1001.jpg"]
    poses = read_predictions(tmp_path / "p.csv", members, FULL_BODY).poses
    np.testing.assert_allclose(poses[1], IMAGES[0].people[0].pose)
    assert np.isnan(poses[0]).all()


def test_a_number_that_is_none_is_never_written():
    spoilt = person()
    spoilt.stages[-1, 0, 0] = np.nan
    for form in ("json", "jsonl", "coco"):
        with pytest.raises(ValueError, match="not JSON compliant"):
            written(form, [Found("p.png", 9, 9, [spoilt])])
