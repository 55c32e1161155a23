"""Predict the training images, as they are and mirrored, with one stage of a cascade (§3.2).

What the stage is off on them tells how the next one is trained.
"""

from run import run

from pathlib import Path

from deeppose.cascade.predict_sets import predict_training_images
from deeppose.cascade.processes import processes
from deeppose.core.paths import Item
from deeppose.core.pose_files import write_poses


def outputs(item: Item, stage: int) -> list[Path]:
    return [item.train_predictions(stage, mirrored=mirrored) for mirrored in (False, True)]


def main(item: Item, stage: int) -> None:
    with processes(item.profile.device, item.params.threads) as fabric:
        predicted = predict_training_images(item, stage, fabric)
        if fabric.is_global_zero:
            for output, poses in zip(outputs(item, stage), predicted, strict=True):
                write_poses(output, poses)


if __name__ == "__main__":
    run(main, outputs, later=1)
