"""Predict the test sets and the held-out images with every stage of the cascade."""

from lightning_fabric import Fabric

from common import Item, run
from deeppose.cascade.prediction import predict_initial, refine
from deeppose.core.examples import mean_pose
from deeppose.core.files import atomic_path, write_json
from deeppose.core.geometry import Floats, denormalise
from deeppose.data.prediction_files import write_predictions
from deeppose.networks.fused import merged
from deeppose.networks.weights import load_network
from running import images_of, predictor_of, processes


def main(item: Item, _: int) -> None:
    with processes(item) as fabric:
        predictions, smallest_boxes = predict(item, fabric)
        if fabric.is_global_zero:
            with atomic_path(item.test_predictions) as folder:
                for name, poses in predictions.items():
                    write_predictions(folder / f"{name}.parquet", poses)
                write_json(folder / "smallest-boxes.json", smallest_boxes)


def predict(item: Item, fabric: Fabric) -> tuple[dict[str, Floats], dict[str, int]]:
    """Poses by set and stage, and how many of a set's boxes had to take the smallest side."""
    train, test = item.train.read_examples(), item.test.read_examples()
    predictor = predictor_of(item, fabric, shared=True)
    mean = mean_pose(train, train.rows("train"))
    train_images, test_images = (
        images_of(item, half, examples, fabric.device)
        for half, examples in ((item.train, train), (item.test, test))
    )
    parts = {"held-out": (train_images, train, train.rows("held-out"))}
    parts |= {name: (test_images, test, test.rows("test", name)) for name in test.sets("test")}
    predictions = {
        f"{name}-mean": denormalise(mean, examples.boxes[rows][:, None])
        for name, (_, examples, rows) in parts.items()
    }
    smallest_boxes: dict[str, int] = {}
    for stage in range(1, item.params.cascade_stages + 1):
        network, _description = load_network(item.weights(stage))
        network = merged(network, fabric.device)
        for name, (images, examples, rows) in parts.items():
            of_stage = f"{name}-stage{stage}"
            if stage == 1:
                predictions[of_stage] = predict_initial(network, predictor, images, examples, rows)
            else:
                predictions[of_stage], smallest_boxes[of_stage] = refine(
                    network,
                    predictor,
                    images,
                    examples,
                    rows,
                    predictions[f"{name}-stage{stage - 1}"],
                    item.skeleton,
                    sigma=item.sigma,
                    smallest_share=item.profile.smallest_box,
                    what=f"stage {stage} on {name}",
                )
    return predictions, smallest_boxes


if __name__ == "__main__":
    run(main)
