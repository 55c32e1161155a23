"""`deeppose predict` on whatever it is given: a pose, or a line that says why not."""

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from project import ROOT, copy_params, environment
from small_cascade import photo_pixels, write_weights
from somebody import as_somebody, open_folder

from deeppose.cli.predict import weights_of
from deeppose.core.errors import ImageError, WeightsError
from deeppose.core.skeleton import UPPER_BODY
from deeppose.deploy.photo import load_cascade, read_photo
from deeppose.networks.weights import load_network, save_network

# Photos


def saved(kind, **options):
    written = io.BytesIO()
    Image.fromarray(photo_pixels()).save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_pictures_the_first_is_taken_and_that_is_said(tmp_path, kind):
    others = [Image.fromarray(255 - photo_pixels())]
    (tmp_path / "photo").write_bytes(saved(kind, save_all=True, append_images=others))
    photo = read_photo(tmp_path / "photo")
    assert photo.remarks == (f"{tmp_path}/photo holds several pictures: the first is taken",)
    off = [
        np.abs(photo.pixels.astype(int) - pixels).mean() for pixels in (photo_pixels(), 255 - photo_pixels())
    ]
    assert off[0] < off[1] / 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "JPEG"])
def test_of_one_picture_nothing_is_said(tmp_path, kind):
    (tmp_path / "photo").write_bytes(saved(kind))
    assert read_photo(tmp_path / "photo").remarks == ()


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [10, 12])
def test_fewer_bits_in_16_are_not_black(tmp_path, ending, bits):
    levels = photo_pixels().astype(np.uint16) << bits - 8
    cv2.imwrite(str(tmp_path / f"photo{ending}"), levels[..., ::-1])
    photo = read_photo(tmp_path / f"photo{ending}")
    np.testing.assert_array_equal(photo.pixels, photo_pixels())
    assert f"uses {bits} of 16 bits" in photo.remarks[0]


def test_16_bits_are_rounded_down_to_8(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), (photo_pixels().astype(np.uint16) * 257)[..., ::-1])
    assert read_photo(tmp_path / "photo.png").remarks == ()
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png").pixels, photo_pixels())


def truncated(kind):
    return saved(kind)[: len(saved(kind)) // 2]


def too_large():
    written = io.BytesIO()
    Image.new("1", (12000, 12000)).save(written, "PNG")
    return written.getvalue()


UNDECODED = r"is no image that can be decoded \(\d+ bytes\)"
UNREADABLE = {
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(90), f"{UNDECODED}: it is HEIC, save it as JPEG or PNG"),
    "half a PNG": (truncated("PNG"), UNDECODED),
    "half a JPEG": (truncated("JPEG"), UNDECODED),
    "half a WebP": (truncated("WEBP"), UNDECODED),
    "fractions": (
        cv2.imencode(".pfm", photo_pixels()[..., 0].astype(np.float32))[1].tobytes(),
        "holds float32, not 8 or 16 bits a colour",
    ),
    "too many pixels": (too_large(), "is 12000×12000 pixels, more than 32 million of its format"),
}


