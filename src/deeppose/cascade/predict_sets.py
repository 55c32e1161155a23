"""Predict whole sets with a trained cascade: training images for the next stage, test sets for the tables."""

import numpy as np
from lightning_fabric import Fabric

from deeppose.cascade.prediction import predict_stage
from deeppose.cascade.setup import images_of, predictor_of
from deeppose.core.examples import mean_pose
from deeppose.core.geometry import Estimate, Floats, denormalise, mirror_poses
from deeppose.core.paths import Item
from deeppose.networks.fused import merged
from deeppose.networks.weights import load_stage


def predict_training_images(item: Item, stage: int, fabric: Fabric) -> tuple[Floats, Floats]:
    """What a stage predicts of the training images, as they are and mirrored, each `(n, k, 2)` pixels.

    Images that are neither fitted to nor held out stay NaN.
    """
    examples = item.train.read_examples()
    images = images_of(item, item.train, examples, fabric.device)
    rows = np.sort(np.concatenate([item.trusted_rows(examples), examples.rows("held-out")]))
    network, description = load_stage(item.weights(stage), stage, item.skeleton.described)
    network = merged(network, fabric.device)
    predictor = predictor_of(item, fabric, description, shared=True)

    def predicted(*, mirrored: bool) -> Floats:
        poses = np.full(examples.poses.shape, np.nan)
        previous = None
        if stage > 1:
            previous = item.read_train_predictions(stage - 1, examples, mirrored=mirrored)[rows]
        (poses[rows], _), clamped = predict_stage(
            network, description, predictor, images, examples, rows, previous, mirrored=mirrored
        )
        if stage > 1:
            fabric.print(f"{clamped} of {len(rows)} predicted poses are so small that they get smallest_box")
        return poses

    poses = predicted(mirrored=False)
    if description["average_mirrored"]:
        # Averaged over both copies already, each is the other in the mirror.
        return poses, mirror_poses(poses, examples.widths, item.skeleton)
    return poses, predicted(mirrored=True)


def predict_test_sets(item: Item, fabric: Fabric) -> tuple[dict[str, Estimate], dict[str, int]]:
    """Poses of the test sets and the held-out images by every stage, and by the mean training pose.

    Returns
    -------
    found
        By set and predictor ("lsp-stage2", "held-out-mean") the poses, of the mean pose without spreads.
    smallest_boxes
        By set and stage how many predicted poses were so small that they got the smallest boxes.
    """
    train, test = item.train.read_examples(), item.test.read_examples()
    mean = mean_pose(train, train.rows("train"))
    of_train = images_of(item, item.train, train, fabric.device)
    of_test = images_of(item, item.test, test, fabric.device)
    parts = {"held-out": (of_train, train, train.rows("held-out"))}
    parts |= {name: (of_test, test, test.rows("test", name)) for name in test.sets("test")}
    unknown = np.full(mean.shape[:1], np.nan)
    found = {}
    for name, (_, examples, rows) in parts.items():
        poses = denormalise(mean, examples.boxes[rows][:, None])
        found[f"{name}-mean"] = Estimate(poses, np.broadcast_to(unknown, poses.shape[:2]))
    smallest_boxes: dict[str, int] = {}
    for stage in range(1, item.params.cascade_stages + 1):
        network, description = load_stage(item.weights(stage), stage, item.skeleton.described)
        network = merged(network, fabric.device)
        predictor = predictor_of(item, fabric, description, shared=True)
        for name, part in parts.items():
            previous = found[f"{name}-stage{stage - 1}"].poses if stage > 1 else None
            found[f"{name}-stage{stage}"], clamped = predict_stage(
                network, description, predictor, *part, previous, what=f"on {name}"
            )
            if stage > 1:
                smallest_boxes[f"{name}-stage{stage}"] = clamped
    return found, smallest_boxes
