"""The page of web/ in a real browser, beside what Python says of the same photos."""

import json
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from page import people, poses, upload
from project import ROOT

from deeppose.cascade.crops import crop
from deeppose.cli import main as cli
from deeppose.cli.demo import demo, server_of
from deeppose.cli.export import sample_photos
from deeppose.core.errors import ExportError, OutputError
from deeppose.core.geometry import image_box, pose_boxes
from deeppose.core.skeleton import skeleton_from
from deeppose.deploy import web
from deeppose.deploy.photo import read_photo
from deeppose.deploy.pose import Pose, published_weights
from deeppose.networks.weights import load_stage

MODELS = {"lsp": 14, "flic": 10}
PHOTOS = ("synthetic person", "synthetic scene")
NEAR, FARTHEST = 0.1, 1.0
"""Pixels between a joint in the browser and the same by Python: of 95 % of them, and of all."""
SAME = 0.01
"""The same where both start from one box or pose."""
CROPS = """
import {{ crop }} from "{module}";
import fs from "fs";
const data = fs.readFileSync("photo");
const photo = {{ data, width: {width}, height: {height} }};
const crops = {boxes}.map((box) => crop(photo, box, 96, [113, 111, 106]));
fs.writeFileSync("crops", Buffer.concat(crops));
"""

pytestmark = pytest.mark.xdist_group("web")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


