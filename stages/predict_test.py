"""Predict the test sets and the held-out images with every stage of a cascade (Eq. 5-7)."""

from run import run

from pathlib import Path

from deeppose.cascade.predict_sets import predict_test_sets
from deeppose.cascade.processes import processes
from deeppose.core.files import atomic_path, write_json
from deeppose.core.paths import Item
from deeppose.core.pose_files import write_poses


def outputs(item: Item, _: int) -> list[Path]:
    return [item.test_predictions]


def main(item: Item, _: int) -> None:
    with processes(item.profile.device, item.params.threads) as fabric:
        predicted, smallest_boxes = predict_test_sets(item, fabric)
        if fabric.is_global_zero:
            with atomic_path(item.test_predictions) as folder:
                for name, found in predicted.items():
                    write_poses(folder / f"{name}.parquet", found.poses, found.spreads)
                write_json(folder / "smallest-boxes.json", smallest_boxes)


if __name__ == "__main__":
    run(main, outputs)
