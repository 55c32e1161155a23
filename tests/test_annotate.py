import zipfile

import cv2
import numpy as np
import pytest

from datasets.archives import extended_joints, jpeg, lsp_joints, lsp_members, write_zip
from deeppose.annotate import annotate
from deeppose.datasets.registry import read_set
from deeppose.errors import AnnotationError, ArchiveError, DeepPoseError, ImageError
from deeppose.geometry import image_box
from deeppose.images import Images

# LSP has 6 images, half of them for training; the extended set 4.
SIZES = [(12, 16), (20, 10), (9, 9), (30, 40), (12, 16), (25, 8)]
LSP_IMAGE, EXTENDED_IMAGE = "images/im{:04d}.jpg", "images/im{:05d}.jpg"


def png(colour, width=10, height=10):
    """An image of one colour, RGB, that is stored exactly."""
    pixels = np.full((height, width, 3), colour[::-1], dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def lsp_files(folder, changed=None, joints=None):
    members = lsp_members(lsp_joints(6) if joints is None else joints)
    for number, (width, height) in enumerate(SIZES, start=1):
        members[LSP_IMAGE.format(number)] = jpeg(number, width, height)
    return write_zip(folder / "lsp_dataset.zip", members | (changed or {}))


def extended_files(folder, changed=None, joints=None):
    members = lsp_members(extended_joints(4) if joints is None else joints, digits=5)
    for number in range(1, 5):
        members[EXTENDED_IMAGE.format(number)] = jpeg(100 + number, 14, 18)
    return write_zip(folder / "lspet_dataset.zip", members | (changed or {}))


def annotated(folder, held_out=2, seed=7):
    lsp, extended = (read_set(name, [folder], "pc") for name in ("lsp", "lsp-extended"))
    return annotate([lsp, extended], [lsp], folder / "images.bin", held_out=held_out, seed=seed)


@pytest.fixture
def folder(tmp_path):
    lsp_files(tmp_path)
    extended_files(tmp_path)
    return tmp_path


def test_training_rows_come_first_and_some_of_them_are_held_out(folder):
    table = annotated(folder).examples.table
    assert table["set"].tolist() == ["lsp"] * 3 + ["lsp-extended"] * 4 + ["lsp"] * 3
    assert table["index"].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2]
    assert table["file"].tolist() == [
        *(LSP_IMAGE.format(n) for n in (1, 2, 3)),
        *(EXTENDED_IMAGE.format(n) for n in (1, 2, 3, 4)),
        *(LSP_IMAGE.format(n) for n in (4, 5, 6)),
    ]
    assert sorted(table["part"][:7]) == ["held-out"] * 2 + ["train"] * 5
    assert set(table["part"][7:]) == {"test"}


def test_the_seed_decides_which_are_held_out(folder):
    first, again = (annotated(folder).examples.table["part"].tolist() for _ in range(2))
    assert first == again
    assert any(annotated(folder, seed=s).examples.table["part"].tolist() != first for s in (8, 9, 10))


def test_images_are_packed_as_they_decode_with_the_full_image_as_the_box(folder):
    examples = annotated(folder).examples
    images = Images(folder / "images.bin", examples.table)
    archives = {
        "lsp": zipfile.ZipFile(folder / "lsp_dataset.zip"),
        "lsp-extended": zipfile.ZipFile(folder / "lspet_dataset.zip"),
    }
    for row, example in enumerate(examples.table.itertuples()):
        wanted = decoded(archives[example.set].read(example.file))
        np.testing.assert_array_equal(images[row], wanted)
        np.testing.assert_array_equal(examples.boxes[row], image_box(example.width, example.height))
    assert examples.table[["width", "height"]].to_numpy()[7:].tolist() == [list(size) for size in SIZES[3:]]
    assert (folder / "images.bin").stat().st_size == 3 * (sum(w * h for w, h in SIZES) + 4 * 14 * 18)


def test_poses_are_those_of_the_sets_and_nan_where_unlabelled(folder):
    examples = annotated(folder).examples
    lsp, extended = (read_set(name, [folder], "pc") for name in ("lsp", "lsp-extended"))
    np.testing.assert_array_equal(
        examples.poses, np.concatenate([lsp.poses[:3], extended.poses, lsp.poses[3:]])
    )
    np.testing.assert_array_equal(examples.labelled[3:7], extended.labelled)
    assert not extended.labelled.all()
    np.testing.assert_array_equal(np.isfinite(examples.poses).all(axis=-1), examples.labelled)


def test_mean_colour_by_hand(tmp_path):
    # Training: 3 images of LSP, 10 × 10 each, 4 of the extended set, one of them four times as large.
    colours = [(30, 0, 200), (60, 10, 0), (0, 20, 100), (255, 255, 255), (255, 255, 255), (255, 255, 255)]
    lsp_files(tmp_path, {LSP_IMAGE.format(n): png(c) for n, c in enumerate(colours, start=1)})
    others = {EXTENDED_IMAGE.format(n): png((0, 0, 0)) for n in (1, 2, 3)}
    extended_files(tmp_path, others | {EXTENDED_IMAGE.format(4): png((100, 50, 25), 20, 20)})
    # Over pixels, so that the large one counts fourfold; the test images don't count.
    wanted = [(90 + 400) / 10, (30 + 200) / 10, (300 + 100) / 10]
    assert annotated(tmp_path).mean_colour == pytest.approx(wanted)


