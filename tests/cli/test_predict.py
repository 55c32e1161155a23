"""`deeppose predict` on whatever it is given: people, or a line that says why not."""

import io
import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from project import ROOT, environment
from skimage.data import astronaut
from small_cascade import photo_pixels, write_weights

from deeppose.core.files import sha256
from deeppose.core.skeleton import FULL_BODY, UPPER_BODY

K = len(FULL_BODY.joints)
BY = "by the weights in data/cpu/lsp"
COMMAND = [sys.executable, "-c", "from deeppose.cli.main import main; main()", "predict"]


@pytest.fixture
def found(predict):
    """What `--format json` prints of arguments, the images alone."""

    def run(*arguments):
        status, out, err = predict(*arguments, "--format", "json")
        assert (status, err) == (0, "")
        return json.loads(out)["images"]

    return run


# Pictures


def test_a_picture_is_drawn_for_each_photo(predict, project):
    status, out, err = predict("photo.png", "other.png")
    assert (status, err) == (0, "")
    assert out == f"photo.png: 1 person, photo-pose.png, {BY}\nother.png: 1 person, other-pose.png, {BY}\n"
    for name in ("photo-pose.png", "other-pose.png"):
        assert max(cv2.imread(str(project / name)).shape[:2]) >= 480
    assert not list(project.glob("*.part"))


def test_the_picture_goes_where_it_is_asked_for(predict, project):
    assert predict("photo.png", "-o", "pictures/a.b.png")[0] == 0
    assert cv2.imread(str(project / "pictures" / "a.b.png")) is not None
    assert predict("photo.png", "other.png", "-o", "folder")[0] == 0
    assert sorted(path.name for path in (project / "folder").iterdir()) == [
        "other-pose.png",
        "photo-pose.png",
    ]


def test_the_picture_shows_what_was_predicted(predict, project):
    pictures = []
    for options in ([], ["--box", "40,10,30,40"], ["--stages"], []):
        predict("photo.png", *options)
        pictures.append((project / "photo-pose.png").read_bytes())
    assert len(set(pictures)) == 3
    assert pictures[0] == pictures[3]


def test_a_large_photo_has_a_small_picture(predict, project):
    cv2.imwrite("wide.png", np.zeros((50, 20_000, 3), np.uint8))
    assert predict("wide.png")[0] == 0
    assert cv2.imread("wide-pose.png").shape == (4, 1600, 3)


def test_several_people_are_in_one_picture(predict, project):
    status, out, _ = predict("photo.png", "--box", "0,0,40,60", "--box", "40,50,50,70")
    assert (status, out) == (0, f"photo.png: 2 people, photo-pose.png, {BY}\n")
    assert [path.name for path in project.glob("*pose*")] == ["photo-pose.png"]


# Formats


def test_json_has_everything(predict, project):
    status, out, _ = predict("photo.png", "other.png", "--format", "json")
    assert status == 0
    document = json.loads(out)
    Draft202012Validator(json.loads((ROOT / "docs/prediction.schema.json").read_text())).validate(document)
    assert [one["image"] for one in document["images"]] == ["photo.png", "other.png"]
    assert (document["model"], document["labels"]) == ("lsp", "observer-centric")
    assert document["joints"] == list(FULL_BODY.joints)
    weights = {f"stage {s}": sha256(project / f"data/cpu/lsp/stage{s}.safetensors") for s in (1, 2, 3)}
    assert document["weights"] == weights
    (person,) = document["images"][0]["people"]
    assert person["box"] == [0, 0, 90, 120]
    assert person["score"] is None, "the paper's network doesn't say how sure it is"
    assert np.array(person["stages"]["stage 3"]).shape == (K, 2)
    assert not list(project.glob("*-pose.png")), "pictures are drawn only with -o"
    assert predict("photo.png", "--format", "json", "-o", "drawn.png")[0] == 0
    assert (project / "drawn.png").is_file()


