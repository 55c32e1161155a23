"""Predict the test sets and the held-out images with every stage of the cascade."""

from common import Item, run
from deeppose.cascade import predict_initial, refine
from deeppose.devices import set_up_device
from deeppose.examples import mean_pose
from deeppose.files import atomic_path, write_json
from deeppose.geometry import Floats, denormalise
from deeppose.images import Images
from deeppose.networks.weights import load_network
from deeppose.predictions import write_predictions
from running import predictor_of


def main(item: Item, _: int) -> None:
    # One process, however many train: two would write the same files.
    device = set_up_device(item.profile.device, item.params.threads)
    train, test = item.train.read_examples(), item.test.read_examples()
    predictor = predictor_of(item, device)
    mean = mean_pose(train, train.rows("train"))
    train_images, test_images = (
        Images(half.images, examples.table) for half, examples in ((item.train, train), (item.test, test))
    )
    parts = {"held-out": (train_images, train, train.rows("held-out"))}
    parts |= {name: (test_images, test, test.rows("test", name)) for name in test.sets("test")}
    poses: dict[str, Floats] = {}
    smallest_boxes: dict[str, int] = {}
    with atomic_path(item.test_predictions) as folder:
        for name, (_images, examples, rows) in parts.items():
            write_predictions(
                folder / f"{name}-mean.parquet", denormalise(mean, examples.boxes[rows][:, None])
            )
        for stage in range(1, item.params.cascade_stages + 1):
            network, _description = load_network(item.weights(stage))
            network = network.to(device)
            for name, (images, examples, rows) in parts.items():
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
