"""Fit a normal distribution per joint to how far stage s-1 was off on the training images (§3.2).

Both frames count, the images as they are and mirrored. Stage s simulates such errors; a figure shows them.
"""

from run import run

from pathlib import Path

from deeppose.core.files import write_parquet
from deeppose.core.paths import Item
from deeppose.displacements.normals import displacements_of_frames, fit_normals


def outputs(item: Item, stage: int) -> list[Path]:
    return [item.displacements(stage), item.normals(stage)]


def main(item: Item, stage: int) -> None:
    examples = item.train.read_annotations()
    displacements = displacements_of_frames(
        item.train_predictions_of_frames(stage - 1, examples),
        examples,
        item.trusted_rows(examples),
        item.skeleton,
        item.profile.displacement_units,
    )
    covariance, narrowest = item.profile.covariance, item.profile.narrowest_normal
    normals = fit_normals(displacements, covariance, narrowest, joints=item.skeleton.joints)
    # They are kept for a figure, for which this is fine enough.
    write_parquet(item.displacements(stage), displacements.astype({"dx": "float32", "dy": "float32"}))
    write_parquet(item.normals(stage), normals)


if __name__ == "__main__":
    run(main, outputs)
