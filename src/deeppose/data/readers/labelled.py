"""What readers of one's own labels give, whatever the format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True)
class Labelled:
    """Somebody, or something, in one image.

    Attributes
    ----------
    image
        As the labels name it.
    points
        By joint where it is, x and y in pixels, x = 0 the centre of the first column.
    hidden
        The joints among them that can't be seen.
    box
        Centre x, centre y, width, height in pixels; None where the labels have none.
    size
        Width and height of the image as the labels say; None where they don't.
    part
        As the labels say; None where they don't.
    """

    image: str
    points: Mapping[str, Point]
    hidden: frozenset[str] = frozenset()
    box: tuple[float, float, float, float] | None = None
    size: tuple[int, int] | None = None
    part: Literal["train", "test"] | None = None
