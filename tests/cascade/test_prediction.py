import threading

import dots
import numpy as np
import pytest
import torch
from torch import nn

from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.prediction import Predictor, predict_stage
from deeppose.core.errors import NotFiniteError
from deeppose.core.geometry import image_box, mirror_poses, pose_boxes
from deeppose.core.skeleton import FULL_BODY
from deeppose.networks.alexnet import AlexNet

K = dots.JOINTS
# What each output says, no two alike, so that reading another joint's output shows.
SAID = np.stack([np.linspace(-0.4, 0.4, K), np.linspace(0.3, -0.45, K) ** 3], axis=1)
SAID = SAID.astype(np.float32).astype(np.float64)  # networks say no more than that


class StandIn(nn.Module):
    """A network without maps."""

    def with_variances(self, crops):
        return self(crops), None


class Says(StandIn):
    """A network that gives `SAID` whatever it sees."""

    size = 48
    padding = dots.PADDING

    def forward(self, crops):
        return torch.tensor(SAID).expand(len(crops), K, 2)


class Finds(StandIn):
    """A network whose output i is where the dot of joint i's colour is; nothing where it sees none."""

    size = 120
    padding = dots.PADDING

    def forward(self, crops):
        return torch.tensor(np.stack([dots.found(crop.numpy()) for crop in crops]))


class Brightest(StandIn):
    """A network that doesn't tell left from right: all outputs are the middle of what is bright."""

    size = 64
    padding = (0, 0, 0)

    def forward(self, crops):
        light = crops.sum(dim=-1, dtype=torch.float64)
        place = (torch.arange(self.size, dtype=torch.float64) + 0.5) / self.size - 0.5
        total = light.sum(dim=(1, 2))
        x = (light.sum(dim=1) * place).sum(dim=1) / total
        y = (light.sum(dim=2) * place).sum(dim=1) / total
        return torch.stack([x, y], dim=-1)[:, None].expand(-1, K, 2)


@pytest.fixture(scope="module")
def poses():
    return dots.poses(5)


@pytest.fixture(scope="module")
def on_host(poses):
    return [dots.dotted_image(pose) for pose in poses]


@pytest.fixture(scope="module", params=["host", "device"])
def images(on_host, request):
    """Crops are cut beside the network, and where it runs."""
    return on_host if request.param == "host" else DeviceImages(on_host, torch.device("cpu"))


@pytest.fixture
def unlabelled(poses):
    """The images' examples without a single label: prediction must not need any."""
    return dots.examples_of(poses, np.zeros((len(poses), K), dtype=bool))


def predictor(batch=64, workers=0):
    return Predictor(batch, workers, torch.device("cpu"))


ROWS = np.array([3, 0, 4])
ABOUT = {"stage": 1, "skeleton": "full-body", "initial_box": {"kind": "image"}}
ABOUT |= {"sigma": 1.0, "smallest_box": 0.05}


def initial(network, by, images, examples, rows, **options):
    return predict_stage(network, ABOUT, by, images, examples, rows, None, **options)[0].poses


def refined(network, images, examples, previous, by=None, mirrored=False, **options):
    by = (by or predictor(), images, examples, ROWS)
    found, clamped = predict_stage(network, ABOUT | options, *by, previous, mirrored=mirrored)
    return found.poses, clamped


def test_stage_1_scales_by_the_box_and_adds_its_centre(images, unlabelled):
    box = [30.0, 80.0, 40.0, 100.0]
    unlabelled.table.loc[4, ["box_x", "box_y", "box_width", "box_height"]] = box
    poses = initial(Says(), predictor(), images, unlabelled, ROWS)
    np.testing.assert_array_equal(poses[2], SAID * [40, 100] + [30, 80])
    np.testing.assert_array_equal(poses[0], SAID * [dots.WIDTH, dots.HEIGHT] + [100, 79.5])


def test_stage_1_finds_dots_in_the_images_asked_for(images, poses, unlabelled):
    predicted = initial(Finds(), predictor(), images, unlabelled, ROWS)
    np.testing.assert_allclose(predicted, poses[ROWS], rtol=0, atol=1.0)


