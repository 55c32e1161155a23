"""Gather the figures of all models of a profile into one file of metrics."""

import json
import sys
from pathlib import Path

from deeppose.files import write_json
from deeppose.params import load_params


def main(profile: str) -> None:
    evaluation = Path("data") / profile / "evaluation"
    metrics = {
        model: json.loads((evaluation / model / "metrics.json").read_text()) for model in load_params().models
    }
    write_json(Path("reports") / profile / "metrics.json", metrics)


if __name__ == "__main__":
    main(sys.argv[1])
