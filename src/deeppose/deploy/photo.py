"""A trained cascade on a single photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from deeppose.boxes.faces import FaceDetector
from deeppose.boxes.initial_boxes import enlarged
from deeppose.cascade.prediction import Predictor, predict_stage
from deeppose.core.errors import ImageError
from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import Floats, image_box
from deeppose.core.images import Pixels
from deeppose.core.predictors import stage_name
from deeppose.core.skeleton import SKELETONS, Skeleton
from deeppose.networks.fused import merged
from deeppose.networks.regressor import Regressor
from deeppose.networks.weights import load_network

BATCH = 64


@dataclass(frozen=True)
class Person:
    """Somebody in a photo.

    Attributes
    ----------
    box
        The initial box b⁰, `(4,)`.
    face
        The face that it was made of, `(4,)` as a box, and its score; None where no face was looked for.
    """

    box: Floats
    face: tuple[Floats, float] | None = None


@dataclass(frozen=True)
class Cascade:
    """The networks of all stages, with what came with their weights."""

    stages: tuple[tuple[Regressor, dict[str, Any]], ...]
    skeleton: Skeleton

    def people(self, photo: Pixels) -> list[Person]:
        """Who is in a photo, by the kind of initial box that the cascade was trained on (§4.1).

        The full image is one person; of faces each is one, enlarged as in training, the most confident
        first, and there may be none.

        Parameters
        ----------
        photo
            `(height, width, 3)`, RGB.
        """
        # Weights without a word on it are of the full image.
        initial_box = self.stages[0][1].get("initial_box", {"kind": "image"})
        if initial_box["kind"] == "image":
            return [Person(image_box(photo.shape[1], photo.shape[0]))]
        (faces,) = FaceDetector(threads=1).detect([photo])
        return [
            Person(enlarged(face[:4], initial_box["scale"]), (face[:4], float(face[4]))) for face in faces
        ]

    def predict(self, photo: Pixels, box: Floats) -> dict[str, Floats]:
        """The pose after each stage.

        Parameters
        ----------
        photo
            `(height, width, 3)`, RGB.
        box
            The initial box b⁰, `(4,)`.

        Returns
        -------
        By stage ("stage 1") the pose, `(k, 2)` pixels.
        """
        height, width, _ = photo.shape
        table = pd.DataFrame([{"width": width, "height": height, **dict(zip(BOX_COLUMNS, box, strict=True))}])
        joints = len(self.skeleton.joints)
        example = Examples(table, np.zeros((1, joints, 2)), np.ones((1, joints), dtype=bool))
        row = np.zeros(1, dtype=np.int64)
        poses: dict[str, Floats] = {}
        pose: Floats | None = None
        for network, description in self.stages:
            # Weights without a word on it are of the paper's network.
            average = self.skeleton.mirrored if description.get("average_mirrored", False) else None
            predictor = Predictor(BATCH, 0, torch.device("cpu"), average)
            pose, _ = predict_stage(network, description, predictor, [photo], example, row, pose)
            poses[stage_name(description["stage"])] = pose[0]
        return poses


def load_cascade(weights: Sequence[Path]) -> Cascade:
    """Load the weights of stages 1, 2, ….

    Raises
    ------
    WeightsError
        If a file is missing or can't be read.
    """
    loaded = [load_network(path) for path in weights]
    stages = tuple((merged(network, torch.device("cpu")), description) for network, description in loaded)
    return Cascade(stages, SKELETONS[stages[0][1]["skeleton"]])


def read_photo(path: Path) -> Pixels:
    """Decode a photo, `(height, width, 3)` RGB, the right way up.

    Raises
    ------
    ImageError
        If it is missing or can't be decoded.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ImageError(f"{path} is no image that can be decoded ({data.size} bytes)")
    return np.ascontiguousarray(image[..., ::-1])