@needs_node
@pytest.mark.parametrize("path", sorted((ROOT / "web").glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_javascript(path):
    subprocess.run(["node", "--check", path], check=True)


@needs_node
def test_crops_are_those_of_python(tmp_path):
    rng = np.random.default_rng(0)
    photo = cv2.imdecode(np.frombuffer(sample_photos()["synthetic scene"], np.uint8), cv2.IMREAD_COLOR)
    height, width, _ = photo.shape
    cv2.cvtColor(photo, cv2.COLOR_BGR2BGRA).tofile(tmp_path / "photo")
    boxes = [[*rng.uniform(0, width, 2), *rng.uniform(5, 700, 2)] for _ in range(60)]
    boxes += [[width / 2, 90.25, 192, 192], [100, 100, 96, 96], [-500, 0, 80, 80]]
    script = CROPS.format(
        module=ROOT / "web" / "crop.js", boxes=json.dumps(boxes), width=width, height=height
    )
    (tmp_path / "crops.mjs").write_text(script)
    subprocess.run(["node", "crops.mjs"], cwd=tmp_path, check=True)
    found = np.fromfile(tmp_path / "crops", np.uint8).reshape(-1, 96, 96, 3)
    expected = np.stack([crop(photo, np.array(box), 96, (113, 111, 106)) for box in boxes])
    assert np.array_equal(found, expected)


@needs_node
def test_boxes_about_poses_are_those_of_python():
    poses = np.random.default_rng(0).uniform(-60, 260, (50, 14, 2)) * np.linspace(0.01, 1, 50)[:, None, None]
    script = f"""
import {{ poseBox }} from "{ROOT / "web" / "cascade.js"}";
const found = {poses.tolist()}.map((pose) => poseBox(pose, 0.165, {{ width: 200, height: 150 }}));
console.log(JSON.stringify(found));
"""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == pose_boxes(poses, 0.165, image_box(200, 150)).tolist()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", PHOTOS)
def test_the_poses_are_those_of_predict(opened, page, monkeypatch, capsys, tmp_path, model, name):
    photo = page / "samples" / f"{name}.jpg"
    opened.run(f"document.querySelector('[value={model}]').click()")
    upload(opened, photo)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["deeppose", "predict", str(photo), "--model", model, "--format", "json"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    expected = json.loads(capsys.readouterr().out)["images"][0]["people"]
    found = people(opened)
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(expected, found, strict=True):
        stages = np.array([stage["pose"] for stage in theirs["stages"]])
        assert stages.shape == (3, MODELS[model], 2)
        apart = np.abs(stages - np.array(list(ours["stages"].values())))
        assert apart[0].max() < NEAR
        assert (apart < NEAR).mean() > 0.95
        assert apart.max() < FARTHEST
        sure = [confidence for *_, confidence in ours["keypoints"]]
        np.testing.assert_allclose(theirs["confidences"], sure, rtol=0, atol=0.01)
        assert theirs["score"] == pytest.approx(ours["score"], abs=0.001)


@pytest.mark.parametrize("model", MODELS)
def test_each_stage_makes_of_the_same_what_it_makes_in_python(opened, page, model):
    """Also where little in the one before makes much in the next: of a photo that shows no legs."""
    opened.run(f"document.querySelector('[value={model}]').click()")
    upload(opened, page / "samples" / "astronaut.jpg")
    (found,) = people(opened)
    first, *later = (np.array([stage["pose"]]) for stage in found["stages"])
    photo, box = read_photo(page / "samples" / "astronaut.jpg").pixels, np.array([found["box"]])
    cascade = Pose(model).cascade
    np.testing.assert_allclose(
        first, cascade.recropped(photo, cascade.initial(photo, box)).poses, rtol=0, atol=SAME
    )
    for stage, (before, after) in enumerate(pairwise([first, *later]), start=2):
        expected = cascade.refine(stage, photo, before, box).poses
        np.testing.assert_allclose(after, expected, rtol=0, atol=SAME)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_maps_are_those_of_python(opened, page, stage):
    """Of the network itself, and of the crop that the page saw."""
    name, joint = "synthetic person", 6
    upload(opened, page / "samples" / f"{name}.jpg")
    seen = f"deeppose.people[0].stages[{stage - 1}]"
    found = np.array(opened.run(f"Array.from({seen}.maps[{joint}])"))
    box = np.array(opened.run(f"{seen}.boxes")[0 if stage == 1 else joint])
    network, description = load_stage(published_weights("lsp")[stage - 1], stage, None)
    photo = read_photo(page / "samples" / f"{name}.jpg").pixels
    crops = torch.from_numpy(crop(photo, box, network.size, network.padding))[None]
    mirrored = skeleton_from(description["skeleton"]).mirrored[joint]
    with torch.inference_mode():
        map_of, map_mirrored = network.eval().maps(crops)[0, joint], network.maps(crops.flip(2))[0, mirrored]
    shares = [logits.flatten().softmax(0).reshape(logits.shape).numpy() for logits in (map_of, map_mirrored)]
    expected = (shares[0] + shares[1][:, ::-1]) / 2
    np.testing.assert_allclose(found, expected.ravel(), rtol=0, atol=1e-4)
    assert found.sum() == pytest.approx(1, abs=1e-4)


def test_it_works_without_threads_on_any_file_server(opened, page):
    assert opened.run("crossOriginIsolated")
    plain = partial(SimpleHTTPRequestHandler, directory=str(page))
    with ThreadingHTTPServer(("127.0.0.1", 0), plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened.open(f"http://127.0.0.1:{server.server_port}/")
        opened.wait("window.deeppose !== undefined && !crossOriginIsolated")
        upload(opened, page / "samples" / "synthetic person.jpg")
        assert len(poses(opened)) == 1
        opened.requests.clear()
        server.shutdown()


def test_each_sample_shows_people(opened):
    for name in sample_photos():
        opened.run(
            f"[...document.querySelectorAll('#samples button')].find((b) => b.innerText == '{name}').click()"
        )
        opened.wait(f"document.querySelector('#status').textContent.startsWith('{name}: ')")
        assert poses(opened)


def test_a_broken_file_is_named_and_the_next_one_works(opened, page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((page / "samples" / "astronaut.jpg").read_bytes()[:300])
    opened.upload("#file", broken)
    said = opened.wait("document.querySelector('#status.error')?.textContent")
    assert said == "broken.jpg is no picture that this browser can decode: save it as JPEG or PNG."
    upload(opened, page / "samples" / "synthetic person.jpg")
    assert opened.run("document.querySelector('#status.error')") is None


def test_mantissas_are_rounded_to_the_nearest_ties_to_even():
    step = 2.0**-16
    given = np.float32([1, 1 + step / 2, 1 + 1.5 * step, -1 - 0.6 * step, 2 - step / 4, 0])
    kept = np.float32([1, 1, 1 + 2 * step, -1 - step, 2, 0])
    np.testing.assert_array_equal(web.rounded(given, 16), kept)
    assert web.rounded(np.float16([1 / 3]), 10) == np.float16(1 / 3)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="no page of ours"):
        web.write_page(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_runtime_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    def packs(command, cwd, **_):
        (cwd / "other.tgz").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, '[{"filename": "other.tgz"}]', "")

    monkeypatch.setattr(web.subprocess, "run", packs)
    monkeypatch.setattr(web.shutil, "which", lambda _: "npm")
    with pytest.raises(ExportError, match="its checksum is"):
        web.write_page(tmp_path / "page", {})
    assert list(tmp_path.iterdir()) == []


def test_demo_shows_a_page_and_needs_one(tmp_path, monkeypatch, capsys):
    with pytest.raises(OutputError, match="deeppose export --web"):
        server_of(tmp_path)
    (tmp_path / "index.html").touch()
    with server_of(tmp_path) as first, pytest.raises(OutputError, match="can't be opened"):
        server_of(tmp_path, first.server_port)
    shown = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda _: None)
    demo(tmp_path)
    assert shown == [capsys.readouterr().out.split()[0]]
    assert shown[0].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("option", [("--model", "flic"), ("--profile", "demo"), ("--stage", "1")])
def test_a_page_is_of_the_published_cascades_alone(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["deeppose", "export", "--web", "there", *option])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "leave out --model, --profile and --stage" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["-o", "here", "--web", "there"]])
def test_export_takes_one_folder(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["deeppose", "export", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "either by -o for networks or by --web for a page" in capsys.readouterr().err
