"""A training of a second or two in several processes, each of which notes what it does in a folder.

python tests/several.py FOLDER PROCESSES NETWORK [SLEEPER]

Of the processes, SLEEPER sleeps at its second report until it is killed.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import dots
import numpy as np
import small_training
import torch

from deeppose.cascade import training
from deeppose.cascade.batches import LastPart
from deeppose.cascade.processes import start_fabric, together
from deeppose.core.errors import DeepPoseError
from deeppose.core.training_params import Device, Training
from deeppose.networks.spatial import SpatialNet
from deeppose.networks.weights import save_network

BATCH, STEPS = 8, 10
THREADS = 1


def run(folder, processes, kind, sleeper=None):
    """Train; the first process writes log.csv and weights.safetensors, each one N.txt, a line a deed."""
    device = Device(accelerator="cpu", devices=processes, precision="32-true", crops="host")
    fabric = start_fabric(device, THREADS)
    rank = fabric.global_rank

    def note(*words):
        with (folder / f"{rank}.txt").open("a") as file:
            print(*words, file=file)

    note("pid", os.getpid())
    note("threads", torch.get_num_threads())
    reports = []

    def held_out(network):
        reports.append(network)
        if rank == sleeper and len(reports) == 2:
            note("sleeps")
            time.sleep(600)
        return 0.0

    save = training._save_checkpoint
    training._save_checkpoint = lambda path, state: (note("checkpoint", state["step"]), save(path, state))
    with together(fabric):
        network, table = small_training.network(dropout=0.0), small_training.table()
        if kind == "spatial":
            torch.manual_seed(3)
            network = SpatialNet(dots.JOINTS, size=64, channels=4, initial_weights="random", mean=(9, 9, 9))
            table = replace(table, size=64)
        log = training.train(
            network,
            table,
            Training.model_validate(small_training.TRAINING | {"batch": BATCH}),
            fabric,
            held_out,
            steps=STEPS,
            checkpoint=folder / "state.pt",
            speed_log=folder / "speed.csv",
            workers=0,
            name="a test",
            last=LastPart(6, np.arange(6)),
        )
        if fabric.is_global_zero:
            log.to_csv(folder / "log.csv", index=False)
            save_network(network, {}, folder / "weights.safetensors")


if __name__ == "__main__":
    folder, processes, kind, *rest = sys.argv[1:]
    try:
        run(Path(folder), int(processes), kind, *map(int, rest))
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
