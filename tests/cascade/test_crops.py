import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional

from deeppose.cascade.crops import crop
from deeppose.core.geometry import image_box, mirror_boxes, normalise

GREEN = (10, 200, 30)


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def waves(width, height, stretch=1.0):
    """Without detail finer than 40 pixels times `stretch`; another image in each channel."""
    y, x = np.mgrid[:height, :width] / stretch
    channels = [
        np.sin(x * a + c) * np.cos(y * b) for a, b, c in ((0.05, 0.1, 0), (0.1, 0.03, 1), (0.15, 0.15, 2))
    ]
    return np.stack([128 + 100 * channel for channel in channels], axis=-1).round().astype(np.uint8)


def blob(width, height, x, y):
    """Black but for a round spot."""
    rows, columns = np.mgrid[:height, :width]
    spot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))
    return np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2)


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


class TestAgainstTorchvision:
    """Oracle: torchvision 0.29.1, `resize(antialias=True)` of the whole image."""

    @pytest.mark.parametrize(
        ("width", "height", "size"),
        [
            (300, 200, 92),
            (640, 480, 124),
            (100, 170, 92),
            (220, 500, 220),
            (300, 200, 220),
            (50, 40, 92),
            (60, 90, 220),
        ],
    )
    def test_resize(self, width, height, size):
        image = waves(width, height, max(1, width / size))
        expected = functional.resize(
            torch.from_numpy(image).permute(2, 0, 1), [size, size], antialias=True
        ).permute(1, 2, 0)
        found = crop(image, image_box(width, height), size, (128, 128, 128))
        # Where it enlarges, the half pixel at the image's border fades into the padding, torch's does not.
        edge = int(np.ceil(size / min(width, height)))
        wrong = difference(found, expected.numpy())[edge:-edge, edge:-edge]
        assert wrong.max() <= 3
        assert wrong.mean() < 0.5


class TestWholePixels:
    def test_identity(self):
        image = noise(32, 32)
        np.testing.assert_array_equal(crop(image, image_box(32, 32), 32, GREEN), image)

    def test_part_of_an_image(self):
        image = noise(64, 48)
        found = crop(image, np.array([20 + 15.5, 5 + 15.5, 32, 32]), 32, GREEN)
        np.testing.assert_array_equal(found, image[5:37, 20:52])

    @pytest.mark.parametrize("factor", [2, 5, 8])
    def test_shrinking_averages_what_is_covered(self, factor):
        image = noise(16 * factor, 16 * factor)
        blocks = image.reshape(16, factor, 16, factor, 3).mean(axis=(1, 3))
        found = crop(image, image_box(16 * factor, 16 * factor), 16, GREEN)
        assert np.abs(found - blocks).max() <= 0.51

    def test_only_one_direction_shrinks(self):
        image = noise(64, 16)
        blocks = image.reshape(16, 16, 4, 3).mean(axis=2)
        found = crop(image, image_box(64, 16), 16, GREEN)
        assert np.abs(found - blocks).max() <= 0.51

    @pytest.mark.parametrize(("scale", "allowed"), [(2.3, 4), (3, 4), (5.7, 2), (8, 1), (20, 1)])
    def test_checkerboard_becomes_grey(self, scale, allowed):
        board = (np.indices((700, 700)).sum(axis=0) % 2 * 255).astype(np.uint8)
        found = crop(
            np.repeat(board[..., None], 3, axis=2),
            np.array([350.3, 349.1, 32 * scale, 32 * scale]),
            32,
            GREEN,
        )
        assert difference(found, np.full(1, 128)).max() <= allowed

    def test_an_image_that_is_a_view_of_a_memory_map(self, tmp_path):
        image = noise(40, 30)
        (tmp_path / "image").write_bytes(image.tobytes())
        mapped = np.memmap(tmp_path / "image", dtype=np.uint8, mode="r").reshape(30, 40, 3)
        box = np.array([12.3, 9.8, 20.5, 17.2])
        np.testing.assert_array_equal(crop(mapped, box, 16, GREEN), crop(image, box, 16, GREEN))


