"""Other packages' detectors of people."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from deeppose.core.errors import WeightsError
from deeppose.core.geometry import Floats
from deeppose.core.images import Pixels
from deeppose.deploy.people import Detector

PERSON = 1
"""Among the classes of COCO."""
LEAST_SCORE = 0.5
"""Of a detection; the cascade decides about each once more."""
WITHOUT = "--detector faces works without"


def torchvision_detector(model: Callable[[list[torch.Tensor]], Any] | None = None) -> Detector:
    """People by torchvision's Faster R-CNN on MobileNet, or by another `model` of the same interface.

    torchvision downloads its weights on first use.

    Raises
    ------
    WeightsError
        If torchvision is not installed, or its weights can't be downloaded.
    """
    model = model or _torchvision()

    def people_in(photo: Pixels) -> Floats:
        image = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            (found,) = model([image])
        kept = (found["labels"] == PERSON) & (found["scores"] >= LEAST_SCORE)
        left, top, right, bottom = found["boxes"][kept].double().numpy().T
        # Corners are counted from the image's edge, half a pixel before the first column's centre.
        sides = right - left, bottom - top
        centre = (left + right - 1) / 2, (top + bottom - 1) / 2
        boxes: Floats = np.stack([*centre, *sides, found["scores"][kept].double().numpy()], axis=-1)
        return boxes

    return people_in


def _torchvision() -> Any:  # noqa: ANN401
    try:
        from torchvision.models import detection
    except ImportError as error:
        raise WeightsError(f"torchvision is not installed: `pip install torchvision`; {WITHOUT}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = detection.FasterRCNN_MobileNet_V3_Large_FPN_Weights.DEFAULT
            return detection.fasterrcnn_mobilenet_v3_large_fpn(weights=weights).eval()
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise WeightsError(f"torchvision's detector can't be downloaded ({why}); {WITHOUT}") from error
