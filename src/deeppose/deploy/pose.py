"""A trained cascade as one object: images in, people out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

import deeppose
from deeppose.core.errors import GeometryError, ImageError, WeightsError
from deeppose.core.geometry import centred
from deeppose.core.images import Pixels
from deeppose.core.published import PUBLISHED, PUT_BACK
from deeppose.deploy.cascade import Cascade
from deeppose.deploy.people import Detector, Person, find_people, poses_in
from deeppose.deploy.photo import read_photo


class Pose:
    """Finds people and their poses in images.

        people = Pose("lsp")("photo.jpg")
        people[0].pose          # (14, 2), pixels
        people[0].confidences   # (14,), 0 to 1

    Parameters
    ----------
    model
        "lsp", whole bodies of 14 joints, or "flic", upper bodies of 10: the weights that are published.
    weights
        A folder with other weights, stage1.safetensors and on, as the pipeline trains them.
    device
        "cpu", or a GPU as torch names it: "cuda".

    Attributes
    ----------
    joints
        Their names, in the order of the poses' rows.
    """

    def __init__(self, model: str = "lsp", *, weights: str | Path | None = None, device: str = "cpu") -> None:
        """Load the weights of all stages.

        Raises
        ------
        WeightsError
            If they are not there, or can't be loaded.
        """
        folder = published_folder(model) if weights is None else Path(weights)
        paths = sorted(folder.glob("stage*.safetensors"))
        if not paths:
            there = PUT_BACK if weights is None else "`dvc repro` trains them"
            raise WeightsError(f"{folder} holds no weights (stage1.safetensors, …): {there}")
        self.cascade = load_cascade(paths, device=device)
        self.joints = self.cascade.skeleton.joints

    def __call__(
        self,
        image: str | Path | Pixels,
        *,
        boxes: ArrayLike | None = None,
        detector: Detector | None = None,
    ) -> list[Person]:
        """The people in an image, the most confident first; an empty list if there are none.

        Parameters
        ----------
        image
            A file, or `(height, width, 3)` uint8, RGB.
        boxes
            Where people are, `(n, 4)`: first column, first row (from 0), width, height, pixels. Each box
            gives a person, in this order. None: people are found.
        detector
            That finds people, see :data:`deeppose.deploy.people.Detector`. None: by their faces.

        Raises
        ------
        ImageError
            If a file can't be decoded, or an array is no image.
        GeometryError
            If boxes are none, or one has no area or lies outside the image.
        NotFiniteError
            If a joint is NaN or infinite: the weights are damaged.
        """
        photo = checked(image) if isinstance(image, np.ndarray) else read_photo(Path(image)).pixels
        if boxes is None:
            return find_people(self.cascade, photo, detector)
        given = np.asarray(boxes, dtype=np.float64)
        if given.size == 0:
            return []
        rows = given.ndim == 2 and given.shape[1] == 4
        if not rows or not np.isfinite(given).all() or (given[:, 2:] <= 0).any():
            raise GeometryError(
                "boxes are rows of first column, first row, width, height, with an area: (n, 4), "
                f"not {given.tolist()}"
            )
        return poses_in(self.cascade, photo, centred(given))


def checked(image: Pixels) -> Pixels:
    """An array, if it is an RGB image.

    Raises
    ------
    ImageError
        Saying what it is instead.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(
            f"an image is (height, width, 3) of uint8, RGB; this array is {image.shape} of {image.dtype}"
        )
    return np.ascontiguousarray(image)


def published_folder(model: str) -> Path:
    """Where the published weights of a model lie: in the checkout that this package was installed from."""
    return Path(deeppose.__file__).parents[2] / "data" / PUBLISHED / model


def load_cascade(weights: Sequence[Path], skeleton: str | None = None, device: str = "cpu") -> Cascade:
    """Load the weights of stages 1, 2, ….

    Parameters
    ----------
    skeleton
        The name of what their joints must be of; None: of that of stage 1.

    Raises
    ------
    WeightsError
        See :func:`deeppose.networks.weights.load_stage`.
    """
    from deeppose.deploy.torch_runtime import TorchStage

    stages: list[TorchStage] = []
    for number, path in enumerate(weights, start=1):
        stages.append(TorchStage(path, number, skeleton, device))
        skeleton = stages[0].skeleton.name
    return Cascade(tuple(stages))
