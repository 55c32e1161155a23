import csv
import json
import os
from pathlib import Path

import archives
import numpy as np
import pytest
from lsp_archive import PERSON, write_lsp_archive
from scipy.io import savemat

from deeppose.core.errors import AnnotationError, MissingArchiveError, PredictionsError
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY
from deeppose.data.coco_results import COCO
from deeppose.data.pose_set import PoseSet
from deeppose.data.registry import read_set
from deeppose.evaluation.score import score

MIRROR = Path(os.environ.get("DEEPPOSE_MIRROR") or Path(__file__).parents[3] / "shared" / "datasets")
EXPECTED = MIRROR / "predictions" / "expected.csv"
TOLERANCE = 0.006  # expected.csv has two decimals


def joint(name):
    return FULL_BODY.joints.index(name)


@pytest.fixture
def truth():
    """Eight poses, the last four the test part, shifted so that no joint stays where it is."""
    return PERSON + 5.0 * np.arange(8)[:, None, None]


@pytest.fixture
def folder(tmp_path, truth):
    write_lsp_archive(tmp_path / "mirror", truth)
    return tmp_path / "mirror"


def scored(tmp_path, folder, poses, labels="pc"):
    path = tmp_path / "predictions.parquet"
    write_poses(path, poses)
    return scored_file("lsp", path, labels, folder)


def scored_file(name, path, labels, folder):
    return score(read_set(name, [folder], labels), path, labels)


def test_the_test_part_itself_scores_one(tmp_path, folder, truth):
    kinds = ["wrist", "elbow", "shoulder", "hip", "knee", "ankle"]
    limbs = ["arm_upper", "arm_lower", "leg_upper", "leg_lower", "ave"]
    result = scored(tmp_path, folder, truth[4:])
    assert result.rates == {
        "dataset": "lsp",
        "labels": "pc",
        "n": 4,
        "pcp": dict.fromkeys(limbs, 1.0),
        "pcp_loose": dict.fromkeys(limbs, 1.0),
        "pdj": {t: dict.fromkeys(kinds, 1.0) for t in ("0.1", "0.2", "0.5")},
    }
    assert list(result.rates["pcp"]) == limbs
    assert list(result.rates["pdj"]["0.1"]) == kinds
    assert result.labels == "person-centric as published"
    assert result.not_predicted == ()
    assert result.without_diameter == 0


def test_figures_by_hand(tmp_path, folder, truth):
    predicted = truth[4:].copy()
    lower_arm = np.linalg.norm(PERSON[joint("left wrist")] - PERSON[joint("left elbow")])
    diam = np.linalg.norm(PERSON[joint("left shoulder")] - PERSON[joint("right hip")])
    assert 0.1 * diam < 0.6 * lower_arm < 0.5 * diam
    predicted[0, joint("left wrist"), 0] += 0.6 * lower_arm
    predicted[1, joint("right knee")] = np.nan
    figures = scored(tmp_path, folder, predicted).rates
    assert figures["pcp"] == pytest.approx(
        {"arm_upper": 1, "arm_lower": 7 / 8, "leg_upper": 7 / 8, "leg_lower": 7 / 8, "ave": 29 / 32}
    )
    assert figures["pcp_loose"]["arm_lower"] == 1
    assert figures["pcp_loose"]["leg_upper"] == 7 / 8
    assert figures["pdj"]["0.1"] == {
        "wrist": 7 / 8,
        "elbow": 1,
        "shoulder": 1,
        "hip": 1,
        "knee": 7 / 8,
        "ankle": 1,
    }
    assert figures["pdj"]["0.5"]["wrist"] == 1
    assert figures["pdj"]["0.5"]["knee"] == 7 / 8


def test_labels_are_exchanged_under_observer_centric_ones(tmp_path, folder, truth):
    swapped = truth[4:, list(FULL_BODY.mirrored)]
    for predicted, labels, share in [
        (truth[4:], "pc", 1), (truth[4:], "oc", 0), (swapped, "oc", 1), (swapped, "pc", 0),
    ]:  # fmt: skip
        result = scored(tmp_path, folder, predicted, labels)
        assert result.rates["labels"] == labels
        assert result.rates["pdj"]["0.2"]["wrist"] == share
    assert scored(tmp_path, folder, swapped, "oc").labels == "observer-centric by the rule"


