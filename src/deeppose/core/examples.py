"""The examples of one model as two tables, images apart: one row an example, one row a joint."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import StageError
from deeppose.core.files import read_parquet, write_parquet
from deeppose.core.geometry import Bools, Floats, image_box, mirror_labels, mirror_poses
from deeppose.core.pose_files import table_of_poses
from deeppose.core.skeleton import Skeleton

if TYPE_CHECKING:
    import pandas as pd

Indices = NDArray[np.int64]

BOX_COLUMNS = ["box_x", "box_y", "box_width", "box_height"]
NUMBER_COLUMNS = ("offset", "width", "height", "diameter")
TORSO_COLUMNS = ["torso_x", "torso_y", "torso_width", "torso_height"]
ANNOTATED_COLUMNS = ["annotated_x", "annotated_y", "annotated_width", "annotated_height"]


@dataclass(frozen=True)
class Examples:
    """Labelled images of one model.

    Attributes
    ----------
    table
        One row an example: `set`, `part` (train, held-out or test), `index` (0-based, in the order of the
        set's part), `file`, `offset`, `width`, `height` (pixels), `diameter` (of the true pose, pixels, NaN
        where it has none), the box of the torso where the set has one, the box that labels have (in tables
        of sets that have any), and b⁰ once it is known.
    poses
        `(n, k, 2)`, pixels; NaN where unlabelled.
    labelled
        `(n, k)`.
    """

    table: "pd.DataFrame"
    poses: Floats
    labelled: Bools

    @cached_property
    def boxes(self) -> Floats:
        """Initial boxes b⁰, `(n, 4)`."""
        return self.table[BOX_COLUMNS].to_numpy(np.float64)

    @cached_property
    def diameters(self) -> Floats:
        """diam(y) of the true poses, `(n,)` pixels; NaN where a pose has none."""
        return self.table["diameter"].to_numpy(np.float64)

    @cached_property
    def widths(self) -> Indices:
        """Image widths, `(n,)`, pixels."""
        return self.table["width"].to_numpy(np.int64)

    @property
    def full_images(self) -> Floats:
        """The boxes of the whole images, `(n, 4)`, pixels."""
        return image_box(self.widths, self.table["height"].to_numpy(np.int64))

    def with_boxes(self, boxes: "pd.DataFrame") -> "Examples":
        """The examples with initial boxes: a table with BOX_COLUMNS, one row an example."""
        return replace(self, table=self.table.assign(**{name: boxes[name] for name in BOX_COLUMNS}))

    def rows(self, part: str, set_name: str | None = None) -> Indices:
        """Row numbers of a part, of one set or of all, in the table's order."""
        chosen = self.table["part"] == part
        if set_name is not None:
            chosen &= self.table["set"] == set_name
        return np.flatnonzero(chosen)

    def frame(self, rows: Indices, mirrored: bool | Bools, skeleton: Skeleton) -> tuple[Floats, Bools]:
        """Poses `(n, k, 2)` and labels `(n, k)` of the rows as their images show them.

        `mirrored` says whether the images are mirrored: all or none of them, or which, `(n,)`.
        """
        poses, labelled = self.poses[rows], self.labelled[rows]
        flipped = mirror_poses(poses, self.widths[rows], skeleton), mirror_labels(labelled, skeleton)
        where = np.broadcast_to(mirrored, len(rows))
        poses = np.where(where[:, None, None], flipped[0], poses)
        return poses, np.where(where[:, None], flipped[1], labelled)

    def repeated(self, rows: Indices, times: Mapping[str, int]) -> Indices:
        """`rows`, those of each set in `times` so often, those of other sets once."""
        return np.repeat(rows, self.table["set"].iloc[rows].map(times).fillna(1).astype(int))

    def sets(self, part: str) -> list[str]:
        """Names of the sets that have examples in a part, in the table's order."""
        return list(dict.fromkeys(self.table.loc[self.table["part"] == part, "set"]))


def choose_held_out(images: Indices, candidates: Bools, count: int, seed: int) -> Bools:
    """Which training examples judge the hyper-parameters (§4.1): all that show one of `count` images.

    Parameters
    ----------
    images
        `(n,)`, which image each training example is of, by any number that names it.
    candidates
        `(n,)`, the examples whose images may be drawn.
    """
    names, first = np.unique(images[candidates], return_index=True)
    in_order = names[np.argsort(first)]
    drawn = in_order[np.random.default_rng([seed, 50]).permutation(len(names))[:count]]
    return np.isin(images, drawn)


def write_examples(examples: Examples, table_path: Path, joints_path: Path) -> None:
    """Write both tables as Parquet."""
    joints = table_of_poses(examples.poses).assign(labelled=examples.labelled.ravel())
    write_parquet(table_path, examples.table)
    write_parquet(joints_path, joints)


def read_examples(table_path: Path, joints_path: Path, skeleton: Skeleton) -> Examples:
    """Read what :func:`write_examples` wrote.

    Raises
    ------
    StageError
        If a file is missing or damaged, or the two don't belong together.
    """
    table = read_parquet(table_path, NUMBER_COLUMNS, ("set", "part"))
    flat = read_parquet(joints_path, ("x", "y", "labelled"))
    shape = (len(table), len(skeleton.joints))
    if len(flat) != shape[0] * shape[1]:
        raise StageError(
            f"{joints_path} has {len(flat)} rows for the {shape[0]} examples of {table_path} and "
            f"{shape[1]} joints: remove it and run `dvc repro` again"
        )
    return Examples(
        table=table,
        poses=flat[["x", "y"]].to_numpy(np.float64).reshape(*shape, 2),
        labelled=flat["labelled"].to_numpy(bool).reshape(shape),
    )


def mean_pose(examples: Examples, rows: Indices) -> Floats:
    """The mean normalised pose `(k, 2)` over labelled joints: the baseline that looks at no image.

    Each joint must be labelled in one of the rows at least, as it is among those that are trained on.
    """
    boxes = examples.boxes[rows][:, None]
    normalised = (examples.poses[rows] - boxes[..., :2]) / boxes[..., 2:]
    mean: Floats = np.nanmean(np.where(examples.labelled[rows][..., None], normalised, np.nan), axis=0)
    return mean
