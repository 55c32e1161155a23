"""The stages of dvc.yaml."""

import yaml
from project import ROOT

STAGES = (
    "download",
    "annotate-normalize",
    "detect-faces",
    "initial-boxes",
    "train-stage1",
    "predict-train-stage1",
    "fit-displacement-normals-stage2",
    "build-augmented-set-stage2",
    "train-stage2",
    "predict-train-stage2",
    "fit-displacement-normals-stage3",
    "build-augmented-set-stage3",
    "train-stage3",
    "predict-test",
    "evaluate",
    "plot",
    "plot-photos",
    "report",
)
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