@pytest.mark.parametrize("value", [np.nan, 0.25])
def test_a_joint_that_is_not_predicted_has_no_figures(tmp_path, folder, truth, value):
    predicted = truth[4:].copy()
    predicted[:, joint("left wrist")] = value
    result = scored(tmp_path, folder, predicted)
    assert result.not_predicted == ("left wrist",)
    assert result.rates["pcp"] == {
        "arm_upper": 1, "arm_lower": None, "leg_upper": 1, "leg_lower": 1, "ave": 1,
    }  # fmt: skip
    assert [shares["wrist"] for shares in result.rates["pdj"].values()] == [None] * 3
    assert [shares["elbow"] for shares in result.rates["pdj"].values()] == [1] * 3


def test_a_set_without_legs_and_without_some_labels(tmp_path):
    truth = np.random.default_rng(0).uniform(0, 100, (3, 11, 2))
    labelled = np.ones((3, 11), dtype=bool)
    labelled[1, 6:8] = False
    truth[~labelled] = np.nan
    poseset = PoseSet(
        name="flic",
        archive=Path("FLIC.zip"),
        members=("a", "b", "c"),
        poses=truth,
        labelled=labelled,
        train=np.zeros(3, dtype=bool),
        skeleton=FLIC_LABELLED,
        labels="observer-centric as published",
    )
    predicted = np.nan_to_num(truth)
    predicted[0, 2] += 1000
    write_poses(tmp_path / "p.parquet", predicted)
    result = score(poseset, tmp_path / "p.parquet", "oc")
    assert result.without_diameter == 1
    assert result.rates["n"] == 3
    assert result.rates["pcp"] == pytest.approx(
        {"arm_upper": 1, "arm_lower": 5 / 6, "leg_upper": None, "leg_lower": None, "ave": 11 / 12}
    )
    assert result.rates["pdj"]["0.5"] == {
        "wrist": 3 / 4, "elbow": 1, "shoulder": 1, "hip": 1, "knee": None, "ankle": None,
    }  # fmt: skip


def test_a_file_for_another_number_of_examples(tmp_path, folder, truth):
    with pytest.raises(PredictionsError, match="example is '4'; a whole number from 0 to 3"):
        scored(tmp_path, folder, truth)


def test_a_set_without_a_test_part(tmp_path):
    archives.write_lsp_extended(tmp_path, archives.extended_joints(3))
    with pytest.raises(PredictionsError, match="lsp-extended has no test part"):
        scored_file("lsp-extended", tmp_path / "none.csv", "pc", tmp_path)


def test_no_archive(tmp_path, truth):
    with pytest.raises(MissingArchiveError, match=r"lsp_dataset\.zip"):
        scored(tmp_path, tmp_path, truth[4:])


def test_parse_takes_a_matlab_file_of_its_last_images(tmp_path):
    points = archives.parse_points(103)
    archives.write_parse(tmp_path, points)
    savemat(tmp_path / "p.mat", {"pred": points[..., 100:].transpose(1, 0, 2)})
    result = scored_file("parse", tmp_path / "p.mat", "oc", tmp_path)
    assert result.rates["n"] == 3
    assert result.rates["pcp"] == dict.fromkeys(result.rates["pcp"], 1.0)
    assert result.labels == "observer-centric as published"
    savemat(tmp_path / "p.mat", {"pred": points.transpose(1, 0, 2)})
    with pytest.raises(PredictionsError, match=r"\(2, 14, 103\); \(2, 14, 3\) is expected"):
        scored_file("parse", tmp_path / "p.mat", "oc", tmp_path)


