import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeppose.core.errors import ImageError
from deeppose.core.images import Images, Placed, write_images


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def table(places):
    return pd.DataFrame(places, columns=list(Placed._fields))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), max_size=6))
def test_round_trip(tmp_path, sizes):
    images = [noise(*size, seed) for seed, size in enumerate(sizes)]
    places = write_images(tmp_path / "images", iter(images))
    read = Images(tmp_path / "images", table(places))
    assert len(read) == len(images)
    for row, image in enumerate(images):
        np.testing.assert_array_equal(read[row], image)
    assert (tmp_path / "images").stat().st_size == sum(image.nbytes for image in images)


def test_layout_by_hand(tmp_path):
    first = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    places = write_images(tmp_path / "images", [first, first[:1]])
    assert places == [Placed(offset=0, width=2, height=2), Placed(offset=12, width=2, height=1)]
    assert (tmp_path / "images").read_bytes() == bytes([*range(12), *range(6)])


def test_image_that_is_no_contiguous_array(tmp_path):
    image = noise(8, 6)[:, ::-1]
    places = write_images(tmp_path / "images", [image])
    np.testing.assert_array_equal(Images(tmp_path / "images", table(places))[0], image)


def test_examples_may_share_an_image(tmp_path):
    images = [noise(4, 3, 1), noise(5, 2, 2)]
    first, second = write_images(tmp_path / "images", images)
    read = Images(tmp_path / "images", table([second, first, second]))
    for row, image in enumerate((images[1], images[0], images[1])):
        np.testing.assert_array_equal(read[row], image)


def test_pixels_stay_on_disk(tmp_path):
    places = write_images(tmp_path / "images", [noise(4, 3)])
    image = Images(tmp_path / "images", table(places))[0]
    assert isinstance(image, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 1


@pytest.mark.parametrize("kept", [0, 1, 35, 71])
def test_file_cut_short(tmp_path, kept):
    path = tmp_path / "images"
    places = write_images(path, [noise(4, 3), noise(4, 3)])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ImageError, match=rf"images has {kept} bytes, its table needs 72: remove it"):
        Images(path, table(places))


@pytest.mark.parametrize("column", ["offset", "width", "height"])
def test_a_table_of_what_cant_be_is_refused(tmp_path, column):
    table = pd.DataFrame(write_images(tmp_path / "images", [np.zeros((2, 3, 3), dtype=np.uint8)]))
    table[column] = -1
    with pytest.raises(ImageError, match="images has images at negative places"):
        Images(tmp_path / "images", table)


def test_file_missing(tmp_path):
    with pytest.raises(ImageError, match="none has 0 bytes, its table needs 36"):
        Images(tmp_path / "none", table([Placed(0, 4, 3)]))


def test_an_image_that_cannot_be_had_leaves_the_old_file(tmp_path):
    def images():
        yield noise(4, 3)
        raise ImageError("the second image can't be decoded")

    path = tmp_path / "images"
    path.write_bytes(b"old")
    with pytest.raises(ImageError, match="second"):
        write_images(path, images())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