def test_a_refinement_adds_the_scaled_displacement_alone(images, poses, unlabelled):
    previous = poses[ROWS] + 2.0
    sides = 1.7 * np.linalg.norm(previous[:, 9] - previous[:, 2], axis=-1)
    predicted, clamped = refined(Says(), images, unlabelled, previous, sigma=1.7)
    np.testing.assert_allclose(predicted, previous + SAID * sides[:, None, None], rtol=0, atol=1e-12)
    assert clamped == 0


def test_a_refinement_can_move_joints_by_a_share_of_the_displacement(images, poses, unlabelled):
    whole, share = (refined(Says(), images, unlabelled, poses[ROWS], shrinkage=by)[0] for by in (1.0, 0.25))
    np.testing.assert_allclose(share, poses[ROWS] + (whole - poses[ROWS]) / 4, rtol=0, atol=1e-9)


def test_a_refinement_leads_each_joint_to_its_dot(images, poses, unlabelled):
    previous = poses[ROWS] + np.random.default_rng(0).uniform(-6, 6, (3, K, 2))
    predicted, _ = refined(Finds(), images, unlabelled, previous)
    np.testing.assert_allclose(predicted, poses[ROWS], rtol=0, atol=1.2)


def test_a_refinement_takes_the_previous_poses_own_diameter(images, poses, unlabelled):
    small, large = poses[ROWS] * 0.5 + 40, poses[ROWS] * 1.5 - 30
    steps = [refined(Says(), images, unlabelled, previous)[0] - previous for previous in (small, large)]
    np.testing.assert_allclose(steps[1], 3 * steps[0], rtol=1e-9)


def test_a_collapsed_pose_gets_the_smallest_box_and_is_counted(images, poses, unlabelled):
    previous = poses[ROWS].copy()
    previous[1] = [60.0, 50.0]
    predicted, clamped = refined(Says(), images, unlabelled, previous, smallest_box=0.1)
    smallest = 0.1 * min(dots.WIDTH, dots.HEIGHT)
    np.testing.assert_allclose(predicted[1], [60.0, 50.0] + SAID * smallest, rtol=0, atol=1e-12)
    assert clamped == 1
    assert refined(Says(), images, unlabelled, previous, smallest_box=1.0)[1] >= 1


def test_a_box_far_outside_the_image_shows_the_padding(images, poses, unlabelled):
    class ShowsPadding(Says):
        def forward(self, crops):
            assert (crops[0] == torch.tensor(self.padding)).all()
            return super().forward(crops)

    previous = poses[ROWS].copy()
    previous[0, 0] = [-9000.0, 9000.0]
    assert np.isfinite(refined(ShowsPadding(), images, unlabelled, previous)[0]).all()


def test_a_mirrored_prediction_mirrored_back_is_the_plain_one(images, poses, unlabelled):
    by = (predictor(), images, unlabelled, ROWS)
    widths = unlabelled.widths[ROWS]
    plain, mirrored = (initial(Brightest(), *by, mirrored=frame) for frame in (False, True))
    np.testing.assert_allclose(mirror_poses(mirrored, widths, FULL_BODY), plain, rtol=0, atol=0.1)
    assert not np.allclose(mirrored, plain, atol=0.1)
    previous = poses[ROWS] + 3.0
    # Mirroring swaps the two diagonals: one diameter in both frames needs them equal.
    previous[:, [8, 9, 2, 3]] = [(70, 40), (130, 40), (80, 110), (120, 110)]
    plain, _ = refined(Brightest(), images, unlabelled, previous)
    mirrored, _ = refined(
        Brightest(), images, unlabelled, mirror_poses(previous, widths, FULL_BODY), mirrored=True
    )
    np.testing.assert_allclose(mirror_poses(mirrored, widths, FULL_BODY), plain, rtol=0, atol=0.1)


