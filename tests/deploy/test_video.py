import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deeppose.core.errors import ImageError
from deeppose.deploy.video import FRAME_RATE, Video, new_video


def frame(number, width=64, height=48):
    """A colour that goes from red to blue."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[...] = (250 - 60 * (number % 4), 40, 60 * (number % 4))
    return picture


def write(path, count=4, rate=10.0, **size):
    with new_video(path, rate) as video:
        for number in range(count):
            video.write(frame(number, **size))


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "v.mp4")
    video = Video(tmp_path / "v.mp4")
    assert (video.frames, video.rate) == (4, 10.0)
    frames = list(video)
    assert len(frames) == 4
    for number, found in enumerate(frames):
        assert found.dtype == np.uint8
        assert found.flags["C_CONTIGUOUS"]
        np.testing.assert_allclose(found.mean(axis=(0, 1)), frame(number)[0, 0], atol=12)  # RGB
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_an_odd_side_loses_its_last_column_or_row(tmp_path):
    write(tmp_path / "v.mp4", width=65, height=49)
    assert [found.shape for found in Video(tmp_path / "v.mp4")] == [(48, 64, 3)] * 4


def test_a_video_that_fails_leaves_what_was_there(tmp_path):
    def failing():
        with new_video(tmp_path / "v.mp4", 10.0) as video:
            video.write(frame(0))
            raise ImageError("no")

    write(tmp_path / "v.mp4")
    before = (tmp_path / "v.mp4").read_bytes()
    with pytest.raises(ImageError, match="no"):
        failing()
    assert (tmp_path / "v.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_what_a_kill_leaves_is_cleared_away_by_the_next_run(tmp_path):
    code = "import sys, os; sys.path.append(sys.argv[1]); import test_video; from pathlib import Path\n"
    code += "with test_video.new_video(Path(sys.argv[2]), 10.0) as video:\n"
    code += "    video.write(test_video.frame(0)); os.kill(os.getpid(), 9)"
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, here, str(tmp_path / "v.mp4")], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    write(tmp_path / "v.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("data", [b"", b"no video", bytes(5000)])
def test_what_is_no_video_is_named(tmp_path, capfd, data):
    (tmp_path / "v.mp4").write_bytes(data)
    with pytest.raises(ImageError, match=r"v\.mp4 is no video that can be decoded"):
        list(Video(tmp_path / "v.mp4"))
    assert capfd.readouterr().err == ""


def test_half_a_video_is_named(tmp_path):
    write(tmp_path / "v.mp4", count=30)
    data = (tmp_path / "v.mp4").read_bytes()
    (tmp_path / "v.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"v\.mp4 is no video"):
        list(Video(tmp_path / "v.mp4"))


@pytest.mark.parametrize("name", ["none.mp4", "folder.mp4"])
def test_a_video_that_is_not_there_is_named(tmp_path, name):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ImageError, match=rf"{name} is not there, or no file"):
        Video(tmp_path / name)


@pytest.mark.parametrize("rate", [0.0, -1.0, 90000.0])
def test_a_rate_that_no_video_has_is_not_believed(tmp_path, monkeypatch, rate):
    write(tmp_path / "v.mp4")

    class Capture:
        def __init__(self, path):
            pass

        def get(self, what):
            return rate

    monkeypatch.setattr("cv2.VideoCapture", Capture)
    video = Video(tmp_path / "v.mp4")
    assert video.rate == FRAME_RATE
    assert video.frames >= 0