def test_buffy_is_measured_in_lengths_of_its_torso(tmp_path):
    frames = {n: np.array(archives.BUFFY_STICKS) + n for n in range(4)}
    archives.write_zip(tmp_path / "buffy.zip", archives.buffy_members({2: frames}))
    predicted = read_set("buffy", [tmp_path], "oc").poses.copy()
    torso = np.linalg.norm(predicted[0, 6] - predicted[0, 7])
    predicted[0, BUFFY_STICKS.joints.index("left wrist"), 0] += 0.19 * torso
    predicted[1, BUFFY_STICKS.joints.index("right wrist"), 1] += 0.21 * torso
    write_poses(tmp_path / "p.parquet", predicted)
    figures = scored_file("buffy", tmp_path / "p.parquet", "oc", tmp_path).rates
    assert figures["n"] == 4
    assert figures["pdj"]["0.2"] == {
        "wrist": 7 / 8, "elbow": 1, "shoulder": 1, "hip": None, "knee": None, "ankle": None,
    }  # fmt: skip
    assert figures["pcp"]["leg_upper"] is None
    assert figures["pcp"]["arm_upper"] == 1


def test_named_results_are_scored_and_what_looks_wrong_is_said(tmp_path, folder, truth):
    keypoints = np.zeros((4, 17, 3))
    joints = [FULL_BODY.joints.index(name) for name in COCO[5:]]
    keypoints[:, 5:, :2] = truth[4:, joints]
    results = [
        {"image_id": f"im{number:04d}.jpg", "keypoints": values.ravel().tolist(), "score": 0.5}
        for number, values in zip(range(5, 9), keypoints, strict=True)
    ]
    (tmp_path / "r.json").write_text(json.dumps(results[::-1]))
    result = scored_file("lsp", tmp_path / "r.json", "pc", folder)
    assert result.not_predicted == ("neck", "head top")
    assert result.rates["pcp"]["ave"] == result.rates["pdj"]["0.1"]["knee"] == 1
    assert (result.remarks, result.hints) == (("the 17 keypoints are taken for COCO's joints",), ())
    result = scored_file("lsp", tmp_path / "r.json", "oc", folder)
    said = "with left and right exchanged this would be 1.00 (mean PDJ at 0.2, now 0.00)"
    assert result.hints == (said,)


def published_cases():
    if absent():
        return [pytest.param(None, id="absent")]
    with EXPECTED.open(newline="") as file:
        return [pytest.param(row, id=f"{row['file']}-{row['labels']}") for row in csv.DictReader(file)]


def absent():
    files = [EXPECTED, *(MIRROR / name for name in ("lsp_dataset.zip", "lsp-joints-OC.mat", "FLIC.zip"))]
    return ", ".join(str(file) for file in files if not file.is_file())


needs_published = pytest.mark.skipif(bool(absent()), reason=f"not there: {absent()}; set DEEPPOSE_MIRROR")


@pytest.mark.realdata
@needs_published
@pytest.mark.parametrize("row", published_cases())
def test_published_predictions(row):
    result = scored_file(row["dataset"], EXPECTED.parent / row["file"], row["labels"], MIRROR)
    figures = result.rates
    assert (result.remarks, result.hints) == ((), ())
    assert figures["n"] == int(row["n"])
    for column in list(row)[4:]:
        measured, kind = column.split("_", 1)
        shares = {"PCP": figures["pcp"], "PCPloose": figures["pcp_loose"]}.get(measured)
        share = (shares or figures["pdj"][measured.removeprefix("PDJ@")])[kind]
        if row[column] == "":
            assert share is None, column
        else:
            assert 100 * share == pytest.approx(float(row[column]), abs=TOLERANCE), column


@pytest.mark.realdata
@needs_published
def test_flic_has_no_person_centric_labels(tmp_path):
    savemat(tmp_path / "p.mat", {"pred": np.zeros((2, 11, 1016))})
    with pytest.raises(AnnotationError, match="observer-centric labels alone"):
        scored_file("flic", tmp_path / "p.mat", "pc", MIRROR)


@pytest.mark.realdata
def test_the_published_parse_scores_one_on_itself(mirror, tmp_path):
    truth = read_set("parse", [mirror], "oc")
    savemat(tmp_path / "p.mat", {"pred": truth.poses[~truth.train].transpose(2, 1, 0) + 1})
    figures = scored_file("parse", tmp_path / "p.mat", "oc", mirror).rates
    assert figures["n"] == 205
    assert figures["pcp"]["ave"] == figures["pdj"]["0.1"]["wrist"] == 1
