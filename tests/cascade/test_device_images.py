"""Crops cut on the network's device, against those that are cut one by one beside it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppose.cascade.crops import crop
from deeppose.cascade.device_images import DeviceImages
from deeppose.core.errors import DeviceError, GeometryError

PADDING = (11, 120, 240)
SIZE = 20
CPU = torch.device("cpu")


def noise(sizes=((30, 40), (50, 25), (7, 5)), seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in sizes]


def ramp(width, height):
    """A picture whose red says how far right a pixel is, and whose green how far down."""
    y, x = np.mgrid[:height, :width]
    shares = [x / width, y / height, np.zeros((height, width))]
    return np.rint(250 * np.stack(shares, axis=-1)).astype(np.uint8)


def both(images, rows, boxes, mirrored, size=SIZE):
    """The crops as cut here and one by one, `(n, size, size, 3)` each."""
    rows, mirrored, boxes = np.array(rows), np.array(mirrored), np.array(boxes, dtype=float)
    cut = DeviceImages(images, CPU).crops(rows, boxes, mirrored, size, PADDING)
    assert (cut.dtype, cut.shape) == (torch.uint8, (len(rows), size, size, 3))
    one_by_one = [
        crop(images[row], box, size, PADDING, mirrored=bool(flip))
        for row, box, flip in zip(rows, boxes, mirrored, strict=True)
    ]
    return cut.numpy().astype(int), np.stack(one_by_one).astype(int)


boxes = st.tuples(st.floats(-10, 60), st.floats(-10, 60), st.floats(2, SIZE), st.floats(2, SIZE))
cuts = st.tuples(st.integers(0, 2), boxes, st.booleans())
# OpenCV samples at 32nds of a pixel: what rounding to them makes between black and white, along x and y.
ROUNDING = 2 * 255 / 64 + 1


@settings(max_examples=60, deadline=None)
@given(st.lists(cuts, min_size=1, max_size=5))
def test_where_nothing_shrinks_they_are_the_same_but_for_rounding(cuts):
    found, expected = both(noise(), *zip(*cuts, strict=True))
    apart = np.abs(found - expected)
    assert apart.max() <= ROUNDING
    assert apart.mean() < 2


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("sides", [(25, 25), (60, 26), (30, 150), (180, 70), (18, 90)])
def test_where_it_shrinks_a_pixel_shows_the_same_place(mirrored, sides):
    """Along one axis or both, by 1.2 to 9 times; a twentieth of one of the crop's own pixels is allowed."""
    width, height = 301, 157
    found, expected = both([ramp(1, 1), ramp(width, height)], [1], [(150.3, 77.8, *sides)], [mirrored])
    for colour, (side, whole) in enumerate(zip(sides, (width, height), strict=True)):
        pixel = 250 * side / SIZE / whole
        inside = np.abs(found - expected)[..., colour]
        assert inside.max() <= 2 + pixel
        assert abs(np.mean(found[..., colour] - expected[..., colour])) <= 0.5 + 0.05 * pixel
    assert np.ptp(expected[..., 0]) > 10


@pytest.mark.parametrize("times", [1.2, 1.4, 2.7, 8])
def test_nothing_aliases(times):
    """A board of single black and white pixels turns grey where it shrinks."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    side = SIZE * times
    found, _ = both([image], [0], [(127.5, 127.5, side, side)], [False])
    assert found.std() < 20


def test_along_an_axis_that_is_not_shrunk_nothing_is_blurred():
    stripes = np.zeros((200, SIZE, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    found, _ = both([stripes], [0], [((SIZE - 1) / 2, 99.5, SIZE, 200)], [False])
    assert set(np.unique(found)) == {0, 255}


def test_a_whole_image_is_itself():
    (image,) = noise([(SIZE, SIZE)])
    middle = (SIZE - 1) / 2
    found, _ = both([image, image], [0, 1], [(middle, middle, SIZE, SIZE)] * 2, [False, True])
    np.testing.assert_array_equal(found[0], image)
    np.testing.assert_array_equal(found[1], image[:, ::-1])


@pytest.mark.parametrize("box", [(100.0, 100.0, 20.0, 20.0), (-9.0, 2.0, 4.0, 4.0)])
def test_outside_the_image_is_the_padding(box):
    found, _ = both(noise(), [2], [box], [False])
    assert (found == PADDING).all()


def test_a_box_far_larger_than_the_image_shows_it_small():
    white = np.full((10, 10, 3), 255, dtype=np.uint8)
    found, expected = both([white], [0], [(4.5, 4.5, 100, 100)], [False])
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected.sum(axis=(1, 2)), rtol=0.02)
    assert (found[0, 0] == PADDING).all()


def test_a_crop_does_not_depend_on_the_others(monkeypatch):
    images = DeviceImages(noise(), CPU)
    rows, mirrored = np.array([0, 1, 2, 0]), np.array([True, False, True, False])
    boxes = np.array([[15.0, 20, 90, 30], [25, 12, 10, 20], [3, 2, 7, 5], [1, 1, 5, 5]])
    together = images.crops(rows, boxes, mirrored, SIZE, PADDING).int()
    monkeypatch.setattr("deeppose.cascade.device_images.MOST_PIXELS", 1)
    one_by_one = images.crops(rows, boxes, mirrored, SIZE, PADDING).int()
    assert (together - one_by_one).abs().max() <= 1


@pytest.mark.parametrize("box", [(5.0, 5.0, 0.0, 4.0), (np.nan, 5.0, 4.0, 4.0), (5.0, np.inf, 4.0, 4.0)])
def test_a_box_that_covers_nothing(box):
    with pytest.raises(GeometryError, match="has no area or isn't finite"):
        DeviceImages(noise(), CPU).crops(np.array([0]), np.array([box]), np.array([False]), SIZE, PADDING)


def test_no_images():
    assert len(DeviceImages([], CPU)) == 0


def test_images_that_do_not_fit(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(DeviceError, match=r"take 0\.0 GB, more than cpu has free.*device\.crops=host"):
        DeviceImages(noise(), CPU)
