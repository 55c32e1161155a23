"""`deeppose new`: what it writes, what it says, and what it refuses without writing anything."""

import json
import shutil
from functools import partial

import cv2
import horses
import numpy as np
import pytest
from command_line import run_command
from project import ROOT, copy_params

from deeppose.core.params_file import load_params


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_params(tmp_path)
    horses.write(tmp_path)
    return tmp_path


@pytest.fixture
def deeppose(project, monkeypatch, capsys):
    """Run the command line in the project; gives status, output, errors."""

    return partial(run_command, monkeypatch, capsys)


@pytest.fixture
def labelled(project):
    def change(change):
        labels = json.loads((project / "horses.json").read_text())
        change(labels)
        (project / "horses.json").write_text(json.dumps(labels))

    return change


NEW = ("new", "horses", "--coco", "horses.json", "--images", "photos")


def test_the_text_of_the_params_stays_but_for_what_is_run(deeppose, project):
    status, out, _ = deeppose(*NEW)
    assert status == 0
    text, ours = (project / "params.yaml").read_text(), (ROOT / "params.yaml").read_text()
    profile = load_params(ROOT / "params.yaml").profile
    added = text.partition("model:\n")[2].partition("\n\n")[0]
    assert text.replace(f"{added}\n\n", "") == ours.replace(
        f"profile: {profile} ", "profile: horses "
    ).replace("models: [lsp, flic] ", "models: [horses] ")
    params = load_params()
    made, cpu = params.profiles["horses"], params.profiles["cpu"]
    assert (made.network, made.training, made.device) == (cpu.network, cpu.training, cpu.device)
    assert (made.trusted, made.tight_boxes, made.stage2.shrinkage) == (None, (), {})
    assert [made.stage(stage).steps["horses"] for stage in (1, 2, 3)] == [1500, 1000, 500]
    assert params.model["horses"].held_out == 2
    assert f"before it was `profile: {profile}` and `models: [lsp, flic]`" in out


def test_limbs_are_those_of_the_category_and_left_and_right_of_one_kind(deeppose):
    deeppose(*NEW)
    kinds = load_params().profiles["horses"].skeleton_of_set("horses").limb_kinds
    assert {kind: len(limbs) for kind, limbs in kinds.items()} == {
        "nose_withers": 1,
        "withers_tail": 1,
        "withers_front_hoof": 2,
        "tail_hind_hoof": 2,
    }


def test_the_diameter_is_far_and_nearly_always_labelled(deeppose, labelled):
    def hide(labels):
        for annotation in labels["annotations"][:2]:
            annotation["keypoints"][15:] = [0] * 6  # the hind hooves, farthest from the nose

    labelled(hide)
    assert "diameter: nose to tail, " in deeppose(*NEW)[1]


def test_images_are_looked_for_beside_the_labels(deeppose, project):
    (project / "photos").rename(project / "images")
    assert deeppose(*NEW[:4])[0] == 0
    assert load_params().profiles["horses"].datasets["horses"].images == "images"


def test_several_in_an_image_take_the_labelled_boxes(deeppose, labelled):
    labelled(lambda labels: labels["annotations"][1].update(image_id=0))
    out = deeppose(*NEW)[1]
    assert "initial box: the box that is labelled" in out
    assert "deeppose predict PHOTO.jpg --model horses --box X,Y,W,H" in out
    assert load_params().model["horses"].initial_box == "annotation"


def test_params_with_lists_of_lines_are_edited_too(deeppose, project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("models: [lsp, flic] ", "models:\n- lsp\n- flic\n"))
    assert deeppose(*NEW)[0] == 0
    assert load_params().models == ("horses",)


def test_of_a_table(deeppose, project):
    names = ("nose", "near hoof", "off hoof")
    lines = [
        f"photos/{i:02}.jpg,{name},{x},9"
        for i in range(12)
        for name, x in zip(names, (1, 5, 90), strict=True)
    ]
    (project / "horses.csv").write_text("\n".join(["image,joint,x,y", *lines]))
    status, out, _ = deeppose("new", "horses", "--table", "horses.csv")
    assert status == 0
    assert "mirrored: none; give `pairs` if" in out
    assert "limbs: none; give `limbs`" in out
    profile = load_params().profiles["horses"]
    assert profile.skeleton_of_set("horses").joints == names
    assert (profile.datasets["horses"].images, profile.datasets["horses"].test) == (".", 0.2)


