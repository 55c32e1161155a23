"""What titles and captions of a model's tables and figures say."""

import pandas as pd

from deeppose.core.paths import Item
from deeppose.report.catalogue import Exhibit, SetExhibits
from deeppose.report.tables import of_set


def stages_of(item: Item) -> list[str]:
    """The names of the cascade's stages in tables of errors."""
    return [f"stage {stage}" for stage in range(1, item.params.cascade_stages + 1)]


def title_of(item: Item, shown: SetExhibits) -> str:
    """What the errors were measured on, for titles."""
    if item.profile.archives == "embedded":
        return f"{shown.stand_in} in place of {shown.title}"
    return shown.title


def whose_left(labels: str) -> str:
    """What left and right mean in a picture's legend."""
    if labels.startswith("observer-centric"):
        return "Left and right are as if the person faced the camera."
    return "Left and right are the person's own."


def left_out_for(joints: pd.DataFrame, shown: SetExhibits, exhibit: Exhibit) -> str:
    """Why a figure of a set can't be drawn from these errors of joints, in a line; "" if it can."""
    if exhibit.folder == "tables" or of_set(joints, shown.name)["error"].notna().any():
        return ""
    return f"{exhibit.called} is left out: no pose of {shown.title} has a diameter, so no joint counts"
