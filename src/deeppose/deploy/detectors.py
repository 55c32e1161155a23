"""Other packages' detectors of people."""

import warnings
from typing import Any

import numpy as np
import torch

from deeppose.core.errors import WeightsError
from deeppose.core.geometry import Floats
from deeppose.core.images import Pixels

PERSON = 1
"""Among the classes of COCO."""
LEAST_SCORE = 0.5
"""Of a detection; the cascade decides about each once more."""
WITHOUT = "--detector faces works without"


class TorchvisionDetector:
    """People by torchvision's Faster R-CNN on MobileNet; torchvision downloads its weights on first use."""

    def __init__(self, model: Any = None) -> None:  # noqa: ANN401 - torchvision's models have no common type
        """Load the detector, or take another one of the same interface.

        Raises
        ------
        WeightsError
            If torchvision is not installed, or its weights can't be downloaded.
        """
        self._model = _torchvision() if model is None else model

    def __call__(self, photo: Pixels) -> Floats:
        """Boxes of people, `(n, 5)`: centre x, centre y, width, height in pixels, and the score."""
        image = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            (found,) = self._model([image])
        kept = (found["labels"] == PERSON) & (found["scores"] >= LEAST_SCORE)
        left, top, right, bottom = found["boxes"][kept].double().numpy().T
        # Corners are counted from the image's edge, half a pixel before the first column's centre.
        sides = right - left, bottom - top
        centre = (left + right - 1) / 2, (top + bottom - 1) / 2
        boxes: Floats = np.stack([*centre, *sides, found["scores"][kept].double().numpy()], axis=-1)
        return boxes


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