def test_every_format(predict, found):
    images = found("photo.png", "other.png")
    poses = [np.array(image["people"][0]["keypoints"], dtype=float)[:, :2] for image in images]
    lines = predict("photo.png", "other.png", "--format", "jsonl")[1].splitlines()
    assert [json.loads(line)["people"] for line in lines] == [image["people"] for image in images]
    coco = json.loads(predict("photo.png", "other.png", "--format", "coco")[1])
    assert [result["image_id"] for result in coco] == ["photo.png", "other.png"]
    np.testing.assert_allclose(np.reshape(coco[1]["keypoints"], (K, 3))[:, :2], poses[1])
    rows = predict("photo.png", "other.png", "--format", "csv")[1].splitlines()
    assert rows[0] == "example,joint,x,y"
    assert [float(value) for value in rows[1 + K].split(",")[2:]] == poses[1][0].tolist()


def test_person_centric_labels_are_said(predict, project):
    params = (project / "params.yaml").read_text().replace("labels: oc ", "labels: pc ", 1)
    (project / "params.yaml").write_text(params)
    assert json.loads(predict("photo.png", "--format", "json")[1])["labels"] == "person-centric"


# Boxes


def test_a_box_counts_its_first_column_from_0(found):
    whole, given, other = (
        found("photo.png", *box)[0]["people"][0]
        for box in ([], ["--box", "0,0,90,120"], ["--box", "10.5, 20, 40, 60"])
    )
    assert given == whole
    assert other["box"] == [10.5, 20, 40, 60]
    assert other["stages"] != whole["stages"]


def test_each_box_has_its_person_in_their_order(found):
    (image,) = found("photo.png", "--box", "40,50,50,70", "--box", "0,0,40,60")
    assert [person["box"] for person in image["people"]] == [[40, 50, 50, 70], [0, 0, 40, 60]]


@pytest.mark.parametrize("box", ["90,0,10,10", "0,120,10,10", "-20,5,20,20", "5,-9,20,9"])
def test_a_box_outside_the_photo_is_refused(predict, box):
    status, out, err = predict("photo.png", f"--box={box}")
    said = f"the box {box} lies outside the image, which is 90×120 pixels"
    assert (status, out, err) == (1, "", f"deeppose: photo.png: {said}\n")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("nan,0,10,10", "X is nan, not from -1e+06 to 1e+06"),
        ("0,-inf,10,10", "Y is -inf, not from -1e+06 to 1e+06"),
        ("0,0,1e160,10", "W is 1e+160, not from 1 to 1e+06"),
        ("0,0,10,1e-307", "H is 1e-307, not from 1 to 1e+06"),
    ],
)
def test_a_box_that_no_photo_has(predict, box, said):
    status, out, err = predict("photo.png", f"--box={box}", "--format", "json")
    assert (status, out, err) == (1, "", f"deeppose: --box {box}: {said}\n")


# Several inputs


def test_a_broken_one_does_not_cost_the_others_theirs(predict, project):
    (project / "broken.png").write_bytes(b"no image")
    names = ["photo.png", "broken.png", "other.png", "none.png"]
    status, out, err = predict(*names)
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["photo.png", "other.png"]
    assert err.splitlines() == [
        "deeppose: broken.png is no image that can be decoded (8 bytes)",
        "deeppose: none.png can't be read: No such file or directory",
        "deeppose: 2 of 4 inputs failed: broken.png, none.png",
    ]
    assert (project / "photo-pose.png").is_file()
    assert (project / "other-pose.png").is_file()
    counted = {
        "json": lambda text: [one["image"] for one in json.loads(text)["images"]],
        "jsonl": lambda text: [json.loads(line)["image"] for line in text.splitlines()],
        "coco": lambda text: [one["image_id"] for one in json.loads(text)],
        "csv": lambda text: [line.split(",")[0] for line in text.splitlines()[1::K]],
    }
    for form, names_in in counted.items():
        status, out, _ = predict(*names, "--format", form)
        assert (status, names_in(out)) == (1, ["photo.png", "other.png"])


