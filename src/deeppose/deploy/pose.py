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
from deeppose.core.skeleton import Described
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
        A folder with other weights: stage1.safetensors and on, as the pipeline trains them, or stage1.onnx
        and on, as `deeppose export` writes them.
    device
        "cpu", or a GPU as torch names it: "cuda"; of ONNX files "cpu" alone.

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
        paths = published_weights(model) if weights is None else weights_in(Path(weights))
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


def published_weights(model: str) -> list[Path]:
    """The weights that come with this package: networks in a wheel, else those of the checkout.

    Raises
    ------
    WeightsError
        If there are none.
    """
    package = Path(deeppose.__file__).parent
    packed, checkout = (
        package / "deploy" / "networks" / model,
        package.parents[1] / "data" / PUBLISHED / model,
    )
    if packed.is_dir():
        return weights_in(packed)
    if not checkout.is_dir():
        raise WeightsError(
            f"there are no weights of a model {model!r} with this package: {PUT_BACK}, in a checkout"
        )
    return weights_in(checkout)


def weights_in(folder: Path) -> list[Path]:
    """The weights of stages 1, 2, … in a folder.

    Raises
    ------
    WeightsError
        If there are none.
    """
    for suffix in ("onnx", "safetensors"):
        # Those of stages that a run did without are empty.
        if paths := sorted(path for path in folder.glob(f"stage*.{suffix}") if path.stat().st_size):
            return paths
    raise WeightsError(f"{folder} holds no weights, stage1.safetensors or stage1.onnx and on")


def load_cascade(
    weights: Sequence[Path],
    skeleton: Described | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Cascade:
    """Load the weights of stages 1, 2, …, by what runs their kind of file.

    Parameters
    ----------
    skeleton
        What their joints must be of; None: that of stage 1.
    threads
        That a network takes; None: as many as its runtime does.

    Raises
    ------
    WeightsError
        If they can't be loaded, or are of another stage or of other joints.
    """
    if all(path.suffix == ".onnx" for path in weights):
        from deeppose.deploy.onnx_runtime import load_onnx_stages

        return Cascade(load_onnx_stages(weights, skeleton, threads))
    from deeppose.deploy.torch_runtime import load_torch_stages

    return Cascade(load_torch_stages(weights, skeleton, device, threads))
