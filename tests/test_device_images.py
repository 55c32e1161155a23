"""Crops cut on the network's device, against those that are cut one by one beside it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppose.crops import crop
from deeppose.device_images import DeviceImages
from deeppose.errors import DeviceError

PADDING = (11, 120, 240)
SIZE = 20
CPU = torch.device("cpu")


def noise(sizes=((30, 40), (50, 25), (7, 5)), seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in sizes]


def smooth(width, height):
    """A picture without detail, so that how it is shrunk hardly matters."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(2 * np.pi * (x / width + phase)) * np.cos(np.pi * y / height) for phase in (0, 0.3, 0.6)]
    return (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def both(images, rows, boxes, mirrored, angles, size=SIZE):
    """The crops as cut here and one by one, `(n, size, size, 3)` each."""
    rows, mirrored, angles = np.array(rows), np.array(mirrored), np.array(angles, dtype=float)
    boxes = np.array(boxes, dtype=float)
    cut = DeviceImages(images, CPU).crops(rows, boxes, mirrored, size, PADDING, angles)
    assert (cut.dtype, cut.shape) == (torch.uint8, (len(rows), size, size, 3))
    one_by_one = [
        crop(images[row], box, size, PADDING, mirrored=bool(flip), angle=float(angle))
        for row, box, flip, angle in zip(rows, boxes, mirrored, angles, strict=True)
    ]
    return cut.numpy().astype(int), np.stack(one_by_one).astype(int)


boxes = st.tuples(st.floats(-10, 60), st.floats(-10, 60), st.floats(2, SIZE), st.floats(2, SIZE))
cuts = st.tuples(st.integers(0, 2), boxes, st.booleans(), st.sampled_from([0.0]) | st.floats(-3, 3))


# What a 32nd of a pixel along both sides makes between a black pixel and a white one.
ROUNDING = 2 * 255 / 32


@settings(max_examples=60, deadline=None)
@given(st.lists(cuts, min_size=1, max_size=5))
def test_where_nothing_shrinks_they_are_the_same_but_for_rounding(cuts):
    found, expected = both(noise(), *zip(*cuts, strict=True))
    apart = np.abs(found - expected)
    assert apart.max() <= ROUNDING
    assert apart.mean() < 0.3


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.7])
@pytest.mark.parametrize("times", [1.7, 4, 9.5])
def test_where_it_shrinks_they_are_close(mirrored, angle, times):
    side = SIZE * times
    found, expected = both(
        [smooth(1, 1), smooth(300, 300)], [1], [(150, 140, side, side)], [mirrored], [angle]
    )
    assert np.abs(found - expected).mean() < 4
    assert np.ptp(expected) > 50


def test_nothing_aliases():
    """A board of single black and white pixels is grey from afar."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    found, _ = both([image], [0], [(127.5, 127.5, 256, 256)], [False], [0.0], size=32)
    assert np.abs(found - 127.5).max() < 2


def test_a_whole_image_is_itself():
    (image,) = noise([(SIZE, SIZE)])
    middle = (SIZE - 1) / 2
    found, _ = both([image], [0], [(middle, middle, SIZE, SIZE)], [False], [0.0])
    np.testing.assert_array_equal(found[0], image)


def test_outside_the_image_is_the_padding():
    found, _ = both(noise(), [2], [(100.0, 100.0, 20.0, 20.0)], [False], [0.0])
    assert (found == PADDING).all()


def test_a_crop_does_not_depend_on_the_others():
    images = DeviceImages(noise(), CPU)
    rows, mirrored, angles = np.array([0, 1, 2]), np.array([True, False, True]), np.array([0.0, 1.0, 0.2])
    boxes = np.array([[15.0, 20, 90, 30], [25, 12, 10, 20], [3, 2, 7, 5]])
    together = images.crops(rows, boxes, mirrored, SIZE, PADDING, angles)
    for n in range(3):
        part = slice(n, n + 1)
        alone = images.crops(rows[part], boxes[part], mirrored[part], SIZE, PADDING, angles[part])
        assert torch.equal(alone[0], together[n])


def test_copies_go_down_to_a_few_pixels():
    images = DeviceImages(noise([(300, 5), (64, 64)]), CPU)
    assert images.sizes[:, 0].tolist() == [[300, 5], [150, 3], [75, 2], [38, 1]]
    assert len(images) == 2


def test_images_that_do_not_fit(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(DeviceError, match=r"take 0\.0 GB, more than cpu has free.*device\.crops: host"):
        DeviceImages(noise(), CPU)


def test_no_images():
    assert len(DeviceImages([], CPU)) == 0
