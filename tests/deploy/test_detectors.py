import sys

import numpy as np
import pytest
import torch
from small_cascade import photo_pixels

from deeppose.core.errors import WeightsError
from deeppose.core.geometry import image_box
from deeppose.deploy.detectors import torchvision_detector


class Detects:
    """A model of the interface of torchvision's detectors."""

    def __init__(self, boxes, labels, scores):
        self.found = {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)}
        self.found |= {"labels": torch.tensor(labels, dtype=torch.int64), "scores": torch.tensor(scores)}

    def __call__(self, images):
        (image,) = images
        assert image.dtype == torch.float32
        assert image.shape[0] == 3
        assert 0 <= image.min() <= image.max() <= 1
        self.seen = image
        return [self.found]


def test_boxes_of_people_the_surer_ones():
    model = Detects(
        [[0, 0, 90, 120], [10, 20, 40, 80], [1, 1, 9, 9], [2, 2, 5, 5]], [1, 1, 1, 18], [0.9, 0.5, 0.4, 0.99]
    )
    photo = photo_pixels()
    found = torchvision_detector(model)(photo)
    # From edge to edge the whole image, as ours.
    np.testing.assert_allclose(found[0], [*image_box(90, 120), 0.9], rtol=1e-6)
    np.testing.assert_allclose(found[1], [24.5, 49.5, 30, 60, 0.5], rtol=1e-6)
    assert found.shape == (2, 5)
    assert model.seen[0, 5, 7] == pytest.approx(photo[5, 7, 0] / 255)


def test_nobody():
    assert torchvision_detector(Detects([], [], []))(photo_pixels()).shape == (0, 5)


def test_a_package_that_is_not_there_is_named_and_what_works_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(WeightsError, match=r"torchvision is not installed.*--detector faces works without"):
        torchvision_detector()


def test_weights_that_can_not_be_had_are_said(monkeypatch):
    torchvision = pytest.importorskip("torchvision")

    def unreachable(**options):
        raise OSError("no route\nto host")

    monkeypatch.setattr(torchvision.models.detection, "fasterrcnn_mobilenet_v3_large_fpn", unreachable)
    with pytest.raises(WeightsError, match=r"can't be downloaded \(no route to host\); --detector faces"):
        torchvision_detector()