def test_a_folder_a_pattern_and_standard_input(predict, project, monkeypatch):
    (project / "day").mkdir()
    for name in ("b", "a"):
        (project / f"day/{name}.png").write_bytes((project / "photo.png").read_bytes())
    _, out, _ = predict("day", "oth*.png", "--format", "jsonl")
    assert [json.loads(line)["image"] for line in out.splitlines()] == ["day/a.png", "day/b.png", "other.png"]
    data = (project / "photo.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert predict("-")[:2] == (0, f"-: 1 person, stdin-pose.png, {BY}\n")
    assert (project / "stdin-pose.png").is_file()


def test_a_photo_may_come_through_a_pipe(project):
    for name in ("/dev/stdin", "-"):
        done = subprocess.run(
            [*COMMAND, name, "--format", "json"],
            input=(project / "photo.png").read_bytes(),
            env=environment(ROOT),
            capture_output=True,
            check=False,
        )
        assert done.stderr == b""
        assert json.loads(done.stdout)["images"][0]["image"] == name


@pytest.mark.parametrize(
    "arguments",
    [
        ["photo.png", "-o", "photo.png"],
        ["photo.png", "-o", "./linked.png"],
        ["photo.png", "photo-pose.png"],
        ["*.png"],
    ],
)
def test_a_picture_never_takes_the_place_of_an_input(predict, project, arguments):
    (project / "linked.png").symlink_to("photo.png")
    cv2.imwrite("photo-pose.png", photo_pixels())
    before = {path.name: path.read_bytes() for path in project.glob("*.png")}
    status, out, err = predict(*arguments)
    assert (status, out) == (1, "")
    assert "which is one of the inputs" in err
    assert len(err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in project.glob("*.png")} == before


def test_where_no_picture_is_drawn_none_is_in_the_way(predict, project):
    cv2.imwrite("photo-pose.png", photo_pixels())
    assert predict("photo.png", "photo-pose.png", "--format", "json")[0] == 0
    assert len(json.loads(predict("photo.png", "./photo.png", "--format", "json")[1])["images"]) == 2


def test_a_long_name(predict, project):
    name = "a" * 246
    (project / f"{name}.png").write_bytes((project / "photo.png").read_bytes())
    assert predict(f"{name}.png")[0] == 0
    assert (project / f"{name}-pose.png").is_file()


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


def test_the_box_is_the_face_enlarged_as_in_training(found, faces):
    (image,) = found("one.png", "--model", "flic")
    (person,) = image["people"]
    face, box = np.array(person["face"]["box"]), np.array(person["box"])
    assert 0.5 < person["face"]["score"] <= 1
    # The astronaut's face, from its first column and row.
    np.testing.assert_allclose(face, [180, 60, 90, 120], atol=15)
    np.testing.assert_allclose(box[2:], SCALE * face[2:])
    np.testing.assert_allclose(box[:2] + (box[2:] - 1) / 2, face[:2] + (face[2:] - 1) / 2)
    (again,) = found("one.png", "--model", "flic", "--box", ",".join(map(repr, person["box"])))[0]["people"]
    np.testing.assert_allclose(again["stages"]["stage 3"], person["stages"]["stage 3"], atol=1e-6)
    assert "face" not in again


def test_all_faces_are_in_one_picture_the_most_confident_first(predict, found, faces):
    status, out, _ = predict("two.png", "one.png", "--model", "flic")
    by = "by the weights in data/cpu/flic"
    assert status == 0
    assert out == f"two.png: 2 people, two-pose.png, {by}\none.png: 1 person, one-pose.png, {by}\n"
    first, second = found("two.png", "--model", "flic")[0]["people"]
    assert first["face"]["score"] > second["face"]["score"]
    assert first["face"]["box"][0] > 250 > second["face"]["box"][0]


def test_nobody_found_is_an_answer(predict, found, faces):
    by = "by the weights in data/cpu/flic"
    assert predict("none.png", "--model", "flic") == (0, f"none.png: nobody found, {by}\n", "")
    assert not list(faces.glob("*-pose*"))
    assert found("none.png", "--model", "flic")[0]["people"] == []
    rows = predict("none.png", "--model", "flic", "--format", "csv")[1].splitlines()
    assert rows[1:] == [f"none.png,{joint},," for joint in UPPER_BODY.joints]
    (person,) = found("none.png", "--model", "flic", "--box", "10,20,50,60")[0]["people"]
    assert person["box"] == [10, 20, 50, 60]


def test_a_detector_that_is_not_there_names_what_works(predict, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    status, out, err = predict("photo.png", "--detector", "torchvision")
    assert (status, out) == (1, "")
    assert err == (
        "deeppose: torchvision is not installed: `pip install torchvision`; --detector faces works without\n"
    )


# What can't be done


ERRORS = {
    "no weights": (
        ["photo.png", "--profile", "demo"],
        r"data/demo/lsp/stage1\.safetensors is not there: `dvc repro`",
    ),
    "no profile": (["photo.png", "--profile", "fast"], r"no profile 'fast' here, only cpu, demo, paper"),
    "no model": (["photo.png", "--model", "cat"], r"no model 'cat' here, only lsp"),
    "no photo": (["nothing.jpg"], r"nothing\.jpg can't be read: No such file"),
    "not an image": (["params.yaml"], r"params\.yaml is no image that can be decoded"),
    "no name": ([""], "can't be read: Is a directory"),
    "an address": (["https://example.org/p.jpg"], r"is an address: download it first"),
    "a pattern of nothing": (["*.gif"], r"nothing here matches \*\.gif"),
    "a folder without images": (["profiles"], "profiles is a folder without images"),
    "three numbers": (["photo.png", "--box", "1,2,3"], r"--box '1,2,3' is not X,Y,W,H"),
    "words": (["photo.png", "--box", "a,b,c,d"], r"--box 'a,b,c,d' is not X,Y,W,H"),
    "no width": (["photo.png", "--box", "1,2,0,4"], r"--box 1,2,0,4: W is 0, not from 1 to 1e\+06"),
    "two photos": (
        ["photo.png", "other.png", "-o", "a.png"],
        r"-o a\.png for several inputs: .* give a folder",
    ),
    "one name": (["photo.png", "a/photo.png"], r"of two inputs would both be photo-pose\.png: give one"),
    "no PNG": (["photo.png", "-o", "a.jpg"], r"-o a\.jpg for photo\.png: pictures are \.png, videos \.mp4"),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_in_one_message(predict, project, arguments, message):
    status, out, err = predict(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("deeppose: ")
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
    assert not list(project.glob("*-pose.png"))


@pytest.mark.parametrize("option", [["--format", "xml"], ["--min-confidence", "1.1"], ["--detector", "x"]])
def test_options_that_do_not_exist_are_refused(predict, option):
    status, out, _ = predict("photo.png", *option)
    assert (status, out) == (2, "")


@pytest.mark.parametrize("output", ["folder.png", "photo.png/a.png", "/proc/a.png", f"{'a' * 252}.png"])
def test_an_output_that_can_not_be_written_is_said_before_weights_are_looked_for(predict, project, output):
    (project / "folder.png").mkdir()
    (project / "data").rename("elsewhere")
    status, out, err = predict("photo.png", "-o", output)
    assert (status, out) == (1, "")
    assert f"{output} can't be written: " in err
    assert len(err.splitlines()) == 1


def test_without_params_the_published_weights_predict(predict, project):
    (project / "params.yaml").unlink()
    status, out, _ = predict("photo.png", "--box", "10,10,50,60")
    assert (status, "data/cpu/lsp" in out) == (0, True)
    status, _, err = predict("photo.png", "--profile", "cpu")
    assert status == 1
    assert "params.yaml can't be read" in err
    assert "run this in the project's folder" in err


# What it costs

LARGE = """
import sys
import numpy as np
from PIL import Image
Image.fromarray(np.zeros({shape}, np.uint8)).save("large.jpg")
from deeppose.cli.main import main
sys.argv = ["deeppose", "predict", "large.jpg"]
try:
    main()
except SystemExit as ended:
    (peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(ended.code, int(peak.split()[1]) // 1024)
"""


@pytest.mark.parametrize("shape", [(8000, 8000, 3), (10, 60000, 3), (60000, 10, 3)])
def test_memory_stays_bounded_whatever_the_photo(project, shape):
    done = subprocess.run(
        [sys.executable, "-c", LARGE.format(shape=shape)],
        env=environment(ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    status, megabytes = map(int, done.stdout.split()[-2:])
    assert status == 0, done.stderr
    assert megabytes < 1300
    assert max(cv2.imread("large-pose.png").shape) == 1600


def test_it_sets_up_its_threads(predict):
    torch.set_num_threads(2)
    predict("photo.png")
    assert torch.get_num_threads() == 1
