"""The page of web/ in a real browser, beside what Python says of the same photos."""

import json
import math
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import pairwise

import cv2
import numpy as np
import pytest
from browser import BROWSER, Browser
from project import ROOT

from deeppose.cascade.crops import crop
from deeppose.cli import main as cli
from deeppose.cli.demo import demo, server_of
from deeppose.cli.export import sample_photos
from deeppose.core.errors import ExportError, OutputError
from deeppose.deploy import web
from deeppose.deploy.export import PACKAGES
from deeppose.deploy.photo import read_photo
from deeppose.deploy.pose import Pose

MODELS = {"lsp": 14, "flic": 10}
PHOTOS = ("synthetic person", "synthetic scene")
HEAD_TOP = 13
NEAR = 0.5
"""Pixels between a joint in the browser and the same by Python."""
SAME = 0.01
"""The same where both start from one box or pose."""
MOST_BYTES = 45e6
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


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page's folder, with the published networks."""
    lacking = [name for name in ("npm",) if shutil.which(name) is None]
    lacking += [name for name in PACKAGES if find_spec(name) is None]
    if lacking or BROWSER is None:
        pytest.skip(f"{', '.join(lacking) or 'Chromium'} is not installed")
    folder = tmp_path_factory.mktemp("web") / "page"
    try:
        size = web.write_page(folder, sample_photos())
    except ExportError as error:
        if "registry" not in str(error):
            raise
        pytest.skip(str(error))
    assert size < MOST_BYTES
    return folder


