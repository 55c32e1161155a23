"""Networks by their name in params.yaml, and their weights on disk."""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from deeppose.core.errors import WeightsError
from deeppose.core.files import atomic_path
from deeppose.networks.alexnet import AlexNet
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


def load_network(path: Path) -> tuple[Regressor, dict[str, Any]]:
    """Read what :func:`save_network` wrote, the network in evaluation mode.

    Raises
    ------
    WeightsError
        If there is no such file, it is cut short, or it holds other weights.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            description = json.loads(file.metadata()["description"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        network = build_network(**description["network"])
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is not there: `dvc repro` trains it") from error
    except (safetensors.SafetensorError, OSError, TypeError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is no file of our weights or is cut short ({error}): remove it, `dvc repro`"
        ) from error
    return network.eval(), description


def build_network(name: str, **sizes: Any) -> Regressor:  # noqa: ANN401 - each network has its own sizes
    """A network with fresh weights by its name in params.yaml; `sizes` are its constructor's."""
    return NETWORKS[name](**sizes)
