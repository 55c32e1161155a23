"""Networks by ONNX Runtime, from the files that `deeppose export` writes: without torch."""

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from deeppose.core.errors import StageError, WeightsError
from deeppose.core.files import read_json
from deeppose.core.images import Pixels
from deeppose.core.skeleton import Described, skeleton_from
from deeppose.deploy.runtime import Outputs

INPUT, JOINTS, VARIANCES = "crops", "joints", "variances"
ERRORS_ALONE = 3
"""Of what ONNX Runtime may say."""


def load_onnx_stages(
    networks: Sequence[Path], skeleton: Described | None, threads: int | None
) -> tuple["OnnxStage", ...]:
    """The networks of stages 1, 2, …, loaded beside each other; errors as of :class:`OnnxStage`."""
    first = read_description(networks[0].with_suffix(".json"), 1, skeleton)
    numbers = range(1, len(networks) + 1)
    with ThreadPoolExecutor(len(networks)) as pool:
        return tuple(pool.map(OnnxStage, networks, numbers, repeat(first["skeleton"]), repeat(threads)))


class OnnxStage:
    """A :class:`deeppose.deploy.runtime.StageNetwork`."""

    def __init__(
        self, network: Path, stage: int, skeleton: Described | None, threads: int | None = None
    ) -> None:
        """Load a stage's network and the JSON beside it.

        Raises
        ------
        WeightsError
            If one is missing or damaged, or of another stage or of other joints.
        """
        self.description = read_description(network.with_suffix(".json"), stage, skeleton)
        self.skeleton = skeleton_from(self.description["skeleton"])
        self.size = self.description["input"]["shape"][1]
        red, green, blue = self.description["padding"]
        self.padding = red, green, blue
        try:
            self._session = open_session(network, threads or 0)
        except Exception as error:  # ONNX Runtime's own errors have no common type
            raise WeightsError(f"{network} can't be run ({error}): export it again") from error
        self._names = [output.name for output in self._session.get_outputs()]
        self.has_maps = VARIANCES in self._names

    def run(self, crops: Pixels) -> Outputs:
        """ψ of crops `(b, size, size, 3)`, RGB."""
        found = dict(zip(self._names, self._session.run(None, {INPUT: crops}), strict=True))
        return Outputs(found[JOINTS], found.get(VARIANCES))


def read_description(path: Path, stage: int, skeleton: Described | None) -> dict[str, Any]:
    """The JSON beside a network.

    Raises
    ------
    WeightsError
        If it is missing or damaged, or of another stage or of other joints.
    """
    try:
        description: dict[str, Any] = read_json(path)
        found = description["stage"], description["skeleton"]
        description["input"]["shape"][1], description["padding"], description["average_mirrored"]
        if stage == 1:
            rule = description["initial_box"]
            rule["kind"]
            if rule.get("recrops"):
                rule["margin"]
        else:
            description["sigma"], description["smallest_box"]
    except (StageError, KeyError, TypeError, IndexError) as error:
        raise WeightsError(f"{path} doesn't describe a network ({error}): export it again") from error
    if found != (stage, skeleton or found[1]):
        raise WeightsError(f"{path} is of stage {found[0]} and of {found[1]}, not of {stage} and {skeleton}")
    return description


def open_session(path: Path, threads: int) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """An exported network, ready to run on the CPU with so many threads; 0: as many as there are cores."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ALONE
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
