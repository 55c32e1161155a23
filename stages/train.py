"""Train one stage of a cascade (§3.1, §3.2).

Stage 1 learns from the training images and their initial boxes, a later stage from its augmented set. Writes
the weights and a log: loss and held-out PDJ at 0.2 by step. A killed run goes on from its checkpoint.
"""

from run import run

from pathlib import Path

from deeppose.cascade.processes import processes
from deeppose.cascade.train_stage import train_stage
from deeppose.core.paths import Item


def outputs(item: Item, stage: int) -> list[Path]:
    return [item.weights(stage), item.training_log(stage)]


def main(item: Item, stage: int) -> None:
    with processes(item.profile.device, item.params.threads) as fabric:
        train_stage(item, stage, fabric)


if __name__ == "__main__":
    run(main, outputs)
