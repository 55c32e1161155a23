"""Images with a dot of its own colour at every joint, so that a crop shows where each joint went."""

import numpy as np
import pandas as pd

from deeppose.core.examples import BOX_COLUMNS, Examples
from deeppose.core.geometry import diameter, image_box
from deeppose.core.skeleton import FULL_BODY

JOINTS = len(FULL_BODY.joints)
WIDTH, HEIGHT = 201, 160
PADDING = (7, 7, 7)
# Joint i's dot: no two colours are near, and none is near black, grey, or a mixture with black.
COLOURS = np.array([(255 - 18 * i, 18 * i, 120 + 135 * (i % 2)) for i in range(JOINTS)], dtype=np.uint8)


def dotted_image(pose, width=WIDTH, height=HEIGHT):
    """A black image with a square of 7 pixels around each joint (whole pixels)."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for (x, y), colour in zip(pose, COLOURS, strict=True):
        if np.isfinite(x):
            image[max(0, int(y) - 3) : int(y) + 4, max(0, int(x) - 3) : int(x) + 4] = colour
    return image


def poses(count, seed=0):
    """Whole-pixel poses `(count, 14, 2)` whose dots touch neither each other nor the image's edge."""
    generator = np.random.default_rng(seed)
    cells = np.array([(x, y) for x in range(20, WIDTH - 20, 32) for y in range(20, HEIGHT - 20, 30)])
    chosen = np.stack([generator.permutation(cells)[:JOINTS] for _ in range(count)])
    return (chosen + generator.integers(-6, 7, chosen.shape)).astype(np.float64)


def examples_of(of_poses, labelled=None, width=WIDTH, height=HEIGHT):
    count = len(of_poses)
    labelled = np.ones((count, JOINTS), dtype=bool) if labelled is None else labelled
    table = pd.DataFrame({"set": "dots", "part": "train", "width": [width] * count, "height": height})
    table[BOX_COLUMNS] = image_box(width, height)
    table["diameter"] = diameter(of_poses, labelled, FULL_BODY)
    return Examples(table, np.where(labelled[..., None], of_poses, np.nan), labelled)


def found(crop):
    """Where each joint's dot is in a crop `(size, size, 3)`: `(14, 2)` relative to it (Eq. 1), else NaN."""
    size = len(crop)
    places = np.full((JOINTS, 2), np.nan)
    for joint, colour in enumerate(COLOURS):
        near = np.abs(crop.astype(int) - colour).max(axis=-1) <= 8
        if near.any():
            rows, columns = np.nonzero(near)
            places[joint] = (columns.mean() + 0.5) / size - 0.5, (rows.mean() + 0.5) / size - 0.5
    return places
