"""What titles and captions of a model's tables and figures say."""

from common import Item
from deeppose.exhibits import SetExhibits


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