def test_a_mirrored_box_off_the_middle_is_the_mirror_of_the_plain_one(images, unlabelled):
    unlabelled.table.loc[:, ["box_x", "box_y", "box_width", "box_height"]] = [60.0, 70.0, 90.0, 110.0]
    by = (predictor(), images, unlabelled, ROWS)
    plain, mirrored = (initial(Brightest(), *by, mirrored=frame) for frame in (False, True))
    back = mirror_poses(mirrored, unlabelled.widths[ROWS], FULL_BODY)
    np.testing.assert_allclose(back, plain, rtol=0, atol=0.1)


def test_mirrored_dots_are_found_where_they_stand_in_the_mirrored_image(images, poses, unlabelled):
    predicted = initial(Finds(), predictor(), images, unlabelled, ROWS, mirrored=True)
    expected = poses[ROWS].copy()
    expected[..., 0] = image_box(dots.WIDTH, dots.HEIGHT)[0] * 2 - expected[..., 0]
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1.0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_recrop_is_stage_1_on_the_box_about_the_pose(images, unlabelled, mirrored):
    by = (predictor(), images, unlabelled, ROWS, None)
    rule = {"kind": "image", "recrops": 1, "margin": 0.2}
    found, _ = predict_stage(Doubts(), ABOUT | {"initial_box": rule}, *by, mirrored=mirrored)
    first = initial(Says(), *by[:4], mirrored=mirrored)
    boxes = pose_boxes(first, 0.2, image_box(dots.WIDTH, dots.HEIGHT))
    expected = boxes[:, None, :2] + SAID * boxes[:, None, 2:]
    np.testing.assert_allclose(found.poses, expected, rtol=1e-12)
    diameters = np.linalg.norm(expected[:, 9] - expected[:, 2], axis=-1)
    spreads = np.sqrt((Doubts.VARIANCES * boxes[:, None, 2:] ** 2).sum(axis=-1)) / diameters[:, None]
    np.testing.assert_allclose(found.spreads, spreads, rtol=1e-6)


def test_a_recrop_sees_the_person_larger(images, poses, unlabelled):
    rule = {"kind": "image", "recrops": 2, "margin": 0.15}
    (found, _), _ = predict_stage(
        Finds(), ABOUT | {"initial_box": rule}, predictor(), images, unlabelled, ROWS, None, mirrored=True
    )
    expected = mirror_poses(poses[ROWS], unlabelled.widths[ROWS], FULL_BODY)[:, list(FULL_BODY.mirrored)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.8)


class Doubts(Says):
    """Says how sure it is too, of the crop as it is and of its mirrored copy alike."""

    VARIANCES = np.arange(K * 2).reshape(K, 2) / 1000

    def with_variances(self, crops):
        return self(crops), torch.tensor(self.VARIANCES).expand(len(crops), K, 2)


def test_spreads_are_in_diameters_of_the_predicted_pose(images, poses, unlabelled):
    unlabelled.table.loc[:, ["box_x", "box_y", "box_width", "box_height"]] = [60.0, 70.0, 90.0, 110.0]
    by = (predictor(), images, unlabelled, ROWS)
    first, _ = predict_stage(Doubts(), ABOUT, *by, None)
    size = np.linalg.norm(first.poses[:, 9] - first.poses[:, 2], axis=-1)
    in_pixels = np.sqrt((Doubts.VARIANCES * [90**2, 110**2]).sum(axis=-1))
    np.testing.assert_allclose(first.spreads, in_pixels / size[:, None], rtol=1e-6)
    sides = 1.7 * np.linalg.norm(poses[ROWS][:, 9] - poses[ROWS][:, 2], axis=-1)
    found, _ = predict_stage(Doubts(), ABOUT | {"sigma": 1.7, "smallest_box": 0.01}, *by, poses[ROWS])
    size = np.linalg.norm(found.poses[:, 9] - found.poses[:, 2], axis=-1)
    # Of each joint's crop the joint's own.
    own = np.sqrt(Doubts.VARIANCES.sum(axis=-1))
    np.testing.assert_allclose(found.spreads, own * (sides / size)[:, None], rtol=1e-6)


