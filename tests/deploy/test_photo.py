import copy
import json
import re

import cv2
import numpy as np
import pytest
import torch
from project_copy import edited_params
from skimage.data import astronaut
from small_cascade import photo_pixels, write_weights

from deeppose.core.errors import ImageError, WeightsError
from deeppose.core.geometry import image_box
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY, skeleton_of
from deeppose.deploy.photo import load_cascade, read_photo
from deeppose.networks.weights import load_network, save_network

K = len(FULL_BODY.joints)


# The library


def test_a_cascade_gives_a_pose_a_stage(project):
    cascade = load_cascade([project / f"data/cpu/lsp/stage{stage}.safetensors" for stage in (1, 2, 3)])
    photo = photo_pixels()
    poses = cascade.predict(photo, image_box(90, 120))
    assert list(poses) == ["stage 1", "stage 2", "stage 3"]
    with torch.inference_mode():
        crop = torch.from_numpy(cv2.resize(photo, (60, 60), interpolation=cv2.INTER_AREA))
        said = cascade.stages[0][0](crop[None])[0].numpy()
    np.testing.assert_allclose(poses["stage 1"], said * [90, 120] + [44.5, 59.5], rtol=0, atol=0.5)
    side = np.linalg.norm(poses["stage 1"][9] - poses["stage 1"][2])
    moves = (poses["stage 2"] - poses["stage 1"]) / side
    assert 0.01 < np.abs(moves).max() < 0.6, "displacements are in units of the joint boxes' side"


def test_a_box_moves_the_prediction(project):
    cascade = load_cascade(write_weights(project, stages=1))
    black = np.full((200, 200, 3), (120, 110, 100), dtype=np.uint8)
    some = cascade.predict(black, np.array([50.0, 60.0, 40.0, 80.0]))["stage 1"]
    other = cascade.predict(black, np.array([90.0, 70.0, 40.0, 80.0]))["stage 1"]
    np.testing.assert_allclose(other - some, [[40.0, 10.0]] * K, rtol=0, atol=1e-4)


def test_a_photo_is_rgb_and_the_right_way_up(tmp_path):
    pixels = np.zeros((8, 6, 3), dtype=np.uint8)
    pixels[0] = (255, 0, 0)  # blue, as OpenCV writes
    cv2.imwrite(str(tmp_path / "p.png"), pixels)
    photo = read_photo(tmp_path / "p.png").pixels
    assert photo.shape == (8, 6, 3)
    assert photo[0, 0].tolist() == [0, 0, 255]
    assert photo.flags["C_CONTIGUOUS"]
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    # An APP1 block that says "turned by a quarter" (orientation 6).
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + app1 + jpeg[2:])
    assert read_photo(tmp_path / "turned.jpg").pixels.shape == (6, 8, 3)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_what_is_no_photo_is_named(tmp_path, data):
    (tmp_path / "p.jpg").write_bytes(data)
    with pytest.raises(ImageError, match=rf"p\.jpg is no image that can be decoded \({len(data)} bytes\)"):
        read_photo(tmp_path / "p.jpg")


def test_weights_cut_short_are_named(project):
    path = project / "data/cpu/lsp/stage2.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"stage2\.safetensors"):
        load_cascade([project / f"data/cpu/lsp/stage{stage}.safetensors" for stage in (1, 2, 3)])


# Of networks whose outputs are known, the poses can be worked out by hand.

SIGMA, SMALLEST = 1.5, 0.1


def outputs(stage):
    """What the network of a stage says of any image, `(k, 2)` in shares of the box."""
    pose = np.random.default_rng(stage).uniform(-0.4, 0.4, (K, 2))
    if stage == 1:
        pose[[9, 2]] = (-0.15, -0.2), (0.15, 0.2)  # left shoulder, right hip
    return pose.astype(np.float16).astype(np.float64)  # as weights are written


