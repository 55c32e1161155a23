"""Build the augmented training set of a refinement stage: boxes and targets in a table (§3.2)."""

from run import run

from pathlib import Path

from deeppose.core.files import read_parquet, write_json
from deeppose.core.paths import Item
from deeppose.displacements.augmented_set import augmented_boxes, augmented_set_report, write_augmented_set
from deeppose.displacements.normals import NORMAL_COLUMNS


def outputs(item: Item, stage: int) -> list[Path]:
    return [item.augmented_set(stage), item.augmented_set_report(stage)]


def main(item: Item, stage: int) -> None:
    examples, profile = item.train.read_examples(), item.profile
    real = item.train_predictions_of_frames(stage - 1, examples) if profile.real_predictions else {}
    tables = augmented_boxes(
        examples,
        read_parquet(item.normals(stage), NORMAL_COLUMNS),
        item.skeleton,
        real,
        repeated=profile.refinement(stage).repeated,
        sigma=item.sigma,
        smallest_share=profile.smallest_box,
        boxes_per_joint=profile.boxes_per_joint,
        units=profile.displacement_units,
        seed=(item.params.seed, stage),
    )
    rows = write_augmented_set(item.augmented_set(stage), tables)
    found = augmented_set_report(examples, sigma=item.sigma, smallest_share=profile.smallest_box)
    write_json(item.augmented_set_report(stage), {"boxes": rows, **found})


if __name__ == "__main__":
    run(main, outputs)
