"""What can be done on the page of web/, in a real browser."""

import math

import numpy as np
import pytest
from page import at_stage, on_screen, poses, upload

HEAD_TOP = 13

pytestmark = pytest.mark.xdist_group("web")


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
    assert sizes == [384, 384, 288, 288], "1.5 times the crops that the networks see, each pixel 2 wide"
    lit = opened.run("[...document.querySelectorAll('.lit')].map((term) => term.closest('dd').id)")
    assert set(lit) == {"eq6", "eq7", "eq8"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_answer_is_drawn_over_the_crop(opened, page, number):
    """Reddest about where the map is highest, beside the mark: nothing in the crop itself is so red."""
    upload(opened, page / "samples" / "synthetic person.jpg")
    at_stage(opened, number)
    *colours, clear = opened.run(
        f"(() => {{ const map = deeppose.people[0].stages[{number - 1}].maps[joint.value];"
        "const cells = Math.sqrt(map.length), highest = map.indexOf(Math.max(...map)), { width } = crop;"
        "const pixels = crop.getContext('2d').getImageData(0, 0, width, width).data;"
        "const middle = (of) => Math.floor((of + 0.5) * width / cells);"
        "const at = (cell) => 4 * (middle(Math.floor(cell / cells)) * width + middle(cell % cells));"
        "const about = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => highest + y * cells + x));"
        "return [...about, 0].map((cell) => [...pixels.slice(at(cell), at(cell) + 4)]) })()"
    )
    assert max(red - blue for red, _, blue, _ in colours) > 90
    assert clear[3] < 10, "beyond the crop there is nothing but the map"


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


def test_all_controls_are_reached_by_the_keyboard(opened, page):
    upload(opened, page / "samples" / "synthetic person.jpg")
    opened.run("document.activeElement.blur()")
    reached = []
    for _ in range(12):
        opened.press("Tab")
        reached.append(
            opened.run("(({ id, innerText, value }) => id || innerText || value)(document.activeElement)")
        )
    samples = opened.run("[...document.querySelectorAll('#samples button')].map((one) => one.innerText)")
    expected = [
        "file",
        "camera",
        *samples,
        "lsp",
        "picture",
        "person",
        "joint",
        "stage",
        "reset",
        "All joints",
    ]
    assert [name for name in expected if name not in reached] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_jumps(opened, page, width):
    opened.resize(width, 844)
    opened.open(opened.address)
    opened.wait("document.querySelectorAll('#samples button').length > 0")
    upload(opened, page / "samples" / "synthetic person.jpg")
    for number in range(4):
        at_stage(opened, number)
    shift = opened.run(
        "new Promise((told) => { setTimeout(() => told(0), 500);"
        "const all = (list) => list.getEntries().reduce((sum, { value }) => sum + value, 0);"
        "new PerformanceObserver((list) => told(all(list)))"
        ".observe({ type: 'layout-shift', buffered: true }) })"
    )
    assert shift < 0.01


def test_on_a_telephone_nothing_sticks_out(opened, page):
    opened.resize(390, 844)
    upload(opened, page / "samples" / "synthetic scene.jpg")
    assert opened.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
