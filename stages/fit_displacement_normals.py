"""Fit the Normals that stage s simulates the errors of stage s-1 with."""

import pandas as pd

from common import Item, run, unused
from deeppose.files import atomic_path
from deeppose.geometry import mirror_labels, mirror_poses
from deeppose.normals import fit_normals, observed_displacements


def main(item: Item, stage: int) -> None:
    if unused(item, stage, item.displacements(stage), item.normals(stage)):
        return
    examples = item.train.read_annotations()
    rows = item.rows_of_normals(examples)
    poses, labelled = examples.poses[rows], examples.labelled[rows]
    diameters = examples.diameters[rows]
    units = item.profile.displacement_units
    frames = (
        (False, poses, labelled),
        (
            True,
            mirror_poses(poses, examples.widths[rows], item.skeleton),
            mirror_labels(labelled, item.skeleton),
        ),
    )
    displacements = pd.concat(
        [
            observed_displacements(
                item.read_train_predictions(stage - 1, examples, mirrored=mirrored)[rows],
                truth,
                truth_labelled,
                diameters,
                units,
            )
            for mirrored, truth, truth_labelled in frames
        ],
        ignore_index=True,
    )
    normals = fit_normals(
        displacements,
        item.profile.covariance,
        item.profile.narrowest_normal,
        joints=item.skeleton.joints,
    )
    # They are kept for a figure, for which this is fine enough.
    kept = displacements.astype({"dx": "float32", "dy": "float32"})
    for frame, output in (
        (kept, item.displacements(stage)),
        (normals, item.normals(stage)),
    ):
        with atomic_path(output) as temporary:
            frame.to_parquet(temporary, index=False)


if __name__ == "__main__":
    run(main)
