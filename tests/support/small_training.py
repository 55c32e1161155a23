"""A training of a second or two; called as a script, it hangs at its second report until it is killed.

python tests/small_training.py CHECKPOINT
"""

import sys
import time
from pathlib import Path

import dots
import numpy as np
import torch

from deeppose.cascade.batches import WholeBodies
from deeppose.cascade.processes import start_fabric
from deeppose.cascade.training import train
from deeppose.core.skeleton import FULL_BODY
from deeppose.core.training_params import Device, Training
from deeppose.networks.alexnet import AlexNet

STEPS = 10
DEVICE = Device(accelerator="cpu", devices=1, precision="32-true", crops="host")
OPTIMIZER = {"name": "adagrad", "learning_rate": 0.002, "initial_accumulator": 0.0, "epsilon": 1e-10}
TRAINING = {"batch": 6, "optimizer": OPTIMIZER, "loss": "mean", "report_every": 3}


def sum_of_weights(network):
    """Stands for the held-out figure: a number that any other bit in the weights would change."""
    return float(sum(parameter.detach().double().sum() for parameter in network.parameters()))


def table(poses=None, translation=0.1):
    poses = dots.poses(8) if poses is None else poses
    return WholeBodies(
        images=[dots.dotted_image(pose) for pose in poses],
        examples=dots.examples_of(poses),
        training_rows=np.arange(8),
        skeleton=FULL_BODY,
        size=60,
        padding=dots.PADDING,
        translation=translation,
        keep_joints=0.5,
        seed=(1, 1),
    )


def network(dropout=0.5, size=60):
    torch.manual_seed(3)
    sizes = {"size": size, "width": 0.05, "initial_weights": "he", "pixel_scale": 0.016}
    return AlexNet(dots.JOINTS, mean=(9, 9, 9), dropout=dropout, **sizes)


def run(
    checkpoint,
    held_out=sum_of_weights,
    *,
    rows=None,
    steps=STEPS,
    workers=0,
    dropout=0.5,
    last=None,
    **changes,
):
    """Train; gives the network and the log."""
    fabric = start_fabric(DEVICE, threads=1)
    trained = network(dropout)
    settings = TRAINING | changes
    log = train(
        trained,
        rows or table(),
        Training.model_validate(settings),
        fabric,
        held_out,
        steps=steps,
        checkpoint=Path(checkpoint),
        speed_log=Path(checkpoint).parent / "speed.csv",
        workers=workers,
        name="a test",
        last=last,
    )
    return trained, log


def hang_at_the_second_report():
    reports = []

    def held_out(trained):
        reports.append(trained)
        if len(reports) == 2:
            print("hanging", flush=True)
            time.sleep(600)
        return sum_of_weights(trained)

    return held_out


if __name__ == "__main__":
    run(sys.argv[1], hang_at_the_second_report())
