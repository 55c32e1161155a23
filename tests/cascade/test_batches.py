import subprocess
import sys
from dataclasses import replace

import dots
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deeppose.cascade.batches import JointBoxes, LastPart, Steps, WholeBodies, crop_loader, rows_of_step
from deeppose.cascade.device_images import DeviceImages
from deeppose.core.geometry import image_box, normalise
from deeppose.core.skeleton import FULL_BODY
from deeppose.displacements.augmented_set import simulated_boxes

SIZE = 96
COUNTERPART = list(FULL_BODY.mirrored)
PIXEL = 1 / SIZE


@pytest.fixture(scope="module")
def poses():
    return dots.poses(12)


@pytest.fixture(scope="module")
def on_host(poses):
    return [dots.dotted_image(pose) for pose in poses]


@pytest.fixture(scope="module", params=["host", "device"])
def images(on_host, request):
    """Crops are cut beside the network, and where it runs."""
    return on_host if request.param == "host" else DeviceImages(on_host, torch.device("cpu"))


def whole_bodies(images, examples, translation=0.1, keep_joints=0.5, seed=(1, 1)):
    return WholeBodies(
        images=images,
        examples=examples,
        training_rows=np.arange(len(images)),
        skeleton=FULL_BODY,
        size=SIZE,
        padding=dots.PADDING,
        translation=translation,
        keep_joints=keep_joints,
        seed=seed,
    )


@pytest.fixture(scope="module")
def joint_boxes(on_host, poses):
    """The augmented set of the dotted images, displaced by about a tenth of a pose's diameter."""
    normals = pd.DataFrame({"joint": range(dots.JOINTS), "mean_x": 0.02, "mean_y": -0.03})
    normals = normals.assign(var_x=0.01, var_y=0.01, cov_xy=0.0)
    tables = simulated_boxes(
        dots.examples_of(poses),
        np.arange(len(poses)),
        normals,
        FULL_BODY,
        sigma=1.0,
        smallest_share=0.3,
        boxes_per_joint=2,
        units="diameter",
        seed=(1, 2),
    )
    table = pd.concat(tables, ignore_index=True)
    return table, JointBoxes(on_host, table, dots.examples_of(poses), FULL_BODY, SIZE, dots.PADDING, (1, 2))


def all_of(table, step=0):
    return table.batch(np.arange(len(table)), step, slice(None))


def shown_and_wanted(crop, target, mirrored):
    """Where dots are and where the targets say they are, joint by joint of the target."""
    places = dots.found(crop.numpy())
    return (places[COUNTERPART] if mirrored else places), target.numpy()


# The order of rows


