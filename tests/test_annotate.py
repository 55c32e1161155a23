import re
import zipfile

import archives
import numpy as np
import pytest

from deeppose.annotate import annotate
from deeppose.datasets.registry import read_set
from deeppose.errors import AnnotationError, ArchiveError, GeometryError, ImageError, MissingArchiveError
from deeppose.examples import TORSO_COLUMNS, choose_held_out, read_examples, write_examples
from deeppose.geometry import diameter, image_box, joint_box_sides, normalise
from deeppose.images import Images
from deeppose.skeleton import FLIC_LABELLED, FULL_BODY, Skeleton

WIDTH, HEIGHT = 12, 16  # of the archives' images


@pytest.fixture
def joints():
    return archives.lsp_joints(6, seed=1)


@pytest.fixture
def extended_joints():
    return archives.extended_joints(4, seed=2)


@pytest.fixture
def folder(tmp_path, joints, extended_joints):
    """LSP of six images, three of them for testing, and LSP extended of four, in the published layouts."""
    archives.write_lsp(tmp_path, joints)
    archives.write_lsp_extended(tmp_path, extended_joints)
    return tmp_path


def annotated(
    folder, labels="pc", held_out=2, seed=7, train=("lsp", "lsp-extended"), test=("lsp",), skeleton=FULL_BODY
):
    sets = {name: read_set(name, [folder], labels) for name in {*train, *test}}
    return annotate(
        [sets[name] for name in train],
        [sets[name] for name in test],
        skeleton,
        folder / "images.rgb",
        held_out=held_out,
        seed=seed,
    )


def packed(folder, result):
    return Images(folder / "images.rgb", result.examples.table)


