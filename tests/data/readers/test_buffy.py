import itertools

import archives
import numpy as np
import pytest
from archives import BUFFY_STICKS as STICKS
from hypothesis import given
from hypothesis import strategies as st

from deeppose.core.errors import AnnotationError, ArchiveError
from deeppose.core.geometry import diameter
from deeppose.core.skeleton import BUFFY_STICKS as SKELETON
from deeppose.data.readers.buffy import read_buffy, read_buffy_unnamed, sticks_to_pose

# Of archives.BUFFY_STICKS, 0-based: "left" is the image's right.
POSE = {
    "left shoulder": (74, 54),
    "left elbow": (79, 79),
    "left wrist": (89, 94),
    "right shoulder": (44, 54),
    "right elbow": (39, 79),
    "right wrist": (29, 94),
    "torso top": (59, 49),
    "torso bottom": (59, 99),
    "head top": (60, 19),
    "head bottom": (59, 44),
}


def moved(by):
    return np.array(STICKS, dtype=float) + by


@pytest.fixture
def episodes():
    return {6: {12: STICKS, 7: moved(1)}, 2: {63: moved(2)}}


@pytest.mark.parametrize("top", ["", "Buffy V3/"])
@pytest.mark.parametrize("suffix", ["", "_original"])
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_it_is_read(tmp_path, episodes, top, suffix, packed):
    members = archives.buffy_members(episodes, top, suffix) | {f"{top}overlays/buffy_s5e2/000063.jpg": b""}
    if packed:
        path = archives.write_zip(tmp_path / "buffy_s5e2_stickmen.zip", members)
    else:
        path = archives.write_folder(tmp_path / "Buffy", members)
    pose_set = read_buffy(path)
    assert pose_set.members == tuple(
        f"{top}images/buffy_s5e{episode}{suffix}/{frame:06d}.jpg"
        for episode, frame in [(2, 63), (6, 12), (6, 7)]
    )
    assert dict(zip(SKELETON.joints, map(tuple, pose_set.poses[1].tolist()), strict=True)) == POSE
    np.testing.assert_allclose(pose_set.poses[[0, 2]] - pose_set.poses[1], [[[2, 2]] * 10, [[1, 1]] * 10])
    assert pose_set.labelled.all()
    assert not pose_set.train.any()
    assert pose_set.labels == "observer-centric as published"
    np.testing.assert_allclose(diameter(pose_set.poses, pose_set.labelled, SKELETON), 50)
    np.testing.assert_allclose(pose_set.torso_boxes[1], [59.5, 31.5 + 50 * 5 / 6, 100 / 3, 50])


def test_nobody_may_be_named(tmp_path, episodes):
    path = archives.write_zip(tmp_path / "buffy.zip", archives.buffy_members(episodes))
    named, unnamed = read_buffy(path), read_buffy_unnamed(path)
    assert (unnamed.name, unnamed.torso_boxes) == ("buffy-confidence", None)
    np.testing.assert_array_equal(unnamed.poses, named.poses)


def test_a_torso_without_length_names_nobody(tmp_path):
    sticks = [(60, 50, 60, 50), *STICKS[1:]]
    path = archives.write_zip(tmp_path / "buffy.zip", archives.buffy_members({2: {1: sticks}}))
    assert np.isnan(read_buffy(path).torso_boxes).all()


@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=6)))
def test_the_ends_of_a_stick_come_in_any_order(turned):
    sticks = np.reshape(np.array(STICKS, dtype=float), (6, 2, 2))
    sticks[list(turned)] = sticks[list(turned)][:, ::-1]
    np.testing.assert_array_equal(sticks_to_pose(sticks) - 1, list(POSE.values()))


@given(gap=st.tuples(*[st.floats(-2, 2)] * 2), turned=st.booleans())
def test_an_elbow_is_between_the_two_nearest_ends(gap, turned):
    sticks = np.reshape(np.array(STICKS, dtype=float), (6, 2, 2))
    sticks[2, 0] += gap
    if turned:
        sticks = sticks[:, ::-1]
    elbow = sticks_to_pose(sticks)[SKELETON.joints.index("left elbow")]
    np.testing.assert_allclose(elbow, np.array([80, 80]) + np.array(gap) / 2, atol=1e-9)


def test_a_bowed_head_hangs_from_the_torsos_top():
    sticks = np.reshape(np.array(STICKS, dtype=float), (6, 2, 2))
    sticks[5] = [90, 60], [60, 30]  # the first end is nearer to the torso's bottom
    pose = sticks_to_pose(sticks)
    assert pose[SKELETON.joints.index("head bottom")].tolist() == [60, 30]
    assert pose[SKELETON.joints.index("head top")].tolist() == [90, 60]


def test_a_frame_without_sticks_is_no_example(tmp_path, episodes):
    members = archives.buffy_members(episodes) | {"images/buffy_s5e2/000099.jpg": archives.jpeg(9)}
    assert len(read_buffy(archives.write_zip(tmp_path / "buffy.zip", members)).members) == 3


