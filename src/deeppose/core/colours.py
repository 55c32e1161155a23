"""The colours of limbs, wherever poses are shown."""

import itertools
from collections.abc import Iterable

# Right is warm and left is cool; a lower limb is lighter than the upper one it hangs on. No left limb is so
# dark that the black line along its middle is lost in grey.
LIMB_COLOURS = {
    "right upper arm": "#d7191c",
    "right lower arm": "#ff8a65",
    "right upper leg": "#c06a00",
    "right lower leg": "#ffd21f",
    "left upper arm": "#4c8df0",
    "left lower arm": "#4fc3f7",
    "left upper leg": "#2aa876",
    "left lower leg": "#7be07f",
    "right side": "#f3cdbf",
    "left side": "#c3d5ee",
    "shoulders": "#ffffff",
    "hips": "#bdbdbd",
    "head": "#c77dff",
    "torso": "#9c9c9c",
}
SPARE_LIMB_COLOURS = ("#e377c2", "#17becf", "#bcbd22", "#a55194", "#6b6ecf", "#8c6d31")
"""For limbs of skeletons that aren't here."""


def limb_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each limb, the same in every figure of a skeleton."""
    spare = itertools.cycle(SPARE_LIMB_COLOURS)
    return {name: LIMB_COLOURS[name] if name in LIMB_COLOURS else next(spare) for name in names}
