import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from deeppose.cascade.crops import crop
from deeppose.core.errors import AnnotationError, NotFiniteError
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import diameter, image_box, mirror_labels, mirror_poses
from deeppose.core.skeleton import FULL_BODY
from deeppose.displacements.augmented_set import (
    augmented_set_report,
    predicted_boxes,
    simulated_boxes,
    write_augmented_set,
)

JOINTS = len(FULL_BODY.joints)
WIDTHS, HEIGHTS = np.array([101, 140, 90, 120, 133]), np.array([150, 100, 120, 80, 111])
LEFT_SHOULDER, RIGHT_SHOULDER, RIGHT_HIP, LEFT_HIP = 9, 8, 2, 3
SIGMA, SMALLEST = 1.5, 0.2


def random_examples(seed=0):
    """Five images of different sizes; joints are unlabelled at random, and the third pose has no diameter."""
    rng = np.random.default_rng(seed)
    poses = rng.uniform(0, 1, (5, JOINTS, 2)) * np.stack([WIDTHS, HEIGHTS], axis=-1)[:, None]
    labelled = rng.random((5, JOINTS)) < 0.8
    labelled[:, [LEFT_SHOULDER, RIGHT_HIP]] = True
    labelled[2, [RIGHT_HIP, LEFT_HIP]] = False
    labelled[2, 0] = True
    return examples_of(poses, labelled)


def examples_of(poses, labelled):
    count = len(poses)
    table = pd.DataFrame({"part": "train", "width": WIDTHS[:count], "height": HEIGHTS[:count]})
    table[BOX_COLUMNS] = [image_box(w, h) for w, h in zip(WIDTHS[:count], HEIGHTS[:count], strict=True)]
    table["diameter"] = diameter(poses, labelled, FULL_BODY)
    return Examples(table, np.where(labelled[..., None], poses, np.nan), labelled)


def normals(mean=(0.05, -0.1), deviation=0.2, scale=1.0):
    joint = np.arange(JOINTS, dtype=np.int16)
    return pd.DataFrame(
        {
            "joint": joint,
            "count": 9,
            "mean_x": scale * (mean[0] + 0.01 * joint),
            "mean_y": scale * mean[1],
            "var_x": (scale * deviation) ** 2,
            "var_y": (scale * deviation) ** 2,
            "cov_xy": 0.0,
        }
    )


def simulated(examples, rows, of_normals=None, units="diameter", seed=(7, 2), boxes_per_joint=3):
    tables = simulated_boxes(
        examples,
        rows,
        normals() if of_normals is None else of_normals,
        FULL_BODY,
        sigma=SIGMA,
        smallest_share=SMALLEST,
        boxes_per_joint=boxes_per_joint,
        units=units,
        seed=seed,
    )
    return pd.concat(tables, ignore_index=True)


def targets_by_hand(table, examples):
    """N(y_i; b) of every row (Eq. 1), y and b both as they stand in the image that the row is cut from."""
    mirrored = table["mirrored"].to_numpy()
    example, joint = table["example"].to_numpy(), table["joint"].to_numpy()
    swapped = np.array(FULL_BODY.mirrored)[joint]
    y = examples.poses[example, np.where(mirrored, swapped, joint)]
    last = WIDTHS[example] - 1
    x = np.where(mirrored, last - y[:, 0], y[:, 0])
    box_x = np.where(mirrored, last - table["box_x"], table["box_x"])
    towards = np.stack([x - box_x, y[:, 1] - table["box_y"]], axis=-1)
    return towards / table[["side"]].to_numpy()


def sides_by_hand(diameters, rows):
    smallest = SMALLEST * np.minimum(WIDTHS, HEIGHTS)[rows]
    return np.fmax(SIGMA * diameters, smallest)


