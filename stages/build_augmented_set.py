"""Build the augmented training set of a refinement stage: a table of boxes and targets."""

from collections.abc import Iterator

import pandas as pd

from common import Item, run, unused
from deeppose.core.examples import Examples
from deeppose.core.files import write_json
from deeppose.displacements.augmented_set import (
    augmented_set_report,
    predicted_boxes,
    simulated_boxes,
    write_augmented_set,
)


def main(item: Item, stage: int) -> None:
    output, report = item.augmented_set(stage), item.reports / f"augmented-set-stage{stage}.json"
    if unused(item, stage, output):
        write_json(report, {})
        return
    examples = item.train.read_examples()
    rows = write_augmented_set(output, tables(item, stage, examples))
    findings = augmented_set_report(
        examples,
        examples.rows("train"),
        sigma=item.sigma,
        smallest_share=item.profile.smallest_box,
    )
    write_json(report, {"boxes": rows, **findings})


def tables(item: Item, stage: int, examples: Examples) -> Iterator[pd.DataFrame]:
    """The boxes, a joint at a time."""
    rows = examples.rows("train")
    yield from simulated_boxes(
        examples,
        examples.repeated(rows, item.profile.refinement(stage).repeated),
        pd.read_parquet(item.normals(stage)),
        item.skeleton,
        sigma=item.sigma,
        smallest_share=item.profile.smallest_box,
        boxes_per_joint=item.profile.boxes_per_joint,
        units=item.profile.displacement_units,
        seed=(item.params.seed, stage),
    )
    if item.profile.real_predictions:
        for mirrored in (False, True):
            yield from predicted_boxes(
                examples,
                rows,
                item.read_train_predictions(stage - 1, examples, mirrored=mirrored)[rows],
                item.skeleton,
                mirrored=mirrored,
                sigma=item.sigma,
                smallest_share=item.profile.smallest_box,
            )


if __name__ == "__main__":
    run(main)
