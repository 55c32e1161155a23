import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cascade import photo_pixels, write_weights
from stand_in import StandIn, says

from deeppose.cascade.prediction import Predictor, predict_stage
from deeppose.core.errors import NotFiniteError
from deeppose.core.geometry import image_box
from deeppose.core.skeleton import FULL_BODY
from deeppose.deploy.cascade import Cascade
from deeppose.deploy.pose import load_cascade
from deeppose.networks.fused import merged
from deeppose.networks.weights import build_network, load_network, save_network

K = len(FULL_BODY.joints)
SIGMA, SMALLEST = 1.5, 0.1
BOXES = np.array([[44.5, 59.5, 90.0, 120.0], [35.0, 39.5, 31.0, 40.0]])


def outputs(stage):
    """What the network of a stage says of any crop, `(k, 2)` in shares of the box."""
    pose = np.random.default_rng(stage).uniform(-0.4, 0.4, (K, 2)).astype(np.float32)
    if stage == 1:
        pose[[9, 2]] = (-0.15, -0.2), (0.15, 0.2)  # left shoulder, right hip
    return pose.astype(np.float64)


def variances(stage):
    return np.random.default_rng(10 + stage).uniform(0.001, 0.01, (K, 2)).astype(np.float32)


def known(has_maps=True, **described):
    """A cascade of three stages whose outputs are known."""
    described = {"sigma": SIGMA, "smallest_box": SMALLEST} | described
    said = [says(outputs(stage), variances(stage) if has_maps else None) for stage in (1, 2, 3)]
    networks = [StandIn(say, stage, has_maps=has_maps, **described) for stage, say in enumerate(said, 1)]
    return Cascade(tuple(networks))


def by_hand(box):
    """The poses after each stage, and the sides of what each stage saw (Eq. 5, 6, 7)."""
    pose = box[:2] + outputs(1) * box[2:]
    poses, sides = [pose], [box[2:]]
    for stage in (2, 3):
        side = max(SIGMA * np.linalg.norm(pose[9] - pose[2]), SMALLEST * min(box[2:]))
        pose = pose + outputs(stage) * side
        poses.append(pose)
        sides.append(np.array([side, side]))
    return poses, sides


def all_stages(cascade, photo, boxes):
    estimates = [cascade.recropped(photo, cascade.initial(photo, boxes))]
    for stage in range(2, len(cascade.stages) + 1):
        estimates.append(cascade.refine(stage, photo, estimates[-1].poses, boxes))
    return estimates


def test_every_stage_by_hand():
    estimates = all_stages(known(), photo_pixels(), BOXES)
    for number, box in enumerate(BOXES):
        for estimate, pose in zip(estimates, by_hand(box)[0], strict=True):
            np.testing.assert_allclose(estimate.poses[number], pose, rtol=0, atol=1e-4)


def test_spreads_by_hand():
    """√(variance along x + variance along y) in pixels, by the diameter of the pose that they are of."""
    estimates = all_stages(known(), photo_pixels(), BOXES)
    for number, box in enumerate(BOXES):
        for stage, (pose, sides) in enumerate(zip(*by_hand(box), strict=True), start=1):
            in_pixels = np.sqrt((variances(stage) * sides**2).sum(axis=-1))
            expected = in_pixels / np.linalg.norm(pose[9] - pose[2])
            np.testing.assert_allclose(estimates[stage - 1].spreads[number], expected, rtol=1e-4)


def test_a_pose_shrunk_to_a_point_has_finite_spreads():
    cascade = Cascade((StandIn(says(np.zeros((K, 2)), np.full((K, 2), 0.01))),))
    spreads = cascade.initial(photo_pixels(), BOXES).spreads
    np.testing.assert_allclose(spreads[0], np.hypot(9, 12), rtol=1e-5)  # of a diameter of one pixel


def test_networks_without_maps_do_not_say_how_sure_they_are():
    cascade = known(has_maps=False)
    assert not cascade.has_maps
    for estimate in all_stages(cascade, photo_pixels(), BOXES):
        assert np.isnan(estimate.spreads).all()
        assert np.isfinite(estimate.poses).all()


def test_a_joint_that_is_no_number_is_an_error_that_names_the_stage():
    spoilt = outputs(2)
    spoilt[3, 1] = np.nan
    cascade = Cascade((known().stages[0], StandIn(says(spoilt, variances(2)), 2)))
    first = cascade.initial(photo_pixels(), BOXES)
    with pytest.raises(NotFiniteError, match="stage 2 predicts joints that are not finite"):
        cascade.refine(2, photo_pixels(), first.poses, BOXES)


def test_many_boxes_go_through_in_batches_and_come_out_in_order():
    sizes = []

    def brightness(crops):
        sizes.append(len(crops))
        light = crops.mean(axis=(1, 2, 3)) / 1000
        return np.repeat(light, 2 * K).reshape(-1, K, 2), np.ones((len(crops), K, 2))

    photo = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 20, axis=0).repeat(3, axis=2)
    boxes = np.array([[x, 10.0, 4.0, 4.0] for x in range(5, 95)])
    poses = Cascade((StandIn(brightness),)).initial(photo, boxes).poses
    assert sizes == [64, 26]
    np.testing.assert_allclose(poses[:, 0, 0], boxes[:, 0] + boxes[:, 0] / 1000 * 4, atol=0.01)