@pytest.fixture
def known(project):
    """The project with weights of known outputs."""
    folder = project / "data" / "cpu" / "lsp"
    paths = write_weights(folder)
    for stage, path in enumerate(paths, start=1):
        network, description = load_network(path)
        with torch.no_grad():
            network.regressor[-1].weight.zero_()
            network.regressor[-1].bias.copy_(torch.from_numpy(outputs(stage).ravel()))
        if stage > 1:
            description |= {"sigma": SIGMA, "smallest_box": SMALLEST}
        save_network(network, description, path)
    return paths


def by_hand(x, y, width, height):
    """The poses after each stage for a box from its first column and row (Eq. 5, 6, 7)."""
    pose = np.array([x + (width - 1) / 2, y + (height - 1) / 2]) + outputs(1) * (width, height)
    poses = {"stage 1": pose}
    for stage in (2, 3):
        side = max(SIGMA * np.linalg.norm(pose[9] - pose[2]), SMALLEST * min(width, height))
        pose = pose + outputs(stage) * side
        poses[f"stage {stage}"] = pose
    return poses


def assert_poses(found, wanted):
    assert list(found) == list(wanted)
    for stage, pose in wanted.items():
        np.testing.assert_allclose(found[stage], pose, rtol=0, atol=1e-3, err_msg=stage)


def test_every_stage_by_hand(known):
    poses = load_cascade(known).predict(photo_pixels(), image_box(90, 120))
    assert_poses(poses, by_hand(0, 0, 90, 120))


def test_a_missing_stage_is_an_error(known, tmp_path):
    with pytest.raises(WeightsError, match=r"stage4\.safetensors is not there"):
        load_cascade([*known, tmp_path / "stage4.safetensors"])


# The command line


def test_a_box_counts_its_first_column_from_0(predict, known):
    found = json.loads(predict("photo.png", "--json", "--box", "20,10,31,40")[1])[0]
    assert found["box"] == [20, 10, 31, 40]
    assert_poses(found["stages"], by_hand(20, 10, 31, 40))


def test_each_photo_has_its_own_full_image(predict, known):
    photo, other = json.loads(predict("photo.png", "other.png", "--json")[1])
    assert_poses(photo["stages"], by_hand(0, 0, 90, 120))
    assert_poses(other["stages"], by_hand(0, 0, 60, 50))


def test_the_picture_shows_what_was_predicted(predict, project):
    predict("photo.png")
    predict("photo.png", "-o", "boxed.png", "--box", "40,10,30,40")
    assert (project / "boxed.png").read_bytes() != (project / "photo-pose.png").read_bytes()


def test_weights_of_all_stages_are_needed(predict, project):
    (project / "data/cpu/lsp/stage3.safetensors").unlink()
    status, out, err = predict("photo.png")
    assert (status, out) == (1, "")
    there = "`python scripts/published.py weights` puts the published one there"
    trains = "`dvc repro` with profile cpu trains it"
    drawn = "--profile demo takes weights that have seen synthetic people alone"
    assert f"data/cpu/lsp/stage3.safetensors is not there: {there}, {trains}; {drawn}" in err


def test_a_profile_names_other_weights(predict, project):
    (project / "data/cpu").rename(project / "data/paper")
    assert predict("photo.png", "--json")[0] == 1
    assert predict("photo.png", "--json", "--profile", "paper")[0] == 0


def test_photos_whose_pictures_would_be_one_file_may_be_printed(predict):
    assert len(json.loads(predict("photo.png", "./photo.png", "--json")[1])) == 2


def test_a_picture_is_drawn_for_each_photo(predict, project):
    status, out, err = predict("photo.png", "other.png")
    assert (status, err) == (0, "")
    by = ", by the weights in data/cpu/lsp"
    assert out == f"photo.png: photo-pose.png{by}\nother.png: other-pose.png{by}\n"
    for name in ("photo-pose.png", "other-pose.png"):
        assert min(cv2.imread(str(project / name)).shape[:2]) > 200
    assert not list(project.glob("*.part"))