def repack(path, **changes):
    """Write an archive again with members changed, None leaving one out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= changes
    archives.write_zip(path, {name: data for name, data in members.items() if data is not None})


def test_training_rows_come_first_then_test_rows(folder):
    table = annotated(folder).examples.table
    assert table["set"].tolist() == ["lsp"] * 3 + ["lsp-extended"] * 4 + ["lsp"] * 3
    assert (table["part"] == "test").tolist() == [False] * 7 + [True] * 3
    assert table["index"].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2]
    assert table["file"].iloc[[0, 3, 7]].tolist() == [
        "images/im0001.jpg",
        "images/im00001.jpg",
        "images/im0004.jpg",
    ]


def test_held_out_images_are_of_the_training_part_and_follow_from_the_seed(folder):
    parts = [annotated(folder, seed=seed).examples.table["part"].tolist() for seed in (7, 7, 8)]
    assert parts[0] == parts[1] != parts[2]
    for part in parts:
        assert part[:7].count("held-out") == 2
        assert part[:7].count("train") == 5
        assert part[7:] == ["test"] * 3
    np.testing.assert_array_equal(np.array(parts[0][:7]) == "held-out", choose_held_out(np.arange(7), 2, 7))


def test_poses_and_labels_are_those_of_the_archives(folder, joints, extended_joints):
    examples = annotated(folder).examples
    np.testing.assert_array_equal(examples.poses[:3], joints[:2].transpose(2, 1, 0)[:3] - 1)
    np.testing.assert_array_equal(examples.poses[7:], joints[:2].transpose(2, 1, 0)[3:] - 1)
    labelled = extended_joints[:, 2].T == 1
    np.testing.assert_array_equal(examples.labelled[3:7], labelled)
    np.testing.assert_array_equal(np.isnan(examples.poses[3:7]).any(axis=-1), ~labelled)
    assert examples.labelled[:3].all()


def test_diameters_are_those_of_the_true_poses(folder):
    examples = annotated(folder).examples
    expected = diameter(examples.poses, examples.labelled, FULL_BODY)
    np.testing.assert_array_equal(examples.diameters, expected)
    assert np.isfinite(expected).any()


def test_poses_get_the_joints_of_the_model_but_keep_the_diameter_of_their_set(folder):
    arms = Skeleton("arms", ("left wrist", "third eye", "right wrist"), (), ((0, 2),))
    with pytest.raises(AnnotationError, match="no training example labels third eye"):
        annotated(folder, skeleton=arms)
    arms = Skeleton("arms", ("left wrist", "right wrist"), (), ((0, 1),))
    found, whole = annotated(folder, skeleton=arms).examples, annotated(folder).examples
    wrists = [FULL_BODY.joints.index(name) for name in arms.joints]
    np.testing.assert_array_equal(found.poses, whole.poses[:, wrists])
    np.testing.assert_array_equal(found.labelled, whole.labelled[:, wrists])
    np.testing.assert_array_equal(found.diameters, whole.diameters)


def test_only_a_set_that_names_the_person_has_torso_boxes(folder):
    assert annotated(folder).examples.table[TORSO_COLUMNS].isna().all(axis=None)


def test_images_are_packed_once_pixel_by_pixel(folder):
    result = annotated(folder)
    images = packed(folder, result)
    with zipfile.ZipFile(folder / "lsp_dataset.zip") as archive:
        for row, number in ((0, 1), (2, 3), (7, 4), (9, 6)):
            data = np.frombuffer(archive.read(f"images/im{number:04d}.jpg"), dtype=np.uint8)
            expected = archives.cv2.imdecode(data, archives.cv2.IMREAD_COLOR)[..., ::-1]
            np.testing.assert_array_equal(images[row], expected)
    assert (folder / "images.rgb").stat().st_size == 10 * WIDTH * HEIGHT * 3


def test_images_may_differ_in_size(folder):
    repack(folder / "lsp_dataset.zip", **{"images/im0002.jpg": archives.jpeg(9, 40, 30)})
    result = annotated(folder)
    assert result.examples.table.loc[1, ["width", "height"]].tolist() == [40, 30]
    assert packed(folder, result)[1].shape == (30, 40, 3)
    assert packed(folder, result)[2].shape == (HEIGHT, WIDTH, 3)


def test_the_mean_colour_is_that_of_training_pixels(folder):
    result = annotated(folder, test=("lsp",))
    images = packed(folder, result)
    pixels = np.concatenate([images[row].reshape(-1, 3) for row in range(7)])
    np.testing.assert_allclose(result.mean_colour, pixels.mean(axis=0), rtol=0, atol=0.0006)
    everything = np.concatenate([images[row].reshape(-1, 3) for row in range(10)])
    assert not np.allclose(result.mean_colour, everything.mean(axis=0), rtol=0, atol=0.01)


def test_the_mean_colour_by_hand(folder):
    def png(colour, size):
        pixels = np.full((size, size, 3), colour[::-1], dtype=np.uint8)
        return archives.cv2.imencode(".png", pixels)[1].tobytes()

    colours = [(30, 0, 200), (60, 10, 0), (0, 20, 100)] + [(255, 255, 255)] * 3
    lsp = {f"images/im{n:04d}.jpg": png(colour, 10) for n, colour in enumerate(colours, start=1)}
    repack(folder / "lsp_dataset.zip", **lsp)
    extended = {f"images/im{n:05d}.jpg": png((0, 0, 0), 10) for n in (1, 2, 3)}
    extended["images/im00004.jpg"] = png((100, 50, 25), 20)
    repack(folder / "lspet_dataset.zip", **extended)
    # Over pixels, so that the one image of twice the side counts fourfold; the test images don't count.
    wanted = [(90 + 400) / 10, (30 + 200) / 10, (300 + 100) / 10]
    assert annotated(folder).mean_colour == pytest.approx(wanted)


def test_an_image_of_two_people_is_packed_once(tmp_path):
    examples = [archives.flic_example(n, n < 3, "shared.jpg" if n in (0, 1) else None) for n in range(5)]
    archives.write_flic(tmp_path, examples)
    flic = {"train": ("flic",), "test": ("flic",), "skeleton": FLIC_LABELLED}
    result = annotated(tmp_path, "oc", held_out=1, **flic)
    offsets = result.examples.table["offset"]
    assert offsets[0] == offsets[1]
    assert offsets.nunique() == 4
    images = packed(tmp_path, result)
    assert (tmp_path / "images.rgb").stat().st_size == 4 * images[0].size
    np.testing.assert_array_equal(images[0], images[1])


def test_the_report_counts_what_is_odd(folder, joints, extended_joints):
    joints[:2, 5, 0] = [-4, 3]  # left of the image
    joints[:2, :, 4] = joints[:2, :1, 4]  # all joints in one place: no diameter
    extended_joints[[9, 8], 2, 0] = 0  # neither shoulder
    archives.write_lsp(folder, joints)
    archives.write_lsp_extended(folder, extended_joints)
    report = annotated(folder).report
    assert report["held_out"] == 2
    lsp, extended = report["sets"]["lsp"], report["sets"]["lsp-extended"]
    assert lsp["labels"] == "person-centric as published"
    assert lsp["train"] == {
        "examples": 3,
        "examples_without_labels": 0,
        "unlabelled_joints": 0,
        "joints_outside_image": 1,
        "poses_without_diameter": 0,
    }
    assert lsp["test"] == lsp["train"] | {"joints_outside_image": 0, "poses_without_diameter": 1}
    assert extended["train"]["unlabelled_joints"] == (extended_joints[:, 2] == 0).sum()
    has = extended_joints[:, 2].T == 1
    without = ~((has[:, 9] & has[:, 2]) | (has[:, 8] & has[:, 3]))
    assert extended["train"]["poses_without_diameter"] == without.sum() > 0
    assert "test" not in extended


def test_the_report_says_what_the_rule_exchanged(folder):
    report = annotated(folder, "oc").report["sets"]["lsp"]
    assert report["labels"] == "observer-centric by the rule"
    assert sum(report["exchanged"].values()) > 0


def test_equal_images_in_train_and_test_are_found(folder):
    # The writers number their noise: the fourth image is the same in both archives.
    assert annotated(folder).report["equal_images_in_train_and_test"] == 1
    repack(
        folder / "lspet_dataset.zip",
        **{f"images/im{n:05d}.jpg": archives.jpeg(50 + n) for n in range(1, 5)},
    )
    assert annotated(folder).report["equal_images_in_train_and_test"] == 0
    repack(folder / "lspet_dataset.zip", **{"images/im00002.jpg": archives.jpeg(3)})
    report = annotated(folder).report
    assert report["equal_images_in_train_and_test"] == 1
    assert report["equal_images"] == [
        {"train": ["lsp-extended: images/im00002.jpg"], "test": ["lsp: images/im0004.jpg"]}
    ]


def test_examples_survive_being_written(folder):
    examples = annotated(folder).examples
    paths = folder / "examples.parquet", folder / "joints.parquet"
    write_examples(examples, *paths)
    read = read_examples(*paths, FULL_BODY)
    np.testing.assert_array_equal(read.poses, examples.poses)
    np.testing.assert_array_equal(read.labelled, examples.labelled)
    np.testing.assert_array_equal(read.diameters, examples.diameters)
    assert read.table["part"].tolist() == examples.table["part"].tolist()


def test_the_same_bytes_every_time(folder):
    written = []
    for _ in range(2):
        write_examples(annotated(folder).examples, folder / "a.parquet", folder / "b.parquet")
        names = ("images.rgb", "a.parquet", "b.parquet")
        written.append([(folder / name).read_bytes() for name in names])
    assert written[0] == written[1]


# Bad input


def nothing_written(folder):
    return [path.name for path in folder.iterdir() if path.suffix not in (".zip", ".mat")] == []


def test_too_many_held_out_images(folder):
    with pytest.raises(AnnotationError, match="7 held-out images leave nothing of 7 training examples"):
        annotated(folder, held_out=7)
    assert (annotated(folder, held_out=6).examples.table["part"] == "train").sum() == 1


def test_a_set_without_the_part_it_is_named_for(folder):
    with pytest.raises(AnnotationError, match="lsp-extended has no examples to test"):
        annotated(folder, test=("lsp-extended",))
    assert nothing_written(folder)


def test_a_missing_archive_names_file_folder_and_page(folder):
    (folder / "lspet_dataset.zip").unlink()
    page = "https://sam.johnson.io/research/lspet.html"
    with pytest.raises(MissingArchiveError) as raised:
        annotated(folder)
    for part in ("lspet_dataset.zip", str(folder), page):
        assert part in str(raised.value)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
def test_an_archive_cut_short(folder, share):
    path = folder / "lsp_dataset.zip"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArchiveError, match=re.escape(f"{path} is cut short or no zip archive")):
        annotated(folder)
    assert nothing_written(folder)


def test_an_image_that_is_missing(folder):
    repack(folder / "lsp_dataset.zip", **{"images/im0005.jpg": None})
    with pytest.raises(ArchiveError, match=r"5 images for the 6 poses .* missing is images/im0005\.jpg"):
        annotated(folder)
    assert nothing_written(folder)


@pytest.mark.parametrize("data", [b"", b"no image", archives.jpeg(1)[:40]])
def test_an_image_that_cannot_be_decoded_leaves_nothing_half_written(folder, data):
    repack(folder / "lspet_dataset.zip", **{"images/im00003.jpg": data})
    with pytest.raises(ImageError, match=r"lspet_dataset\.zip: image images/im00003\.jpg can't be decoded"):
        annotated(folder)
    assert nothing_written(folder)


def test_a_failure_leaves_the_images_of_the_run_before(folder):
    annotated(folder)
    before = (folder / "images.rgb").read_bytes()
    repack(folder / "lsp_dataset.zip", **{"images/im0001.jpg": archives.jpeg(70), "images/im0006.jpg": b""})
    with pytest.raises(ImageError, match=r"im0006\.jpg can't be decoded"):
        annotated(folder)
    assert (folder / "images.rgb").read_bytes() == before


def test_an_image_that_goes_missing_once_the_labels_are_read(folder):
    lsp = read_set("lsp", [folder], "pc")
    repack(folder / "lsp_dataset.zip", **{"images/im0002.jpg": None})
    with pytest.raises(ArchiveError, match=r"lsp_dataset\.zip has no member images/im0002\.jpg"):
        annotate([lsp], [lsp], FULL_BODY, folder / "images.rgb", held_out=1, seed=7)
    assert nothing_written(folder)


def test_a_damaged_member(folder):
    path = folder / "lsp_dataset.zip"
    data = bytearray(path.read_bytes())
    place = data.index(archives.jpeg(4)) + 30
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"member images/im0005\.jpg is damaged .*get the archive again"):
        annotated(folder)
    assert nothing_written(folder)


def test_joints_of_another_shape(folder, joints):
    archives.write_lsp(folder, joints[:, :13])
    with pytest.raises(AnnotationError, match=r"joints\.mat: joints is 3×13×6 float64, expected 3×14×n"):
        annotated(folder)


def test_a_joint_that_no_training_example_labels(folder, extended_joints):
    extended_joints[:, 2] = 1
    extended_joints[3, 2] = 0
    archives.write_lsp_extended(folder, extended_joints)
    with pytest.raises(AnnotationError, match="no training example labels left hip: the model can't learn"):
        annotated(folder, train=("lsp-extended",))
    annotated(folder)


def test_coordinates_that_are_nan(folder, joints):
    joints[0, 11, 4] = np.nan
    archives.write_lsp(folder, joints)
    with pytest.raises(AnnotationError, match=r"joints\.mat: example 4, left wrist is labelled but"):
        annotated(folder)


def test_a_box_without_area_is_named():
    with pytest.raises(GeometryError, match=r"box without area: .* = \[1\.0, 2\.0, 0\.0, 5\.0\]"):
        normalise(np.zeros((1, 14, 2)), np.array([[[1.0, 2.0, 0.0, 5.0]]]))


def test_a_pose_without_a_diameter_still_has_a_box():
    sides, clamped = joint_box_sides(
        np.array([np.nan, 50.0]), image_box(100, 80)[None].repeat(2, 0), 2.0, 0.1
    )
    assert sides.tolist() == [8.0, 100.0]
    assert clamped.tolist() == [True, False]
