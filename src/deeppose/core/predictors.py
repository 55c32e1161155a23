"""Who predicts: the stages of a cascade, the mean training pose, other methods; what each is called where."""

import re

MEAN_POSE = "mean pose"

_STAGE = re.compile(r"stage (\d+)")


def stage_name(stage: int) -> str:
    """A stage in tables of errors and for readers: "stage 2"."""
    return f"stage {stage}"


def stage_number(predictor: str) -> int | None:
    """The stage that a predictor is; None if it is none."""
    found = _STAGE.fullmatch(predictor)
    return int(found[1]) if found else None


def is_other_method(predictor: str) -> bool:
    """Whether a predictor is another method, neither a stage nor the mean pose."""
    return predictor != MEAN_POSE and stage_number(predictor) is None


def in_file_names(predictor: str) -> str:
    """A stage or the mean pose in names of files: "stage2", "mean"."""
    return "mean" if predictor == MEAN_POSE else predictor.replace(" ", "")


def as_key(predictor: str) -> str:
    """A predictor in metrics: "stage_2", "mean_pose"."""
    return predictor.replace(" ", "_")
