"""D_A^s, the augmented training set of a refinement stage (§3.2): a table of boxes and targets."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from deeppose.core.errors import AnnotationError, NotFiniteError
from deeppose.core.examples import Examples, Indices
from deeppose.core.files import atomic_path
from deeppose.core.geometry import Floats, diameter, joint_box_sides, mirror_boxes, square_boxes
from deeppose.core.skeleton import Skeleton
from deeppose.displacements.normals import Units, sample_displacements


def simulated_boxes(
    examples: Examples,
    rows: Indices,
    normals: pd.DataFrame,
    skeleton: Skeleton,
    *,
    sigma: float,
    smallest_share: float,
    boxes_per_joint: int,
    units: Units,
    seed: tuple[int, ...],
) -> Iterator[pd.DataFrame]:
    """Boxes b = (y_i + δ, σ·diam(y)), δ ~ 𝒩_i^(s−1), of images and their mirrored copies, a joint at a time.

    An image whose true pose has no diameter gives no boxes.

    Parameters
    ----------
    rows
        The training examples, by row; one that is repeated gives boxes each time.
    normals
        Of :func:`deeppose.displacements.normals.fit_normals`, one row a joint, in `units`.
    boxes_per_joint
        40 in the paper.

    Yields
    ------
    One table a joint: `example`, `mirrored`, `joint` (the output that is trained), `box_x`, `box_y`,
    `side` in pixels of the image as it is, and `target_x`, `target_y` = N(y_i; b) = −δ / side in the
    crop, which is mirrored where `mirrored`.
    """
    diameters = examples.diameters[rows]
    usable = rows[np.isfinite(diameters)]
    diameters = diameters[np.isfinite(diameters)]
    sides, _ = joint_box_sides(diameters, examples.boxes[usable], sigma, smallest_share)
    widths = examples.widths[usable]
    frames = [(mirrored, *examples.frame(usable, mirrored, skeleton)) for mirrored in (False, True)]
    by_joint = normals.set_index("joint")
    for joint, name in enumerate(skeleton.joints):
        generator = np.random.default_rng([*seed, 40, joint])
        for mirrored, poses, labelled in frames:
            chosen = np.flatnonzero(labelled[:, joint])
            if len(chosen) == 0:
                continue
            chosen = np.repeat(chosen, boxes_per_joint)
            if joint not in by_joint.index:
                raise NotFiniteError(f"{name} has no distribution of displacements, though it is labelled")
            delta = sample_displacements(by_joint.loc[[joint]].iloc[0], len(chosen), generator)
            if units == "diameter":
                delta *= diameters[chosen][:, None]
            centres = poses[chosen, joint] + delta
            boxes = square_boxes(centres, sides[chosen])
            yield _rows(usable[chosen], mirrored, joint, name, boxes, -delta, widths[chosen])


def predicted_boxes(
    examples: Examples,
    rows: Indices,
    predicted: Mapping[bool, Floats],
    skeleton: Skeleton,
    *,
    sigma: float,
    smallest_share: float,
) -> Iterator[pd.DataFrame]:
    """Boxes at the real predictions of the previous stage, with their own diameter (§3.2), as an addition.

    An image whose true pose has no diameter gives no boxes here either. `predicted` has by whether images are
    mirrored the poses of all examples, `(n, k, 2)`, pixels, in that frame.
    """
    rows = rows[np.isfinite(examples.diameters[rows])]
    widths = examples.widths[rows]
    for mirrored, of_all in predicted.items():
        found = of_all[rows]
        poses, labelled = examples.frame(rows, mirrored, skeleton)
        diameters = diameter(found, np.ones_like(labelled), skeleton)
        sides, _ = joint_box_sides(diameters, examples.boxes[rows], sigma, smallest_share)
        for joint, name in enumerate(skeleton.joints):
            chosen = np.flatnonzero(labelled[:, joint])
            boxes = square_boxes(found[chosen, joint], sides[chosen])
            towards = poses[chosen, joint] - found[chosen, joint]
            yield _rows(rows[chosen], mirrored, joint, name, boxes, towards, widths[chosen])


def write_augmented_set(path: Path, tables: Iterable[pd.DataFrame]) -> int:
    """Write tables one after the other, so that they are never in memory together; say how many rows."""
    rows = 0
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        writer = None
        for table in tables:
            arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
            if writer is None:
                # Boxes are noise: neither dictionaries nor compression would shrink them.
                writer = stack.enter_context(
                    pyarrow.parquet.ParquetWriter(
                        temporary, arrow.schema, compression="none", use_dictionary=["mirrored", "joint"]
                    )
                )
            writer.write_table(arrow)
            rows += len(table)
        if writer is None:
            raise AnnotationError(
                "no training image has a pose with a diameter (a shoulder and the opposing hip labelled): "
                "a refinement stage has nothing to learn from"
            )
    return rows


def augmented_set_report(examples: Examples, *, sigma: float, smallest_share: float) -> dict[str, int]:
    """How many training poses have no diameter, so give no boxes, and how many give the smallest boxes."""
    rows = examples.rows("train")
    diameters = examples.diameters[rows]
    _, clamped = joint_box_sides(diameters, examples.boxes[rows], sigma, smallest_share)
    missing = np.isnan(diameters)
    return {
        "poses_without_diameter": int(missing.sum()),
        "poses_with_smallest_boxes": int((clamped & ~missing).sum()),
    }


def _rows(
    example: Indices,
    mirrored: bool,
    joint: int,
    name: str,
    boxes: Floats,
    towards: Floats,
    widths: Indices,
) -> pd.DataFrame:
    sides = boxes[:, 2]
    if mirrored:
        boxes = mirror_boxes(boxes, widths)
    # In single precision numbers are finite up to 3e38.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        written = {
            "box_x": boxes[:, 0].astype(np.float32),
            "box_y": boxes[:, 1].astype(np.float32),
            "side": sides.astype(np.float32),
            "target_x": (towards[:, 0] / sides).astype(np.float32),
            "target_y": (towards[:, 1] / sides).astype(np.float32),
        }
    bad = np.flatnonzero(~np.isfinite(np.stack(list(written.values()))).all(axis=0))
    if len(bad):
        raise NotFiniteError(
            f"{name}: {len(bad)} of {len(boxes)} boxes are not finite: look at what the stage before "
            f"predicts, and at its distribution of displacements"
        )
    return pd.DataFrame(
        {
            "example": example.astype(np.int32),
            "mirrored": np.full(len(example), mirrored),
            "joint": np.full(len(example), joint, dtype=np.int16),
            **written,
        }
    )