class TestPadding:
    def test_half_outside(self):
        image = noise(32, 32)
        found = crop(image, np.array([-0.5, 15.5, 32, 32]), 32, GREEN)
        np.testing.assert_array_equal(found[:, :16], np.broadcast_to(GREEN, (32, 16, 3)))
        np.testing.assert_array_equal(found[:, 16:], image[:, :16])

    @pytest.mark.parametrize("shift", [(-16, 0), (16, 0), (0, -16), (0, 16)])
    def test_each_side_when_shrunk(self, shift):
        image = np.full((32, 32, 3), 90, dtype=np.uint8)
        found = crop(image, np.array([15.5 + shift[0], 15.5 + shift[1], 32, 32]), 8, GREEN)
        inside = np.full((8, 8), True)
        left, top = (int(np.sign(s)) for s in shift)
        if left:
            inside[:, : 4 if left < 0 else None] = False
            inside[:, 4 if left < 0 else 0 : None if left < 0 else 4] = True
        if top:
            inside[: 4 if top < 0 else None] = False
            inside[4 if top < 0 else 0 : None if top < 0 else 4] = True
        np.testing.assert_array_equal(found[inside], np.broadcast_to(90, (32, 3)))
        np.testing.assert_array_equal(found[~inside], np.broadcast_to(GREEN, (32, 3)))

    @pytest.mark.parametrize("centre", [(-200, 10), (500, 10), (10, -200), (10, 500), (-1e6, 1e6)])
    def test_entirely_outside(self, centre):
        found = crop(noise(32, 32), np.array([*centre, 50.0, 50.0]), 16, GREEN)
        np.testing.assert_array_equal(found, np.broadcast_to(GREEN, (16, 16, 3)))

    def test_image_in_the_middle_of_a_large_box(self):
        image = np.full((10, 10, 3), 90, dtype=np.uint8)
        found = crop(image, np.array([4.5, 4.5, 40, 40]), 40, GREEN)
        np.testing.assert_array_equal(found[15:25, 15:25], image)
        found[15:25, 15:25] = GREEN
        np.testing.assert_array_equal(found, np.broadcast_to(GREEN, (40, 40, 3)))


class TestWhereThingsLand:
    @pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.8])
    def test_sub_pixel_shift_of_a_ramp(self, shift):
        ramp = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (40, 1, 3))
        found = crop(ramp, np.array([100 + shift, 20, 16, 16]), 16, GREEN)
        expected = 100 + shift - 7.5 + np.arange(16)
        assert np.abs(found - expected[None, :, None]).max() <= 0.55

    @pytest.mark.parametrize("scale", [0.25, 0.6, 1.7, 3.0])
    def test_scaled_ramp(self, scale):
        ramp = np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 200, 3))
        found = crop(ramp, np.array([100.0, 101.3, 16 * scale, 16 * scale]), 16, GREEN)
        expected = 101.3 + (np.arange(16) - 7.5) * scale
        # Rounded to whole levels once, twice where the image is shrunk first.
        assert np.abs(found - expected[:, None, None]).max() <= (0.55 if scale <= 1 else 1.05)

    @settings(max_examples=60, deadline=None)
    @given(
        width=st.floats(40, 300),
        height=st.floats(40, 300),
        x=st.floats(-0.3, 0.3),
        y=st.floats(-0.3, 0.3),
        size=st.sampled_from([48, 92]),
        mirrored=st.booleans(),
    )
    def test_a_spot_at_p_is_found_at_n_of_p(self, width, height, x, y, size, mirrored):
        spot = np.array([97.0, 61.0])
        box = np.array([spot[0] - x * width, spot[1] - y * height, width, height])
        found = crop(blob(200, 120, *spot), box, size, (0, 0, 0), mirrored=mirrored)[..., 0].astype(float)
        places = (np.arange(size) + 0.5) / size - 0.5
        centre = np.array([found.sum(axis=0) @ places, found.sum(axis=1) @ places]) / found.sum()
        expected = normalise(spot, box) * ([-1, 1] if mirrored else [1, 1])
        # A tenth of a pixel of the image, and the rounding of faint pixels.
        np.testing.assert_allclose(centre, expected, atol=0.1 / min(width, height) + 2e-3)

    def test_a_box_that_is_no_square_changes_the_aspect(self):
        image = np.zeros((100, 100, 3), dtype=np.uint8)
        image[40:60, 40:60] = 255
        found = crop(image, np.array([49.5, 49.5, 80.0, 40.0]), 40, (0, 0, 0))[..., 0] > 127
        assert (found.any(axis=0).sum(), found.any(axis=1).sum()) == (10, 20)

    def test_colours_keep_their_channels(self):
        image = np.broadcast_to(np.array([200, 100, 0], dtype=np.uint8), (20, 20, 3))
        for size in (8, 20, 33):
            found = crop(image, np.array([9.5, 9.5, 10, 10]), size, GREEN)
            np.testing.assert_array_equal(found, np.broadcast_to((200, 100, 0), (size, size, 3)))