def test_a_missing_image_is_named_with_its_line(tmp_path, episodes):
    members = archives.buffy_members(episodes)
    del members["images/buffy_s5e6/000007.jpg"]
    message = r"buffy: data/buffy_s5e6_sticks.txt, line 8 annotates .* no images/buffy_s5e6/000007.jpg"
    with pytest.raises(ArchiveError, match=message):
        read_buffy(archives.write_folder(tmp_path / "buffy", members))


def test_a_missing_file_of_sticks_is_named(tmp_path, episodes):
    members = archives.buffy_members(episodes, top="top/")
    del members["top/data/buffy_s5e2_sticks.txt"]
    with pytest.raises(
        ArchiveError, match=r"has top/images/buffy_s5e2/, but no top/data/buffy_s5e2_sticks.txt"
    ):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))
    del members["top/data/buffy_s5e6_sticks.txt"]
    with pytest.raises(ArchiveError, match=r"buffy.zip has no data/buffy_s5eN_sticks.txt"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))


def test_two_copies_in_one_archive_are_refused(tmp_path, episodes):
    members = archives.buffy_members(episodes) | archives.buffy_members(episodes, top="copy/")
    with pytest.raises(ArchiveError, match=r"has both .*data/buffy_s5e.* and .*data/buffy_s5e.*keep one"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))
    members = archives.buffy_members(episodes)
    members["images/buffy_s5e2_original/000063.jpg"] = b""
    with pytest.raises(ArchiveError, match=r"has both images/buffy_s5e2.* and images/buffy_s5e2_original/"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))


def test_one_of_several_files_without_a_frame_is_named(tmp_path):
    members = archives.buffy_members({2: {1: archives.BUFFY_STICKS}}) | {"data/buffy_s5e3_sticks.txt": b""}
    with pytest.raises(AnnotationError, match=r"data/buffy_s5e3_sticks.txt annotates no frame"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))


def test_a_number_of_thousands_of_digits_is_named(tmp_path):
    members = {"data/buffy_s5e2_sticks.txt": b"9" * 5000}
    with pytest.raises(AnnotationError, match=r"sticks.txt, line 1: '9+', expected the number of a frame"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))


def test_no_frame_at_all(tmp_path):
    with pytest.raises(AnnotationError, match=r"data/buffy_s5e2_sticks.txt annotates no frame"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", {"data/buffy_s5e2_sticks.txt": b"\n \n"}))


def line_changed(number, text):
    def change(lines):
        lines[number - 1] = text
        return lines

    return change


NO_STICK = "expected four numbers, x1 y1 x2 y2"
NO_FRAME = "expected the number of a frame"
BAD_FILES = {
    "too few numbers": (
        line_changed(10, "1 2 3"),
        f"line 10: frame 7, left upper arm: '1 2 3', {NO_STICK}",
    ),
    "too many numbers": (line_changed(9, "1 2 3 4 5"), f"line 9: frame 7, torso: '1 2 3 4 5', {NO_STICK}"),
    "a word": (line_changed(7, "1 2 here 4"), f"line 7: frame 12, head: '1 2 here 4', {NO_STICK}"),
    "no finite number": (line_changed(7, "1 2 nan 4"), f"line 7: frame 12, head: '1 2 nan 4', {NO_STICK}"),
    "binary rubbish": (line_changed(3, "\udcff\udcfe 2 3 4"), f"line 3: frame 12, left upper .*{NO_STICK}"),
    "a stick is missing": (lambda lines: lines[:6] + lines[7:], f"line 7: .*, head: '000007', {NO_STICK}"),
    "a stick too many": (lambda lines: [*lines[:7], *lines[6:]], f"line 8: '60.000 .*, {NO_FRAME}"),
    "cut in the middle": (
        lambda lines: lines[:11],
        "line 11: the file ends in the middle of frame 7, after 3 of its 6 sticks",
    ),
    "cut after the number": (lambda lines: lines[:8], "line 8: .* middle of frame 7, after 0 of"),
    "twice the same frame": (line_changed(8, "12"), "line 8: frame 12 has been annotated on line 1 already"),
    "half a frame": (line_changed(8, "12.5"), f"line 8: '12.5', {NO_FRAME}"),
}


@pytest.mark.parametrize(("change", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_line_is_named(tmp_path, episodes, change, message):
    members = archives.buffy_members(episodes)
    file = "data/buffy_s5e6_sticks.txt"
    lines = change(members[file].decode().splitlines())
    members[file] = "\n".join(lines).encode(errors="surrogateescape")
    with pytest.raises(AnnotationError, match=rf"buffy.zip: {file}, {message}"):
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members))


@pytest.mark.parametrize(
    ("start", "ends"), [("", "\r\n"), ("", "\n\n"), ("\ufeff", "\n")], ids=["Windows", "blank lines", "BOM"]
)
def test_other_ways_to_write_lines(tmp_path, episodes, start, ends):
    members = archives.buffy_members(episodes)
    expected = read_buffy(archives.write_zip(tmp_path / "buffy.zip", members)).poses
    for name in members:
        if name.endswith(".txt"):
            members[name] = start.encode() + members[name].replace(b"\n", ends.encode())
    np.testing.assert_array_equal(
        read_buffy(archives.write_zip(tmp_path / "buffy.zip", members)).poses, expected
    )
