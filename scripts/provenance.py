"""What a run came from; when, where and from which code each of its stages ran last."""

import re
from pathlib import Path
from typing import Any

import yaml

from deeppose.core.files import read_json
from deeppose.core.params import Params
from deeppose.report.page import library_versions, params_text


def is_commit(revision: str) -> bool:
    """Whether it names a commit, and not a working copy with changes or no clone at all."""
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def provenance(params: Params) -> dict[str, Any]:
    """Params, archives by model, versions, and by stage its start, duration, revision and machine."""
    profile = params.profile
    stages = read_json(Path("logs") / profile / "runs.json")
    items = (profile, *(f"{profile}-{model}" for model in params.models))
    manifests = {
        model: read_json(Path("data") / profile / "manifests" / f"{model}.json") for model in params.models
    }
    return {
        "params": yaml.safe_load(params_text(params, profile)),
        "archives": {model: manifest["archives"] for model, manifest in manifests.items()},
        "versions": library_versions(),
        "stages": {name: run for name, run in stages.items() if name.partition("@")[2] in items},
    }
