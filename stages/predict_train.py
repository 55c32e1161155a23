"""Predict the training images, as they are and mirrored, with the cascade up to one stage."""

from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from common import Item, run, unused
from deeppose.cascade.prediction import predict_initial, refine
from deeppose.core.geometry import Floats, mirror_poses
from deeppose.data.prediction_files import write_predictions
from deeppose.networks.fused import merged
from deeppose.networks.weights import load_network
from running import images_of, predictor_of, processes


def main(item: Item, stage: int) -> None:
    outputs = [item.train_predictions(stage, mirrored=mirrored) for mirrored in (False, True)]
    # The next stage is what these are for.
    if unused(item, stage + 1, *outputs):
        return
    with processes(item) as fabric:
        predict(item, stage, fabric, outputs)


def predict(item: Item, stage: int, fabric: Fabric, outputs: list[Path]) -> None:
    examples = item.train.read_examples()
    images = images_of(item, item.train, examples, fabric.device)
    # Who fits Normals and who judges the next stage ask for these; the others stay unpredicted.
    rows = np.sort(np.concatenate([item.rows_of_normals(examples), examples.rows("held-out")]))
    network, _ = load_network(item.weights(stage))
    network = merged(network, fabric.device)
    predictor = predictor_of(item, fabric, shared=True)

    def predicted(*, mirrored: bool) -> Floats:
        every = np.full(examples.poses.shape, np.nan)
        if stage == 1:
            every[rows] = predict_initial(network, predictor, images, examples, rows, mirrored=mirrored)
            return every
        every[rows], clamped = refine(
            network,
            predictor,
            images,
            examples,
            rows,
            item.read_train_predictions(stage - 1, examples, mirrored=mirrored)[rows],
            item.skeleton,
            sigma=item.sigma,
            smallest_share=item.profile.smallest_box,
            mirrored=mirrored,
            what=f"stage {stage}",
        )
        fabric.print(
            f"{clamped} of {len(rows)} predicted poses are so small that they get the smallest boxes"
        )
        return every

    poses = predicted(mirrored=False)
    # Averaged over both copies already, each is the other in the mirror.
    averaged = item.profile.average_mirrored
    in_the_mirror = (
        mirror_poses(poses, examples.widths, item.skeleton) if averaged else predicted(mirrored=True)
    )
    if fabric.is_global_zero:
        for output, predictions in zip(outputs, (poses, in_the_mirror), strict=True):
            write_predictions(output, predictions)


if __name__ == "__main__":
    run(main)