def test_without_maps_there_are_no_spreads(images, unlabelled):
    found, _ = predict_stage(Says(), ABOUT, predictor(), images, unlabelled, ROWS, None)
    assert np.isnan(found.spreads).all()


@pytest.mark.parametrize(("batch", "workers"), [(1, 0), (5, 2), (1000, 0)])
def test_batch_and_workers_change_no_pose(on_host, poses, unlabelled, batch, workers):
    torch.manual_seed(1)
    sizes = {"size": 60, "width": 0.05, "dropout": 0.5, "initial_weights": "he", "pixel_scale": 0.016}
    network = AlexNet(K, mean=(9, 9, 9), **sizes).train()
    nn.init.normal_(network.regressor[-1].weight, std=0.02)
    some, other = predictor(7), predictor(batch, workers)
    first = [initial(network, by, on_host, unlabelled, ROWS) for by in (some, other)]
    np.testing.assert_allclose(*first, rtol=0, atol=1e-5 * dots.WIDTH)
    assert np.ptp(first[0]) > 10, "nothing to compare"
    later = [refined(network, on_host, unlabelled, poses[ROWS], by=by)[0] for by in (some, other)]
    np.testing.assert_allclose(*later, rtol=0, atol=1e-5 * dots.WIDTH)


def test_a_prediction_can_be_averaged_with_that_of_the_mirrored_crop(images, poses):
    sizes = {"size": 60, "width": 0.05, "dropout": 0.0, "initial_weights": "he", "pixel_scale": 0.016}
    torch.manual_seed(0)
    network = AlexNet(K, mean=(9, 9, 9), **sizes)
    torch.nn.init.normal_(network.regressor[-1].weight, std=0.05)
    examples = dots.examples_of(poses)
    rows = np.arange(len(poses))
    averaging = Predictor(64, 0, torch.device("cpu"), FULL_BODY.mirrored)
    alone = initial(network, predictor(), images, examples, rows)
    average = initial(network, averaging, images, examples, rows)
    of_mirrored = initial(network, averaging, images, examples, rows, mirrored=True)
    assert np.abs(average - alone).max() > 0.1
    # Whichever way the image is given, the mean is the same.
    np.testing.assert_allclose(
        mirror_poses(of_mirrored, examples.widths[rows], FULL_BODY), average, atol=1e-3
    )


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_processes_share_whole_batches_and_each_gets_all(images, poses, unlabelled, monkeypatch, batch):
    rows = np.array([3, 0, 4, 1, 2])
    batches = []

    class Counts(Finds):
        def forward(self, crops):
            batches.append(len(crops))
            return super().forward(crops)

    alone = initial(Counts(), predictor(batch), images, unlabelled, rows)
    expected = sorted(batches)
    batches.clear()
    # Threads stand for the processes.
    gathered, all_there = {}, threading.Barrier(3)

    def gather(shares, parts):
        gathered[threading.current_thread().name] = parts
        all_there.wait(timeout=30)
        shares[:] = [gathered[str(rank)] for rank in range(3)]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    found = {}

    def predict(rank):
        shared = Predictor(batch, 0, torch.device("cpu"), rank=rank, processes=3)
        found[rank] = initial(Counts(), shared, images, unlabelled, rows)

    threads = [threading.Thread(target=predict, args=[rank], name=str(rank)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(batches) == expected
    for rank in range(3):
        np.testing.assert_array_equal(found[rank], alone)


@pytest.mark.parametrize("recrops", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_no_pose(images, unlabelled, value, recrops):
    class Overflows(Says):
        def forward(self, crops):
            return super().forward(crops) * value

    described = ABOUT | {"initial_box": {"kind": "image", "recrops": recrops, "margin": 0.1}}
    with pytest.raises(NotFiniteError, match="stage 1 predicts joints that are not finite"):
        predict_stage(Overflows(), described, predictor(), images, unlabelled, ROWS, None)
