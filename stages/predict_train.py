"""Predict the training images, as they are and mirrored, with the cascade up to one stage."""

import numpy as np

from common import Item, run, unused
from deeppose.cascade import predict_initial, refine
from deeppose.devices import set_up_device
from deeppose.geometry import Floats, mirror_poses
from deeppose.images import Images
from deeppose.networks.weights import load_network
from deeppose.predictions import write_predictions
from running import predictor_of


def main(item: Item, stage: int) -> None:
    outputs = [item.train_predictions(stage, mirrored=mirrored) for mirrored in (False, True)]
    # The next stage is what these are for.
    if unused(item, stage + 1, *outputs):
        return
    # One process, however many train: two would write the same files.
    device = set_up_device(item.profile.device, item.params.threads)
    examples = item.train.read_examples()
    images = Images(item.train.images, examples.table)
    # Who fits Normals and who judges the next stage ask for these; the others stay unpredicted.
    rows = np.sort(np.concatenate([item.rows_of_normals(examples), examples.rows("held-out")]))
    network, _ = load_network(item.weights(stage))
    network = network.to(device)
    predictor = predictor_of(item, device)

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
        print(f"{clamped} of {len(rows)} predicted poses are so small that they get the smallest boxes")
        return every

    poses = predicted(mirrored=False)
    write_predictions(outputs[0], poses)
    # Averaged over both copies already, each is the other in the mirror.
    averaged = item.profile.average_mirrored
    in_the_mirror = (
        mirror_poses(poses, examples.widths, item.skeleton) if averaged else predicted(mirrored=True)
    )
    write_predictions(outputs[1], in_the_mirror)


if __name__ == "__main__":
    run(main)
