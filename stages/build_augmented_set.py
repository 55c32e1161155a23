"""Build the augmented training set of a refinement stage: boxes and targets in a table (§3.2)."""

from run import run

from itertools import chain
from pathlib import Path

from deeppose.core.files import read_parquet, write_json
from deeppose.core.paths import Item
from deeppose.displacements import augmented_set
from deeppose.displacements.normals import NORMAL_COLUMNS


def outputs(item: Item, stage: int) -> list[Path]:
    return [item.augmented_set(stage), item.augmented_set_report(stage)]


def main(item: Item, stage: int) -> None:
    examples, profile = item.train.read_examples(), item.profile
    rows, sizes = examples.rows("train"), {"sigma": item.sigma, "smallest_share": profile.smallest_box}
    real = item.train_predictions_of_frames(stage - 1, examples) if profile.real_predictions else {}
    simulated = augmented_set.simulated_boxes(
        examples,
        examples.repeated(rows, profile.refinement(stage).repeated),
        read_parquet(item.normals(stage), NORMAL_COLUMNS),
        item.skeleton,
        **sizes,
        boxes_per_joint=profile.boxes_per_joint,
        units=profile.displacement_units,
        seed=(item.params.seed, stage),
    )
    predicted = augmented_set.predicted_boxes(examples, rows, real, item.skeleton, **sizes)
    boxes = augmented_set.write_augmented_set(item.augmented_set(stage), chain(simulated, predicted))
    found = augmented_set.augmented_set_report(examples, **sizes)
    write_json(item.augmented_set_report(stage), {"boxes": boxes, **found})


if __name__ == "__main__":
    run(main, outputs)
