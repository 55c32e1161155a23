"""Networks by their name in params.yaml, and their weights on disk."""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from deeppose.core.errors import WeightsError
from deeppose.core.files import atomic_path
from deeppose.core.published import PUBLISHED, PUT_BACK
from deeppose.core.skeleton import Described, skeleton_from
from deeppose.networks.alexnet import AlexNet
from deeppose.networks.description import read_description
from deeppose.networks.regressor import Regressor
from deeppose.networks.spatial import SpatialNet

NETWORKS: dict[str, type[Regressor]] = {"alexnet": AlexNet, "spatial": SpatialNet}


def save_network(network: Regressor, description: dict[str, Any], path: Path) -> None:
    """Write weights as safetensors, in half precision: what follows from them is the same in half the bytes.

    Parameters
    ----------
    description
        Goes with the weights; its key "network" holds what :func:`build_network` takes.

    Raises
    ------
    WeightsError
        If a weight is NaN or infinite.
    """
    state = {name: _halved(name, value).cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {"description": json.dumps(description, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata=metadata))


def _halved(name: str, value: Tensor) -> Tensor:
    """A tensor in half precision, or as it is where that can't hold it: sums over pixels grow large."""
    if not value.is_floating_point():
        return value.detach()
    if not value.isfinite().all():
        raise WeightsError(f"{name} is not finite: a smaller learning_rate may help")
    half = value.detach().half()
    return half if half.isfinite().all() else value.detach()


def load_stage(path: Path, stage: int, skeleton: Described | None = None) -> tuple[Regressor, dict[str, Any]]:
    """As :func:`load_network`, of a file that lies where a stage's weights are looked for.

    Parameters
    ----------
    skeleton
        What its joints must be of; None: any.

    Raises
    ------
    WeightsError
        If they can't be loaded, or are those of another stage or of other joints.
    """
    network, description = load_network(path)
    found, joints = description["stage"], description["skeleton"]
    if (found, joints) != (stage, skeleton or joints):
        has, wanted = (skeleton_from(described).name for described in (joints, skeleton or joints))
        changed = ", as they were before they were changed" if has == wanted and found == stage else ""
        raise WeightsError(
            f"{path} holds weights of stage {found} for {has} joints{changed}, not of stage {stage} for "
            f"{wanted} joints: {_remedy(path)}"
        )
    return network, description


def load_network(path: Path) -> tuple[Regressor, dict[str, Any]]:
    """Read what :func:`save_network` wrote, the network in evaluation mode.

    Raises
    ------
    WeightsError
        If there is no such file, it is cut short, holds other weights, or one that is not finite.
    """
    try:
        # safetensors calls missing whatever it may not read.
        path.open("rb").close()
        with safetensors.safe_open(path, framework="pt") as file:
            description = read_description((file.metadata() or {}).get("description", ""))
            network = build_network(**description["network"])
            shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
            for name in sorted(shapes.keys() ^ set(file.keys())):
                raise ValueError(f"{name} is {'missing' if name in shapes else 'none of its weights'}")
            for name, shape in shapes.items():
                if (found := file.get_slice(name).get_shape()) != shape:
                    raise ValueError(f"{name} has the shape {found}, not {shape}")
            state = {name: file.get_tensor(name) for name in shapes}
        for name, value in state.items():
            if not value.isfinite().all():
                raise ValueError(f"{name} is not finite")
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is not there: `dvc repro` trains it") from error
    except PermissionError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}") from error
    except (safetensors.SafetensorError, OSError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is no file of our weights or is damaged ({error}): {_remedy(path)}"
        ) from error
    return network.eval(), description


def _remedy(path: Path) -> str:
    if path.parent.parent.name == PUBLISHED:
        return PUT_BACK
    return "remove it, `dvc repro`"


def build_network(name: str, **sizes: Any) -> Regressor:  # noqa: ANN401 - each network has its own sizes
    """A network with fresh weights by its name in params.yaml; `sizes` are its constructor's."""
    return NETWORKS[name](**sizes)