@pytest.mark.parametrize(("data", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_taken_is_named(tmp_path, capfd, data, said):
    (tmp_path / "photo").write_bytes(data)
    with pytest.raises(ImageError, match=f"photo {said}"):
        read_photo(tmp_path / "photo")
    assert capfd.readouterr().err == ""


def test_a_file_without_end(monkeypatch):
    monkeypatch.setattr("deeppose.deploy.photo.MOST_BYTES", 1_000_000)
    with pytest.raises(ImageError, match=r"/dev/zero has more than 1 MB"):
        read_photo(Path("/dev/zero"))


def test_a_photo_may_come_through_a_pipe(project):
    command = [sys.executable, "-c", "from deeppose.cli.main import main; main()", "predict", "/dev/stdin"]
    done = subprocess.run(
        [*command, "--json"], input=saved("PNG"), env=environment(ROOT), capture_output=True, check=False
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)[0]["image"] == "/dev/stdin"


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
    width, height = Image.open(project / "large-pose.png").size
    assert max(width, height) < 8000


# Several photos


def test_a_bad_photo_does_not_cost_the_others_theirs(predict, project):
    (project / "broken.png").write_bytes(b"no image")
    status, out, err = predict("photo.png", "broken.png", "other.png", "none.png")
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["photo.png", "other.png"]
    assert err.splitlines() == [
        "deeppose: broken.png is no image that can be decoded (8 bytes)",
        "deeppose: none.png can't be read: No such file or directory",
    ]
    assert (project / "photo-pose.png").is_file()
    assert (project / "other-pose.png").is_file()
    status, out, _ = predict("photo.png", "broken.png", "other.png", "--json")
    assert status == 1
    assert [one["image"] for one in json.loads(out)] == ["photo.png", "other.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["photo.png", "-o", "photo.png"],
        ["photo.png", "-o", "./linked.png"],
        ["photo.png", "photo-pose.png"],
    ],
)
def test_a_picture_never_takes_the_place_of_a_photo(predict, project, arguments):
    (project / "linked.png").symlink_to("photo.png")
    cv2.imwrite("photo-pose.png", photo_pixels())
    before = {path.name: path.read_bytes() for path in project.glob("*.png")}
    status, out, err = predict(*arguments)
    assert (status, out) == (1, "")
    assert "which is one of the photos" in err
    assert len(err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in project.glob("*.png")} == before


def test_where_no_picture_is_drawn_none_is_in_the_way(predict, project):
    cv2.imwrite("photo-pose.png", photo_pixels())
    assert predict("photo.png", "photo-pose.png", "--json")[0] == 0


# Boxes


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
    status, out, err = predict("photo.png", f"--box={box}", "--json")
    assert (status, out, err) == (1, "", f"deeppose: --box {box}: {said}\n")


# Outputs


@pytest.mark.parametrize("output", ["folder.png", "photo.png/a.png", "/proc/a.png", f"{'a' * 252}.png"])
def test_an_output_that_can_not_be_written_is_said_before_weights_are_looked_for(predict, project, output):
    (project / "folder.png").mkdir()
    (project / "data").rename("elsewhere")
    status, out, err = predict("photo.png", "-o", output)
    assert (status, out) == (1, "")
    assert f"{output} can't be written: " in err
    assert len(err.splitlines()) == 1


def test_a_long_name(predict, project):
    name = "a" * 246
    (project / f"{name}.png").write_bytes((project / "photo.png").read_bytes())
    assert predict(f"{name}.png")[0] == 0
    assert (project / f"{name}-pose.png").is_file()


# Weights


def with_a_weight(path, value):
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    state = safetensors.torch.load_file(path)
    state["features.0.bias"][0] = value
    safetensors.torch.save_file(state, path, metadata)


def test_no_weight_that_is_not_finite_gives_a_pose(predict, project):
    with_a_weight(project / "data/cpu/lsp/stage2.safetensors", torch.nan)
    status, out, err = predict("photo.png", "--json")
    assert (status, out) == (1, "")
    assert "stage2.safetensors is no file of our weights or is damaged (features.0.bias is not finite)" in err
    assert "`python scripts/published.py weights`" in err


def test_finite_weights_that_give_no_number_give_no_pose(predict, project):
    for path in weights_of("lsp", None)[0]:
        network, description = load_network(path)
        with torch.no_grad():
            for value in network.parameters():
                value.fill_(60000.0)
        save_network(network, description, path)
    status, out, err = predict("photo.png", "--json")
    assert (status, json.loads(out)) == (1, [])
    assert err == (
        "deeppose: photo.png: stage 1 predicts joints that are not finite: its weights are damaged, or were "
        "trained with too large a learning_rate; they are in data/cpu/lsp\n"
    )


def test_weights_of_another_stage_are_not_taken(predict, project):
    folder = project / "data/cpu/lsp"
    (folder / "stage3.safetensors").write_bytes((folder / "stage2.safetensors").read_bytes())
    status, out, err = predict("photo.png", "--json")
    assert (status, out) == (1, "")
    assert "stage3.safetensors holds weights of stage 2 for full-body joints, not of stage 3" in err


def test_weights_of_another_model_are_not_taken(predict, project):
    write_weights(project / "data/cpu/lsp", skeleton=UPPER_BODY)
    status, out, err = predict("photo.png", "--json")
    assert (status, out) == (1, "")
    assert "holds weights of stage 1 for upper-body joints, not of stage 1 for full-body joints" in err


@pytest.mark.parametrize("closed", ["data/cpu/lsp/stage2.safetensors", "data/cpu/lsp"])
def test_weights_that_one_may_not_read_are_not_called_missing(monkeypatch, closed):
    with open_folder() as folder:
        monkeypatch.chdir(folder)
        copy_params(folder)
        write_weights(folder / "data/cpu/lsp")
        (folder / closed).chmod(0)
        with as_somebody(), pytest.raises(WeightsError, match=r"stage\d\.safetensors can't be read: Perm"):
            load_cascade(weights_of("lsp", "cpu")[0])