@pytest.fixture(scope="session")
def address(page):
    """Of the page, as `deeppose demo` serves it."""
    with server_of(page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser(address, tmp_path_factory):
    shown = Browser(tmp_path_factory.mktemp("profile"), 1280, 900)
    shown.address = address
    yield shown
    shown.close()


@pytest.fixture
def filmed(page, address, tmp_path):
    """A browser whose camera sees the synthetic person; the page may use it."""
    film = tmp_path / "film.mjpeg"
    film.write_bytes((page / "samples" / "synthetic person.jpg").read_bytes())
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    shown = Browser(tmp_path / "profile", 1280, 900, camera)
    shown.permit("camera", "granted", address)
    shown.open(address)
    shown.wait("window.deeppose !== undefined")
    yield shown
    assert shown.errors == []
    shown.close()


@pytest.fixture
def opened(browser):
    """The browser with the page anew; in the end nobody complained and nothing was asked of others."""
    browser.resize(1280, 900)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(browser.address)
    browser.wait("window.deeppose !== undefined")
    yield browser
    assert browser.errors == []
    own = ("data:", "blob:", browser.address)
    assert [address for address in browser.requests if not address.startswith(own)] == []


def upload(browser, path):
    browser.upload("#file", path)
    browser.wait(f"document.querySelector('#status').textContent.startsWith({json.dumps(path.name + ': ')})")


def at_stage(browser, number):
    browser.run(f"stage.value = {number}; stage.dispatchEvent(new Event('input'))")
    return browser.run("document.querySelector('#story').textContent")


def poses(browser):
    return browser.run("deeppose.people.map(({stages}) => stages.map(({pose}) => pose))")


def on_screen(browser, place):
    """Where a place of the photo is in the window."""
    x, y = place
    return browser.run(
        "(() => { const a = picture.getBoundingClientRect(), { width, height } = deeppose.photo;"
        f"return [a.left + ({x} + 0.5) * a.width / width, a.top + ({y} + 0.5) * a.height / height] }})()"
    )


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
    found = opened.run("deeppose.people")
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(expected, found, strict=True):
        stages = np.array([stage["pose"] for stage in theirs["stages"]])
        assert stages.shape == (3, MODELS[model], 2)
        np.testing.assert_allclose(stages, list(ours["stages"].values()), rtol=0, atol=NEAR)
        sure = [confidence for *_, confidence in ours["keypoints"]]
        np.testing.assert_allclose(theirs["confidences"], sure, rtol=0, atol=0.01)
        assert theirs["score"] == pytest.approx(ours["score"], abs=0.001)


@pytest.mark.parametrize("model", MODELS)
def test_each_stage_makes_of_the_same_what_it_makes_in_python(opened, page, model):
    """Also where little in the one before makes much in the next: of a photo that shows no legs."""
    opened.run(f"document.querySelector('[value={model}]').click()")
    upload(opened, page / "samples" / "astronaut.jpg")
    (found,) = opened.run("deeppose.people")
    first, *later = (np.array([stage["pose"]]) for stage in found["stages"])
    photo, box = read_photo(page / "samples" / "astronaut.jpg").pixels, np.array([found["box"]])
    cascade = Pose(model).cascade
    np.testing.assert_allclose(first, cascade.initial(photo, box).poses, rtol=0, atol=SAME)
    for stage, (before, after) in enumerate(pairwise([first, *later]), start=2):
        expected = cascade.refine(stage, photo, before, box).poses
        np.testing.assert_allclose(after, expected, rtol=0, atol=SAME)


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


def test_a_frame_of_the_camera_is_a_photo(filmed):
    filmed.run("camera.click()")
    filmed.wait("document.activeElement.id === 'take'")
    assert filmed.run("video.srcObject.active && picture.hidden")
    filmed.press("Enter")
    filmed.wait("document.querySelector('#status').textContent == 'The camera’s frame: 1 person.'")
    assert filmed.run("video.srcObject === null && preview.hidden && !picture.hidden"), "its light goes out"
    assert len(poses(filmed)) == 1


def test_a_camera_can_be_left_without_a_photo(filmed):
    filmed.run("camera.click()")
    filmed.wait("document.activeElement.id === 'take'")
    filmed.run("cancel.click()")
    assert filmed.run("video.srcObject === null && preview.hidden && document.activeElement.id === 'camera'")


def test_a_camera_that_may_not_be_used_is_said(filmed, address):
    filmed.permit("camera", "denied", address)
    filmed.run("camera.click()")
    said = filmed.wait("document.querySelector('#status.error')?.textContent")
    assert said.startswith("The camera may not be used: allow it")
    assert filmed.run("preview.hidden && !picture.hidden")


def test_where_there_is_no_camera_that_is_said(opened, address):
    opened.permit("camera", "granted", address)
    opened.run("camera.click()")
    said = opened.wait("document.querySelector('#status.error')?.textContent")
    assert said == "No camera was found: connect one, or choose a photo."


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


def test_the_slider_goes_from_the_box_to_the_last_stage(opened, page):
    upload(opened, page / "samples" / "synthetic person.jpg")
    told = [at_stage(opened, number) for number in range(4)]
    assert len(set(told)) == 4
    assert "b⁰ has its centre" in told[0]
    assert "(Eq. 5)" in told[1]
    assert "σ·diam" in told[2]
    sizes = []
    for number in range(4):
        at_stage(opened, number)
        sizes.append(opened.run("document.querySelector('#crop').width"))
    assert sizes == [128, 128, 96, 96], "the crops that the networks see"
    lit = opened.run("[...document.querySelectorAll('.lit')].map((term) => term.closest('dd').id)")
    assert set(lit) == {"eq6", "eq7", "eq8"}


def test_a_joint_is_chosen_by_a_click_or_by_name(opened, page):
    upload(opened, page / "samples" / "synthetic person.jpg")
    place = on_screen(opened, poses(opened)[0][2][HEAD_TOP])
    opened.drag(place, place)
    assert "The head top was at" in opened.run("document.querySelector('#story').textContent")
    opened.run("joint.value = 6; joint.dispatchEvent(new Event('input'))")
    assert "The right wrist was at" in opened.run("document.querySelector('#story').textContent")


def test_what_is_dragged_is_refined_anew_and_can_be_undone(opened, page):
    upload(opened, page / "samples" / "synthetic person.jpg")
    (before,) = poses(opened)
    at_stage(opened, 2)
    dragged = [before[0][HEAD_TOP][0] + 20, before[0][HEAD_TOP][1] + 10]
    opened.drag(on_screen(opened, before[0][HEAD_TOP]), on_screen(opened, dragged))
    opened.wait(f"deeppose.people[0].stages[1].pose[{HEAD_TOP}][0] != {before[1][HEAD_TOP][0]}")
    (after,) = poses(opened)
    np.testing.assert_allclose(after[0][HEAD_TOP], dragged, atol=1)
    assert math.dist(after[1][HEAD_TOP], before[1][HEAD_TOP]) < 11, "stage 2 learned to correct"
    opened.run("reset.click()")
    assert poses(opened) == [before]

    at_stage(opened, 0)
    centre = opened.run("deeppose.people[0].box.slice(0, 2)")
    opened.drag(on_screen(opened, centre), on_screen(opened, [centre[0] + 20, centre[1]]))
    opened.wait(f"deeppose.people[0].stages[0].pose[0][0] != {before[0][0][0]}")


def test_the_keyboard_moves_what_the_mouse_moves(opened, page):
    upload(opened, page / "samples" / "synthetic person.jpg")
    box = opened.run("deeppose.people[0].box")
    at_stage(opened, 0)
    opened.run("picture.focus()")
    opened.press("ArrowRight")
    opened.press("ArrowDown", shift=True)
    assert opened.run("deeppose.people[0].box") == [box[0] + 1, box[1] + 10, *box[2:]]


def test_on_a_telephone_nothing_sticks_out(opened, page):
    opened.resize(390, 844)
    upload(opened, page / "samples" / "synthetic scene.jpg")
    assert opened.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


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
    with pytest.raises(ExportError, match="is not the pinned one"):
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


@pytest.mark.parametrize("arguments", [[], ["-o", "here", "--web", "there"]])
def test_export_takes_one_folder(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["deeppose", "export", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "either by -o for networks or by --web for a page" in capsys.readouterr().err
