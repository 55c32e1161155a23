"""`deeppose predict` on videos: a video out, or lines by frame."""

import json

import pytest
from small_cascade import photo_pixels

from deeppose.deploy.video import Video, new_video

BY = "by the weights in data/cpu/lsp"


@pytest.fixture
def video(project):
    """v.mp4, of three frames of 90×120 pixels."""
    with new_video(project / "v.mp4", 10.0) as written:
        for _ in range(3):
            written.write(photo_pixels())
    return "v.mp4"


@pytest.mark.parametrize("options", [[], ["--stages"]])
def test_a_video_out_of_a_video(predict, project, video, options):
    status, out, _ = predict(video, *options)
    assert (status, out) == (0, f"v.mp4: 1 person, v-pose.mp4, {BY}\n")
    frames = list(Video(project / "v-pose.mp4"))
    assert len(frames) == 3
    assert max(frames[0].shape) >= 480
    assert Video(project / "v-pose.mp4").rate == 10.0
    assert not [path for path in project.iterdir() if ".part" in path.name]


def test_a_video_as_lines_by_frame(predict, video):
    _, out, _ = predict(video, "photo.png", "--format", "jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["image"], line.get("frame")) for line in lines] == [
        ("v.mp4", 0),
        ("v.mp4", 1),
        ("v.mp4", 2),
        ("photo.png", None),
    ]
    coco = json.loads(predict(video, "--format", "coco")[1])
    assert [result["image_id"] for result in coco] == [0, 1, 2]


def test_a_video_that_is_broken_does_not_cost_the_others_theirs(predict, project):
    (project / "v.mp4").write_bytes(b"no video")
    status, out, err = predict("v.mp4", "photo.png", "-o", "made")
    assert (status, out) == (1, f"photo.png: 1 person, made/photo-pose.png, {BY}\n")
    assert err.splitlines()[0] == "deeppose: v.mp4 is no video that can be decoded"
    assert [path.name for path in (project / "made").iterdir()] == ["photo-pose.png"]


@pytest.mark.parametrize("form", ["coco", "csv"])
def test_frames_and_photos_are_not_numbered_together(predict, video, form):
    status, out, err = predict(video, "photo.png", "--format", form)
    said = f"--format {form} numbers the frames of a video: give it alone, or take jsonl"
    assert (status, out, err) == (1, "", f"deeppose: {said}\n")
