"""Predict the test sets and the held-out images with every stage of the cascade."""

import numpy as np

from common import Item, run
from deeppose.cascade import Predictor, predict_initial, refine
from deeppose.devices import set_up_device
from deeppose.examples import mean_pose
from deeppose.files import atomic_path, write_json
from deeppose.geometry import denormalise
from deeppose.images import Images
from deeppose.network import load_network
from deeppose.predictions import write_predictions


def main(item: Item, _: int) -> None:
    # One process, however many train: two would write the same files.
    device = set_up_device(item.profile.device, item.params.threads)
    examples = item.read_examples()
    images = Images(item.images, examples.table)
    predictor = Predictor(item.profile.prediction_batch, item.params.workers, device)
    mean = mean_pose(examples, examples.rows("train"))
    parts = {"held-out": examples.rows("held-out")}
    parts |= {name: examples.rows("test", name) for name in examples.sets("test")}
    poses = {name: np.zeros((len(rows), *mean.shape)) for name, rows in parts.items()}
    smallest_boxes: dict[str, int] = {}
    with atomic_path(item.test_predictions) as folder:
        for name, rows in parts.items():
            write_predictions(
                folder / f"{name}-mean.parquet", denormalise(mean, examples.boxes[rows][:, None])
            )
        for stage in range(1, item.params.cascade_stages + 1):
            network, _description = load_network(item.weights(stage))
            network = network.to(device)
            for name, rows in parts.items():
                if stage == 1:
                    poses[name] = predict_initial(network, predictor, images, examples, rows)
                else:
                    poses[name], smallest_boxes[f"{name}-stage{stage}"] = refine(
                        network,
                        predictor,
                        images,
                        examples,
                        rows,
                        poses[name],
                        item.skeleton,
                        sigma=item.sigma,
                        smallest_share=item.profile.smallest_box,
                        what=f"stage {stage} on {name}",
                    )
                write_predictions(folder / f"{name}-stage{stage}.parquet", poses[name])
        write_json(folder / "smallest-boxes.json", smallest_boxes)


if __name__ == "__main__":
    run(main)