# A crop and its mirrored copy together

probabilities = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda p: np.array(p) / sum(p))
PLACES = np.array([-0.5, -0.2, 0.1, 0.4])


def moments(shares):
    """Mean and variance `(2,)` of the places, along x and y, under shares of cells `(2, 4)`."""
    mean = shares @ PLACES
    return mean, shares @ PLACES**2 - mean**2


@given(st.lists(probabilities, min_size=4, max_size=4))
@settings(deadline=None)
def test_the_averaged_map_has_the_mean_and_variance_of_the_mixture(shares):
    """Of joint 9 in the crop and of its mirror image, joint 8, in the mirrored copy."""
    here, there = np.stack(shares[:2]), np.stack(shares[2:])
    assert FULL_BODY.mirrored[9] == 8
    means, squares = np.zeros((2, K, 2)), np.ones((2, K, 2))
    (means[0, 9], squares[0, 9]), (means[1, 8], squares[1, 8]) = moments(here), moments(there)
    calls = iter((0, 1))

    def say(crops):
        which = next(calls)
        return means[which][None], squares[which][None]

    network = StandIn(say, average_mirrored=True)
    box = np.array([[44.5, 59.5, 90.0, 120.0]])
    estimate = Cascade((network,)).initial(photo_pixels(), box)
    places = np.stack([np.concatenate([PLACES, -PLACES]), np.concatenate([PLACES, PLACES])])
    mixture = np.concatenate([here, there], axis=1) / 2
    mean = (mixture * places).sum(axis=1)
    variance = (mixture * places**2).sum(axis=1) - mean**2
    np.testing.assert_allclose(estimate.poses[0, 9], box[0, :2] + mean * box[0, 2:], atol=1e-4)
    diameter = max(np.linalg.norm(estimate.poses[0, 9] - estimate.poses[0, 2]), 1.0)
    expected = np.sqrt((variance * box[0, 2:] ** 2).sum()) / diameter
    np.testing.assert_allclose(estimate.spreads[0, 9], expected, rtol=1e-3)


def test_the_copy_is_the_mirrored_crop():
    seen = []

    def say(crops):
        seen.append(crops.copy())
        return outputs(1)[None], None

    network = StandIn(say, has_maps=False, average_mirrored=True)
    Cascade((network,)).initial(photo_pixels(), BOXES[:1])
    np.testing.assert_array_equal(seen[1], seen[0][:, :, ::-1])


# Beside the pipeline


def spatial_weights(folder, **described):
    sizes = {"name": "spatial", "joints": K, "size": 64, "channels": 8, "initial_weights": "random"}
    sizes |= {"mean": [120.0, 110.0, 100.0]}
    paths = [folder / f"stage{stage}.safetensors" for stage in (1, 2)]
    for stage, path in enumerate(paths, start=1):
        torch.manual_seed(stage)
        network = build_network(**sizes)
        torch.nn.init.normal_(network.head[1].weight, std=0.5)
        description = {"stage": stage, "skeleton": FULL_BODY.name, "network": sizes, "sigma": 1.0}
        described |= {"smallest_box": 0.05, "average_mirrored": True}
        save_network(network, description | described, path)
    return paths


@pytest.mark.parametrize(
    "weights",
    [
        write_weights,
        lambda folder: write_weights(folder, average_mirrored=True),
        spatial_weights,
        lambda folder: spatial_weights(folder, initial_box={"kind": "image", "recrops": 2, "margin": 0.2}),
        lambda folder: spatial_weights(folder, shrinkage=0.3),
    ],
    ids=["the paper's", "the paper's, mirrored", "with maps", "recropped", "shrunk"],
)
def test_the_pipeline_predicts_the_same_bits(tmp_path, weights):
    paths = weights(tmp_path)
    photo = photo_pixels()
    box = image_box(photo.shape[1], photo.shape[0])
    estimates = all_stages(load_cascade(paths), photo, box[None])
    previous = None
    for path, estimate in zip(paths, estimates, strict=True):
        network, description = load_network(path)
        average = FULL_BODY.mirrored if description["average_mirrored"] else None
        predictor = Predictor(64, 0, torch.device("cpu"), average, quiet=True)
        ready = merged(network, torch.device("cpu"))
        (previous, spreads), _ = predict_stage(
            ready, description, predictor, [photo], OnePhoto(box), np.array([0]), previous
        )
        np.testing.assert_array_equal(estimate.poses, previous)
        np.testing.assert_allclose(estimate.spreads, spreads, rtol=1e-5)


class OnePhoto:
    """The examples of one photo, as far as prediction looks at them."""

    def __init__(self, box):
        self.boxes = self.full_images = box[None]
        self.widths = np.array([round(box[2])])