class TestMirrored:
    @settings(max_examples=60, deadline=None)
    @given(
        box=st.tuples(st.floats(-20, 80), st.floats(-20, 80), st.floats(1, 150), st.floats(1, 150)).map(
            np.array
        )
    )
    def test_is_the_crop_flipped(self, box):
        image = waves(60, 50)
        straight = crop(image, box, 32, (128, 128, 128))
        mirrored = crop(image, box, 32, (128, 128, 128), mirrored=True)
        # OpenCV interpolates in steps of 1/32 pixel.
        assert difference(straight[:, ::-1], mirrored).max() <= 4

    def test_whole_pixels_exactly(self):
        image = noise(32, 32)
        np.testing.assert_array_equal(
            crop(image, image_box(32, 32), 32, GREEN, mirrored=True), image[:, ::-1]
        )

    @settings(max_examples=30, deadline=None)
    @given(x=st.floats(20, 80), y=st.floats(20, 60), side=st.floats(10, 60))
    def test_is_the_crop_of_the_mirrored_image(self, x, y, side):
        image = waves(100, 80)
        box = np.array([[x, y, side, side]])
        in_mirrored = mirror_boxes(box, np.array([100]))[0]
        expected = crop(np.ascontiguousarray(image[:, ::-1]), in_mirrored, 24, (128, 128, 128))
        found = crop(image, box[0], 24, (128, 128, 128), mirrored=True)
        assert np.quantile(difference(found, expected), 0.9) <= 6


class TestExtremes:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
    @pytest.mark.parametrize("size", [1, 7, 92])
    def test_tiny_images(self, shape, size):
        image = np.full((*shape, 3), 77, dtype=np.uint8)
        found = crop(image, image_box(shape[1], shape[0]), size, (77, 77, 77))
        np.testing.assert_array_equal(found, np.full((size, size, 3), 77))

    def test_one_pixel_box(self):
        image = noise(9, 9)
        np.testing.assert_array_equal(crop(image, np.array([4.0, 6.0, 1, 1]), 1, GREEN)[0, 0], image[6, 4])
        middle = crop(image, np.array([4.0, 6.0, 1, 1]), 9, GREEN)[4, 4]
        np.testing.assert_array_equal(middle, image[6, 4])

    def test_minute_box(self):
        image = noise(9, 9)
        found = crop(image, np.array([4.0, 6.0, 1e-3, 1e-3]), 8, GREEN)
        assert difference(found, image[6, 4]).max() <= 1

    @settings(max_examples=80, deadline=None)
    @given(
        box=st.tuples(
            st.floats(-500, 500), st.floats(-500, 500), st.floats(1e-3, 2000), st.floats(1e-3, 2000)
        ),
        size=st.integers(1, 64),
        shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    )
    def test_any_box_gives_colours_between_image_and_padding(self, box, size, shape):
        image = np.full((*shape, 3), 90, dtype=np.uint8)
        found = crop(image, np.array(box), size, (120, 120, 120))
        assert found.shape == (size, size, 3)
        assert found.dtype == np.uint8
        assert found.min() >= 90
        assert found.max() <= 120


class TestTurned:
    def test_a_quarter_turn_is_that_of_the_array(self):
        image = noise(40, 40)
        box = image_box(40, 40)
        # The box's own x axis points down the image: what is seen is turned the other way.
        turned = crop(image, box, 40, GREEN, angle=np.pi / 2)
        assert difference(turned, np.rot90(image)).max() <= 1

    def test_no_turn_is_the_crop_as_it_is(self):
        image, box = noise(60, 50), np.array([31.3, 20.2, 30.0, 44.0])
        np.testing.assert_array_equal(crop(image, box, 32, GREEN, angle=0.0), crop(image, box, 32, GREEN))

    @pytest.mark.parametrize("mirrored", [False, True])
    @pytest.mark.parametrize(("width", "height"), [(60, 60), (90, 40), (200, 160)])
    def test_a_spot_is_where_the_turned_box_has_it(self, width, height, mirrored):
        angle, size = 0.4, 64
        centre = np.array([150.0, 120.0])
        away = np.array([0.2 * width, -0.15 * height])  # along the box's own axes
        cos, sin = np.cos(angle), np.sin(angle)
        x = centre[0] + cos * away[0] - sin * away[1]
        y = centre[1] + sin * away[0] + cos * away[1]
        box = np.array([*centre, width, height])
        cut = crop(blob(300, 240, x, y), box, size, (0, 0, 0), mirrored=mirrored, angle=angle)
        bright = cut[..., 0].astype(float)
        rows, columns = np.mgrid[:size, :size]
        found = [(bright * axis).sum() / bright.sum() for axis in (columns, rows)]
        place = np.array([-0.2 if mirrored else 0.2, -0.15])
        np.testing.assert_allclose(found, (place + 0.5) * size - 0.5, atol=0.1)