def test_an_image_of_two_examples_is_packed_once(folder):
    lsp = read_set("lsp", [folder], "pc")
    twice = lsp.taking(np.array([0, 0, 1, 3, 3]))
    table = annotate([twice], [twice], folder / "images.bin", held_out=1, seed=1).examples.table
    assert table["offset"].nunique() == 3
    assert table["offset"][0] == table["offset"][1]
    assert (folder / "images.bin").stat().st_size == 3 * sum(SIZES[n][0] * SIZES[n][1] for n in (0, 1, 3))


def test_the_report_counts_what_is_odd(tmp_path):
    joints = lsp_joints(6)
    joints[:2] = joints[:2].clip(1, 8)  # within every image
    joints[:2, 5, 0] = (-3, 4)  # one joint of a training image outside
    joints[0, 5, 4], joints[1, 6, 5] = 13, 9  # 12 and 8 from 0, in images 12 wide and 8 high
    joints[:2, 9, 4] = joints[:2, 2, 4]  # one diagonal is 0: not measured by the other one
    lsp_files(tmp_path, joints=joints)
    more = extended_joints(4)
    more[:, 2] = 1
    more[:, :2] = np.arange(28).reshape(14, 2, 1) / 3 + 1
    more[[2, 3], 2, 1] = 0  # no hips
    more[12, 2, [0, 1]] = 0
    extended_files(tmp_path, joints=more)
    found = annotated(tmp_path).report
    assert found["held_out"] == 2
    assert found["equal_images_in_train_and_test"] == 0
    lsp, extended = found["sets"]["lsp"], found["sets"]["lsp-extended"]
    assert (lsp["labels"], lsp["exchanged"]) == ("person-centric as published", {})
    assert lsp["train"] == {
        "examples": 3, "unlabelled_joints": 0, "joints_outside_image": 1, "poses_without_diameter": 0,
    }  # fmt: skip
    assert lsp["test"]["examples"] == 3
    assert lsp["test"]["joints_outside_image"] == 2
    assert extended == {
        "labels": "person-centric as published",
        "exchanged": {},
        "train": {
            "examples": 4, "unlabelled_joints": 4, "joints_outside_image": 0, "poses_without_diameter": 1,
        },
    }  # fmt: skip


def test_equal_images_in_train_and_test_are_found(tmp_path):
    same, other = png((1, 2, 3), 12, 10), png((1, 2, 3), 10, 12)
    lsp_files(tmp_path, {LSP_IMAGE.format(1): same, LSP_IMAGE.format(5): same, LSP_IMAGE.format(6): other})
    extended_files(tmp_path, {EXTENDED_IMAGE.format(3): same})
    report = annotated(tmp_path).report
    assert report["equal_images_in_train_and_test"] == 1
    assert report["equal_images"] == [
        {
            "train": ["lsp: images/im0001.jpg", "lsp-extended: images/im00003.jpg"],
            "test": ["lsp: images/im0005.jpg"],
        }
    ]


def test_an_image_that_does_not_decode_is_named_and_nothing_is_left(tmp_path):
    lsp_files(tmp_path, {LSP_IMAGE.format(5): b"no image"})
    extended_files(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(ImageError, match=r"lsp_dataset\.zip: image images/im0005\.jpg can't be decoded"):
        annotated(tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_an_image_that_is_missing_is_named_and_nothing_is_left(folder):
    lsp, extended = (read_set(name, [folder], "pc") for name in ("lsp", "lsp-extended"))
    with zipfile.ZipFile(folder / "lspet_dataset.zip") as archive:
        kept = {n: archive.read(n) for n in archive.namelist() if n != EXTENDED_IMAGE.format(2)}
    write_zip(folder / "lspet_dataset.zip", kept)
    before = set(folder.iterdir())
    with pytest.raises(ArchiveError, match=r"lspet_dataset\.zip has no member images/im00002\.jpg"):
        annotate([lsp, extended], [lsp], folder / "images.bin", held_out=2, seed=7)
    assert set(folder.iterdir()) == before


def test_a_failure_leaves_the_images_of_the_run_before(folder):
    annotated(folder)
    before = (folder / "images.bin").read_bytes()
    lsp_files(folder, {LSP_IMAGE.format(6): b""})
    with pytest.raises(DeepPoseError, match="im0006"):
        annotated(folder)
    assert (folder / "images.bin").read_bytes() == before


def test_as_many_held_out_as_there_are_is_too_many(folder):
    with pytest.raises(AnnotationError, match="7 held-out images leave nothing of 7 training examples"):
        annotated(folder, held_out=7)
    assert (annotated(folder, held_out=6).examples.table["part"] == "train").sum() == 1


def test_a_set_without_a_test_part_cannot_test(folder):
    lsp, extended = (read_set(name, [folder], "pc") for name in ("lsp", "lsp-extended"))
    with pytest.raises(AnnotationError, match="lsp-extended has no examples to test"):
        annotate([lsp], [extended], folder / "images.bin", held_out=1, seed=7)
    with pytest.raises(AnnotationError, match="lsp has no examples to train"):
        annotate([lsp.taking(np.array([4, 5]))], [lsp], folder / "images.bin", held_out=1, seed=7)