def test_of_deeplabcut(deeppose, project):
    for film in ("a", "b"):
        (project / "dlc/labeled-data" / film).mkdir(parents=True)
        shutil.copy(project / "photos/00.jpg", project / "dlc/labeled-data" / film / "00.jpg")
        lines = ["scorer,me,me,me,me", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
        lines.append(f"labeled-data/{film}/00.jpg,1,2,30,40")
        (project / "dlc/labeled-data" / film / "CollectedData_me.csv").write_text("\n".join(lines))
    assert deeppose("new", "horses", "--deeplabcut", "dlc/labeled-data/*/CollectedData_me.csv")[0] == 0
    profile = load_params().profiles["horses"]
    assert profile.datasets["horses"].images == "dlc"
    assert json.loads(deeppose("datasets", "check", "horses", "--json")[1])["images"] == 2


@pytest.mark.parametrize("more", [(), ("--coco", "horses.json", "--table", "horses.csv")])
def test_one_file_of_labels_is_given(deeppose, more):
    assert (
        "give one file of labels, by --coco, --table or --deeplabcut" in deeppose("new", "horses", *more)[2]
    )


@pytest.mark.parametrize(
    ("arguments", "change", "told"),
    [
        (("new", "lsp", *NEW[2:]), None, "there is a model 'lsp' already: take another name"),
        (("new", "parse", *NEW[2:]), None, "there is a data set 'parse' already"),
        (("new", "cpu", *NEW[2:]), None, "there is a profile 'cpu' already"),
        (("new", "../x", *NEW[2:]), None, "should match pattern"),
        (("new", "horses.v2", *NEW[2:]), None, "should match pattern"),
        ((*NEW[:3], "labels.json"), None, "labels.json, a file of labels, is not there"),
        ((*NEW[:5], "pictures"), None, "pictures, the images of horses, is not there"),
        (NEW, lambda labels: labels["categories"][0].update(keypoints=[]), "none of its categories has two"),
        (
            NEW,
            lambda labels: labels["categories"][0].update(skeleton=[[1, 9]]),
            "skeleton has [1, 9], joints are",
        ),
        (
            NEW,
            lambda labels: labels.update(annotations=[]),
            "horses.json labels no joint of the skeleton horses",
        ),
        (
            NEW,
            lambda labels: labels["categories"][0]["keypoints"].__setitem__(3, "left front knee"),
            "has the joint 'left front knee': its counterpart 'right front knee' is missing",
        ),
    ],
)
def test_what_can_not_be_made_is_told_in_a_line_and_writes_nothing(
    deeppose, project, labelled, arguments, change, told
):
    if change:
        labelled(change)
    status, out, err = deeppose(*arguments)
    assert (status, out) == (1, "")
    assert told in err
    assert "Traceback" not in err
    assert (project / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()
    assert sorted(path.name for path in (project / "profiles").iterdir()) == [
        "cpu.yaml",
        "demo.yaml",
        "paper.yaml",
    ]


def test_params_that_are_laid_out_otherwise_are_left_alone(deeppose, project):
    text = (project / "params.yaml").read_text().replace("\nmodel:\n", "\n'model':\n")
    (project / "params.yaml").write_text(text)
    status, _, err = deeppose(*NEW)
    assert (status, "horses can't be written into it" in err) == (1, True)
    assert (project / "params.yaml").read_text() == text
    assert not (project / "profiles/horses.yaml").exists()


def test_a_set_of_ones_own_is_listed_checked_and_scored(deeppose, project):
    deeppose(*NEW)
    out = deeppose("datasets")[1]
    assert "horses: one's own, of profile horses\n  labels: horses.json (coco)\n  images: photos" in out
    found = json.loads(deeppose("datasets", "check", "horses", "--json")[1])
    assert (found["examples"], found["train"], found["test"], found["unlabelled_joints"]) == (12, 10, 2, 0)
    assert found["labels"] == "left and right as labelled"
    tests = [member for member in sorted(path.name for path in (project / "photos").iterdir())]
    truth = dict(zip(tests, horses.poses(12), strict=True))
    from deeppose.cli.options import own_set

    own = own_set("horses")
    drawn = [member for member, train in zip(own.members, own.train, strict=True) if not train]
    np.savez(project / "p.npz", pred=np.array([truth[member] for member in drawn]))
    scored = json.loads(deeppose("score", "horses", "p.npz", "--json")[1])
    assert (scored["n"], scored["pcp"]["ave"], scored["pdj"]["0.1"]["nose"]) == (2, 1.0, 1.0)


def test_a_folder_without_params_has_no_set_of_ones_own(deeppose, project):
    shutil.rmtree(project / "profiles")
    (project / "params.yaml").unlink()
    assert "no data set is called 'horses'" in deeppose("datasets", "check", "horses")[2]
    assert cv2.imread("photos/00.jpg") is not None
