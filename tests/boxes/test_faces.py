import cv2
import numpy as np
import pandas as pd
import pytest
from skimage.data import astronaut

from deeppose.boxes.face_detector import FaceDetector
from deeppose.boxes.faces import faces_table

# Of the astronaut picture, 512×512: between the eyes, and about how wide the face is.
EYES = (224, 100)
FACE_WIDTH = 85


@pytest.fixture(scope="module")
def detector():
    return FaceDetector(threads=1)


@pytest.fixture(scope="module")
def picture():
    return astronaut()


def test_a_face_is_found_where_it_is(detector, picture):
    (faces,) = detector.detect([picture])
    assert faces.shape == (1, 5)
    x, y, width, height, score = faces[0]
    assert abs(x - EYES[0]) < 10
    assert y - height / 2 < EYES[1] < y
    assert abs(width - FACE_WIDTH) < 20
    assert width < height < 1.6 * width
    assert 0.8 < score <= 1


def test_an_image_without_a_face_gives_none(detector):
    grey = np.full((90, 120, 3), 128, np.uint8)
    assert [faces.shape for faces in detector.detect([grey, grey])] == [(0, 5), (0, 5)]
    assert detector.detect([]) == []


@pytest.mark.parametrize("size", [(128, 128), (256, 170), (1024, 1024), (700, 512)])
def test_faces_are_in_the_pixels_of_the_image(detector, picture, size):
    width, height = size
    (faces,) = detector.detect([cv2.resize(picture, size, interpolation=cv2.INTER_AREA)])
    (as_it_is,) = detector.detect([picture])
    # x = 0 is the centre of the first column, in both.
    scales = np.array([width, height]) / 512
    wanted = (as_it_is[0, :2] + 0.5) * scales - 0.5
    np.testing.assert_allclose(faces[0, :2], wanted, rtol=0, atol=4 * scales.max() + 0.5)
    np.testing.assert_allclose(faces[0, 2:4], as_it_is[0, 2:4] * scales, rtol=0.15)


def test_the_most_confident_comes_first(detector, picture):
    small = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).integers(-60, 60, small.shape)
    noisy = np.clip(small.astype(int) + noise, 0, 255).astype(np.uint8)
    (faces,) = detector.detect([np.concatenate([noisy, small], axis=1)])
    assert len(faces) == 2
    assert faces[0, 4] > faces[1, 4]
    assert faces[0, 0] > 128 > faces[1, 0]


def test_a_higher_threshold_finds_no_more(detector, picture, monkeypatch):
    monkeypatch.setattr("deeppose.boxes.face_detector.THRESHOLD", 0.05)
    many = detector.detect([picture])[0]
    assert (many[:, 4] > 0.05).all()
    monkeypatch.setattr("deeppose.boxes.face_detector.THRESHOLD", 0.99)
    assert detector.detect([picture])[0].shape == (0, 5)


def test_threads_change_nothing(picture):
    pictures = [picture[:, start : start + 300] for start in range(0, 200, 40)] * 2
    alone = FaceDetector(threads=1).detect(pictures)
    together = FaceDetector(threads=3).detect(iter(pictures), total=len(pictures))
    assert len(alone) == len(pictures)
    assert sum(len(faces) for faces in alone) >= 6
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sizes_may_change_from_image_to_image(detector, picture):
    pictures = [picture, np.concatenate([picture, picture], axis=1), picture[:, :300]]
    each = [detector.detect([one])[0] for one in pictures]
    assert [len(faces) for faces in each] == [1, 2, 1]
    for found, alone in zip(detector.detect(pictures * 2), each * 2, strict=True):
        np.testing.assert_array_equal(found, alone)


def test_small_faces_are_found_in_more_pixels(picture):
    small = cv2.resize(picture, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    wide = np.full((800, 1600, 3), 128, np.uint8)
    wide[300 : 300 + small.shape[0], 700 : 700 + small.shape[1]] = small
    assert len(FaceDetector(threads=1).detect([wide])[0]) == 0
    ((x, y, *_),) = FaceDetector(threads=1, most=960).detect([wide])[0]
    assert 700 < x < 700 + small.shape[1]
    assert 300 < y < 300 + small.shape[0] / 2


def test_images_are_not_made_larger_than_they_are(picture, monkeypatch):
    sizes = []

    def stand_in(in_shape, backend):
        sizes.append(in_shape)
        return lambda image, threshold: (np.zeros((0, 5)), None)

    monkeypatch.setattr("deeppose.boxes.face_detector.CenterFace", stand_in)
    tall = np.zeros((2000, 500, 3), np.uint8)
    FaceDetector(threads=1, most=960).detect([picture[:300, :400], picture, tall])
    assert sizes == [(480, 360), (512, 512), (240, 960)]


def test_images_of_one_size_share_a_network(picture, monkeypatch):
    made = []
    monkeypatch.setattr(
        "deeppose.boxes.face_detector.CenterFace",
        lambda **given: made.append(given) or (lambda image, threshold: (np.zeros((0, 5)), None)),
    )
    detector = FaceDetector(threads=1)
    for image in (picture, picture, picture[:, :300], picture):
        detector.detect([image])
    assert len(made) == 3


def test_opencv_has_its_threads_back(detector, picture):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        detector.detect([picture])
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_a_table_of_faces(tmp_path):
    found = [
        np.array([[10.0, 20.0, 5.0, 6.0, 0.9], [1.0, 2.0, 3.0, 4.0, 0.5]]),
        np.empty((0, 5)),
        np.array([[7.0, 8.0, 9.0, 10.0, 0.7]]),
    ]
    faces_table(np.array([0, 300, 600]), found).to_parquet(tmp_path / "faces.parquet")
    table = pd.read_parquet(tmp_path / "faces.parquet")
    assert table.columns.tolist() == ["offset", "x", "y", "width", "height", "score"]
    assert table["offset"].tolist() == [0, 0, 600]
    assert table["offset"].dtype == np.int64
    assert table.drop(columns="offset").to_numpy().tolist() == np.concatenate(found).tolist()


def test_a_table_without_faces_has_its_columns():
    table = faces_table(np.array([0, 300]), [np.empty((0, 5))] * 2)
    assert len(table) == 0
    assert table.dtypes.astype(str).tolist() == ["int64"] + ["float64"] * 5
    assert faces_table(np.array([], dtype=np.int64), []).columns.tolist() == table.columns.tolist()