@pytest.mark.parametrize("column", ["mean_x", "var_y", "cov_xy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_distribution_that_is_not_finite_is_named_by_its_joint(column, value):
    of_normals = normals()
    of_normals.loc[RIGHT_HIP, column] = value
    with np.errstate(all="ignore"), pytest.raises(NotFiniteError, match=r"right hip: \d+ of 12 boxes are"):
        simulated(random_examples(), np.array([0, 1, 3, 4]), of_normals)


def test_a_missing_distribution_is_named_by_its_joint():
    with pytest.raises(NotFiniteError, match="right hip has no distribution"):
        simulated(random_examples(), np.arange(5), normals().drop(RIGHT_HIP))


def test_predictions_that_are_not_finite_are_named_by_their_joint():
    examples = random_examples()
    predicted = examples.poses.copy()
    predicted[0, LEFT_SHOULDER] = np.nan
    settings = {"sigma": SIGMA, "smallest_share": SMALLEST}
    with pytest.raises(NotFiniteError, match="left shoulder: 1 of 4 boxes"):
        list(predicted_boxes(examples, np.arange(5), {False: predicted}, FULL_BODY, **settings))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("units", "scale"), [("diameter", 1.0), ("pixels", 20.0)])
def test_targets_are_the_joints_normalised_by_the_written_boxes(seed, units, scale):
    examples = random_examples(seed)
    table = simulated(examples, np.arange(5), normals(scale=scale), units)
    assert table["mirrored"].any()
    assert not table["mirrored"].all()
    targets = table[["target_x", "target_y"]].to_numpy()
    np.testing.assert_allclose(targets, targets_by_hand(table, examples), atol=1e-5)
    assert np.abs(targets).max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_every_labelled_joint_of_a_pose_with_a_diameter_gives_its_boxes(seed):
    examples = random_examples(seed)
    rows = np.array([0, 2, 3, 4])  # the second is held out, the third has no diameter
    table = simulated(examples, rows)
    assert set(table["example"]) == {0, 3, 4}
    mirror = mirror_labels(examples.labelled, FULL_BODY)
    for (example, mirrored, joint), boxes in table.groupby(["example", "mirrored", "joint"]):
        assert (mirror if mirrored else examples.labelled)[example, joint]
        assert len(boxes) == 3
        assert boxes["box_x"].nunique() == 3
    assert len(table) == 2 * 3 * examples.labelled[[0, 3, 4]].sum()


def test_sides_are_sigma_diameters_and_never_under_the_smallest():
    examples = random_examples(1)
    poses = examples.poses.copy()
    poses[4, RIGHT_HIP] = poses[4, LEFT_SHOULDER] + (3, 4)
    examples = examples_of(poses, examples.labelled)
    table = simulated(examples, np.arange(5))
    diameters = diameter(examples.poses, examples.labelled, FULL_BODY)
    assert diameters[4] == pytest.approx(5)
    wanted = sides_by_hand(diameters, np.arange(5))
    np.testing.assert_allclose(table["side"], wanted[table["example"]], rtol=1e-6)
    assert wanted[4] == pytest.approx(0.2 * 111)
    report = augmented_set_report(examples, sigma=SIGMA, smallest_share=SMALLEST)
    assert report == {"poses_without_diameter": 1, "poses_with_smallest_boxes": 1}
    examples.table["part"] = ["train", "train", "held-out", "held-out", "held-out"]
    without = augmented_set_report(examples, sigma=SIGMA, smallest_share=SMALLEST)
    assert without == {"poses_without_diameter": 0, "poses_with_smallest_boxes": 0}


def test_each_output_joint_has_its_own_normal_in_both_frames():
    examples = random_examples(2)
    table = simulated(examples, np.arange(5), normals(mean=(2.0, 3.0), deviation=0, scale=2.0), "pixels")
    moved = -table[["target_x", "target_y"]].mul(table["side"], axis=0).to_numpy()
    np.testing.assert_allclose(moved[:, 0], 4 + 0.02 * table["joint"], atol=1e-4)
    np.testing.assert_allclose(moved[:, 1], 6, atol=1e-4)
    # In the image as it is, a mirrored box lies on the other side of the counterpart joint.
    one = table[(table["example"] == 0) & table["mirrored"] & (table["joint"] == RIGHT_SHOULDER)].iloc[0]
    x, y = examples.poses[0, LEFT_SHOULDER]
    assert (one["box_x"], one["box_y"]) == pytest.approx((x - 4.16, y + 6), abs=1e-4)


def test_in_units_of_the_diameter_displacements_grow_with_the_person():
    examples = random_examples(3)
    table = simulated(examples, np.arange(5), normals(mean=(0.5, 0.25), deviation=0))
    diameters = diameter(examples.poses, examples.labelled, FULL_BODY)[table["example"]]
    np.testing.assert_allclose(-table["target_y"] * table["side"], 0.25 * diameters, rtol=1e-4)


def test_the_seed_decides_the_boxes():
    examples = random_examples()
    first, again, other = (simulated(examples, np.arange(5), seed=seed) for seed in ((7, 2), (7, 2), (7, 3)))
    pd.testing.assert_frame_equal(first, again)
    assert not np.isclose(first["target_x"], other["target_x"]).all()
    unmirrored = first[~first["mirrored"]]["target_x"].to_numpy()
    assert len(np.unique(unmirrored)) == len(unmirrored)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_boxes_at_real_predictions(seed, mirrored):
    examples = random_examples(seed)
    rows = np.array([0, 2, 4])
    rng = np.random.default_rng([seed, 1])
    truth, labelled = examples.poses, examples.labelled
    if mirrored:
        truth = mirror_poses(truth, WIDTHS, FULL_BODY)
        labelled = mirror_labels(labelled, FULL_BODY)
    predicted = np.nan_to_num(truth[rows], nan=30.0) + rng.normal(0, 6, (3, JOINTS, 2))
    predicted[2, RIGHT_HIP] = predicted[2, LEFT_SHOULDER] + (3, 4)
    of_all = np.full_like(examples.poses, np.nan)
    of_all[rows] = predicted
    tables = predicted_boxes(
        examples, rows, {mirrored: of_all}, FULL_BODY, sigma=SIGMA, smallest_share=SMALLEST
    )
    table = pd.concat(tables, ignore_index=True)
    assert (table["mirrored"] == mirrored).all()
    has_diameter = np.isfinite(examples.diameters[rows])
    assert len(table) == labelled[rows[has_diameter]].sum()
    assert not table.duplicated(["example", "joint"]).any()
    assert labelled[table["example"], table["joint"]].all()
    targets = table[["target_x", "target_y"]].to_numpy()
    np.testing.assert_allclose(targets, targets_by_hand(table, examples), atol=1e-5)

    number = np.searchsorted(rows, table["example"])
    box_x = WIDTHS[table["example"]] - 1 - table["box_x"] if mirrored else table["box_x"]
    np.testing.assert_allclose(box_x, predicted[number, table["joint"], 0], atol=1e-4)
    diameters = diameter(predicted, np.ones((3, JOINTS), dtype=bool), FULL_BODY)
    assert diameters[2] == pytest.approx(5)
    np.testing.assert_allclose(table["side"], sides_by_hand(diameters, rows)[number], rtol=1e-6)


def test_what_is_written_is_read_back_and_the_bytes_repeat(tmp_path):
    examples = random_examples()
    table = simulated(examples, np.arange(5))
    parts = [table.iloc[:40], table.iloc[40:]]
    assert write_augmented_set(tmp_path / "a.parquet", parts) == len(table)
    write_augmented_set(tmp_path / "b.parquet", iter(parts))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    read = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pandas()
    pd.testing.assert_frame_equal(read, table)
    assert read.dtypes.astype(str).to_dict() == {
        "example": "int32",
        "mirrored": "bool",
        "joint": "int16",
        **dict.fromkeys(("box_x", "box_y", "side", "target_x", "target_y"), "float32"),
    }


def test_nothing_to_learn_from_is_an_error_and_leaves_no_file(tmp_path):
    examples = random_examples()
    tables = simulated_boxes(
        examples,
        np.array([2]),
        normals(),
        FULL_BODY,
        sigma=SIGMA,
        smallest_share=SMALLEST,
        boxes_per_joint=3,
        units="diameter",
        seed=(7, 2),
    )
    with pytest.raises(AnnotationError, match="no training image has a pose with a diameter"):
        write_augmented_set(tmp_path / "a.parquet", tables)
    assert list(tmp_path.iterdir()) == []


def test_the_crop_of_a_row_shows_the_joint_at_the_target():
    poses, labelled = np.full((1, JOINTS, 2), 50.0), np.zeros((1, JOINTS), dtype=bool)
    for joint, point in ((LEFT_SHOULDER, (60, 40)), (RIGHT_HIP, (30, 80)), (11, (75, 62))):
        poses[0, joint], labelled[0, joint] = point, True
    examples = examples_of(poses, labelled)
    table = simulated(examples, np.arange(1), normals(deviation=0.1))
    assert set(table["mirrored"]) == {False, True}
    y, x = np.mgrid[: HEIGHTS[0], : WIDTHS[0]]
    places = (np.arange(64) + 0.5) / 64 - 0.5
    for row in table.itertuples():
        spot_x, spot_y = examples.poses[0, FULL_BODY.mirrored[row.joint] if row.mirrored else row.joint]
        spot = 255 * np.exp(-((x - spot_x) ** 2 + (y - spot_y) ** 2) / 18)
        image = np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2)
        box = np.array([row.box_x, row.box_y, row.side, row.side])
        found = crop(image, box, 64, (0, 0, 0), mirrored=row.mirrored)[..., 0].astype(float)
        centre = [(found.sum(axis=0) @ places) / found.sum(), (found.sum(axis=1) @ places) / found.sum()]
        assert centre == pytest.approx([row.target_x, row.target_y], abs=5e-3)


def test_no_two_joints_and_no_two_frames_share_their_displacements():
    alike = normals(scale=20.0).assign(mean_x=0.0)
    table = simulated(random_examples(), np.arange(5), alike, "pixels")
    displacements = table[["target_x", "target_y"]].mul(table["side"], axis=0)
    assert not displacements.round(2).duplicated().any()
