import re
import zipfile

import archives
import numpy as np
import pandas as pd
import pytest

from deeppose.core.errors import AnnotationError, ArchiveError, GeometryError, ImageError, MissingArchiveError
from deeppose.core.examples import TORSO_COLUMNS, choose_held_out, read_examples, write_examples
from deeppose.core.geometry import diameter, image_box, joint_box_sides, normalise
from deeppose.core.images import Images
from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY, Skeleton
from deeppose.data.annotate import annotate
from deeppose.data.registry import read_set

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
    folder,
    labels="pc",
    held_out=2,
    seed=7,
    train=("lsp", "lsp-extended"),
    test=("lsp",),
    skeleton=FULL_BODY,
    trusted=None,
):
    sets = {name: read_set(name, [folder], labels) for name in {*train, *test}}
    return annotate(
        [sets[name] for name in train],
        [sets[name] for name in test],
        skeleton,
        folder / "train.rgb",
        folder / "test.rgb",
        held_out=held_out,
        trusted=train if trusted is None else trusted,
        seed=seed,
    )


def packed(folder, examples, half="train"):
    return Images(folder / f"{half}.rgb", examples.table)


def repack(path, **changes):
    """Write an archive again with members changed, None leaving one out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= changes
    archives.write_zip(path, {name: data for name, data in members.items() if data is not None})


def test_training_and_test_examples_lie_apart_in_the_order_of_their_sets(folder):
    result = annotated(folder)
    train, test = result.train.table, result.test.table
    assert train["set"].tolist() == ["lsp"] * 3 + ["lsp-extended"] * 4
    assert test["set"].tolist() == ["lsp"] * 3
    assert set(train["part"]) == {"train", "held-out"}
    assert set(test["part"]) == {"test"}
    assert train["index"].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert test["index"].tolist() == [0, 1, 2]
    assert train["file"].iloc[[0, 3]].tolist() == ["images/im0001.jpg", "images/im00001.jpg"]
    assert test["file"].iloc[0] == "images/im0004.jpg"


def test_a_test_set_that_is_added_changes_nothing_of_the_training_examples(folder):
    before = annotated(folder, "oc").train
    images = (folder / "train.rgb").read_bytes()
    archives.write_parse(folder, archives.parse_points(102))
    result = annotated(folder, "oc", test=("lsp", "parse"))
    pd.testing.assert_frame_equal(result.train.table, before.table)
    np.testing.assert_array_equal(result.train.poses, before.poses)
    assert (folder / "train.rgb").read_bytes() == images
    assert result.test.sets("test") == ["lsp", "parse"]


def test_there_may_be_no_set_to_test_on(folder):
    result = annotated(folder, test=())
    assert len(result.train.table) == 7
    assert len(result.test.table) == len(result.test.poses) == 0
    assert list(result.test.table.columns) == list(result.train.table.columns)
    assert (folder / "test.rgb").read_bytes() == b""


def test_held_out_images_are_of_the_training_part_and_follow_from_the_seed(folder):
    parts = [annotated(folder, seed=seed).train.table["part"].tolist() for seed in (7, 7, 8)]
    assert parts[0] == parts[1] != parts[2]
    for part in parts:
        assert part.count("held-out") == 2
        assert part.count("train") == 5
    np.testing.assert_array_equal(
        np.array(parts[0]) == "held-out", choose_held_out(np.arange(7), np.ones(7, dtype=bool), 2, 7)
    )


def test_poses_and_labels_are_those_of_the_archives(folder, joints, extended_joints):
    result = annotated(folder)
    train = result.train
    np.testing.assert_array_equal(train.poses[:3], joints[:2].transpose(2, 1, 0)[:3] - 1)
    np.testing.assert_array_equal(result.test.poses, joints[:2].transpose(2, 1, 0)[3:] - 1)
    labelled = extended_joints[:, 2].T == 1
    np.testing.assert_array_equal(train.labelled[3:], labelled)
    np.testing.assert_array_equal(np.isnan(train.poses[3:]).any(axis=-1), ~labelled)
    assert train.labelled[:3].all()


def test_diameters_are_those_of_the_true_poses(folder):
    examples = annotated(folder).train
    expected = diameter(examples.poses, examples.labelled, FULL_BODY)
    np.testing.assert_array_equal(examples.diameters, expected)
    assert np.isfinite(expected).any()


def test_poses_get_the_joints_of_the_model_but_keep_the_diameter_of_their_set(folder):
    arms = Skeleton("arms", ("left wrist", "third eye", "right wrist"), (), ((0, 2),))
    with pytest.raises(AnnotationError, match="no training example labels third eye"):
        annotated(folder, skeleton=arms)
    arms = Skeleton("arms", ("left wrist", "right wrist"), (), ((0, 1),))
    found, whole = annotated(folder, skeleton=arms).train, annotated(folder).train
    wrists = [FULL_BODY.joints.index(name) for name in arms.joints]
    np.testing.assert_array_equal(found.poses, whole.poses[:, wrists])
    np.testing.assert_array_equal(found.labelled, whole.labelled[:, wrists])
    np.testing.assert_array_equal(found.diameters, whole.diameters)


def test_only_a_set_that_names_the_person_has_torso_boxes(folder):
    assert annotated(folder).train.table[TORSO_COLUMNS].isna().all(axis=None)


def test_images_are_packed_once_pixel_by_pixel(folder):
    result = annotated(folder)
    train, test = packed(folder, result.train), packed(folder, result.test, "test")
    with zipfile.ZipFile(folder / "lsp_dataset.zip") as archive:
        for image, number in ((train[0], 1), (train[2], 3), (test[0], 4), (test[2], 6)):
            data = np.frombuffer(archive.read(f"images/im{number:04d}.jpg"), dtype=np.uint8)
            expected = archives.cv2.imdecode(data, archives.cv2.IMREAD_COLOR)[..., ::-1]
            np.testing.assert_array_equal(image, expected)
    assert (folder / "train.rgb").stat().st_size == 7 * WIDTH * HEIGHT * 3
    assert (folder / "test.rgb").stat().st_size == 3 * WIDTH * HEIGHT * 3


def test_images_may_differ_in_size(folder):
    repack(folder / "lsp_dataset.zip", **{"images/im0002.jpg": archives.jpeg(9, 40, 30)})
    train = annotated(folder).train
    assert train.table.loc[1, ["width", "height"]].tolist() == [40, 30]
    assert packed(folder, train)[1].shape == (30, 40, 3)
    assert packed(folder, train)[2].shape == (HEIGHT, WIDTH, 3)


def test_the_mean_colour_is_that_of_training_pixels(folder):
    result = annotated(folder)
    images = packed(folder, result.train)
    pixels = np.concatenate([images[row].reshape(-1, 3) for row in result.train.rows("train")])
    np.testing.assert_allclose(result.mean_colour, pixels.mean(axis=0), rtol=0, atol=0.0006)
    with_held_out = np.concatenate([images[row].reshape(-1, 3) for row in range(7)])
    assert not np.allclose(result.mean_colour, with_held_out.mean(axis=0), rtol=0, atol=0.01)


def test_the_mean_colour_by_hand(folder):
    def png(colour, size):
        pixels = np.full((size, size, 3), colour[::-1], dtype=np.uint8)
        return archives.cv2.imencode(".png", pixels)[1].tobytes()

    white = (255, 255, 255)
    held_out = choose_held_out(np.arange(7), np.ones(7, dtype=bool), 2, 7)
    colours = [(30, 0, 200), (60, 10, 0), (0, 20, 100), (10, 10, 10), (100, 50, 25), (0, 0, 0), (40, 0, 0)]
    # Over pixels, so that an image of twice the side counts fourfold.
    sides = np.where(np.arange(7) == np.flatnonzero(~held_out)[-1], 20, 10)
    images = [
        png(white if out else colour, side)
        for out, colour, side in zip(held_out, colours, sides, strict=True)
    ]
    lsp = [*images[:3], *[png(white, 10)] * 3]
    repack(folder / "lsp_dataset.zip", **{f"images/im{n:04d}.jpg": d for n, d in enumerate(lsp, start=1)})
    extended = {f"images/im{n:05d}.jpg": data for n, data in enumerate(images[3:], start=1)}
    repack(folder / "lspet_dataset.zip", **extended)
    weights = np.square(sides) * ~held_out
    wanted = np.average(colours, axis=0, weights=weights)
    assert annotated(folder).mean_colour == pytest.approx(wanted, abs=0.0006)


def test_an_image_of_two_people_is_packed_once(tmp_path):
    examples = [archives.flic_example(n, n < 3, "shared.jpg" if n in (0, 1) else None) for n in range(5)]
    archives.write_flic(tmp_path, examples)
    flic = {"train": ("flic",), "test": ("flic",), "skeleton": FLIC_LABELLED}
    result = annotated(tmp_path, "oc", held_out=1, **flic)
    offsets = result.train.table["offset"]
    assert offsets[0] == offsets[1]
    assert offsets.nunique() == 2
    images = packed(tmp_path, result.train)
    assert (tmp_path / "train.rgb").stat().st_size == 2 * images[0].size
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
    examples = annotated(folder).train
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
        write_examples(annotated(folder).train, folder / "a.parquet", folder / "b.parquet")
        names = ("train.rgb", "test.rgb", "a.parquet", "b.parquet")
        written.append([(folder / name).read_bytes() for name in names])
    assert written[0] == written[1]


# Bad input


def nothing_written(folder):
    return [path.name for path in folder.iterdir() if path.suffix not in (".zip", ".mat")] == []


def test_too_many_held_out_images(folder):
    with pytest.raises(AnnotationError, match="7 held-out images leave nothing of 7 training examples"):
        annotated(folder, held_out=7)
    assert (annotated(folder, held_out=6).train.table["part"] == "train").sum() == 1
    with pytest.raises(AnnotationError, match=r"training examples of lsp$"):
        annotated(folder, held_out=6, trusted=("lsp",))


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
    before = (folder / "test.rgb").read_bytes()
    repack(folder / "lsp_dataset.zip", **{"images/im0001.jpg": archives.jpeg(70), "images/im0006.jpg": b""})
    with pytest.raises(ImageError, match=r"im0006\.jpg can't be decoded"):
        annotated(folder)
    assert (folder / "test.rgb").read_bytes() == before


def test_an_image_that_goes_missing_once_the_labels_are_read(folder):
    lsp = read_set("lsp", [folder], "pc")
    repack(folder / "lsp_dataset.zip", **{"images/im0002.jpg": None})
    with pytest.raises(ArchiveError, match=r"lsp_dataset\.zip has no member images/im0002\.jpg"):
        annotate(
            [lsp],
            [lsp],
            FULL_BODY,
            folder / "train.rgb",
            folder / "test.rgb",
            held_out=1,
            trusted=["lsp"],
            seed=7,
        )
    assert nothing_written(folder)


def test_a_damaged_member(folder):
    path = folder / "lsp_dataset.zip"
    data = bytearray(path.read_bytes())
    place = data.index(archives.jpeg(1)) + 30
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"member images/im0002\.jpg is damaged .*get the archive again"):
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