def test_the_picture_goes_where_it_is_asked_for(predict, project):
    assert predict("photo.png", "-o", "pictures/a.b.png")[0] == 0
    assert cv2.imread(str(project / "pictures" / "a.b.png")) is not None


def test_the_same_picture_every_time(predict, project):
    pictures = []
    for _ in range(2):
        predict("photo.png")
        pictures.append((project / "photo-pose.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_json_has_every_joint_of_every_stage(predict, project):
    status, out, _ = predict("photo.png", "other.png", "--json")
    assert status == 0
    found = json.loads(out)
    assert [one["image"] for one in found] == ["photo.png", "other.png"]
    assert set(found[0]) == {"image", "box", "joints", "stages", "weights"}
    assert found[0]["joints"] == list(FULL_BODY.joints)
    assert list(found[0]["stages"]) == ["stage 1", "stage 2", "stage 3"]
    assert np.isfinite(np.array(list(found[0]["stages"].values()))).all()
    assert np.array(found[0]["stages"]["stage 3"]).shape == (K, 2)
    assert found[0]["box"] == [0, 0, 90, 120]
    assert not list(project.glob("*-pose.png"))
    assert predict("photo.png", "--json", "-o", "drawn.png")[0] == 0
    assert (project / "drawn.png").is_file()


def test_a_box_is_where_the_person_is(predict):
    whole, given, other = (
        json.loads(predict("photo.png", "--json", *box)[1])[0]
        for box in ([], ["--box", "0,0,90,120"], ["--box", "10.5, 20, 40, 60"])
    )
    assert given == whole
    assert other["box"] == [10.5, 20, 40, 60]
    assert other["stages"] != whole["stages"]


@pytest.mark.parametrize("box", ["90,0,10,10", "0,120,10,10", "-20,5,20,20", "5,-9,20,9"])
def test_a_box_outside_the_photo_is_refused(predict, box):
    status, _, said = predict("photo.png", f"--box={box}")
    assert status != 0
    assert f"--box {box} lies outside photo.png, which is 90×120 pixels" in said


def test_as_many_stages_as_the_params_say(predict, project):
    params = (project / "params.yaml").read_text().replace("cascade_stages: 3", "cascade_stages: 2")
    (project / "params.yaml").write_text(params)
    found = json.loads(predict("photo.png", "--json")[1])
    assert list(found[0]["stages"]) == ["stage 1", "stage 2"]


# A model that was trained on boxes around faces

SCALE = 6.0


@pytest.fixture
def faces(project):
    """The project with such a model, a photo of one face, one of two, and one of none."""
    write_weights(
        project / "data/cpu/flic", skeleton=UPPER_BODY, initial_box={"kind": "face", "scale": SCALE}
    )
    picture = astronaut()[..., ::-1]
    cv2.imwrite("one.png", picture)
    # The second face is blurred: found, and with less confidence.
    blurred = cv2.GaussianBlur(picture, (0, 0), 9)
    cv2.imwrite("two.png", np.concatenate([blurred[:, 100:350], picture[:, 100:350]], axis=1))
    cv2.imwrite("none.png", np.full((90, 120, 3), 128, np.uint8))
    return project


def test_the_box_is_the_face_enlarged_as_in_training(predict, faces):
    status, out, _ = predict("one.png", "--model", "flic", "--json")
    assert status == 0
    (found,) = json.loads(out)
    assert list(found) == ["image", "box", "face", "joints", "stages", "weights"]
    assert found["joints"] == list(UPPER_BODY.joints)
    assert np.array(found["stages"]["stage 3"]).shape == (10, 2)
    face, box = np.array(found["face"]["box"]), np.array(found["box"])
    assert 0.5 < found["face"]["score"] <= 1
    # The astronaut's face, from its first column and row.
    np.testing.assert_allclose(face, [180, 60, 90, 120], atol=15)
    np.testing.assert_allclose(box[2:], SCALE * face[2:])
    np.testing.assert_allclose(box[:2] + box[2:] / 2, face[:2] + face[2:] / 2)
    again = json.loads(
        predict("one.png", "--model", "flic", "--json", "--box", ",".join(map(repr, found["box"])))[1]
    )
    np.testing.assert_allclose(again[0]["stages"]["stage 3"], found["stages"]["stage 3"], atol=1e-6)


def test_a_picture_for_each_face_the_most_confident_first(predict, faces):
    status, out, err = predict("two.png", "one.png", "--model", "flic")
    assert (status, err) == (0, "")
    pictures = {"two-pose-1.png": "two.png", "two-pose-2.png": "two.png", "one-pose.png": "one.png"}
    by = ", by the weights in data/cpu/flic"
    assert out.splitlines() == [f"{photo}: {picture}{by}" for picture, photo in pictures.items()]
    assert sorted(path.name for path in faces.glob("*-pose*.png")) == [
        "one-pose.png",
        "two-pose-1.png",
        "two-pose-2.png",
    ]
    assert (faces / "two-pose-1.png").read_bytes() != (faces / "two-pose-2.png").read_bytes()
    first, second = json.loads(predict("two.png", "--model", "flic", "--json", "-o", "both.png")[1])
    assert first["face"]["score"] > second["face"]["score"]
    assert first["face"]["box"][0] > 250 > second["face"]["box"][0]
    assert first["stages"] != second["stages"]
    assert sorted(path.name for path in faces.glob("both*")) == ["both-1.png", "both-2.png"]


def test_a_photo_without_a_face_does_not_cost_the_others_their_poses(predict, faces):
    status, out, err = predict("none.png", "two.png", "--model", "flic", "--json")
    assert status == 1
    assert [person["image"] for person in json.loads(out)] == ["two.png", "two.png"]
    assert "no face was found in none.png" in err


def test_without_a_face_a_box_is_asked_for(predict, faces):
    status, out, err = predict("none.png", "--model", "flic")
    assert (status, out) == (1, "")
    assert "no face was found in none.png" in err
    assert "--box X,Y,W,H" in err
    status, out, _ = predict("none.png", "--model", "flic", "--json", "--box", "10,20,50,60")
    assert status == 0
    (found,) = json.loads(out)
    assert found["box"] == [10, 20, 50, 60]
    assert "face" not in found


def test_weights_that_say_the_image_or_nothing_take_the_image(project):
    picture = astronaut()
    for described in ({}, {"initial_box": {"kind": "image"}}):
        (person,) = load_cascade(write_weights(project, stages=1, **described)).people(picture)
        assert person.box.tolist() == image_box(512, 512).tolist()
        assert person.face is None


def test_weights_that_are_published_go_before_those_of_drawn_people(predict, project):
    write_weights(project / "data/demo/lsp")
    _, out, _ = predict("photo.png", "--json")
    assert json.loads(out)[0]["weights"] == "data/cpu/lsp"
    _, out, _ = predict("photo.png", "--json", "--profile", "demo")
    assert json.loads(out)[0]["weights"] == "data/demo/lsp"
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("profile: demo", "profile: paper"))
    status, _, err = predict("photo.png", "--json")
    assert status == 1
    assert err.strip().endswith("stage1.safetensors is not there: `dvc repro` with profile paper trains it")


# A model of one's own


@pytest.fixture
def own(project):
    """Params with a profile `horses` and its model, whose boxes labels give; its weights."""
    entry = {"joints": ["nose", "near ear", "off ear"], "pairs": [["near ear", "off ear"]]}
    entry["diameter"] = [["nose", "near ear"]]
    with edited_params(project) as params:
        profile = copy.deepcopy(params["profiles"]["cpu"]) | {"skeletons": {"ears": entry}, "trusted": None}
        for stage in ("stage1", "stage2", "stage3"):
            profile[stage] |= {"steps": {"horses": 9}, "repeated": {}}
        params["profiles"]["horses"] = profile
        model = {"skeleton": "ears", "train": ["horses"], "test": [], "initial_box": "annotation"}
        params["model"]["horses"] = params["model"]["lsp"] | model
    ears = skeleton_of("ears", entry)
    write_weights(project / "data/horses/horses", skeleton=ears, initial_box={"kind": "annotation"})
    return project


def test_the_profile_that_trains_a_model_is_found(predict, own):
    status, out, _ = predict("photo.png", "--model", "horses", "--box", "10,10,50,60", "--json")
    (found,) = json.loads(out)
    assert (status, found["weights"]) == (0, "data/horses/horses")
    assert found["joints"] == ["nose", "near ear", "off ear"]
    # Ours are found as before, whatever the params would run.
    with edited_params(own) as params:
        params |= {"profile": "horses", "models": ["horses"]}
    assert json.loads(predict("photo.png", "--json")[1])[0]["weights"] == "data/cpu/lsp"


def test_a_model_of_labelled_boxes_asks_for_one(predict, own):
    status, _, err = predict("photo.png", "--model", "horses")
    assert (status, "say by --box where it is" in err) == (1, True)


def test_weights_of_a_skeleton_that_has_changed_are_not_taken(predict, own):
    with edited_params(own) as params:
        params["profiles"]["horses"]["skeletons"]["ears"]["joints"] = ["nose", "off ear", "near ear"]
    status, _, err = predict("photo.png", "--model", "horses", "--box", "10,10,50,60")
    assert status == 1
    assert "stage 1 for ears joints, as they were before they were changed, not of stage 1 for ears" in err


def test_weights_of_drawn_people_are_not_taken_for_those_that_are_gone(predict, project):
    """DVC removes what it put there for one profile when it checks another one out."""
    (project / "data/cpu").rename(project / "data/demo")
    status, out, err = predict("photo.png", "--json")
    assert (status, out) == (1, "")
    assert "data/cpu/lsp/stage1.safetensors is not there: `python scripts/published.py weights`" in err
    assert predict("photo.png", "--json", "--profile", "demo")[0] == 0


ERRORS = {
    "no weights": (
        ["photo.png", "--profile", "demo"],
        r"data/demo/lsp/stage1\.safetensors is not there: `dvc repro`",
    ),
    "no profile": (["photo.png", "--profile", "fast"], r"no profile 'fast' here, only cpu, demo, paper"),
    "no model": (["photo.png", "--model", "cat"], r"no model 'cat' here, only lsp"),
    "no photo": (["nothing.jpg"], r"nothing\.jpg can't be read: No such file"),
    "not an image": (["params.yaml"], r"params\.yaml is no image that can be decoded"),
    "three numbers": (["photo.png", "--box", "1,2,3"], r"--box '1,2,3' is not X,Y,W,H"),
    "words": (["photo.png", "--box", "a,b,c,d"], r"--box 'a,b,c,d' is not X,Y,W,H"),
    "no width": (["photo.png", "--box", "1,2,0,4"], r"--box 1,2,0,4: W is 0, not from 1 to 1e\+06"),
    "endless": (["photo.png", "--box", "1,2,inf,4"], r"--box 1,2,inf,4: W is inf, not from"),
    "two photos": (["photo.png", "other.png", "-o", "a.png"], r"-o a\.png names one picture for 2 photos"),
    "one name": (["photo.png", "a/photo.png"], r"of two photos would both be photo-pose\.png: give one"),
    "no PNG": (["photo.png", "-o", "a.jpg"], r"-o a\.jpg: pictures are written as PNG"),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_in_one_message(predict, project, arguments, message):
    status, out, err = predict(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("deeppose: ")
    assert re.search(message, err), err
    assert not list(project.glob("*-pose.png"))


def test_without_params_the_folder_is_wrong(predict, project):
    (project / "params.yaml").unlink()
    status, _, err = predict("photo.png")
    assert status == 1
    assert "params.yaml can't be read" in err
    assert "run this in the project's folder" in err