@given(rows=st.integers(1, 40), batch=st.integers(1, 17), seed=st.integers(0, 9), epochs=st.integers(1, 3))
def test_every_row_is_visited_once_an_epoch(rows, batch, seed, epochs):
    steps = -(-rows * epochs // batch)
    visited = np.concatenate([rows_of_step(rows, batch, (seed, 1), step) for step in range(steps)])
    assert len(visited) == steps * batch
    for epoch in range(epochs):
        assert sorted(visited[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    orders = [rows_of_step(50, 50, seed, step).tolist() for seed in [(1, 1), (1, 2)] for step in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


# The same batches however they are cut


def drawn(table, first=0, last=5, rank=0, processes=1, workers=0, batch=6, part=None):
    steps = Steps(table, batch, range(first, last), slice(rank, None, processes), part)
    return list(crop_loader(steps, workers, torch.device("cpu")))


def assert_same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        for part, other_part in zip(one, other, strict=True):
            assert part.dtype == other_part.dtype
            np.testing.assert_array_equal(part, other_part)


@pytest.fixture(params=["whole bodies", "joint boxes"])
def table(request, on_host, poses, joint_boxes):
    if request.param == "whole bodies":
        return whole_bodies(on_host, dots.examples_of(poses))
    boxes, table = joint_boxes
    return replace(table, table=boxes, others=0.25, scale=0.2, rotation=30.0)


@pytest.fixture(params=[None, LastPart(2, np.array([7, 1, 4]))], ids=["one part", "two parts"])
def part(request):
    return request.param


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(table, workers, part):
    assert_same(drawn(table, workers=workers, part=part), drawn(table, part=part))


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_later_start_gives_the_batches_that_would_have_come(table, first, part):
    assert_same(drawn(table, first=first, part=part), drawn(table, part=part)[first:])


@pytest.mark.parametrize("processes", [2, 4])
def test_shares_of_several_processes_make_up_the_batch(table, processes, part):
    shares = [drawn(table, batch=8, rank=rank, processes=processes, part=part) for rank in range(processes)]
    for whole, *parts in zip(drawn(table, batch=8, part=part), *shares, strict=True):
        for rank, share in enumerate(parts):
            assert len(share.crops) == 8 / processes
            assert_same([type(whole)(*(part[rank::processes] for part in whole))], [share])


class Rows:
    """A table whose batches are their rows."""

    seed, __len__ = (1, 1), lambda self: 24

    def batch(self, rows, step, share):
        return rows[share]


def test_the_last_part_draws_from_its_rows_alone_each_once_an_epoch():
    rows = np.array([3, 5, 8, 13, 21, 22])
    found = drawn(Rows(), last=7, batch=8, part=LastPart(4, rows))
    np.testing.assert_array_equal(found[:4], drawn(Rows(), last=4, batch=8))
    assert sorted(np.concatenate(found[4:])) == sorted(np.repeat(rows, 4))


def test_rows_of_examples_are_those_that_show_them(on_host, poses, joint_boxes):
    table = replace(whole_bodies(on_host, dots.examples_of(poses)), training_rows=np.array([2, 5, 5, 0, 9]))
    assert table.rows_of(np.array([5, 0, 1])).tolist() == [1, 2, 3]
    boxes, table = joint_boxes
    rows = table.rows_of(np.array([4, 11]))
    assert rows.tolist() == np.flatnonzero(boxes["example"].isin([4, 11])).tolist()
    assert len(rows) == 2 * 14 * 2 * 2


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_see_each_row_once_an_epoch_between_them(processes):
    shares = [drawn(Rows(), last=6, batch=8, rank=rank, processes=processes) for rank in range(processes)]
    for epoch in (slice(0, 3), slice(3, 6)):
        seen = np.concatenate([rows for share in shares for rows in share[epoch]])
        assert sorted(seen) == list(range(24))


def test_steps_differ(table):
    some, others = drawn(table)[:2]
    assert not np.array_equal(some.crops, others.crops)


def test_another_seed_gives_other_crops(images, poses):
    examples = dots.examples_of(poses)
    tables = [whole_bodies(images, examples, seed=(seed, 1)) for seed in (1, 2)]
    some, others = (all_of(table) for table in tables)
    assert not np.array_equal(some.targets, others.targets)


# Stage 1


def test_joints_are_in_the_crop_where_the_targets_say(images, poses):
    crops, targets, weights = all_of(whole_bodies(images, dots.examples_of(poses)))
    assert crops.shape == (12, SIZE, SIZE, 3)
    assert (weights == 1).all()
    frames = set()
    for crop, target in zip(crops, targets, strict=True):
        fits = []
        for mirrored in (False, True):
            shown, wanted = shown_and_wanted(crop, target, mirrored)
            visible = np.abs(wanted).max(axis=-1) < 0.46
            fits.append(np.allclose(shown[visible], wanted[visible], rtol=0, atol=0.6 * PIXEL))
        assert sum(fits) == 1
        frames.add(fits.index(True))
    assert frames == {0, 1}


def test_half_the_crops_are_mirrored(images, poses):
    table = whole_bodies(images, dots.examples_of(poses), translation=0.0)
    plain = normalise(poses, image_box(dots.WIDTH, dots.HEIGHT))
    targets = [all_of(table, step).targets.numpy() for step in range(20)]
    flips = np.abs(np.stack(targets) - plain).max(axis=(2, 3)) > PIXEL
    assert 0.4 < flips.mean() < 0.6


def test_without_translation_the_box_is_the_initial_one(images, poses):
    crops, targets, _ = all_of(whole_bodies(images, dots.examples_of(poses), translation=0.0))
    plain = normalise(poses, image_box(dots.WIDTH, dots.HEIGHT))
    mirrored = plain[:, COUNTERPART] * [-1, 1]
    fits = [np.abs(targets.numpy() - frame).max(axis=(1, 2)) < 1e-6 for frame in (plain, mirrored)]
    assert (fits[0] ^ fits[1]).all()
    assert not (crops == dots.PADDING[0]).all(dim=-1).any(), "the full image needs no padding"


def test_moves_stay_within_the_translation(images, poses):
    table = whole_bodies(images, dots.examples_of(poses), translation=0.1, keep_joints=0.0)
    plain = normalise(poses, image_box(dots.WIDTH, dots.HEIGHT))
    moves = []
    for step in range(20):
        targets = all_of(table, step).targets.numpy()
        frames = np.stack([plain - targets, plain[:, COUNTERPART] * [-1, 1] - targets])
        rigid = np.ptp(frames, axis=2).max(axis=-1)
        moves.append(frames[rigid.argmin(axis=0), np.arange(len(poses)), 0])
    moves = np.concatenate(moves)
    assert np.abs(moves).max() <= 0.1 + 1e-6
    assert (np.abs(moves).max(axis=0) > 0.09).all()


@pytest.mark.parametrize("keep", [1.0, 0.75])
def test_a_moved_box_keeps_its_share_of_the_joints(keep):
    poses = dots.poses(30, seed=3)
    poses[:, 0] = [2.0, 2.0]
    poses[:, 1] = [dots.WIDTH - 3.0, dots.HEIGHT - 3.0]
    poses[:, 2] = [-30.0, 50.0]  # outside the initial box: it can't be lost
    labelled = np.ones((30, dots.JOINTS), dtype=bool)
    labelled[:, 3] = False
    images = [np.zeros((dots.HEIGHT, dots.WIDTH, 3), dtype=np.uint8)] * 30
    examples = dots.examples_of(poses, labelled)
    kept, moved = [], []
    for step in range(5):
        table = whole_bodies(images, examples, translation=0.3, keep_joints=keep)
        _, targets, weights = all_of(table, step)
        inside = (targets.abs() <= 0.5).all(dim=-1) & (weights > 0)
        kept.append(inside.sum(dim=1).numpy())
        moved.append((targets[:, 12].numpy() != normalise(poses[:, 12], image_box(201, 160))).any(axis=1))
    kept = np.concatenate(kept)
    assert (kept >= keep * 12).all()
    assert np.concatenate(moved).any()
    if keep < 1:
        assert (kept < 12).any()


def test_unlabelled_joints_do_not_count_and_are_finite(images, poses):
    labelled = np.random.default_rng(5).random((12, dots.JOINTS)) < 0.6
    _, targets, weights = all_of(whole_bodies(images, dots.examples_of(poses, labelled)))
    swapped = labelled[:, COUNTERPART]
    for row, which in enumerate(weights.numpy() > 0):
        assert (which == labelled[row]).all() or (which == swapped[row]).all()
    assert targets.isfinite().all()
    assert (targets[weights == 0] == 0).all()


def test_a_turned_and_scaled_box_has_its_joints_where_the_targets_say(on_host, poses):
    table = replace(
        whole_bodies(on_host, dots.examples_of(poses), translation=0.05, keep_joints=1.0),
        scale=0.2,
        rotation=25.0,
        rotated=0.8,
    )
    offsets = []
    for step in range(4):
        crops, targets, weights = all_of(table, step)
        for crop, target, which in zip(crops.numpy(), targets.numpy(), weights.numpy(), strict=True):
            # A mirrored crop shows the colours of the other side.
            place = dots.found(crop)
            best = min(
                (place - target, place[COUNTERPART] - target), key=lambda off: np.nanmedian(np.abs(off))
            )
            inside = (np.abs(target) < 0.45).all(axis=-1) & (which > 0)
            offsets.append(best[inside])
    found = np.concatenate(offsets)
    assert len(found) > 300
    assert np.nanmax(np.abs(found)) < 2 * PIXEL
    assert np.abs(np.nanmean(found, axis=0)).max() < 0.2 * PIXEL


def test_without_turns_the_crops_are_those_of_moved_boxes(on_host, poses):
    table = whole_bodies(on_host, dots.examples_of(poses))
    still = replace(table, rotation=30.0, rotated=0.0)
    for ours, theirs in zip(all_of(table), all_of(still), strict=True):
        assert torch.equal(ours, theirs)


# Stages s ≥ 2


def test_a_joint_box_trains_one_output(joint_boxes):
    rows, table = joint_boxes
    crops, targets, weights = all_of(table)
    assert (weights.sum(dim=1) == 1).all()
    np.testing.assert_array_equal(weights.argmax(dim=1), rows["joint"])
    np.testing.assert_array_equal(targets[weights > 0], rows[["target_x", "target_y"]])
    assert (targets[weights == 0] == 0).all()
    assert crops.shape == (12 * 14 * 2 * 2, SIZE, SIZE, 3)


def test_the_joint_is_in_its_box_where_the_target_says(joint_boxes):
    rows, table = joint_boxes
    crops, targets, weights = all_of(table)
    seen = {False: [], True: []}
    for row, (crop, target, one) in enumerate(zip(crops, targets[weights > 0].numpy(), weights, strict=True)):
        side = rows["side"][row]
        if np.abs(target).max() > 0.5 - 5 / side:
            continue  # the dot is cut by the crop's edge
        mirrored = bool(rows["mirrored"][row])
        joint = int(one.argmax())
        place = dots.found(crop.numpy())[COUNTERPART[joint] if mirrored else joint]
        seen[mirrored].append(place - target)
    for offsets in seen.values():
        assert len(offsets) > 200
        assert np.abs(offsets).max() < PIXEL  # what counting whole pixels of the dot may be off
        assert np.abs(np.mean(offsets, axis=0)).max() < 0.1 * PIXEL


def test_workers_outlive_the_threads_of_opencv():
    # In a process of its own, since what is tested for is that it hangs.
    script = """
import cv2, numpy as np, time
import torch
from deeppose.cascade.batches import crop_loader
cv2.setNumThreads(2)
cv2.warpAffine(np.zeros((2000, 2000, 3), np.uint8), np.eye(2, 3), (2000, 2000))
time.sleep(1)  # until its threads wait for more
print(len(list(crop_loader([np.zeros(2), np.zeros(2)], 1, torch.device('cpu')))))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2\n"


def test_the_other_joints_that_a_crop_shows_count_less(joint_boxes, on_host, poses):
    rows, alone = joint_boxes
    labelled = np.random.default_rng(5).random((len(poses), dots.JOINTS)) < 0.8
    examples = dots.examples_of(poses, labelled)
    table = JointBoxes(on_host, rows, examples, FULL_BODY, SIZE, dots.PADDING, (1, 2), others=0.25)
    crops, targets, weights = all_of(table)
    own_crops, own_targets, own = all_of(alone)
    assert torch.equal(crops, own_crops)
    assert torch.equal(targets[own > 0], own_targets[own > 0])
    assert set(weights.unique().tolist()) == {0.0, 0.25, 1.0}
    assert torch.equal(weights == 1, own == 1)
    assert targets.isfinite().all()
    others = weights == 0.25
    assert (targets[others].abs() <= 0.5).all()
    offsets = []
    for row in range(len(rows)):
        mirrored = bool(rows["mirrored"][row])
        place = dots.found(crops[row].numpy())
        place = place[COUNTERPART] if mirrored else place
        well_inside = others[row].numpy() & (targets[row].abs() < 0.5 - 5 / rows["side"][row]).all(-1).numpy()
        seen = labelled[rows["example"][row]]
        assert not (others[row].numpy() & ~(seen[COUNTERPART] if mirrored else seen)).any()
        offsets.append((place - targets[row].numpy())[well_inside])
    assert np.nanmax(np.abs(np.concatenate(offsets))) < PIXEL


def test_turned_and_scaled_boxes_have_their_joints_where_the_targets_say(joint_boxes, on_host, poses):
    rows, _ = joint_boxes
    table = JointBoxes(
        on_host, rows, dots.examples_of(poses), FULL_BODY, SIZE, dots.PADDING, (1, 2), 0.25, 0.2, 30.0
    )
    plain = replace(table, table=rows, scale=0.0, rotation=0.0)
    offsets, steps = [], []
    for step in range(2):
        crops, targets, weights = all_of(table, step)
        steps.append(targets)
        lengths = targets[weights == 1].norm(dim=-1) / all_of(plain).targets[weights == 1].norm(dim=-1)
        assert 1 / 1.2 - 1e-5 < lengths.min() < 0.86
        assert 1.2 < lengths.max() < 1 / 0.8 + 1e-5
        assert ((targets.abs() <= 0.5).all(dim=-1) | (weights != 0.25)).all()
        for row in range(len(rows)):
            place = dots.found(crops[row].numpy())
            place = place[COUNTERPART] if rows["mirrored"][row] else place
            seen = (targets[row].abs() < 0.5 - 7 / rows["side"][row]).all(-1) & (weights[row] > 0)
            offsets.append((place - targets[row].numpy())[seen.numpy()])
    found = np.concatenate(offsets)
    assert len(found) > 1000
    assert np.nanmax(np.abs(found)) < 2 * PIXEL
    assert np.abs(np.nanmean(found, axis=0)).max() < 0.1 * PIXEL
    assert not torch.equal(*steps)
