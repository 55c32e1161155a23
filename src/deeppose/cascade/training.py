"""Training of one stage (§3.1): batch after batch, so that a run that was killed ends with the same bits."""

import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import nn

from deeppose.cascade.batches import Batch, LastPart, Steps, Table, crop_loader
from deeppose.core.errors import NotFiniteError, ProcessesError
from deeppose.core.files import atomic_path, reading, sha256, write_text
from deeppose.core.progress import progress
from deeppose.core.training_params import Adagrad, AdamW, Training
from deeppose.networks.regressor import Regressor


def train(
    network: Regressor,
    table: Table,
    training: Training,
    fabric: Fabric,
    held_out_pdj: Callable[[Regressor], float],
    *,
    steps: int,
    checkpoint: Path,
    speed_log: Path,
    workers: int,
    name: str,
    last: LastPart | None = None,
) -> pd.DataFrame:
    """Train `network` in place; where `checkpoint` stands, go on from it as if never stopped.

    Batches and dropout depend on the step alone, so a run that was killed ends with the same bits as one
    that was not.

    Parameters
    ----------
    held_out_pdj
        Gives the network's mean PDJ at 0.2 on the held-out images.
    checkpoint
        Written every `report_every` steps, removed by the caller when the weights are safe.
    speed_log
        Gets a line of images a second at each report: not part of the result.
    last
        The steps that draw from some rows alone, in which the learning rate begins again; None: all draw from
        the whole table.

    Returns
    -------
    The log, a row a report: `step`, `loss` (mean over the examples since the last report),
    `held_out_pdj@0.2`.

    Raises
    ------
    NotFiniteError
        Naming the step whose loss is NaN or infinite.
    StageError
        If `checkpoint` is damaged.
    ProcessesError
        If several processes would go on from different steps.
    """
    # Before the optimiser is made: what Adagrad sums up must lie where the weights do.
    network.to(fabric.device)
    optimizer = build_optimizer(network, training.optimizer)
    model, optimizer = fabric.setup(network, optimizer)
    model.mark_forward_method("losses")
    first, log = 0, []
    if checkpoint.is_file():
        with reading(checkpoint):
            state = torch.load(checkpoint, weights_only=True, map_location="cpu")
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            first, log = int(state["step"]), list(state["log"])
        fabric.print(f"going on from step {first}, which {checkpoint} holds")
    if _mean_over_processes(fabric, first) != first:
        raise ProcessesError(
            f"process {fabric.global_rank} would start at step {first}, others elsewhere: "
            f"{checkpoint.parent} must lie on a disk that all machines share, as all of the project"
        )
    share = slice(fabric.global_rank, None, fabric.world_size)
    batches = Steps(table, training.batch, range(first, steps), share, last)
    loader = crop_loader(batches, workers, fabric.device)
    total, since, started = 0.0, 0, time.monotonic()
    hidden = not fabric.is_global_zero
    told = progress(loader, name, steps, unit="step", initial=first, hidden=hidden)
    change = steps if last is None else last.start
    for step, batch in enumerate(told, start=first):
        part = (step, change) if step < change else (step - change, steps - change)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(training.optimizer, *part)
        losses = train_step(model, optimizer, fabric, batch, training, (*table.seed, 2, step))
        total += losses
        since += 1
        if (step + 1) % training.report_every == 0 or step + 1 == steps:
            loss = _mean_over_processes(fabric, total / since)
            log.append({"step": step + 1, "loss": loss, "held_out_pdj@0.2": held_out_pdj(network)})
            if fabric.is_global_zero:
                state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
                _save_checkpoint(checkpoint, {**state, "step": step + 1, "log": log})
                speed = since * training.batch / (time.monotonic() - started)
                before = speed_log.read_text("utf-8") if speed_log.is_file() else "step,images_per_second\n"
                write_text(speed_log, f"{before}{step + 1},{speed:.1f}\n")
            fabric.barrier()
            told.set_postfix(loss=f"{loss:.4f}", held_out=f"{log[-1]['held_out_pdj@0.2']:.3f}", refresh=False)
            total, since, started = 0.0, 0, time.monotonic()
    return pd.DataFrame(log)


def build_optimizer(network: nn.Module, settings: Adagrad | AdamW) -> torch.optim.Adagrad | torch.optim.AdamW:
    """The optimizer that params.yaml names."""
    # `fused`: one pass over the weights instead of four, a tenth of a small network's step on a CPU.
    if settings.name == "adamw":
        return torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.Adagrad(
        network.parameters(),
        lr=settings.learning_rate,
        initial_accumulator_value=settings.initial_accumulator,
        eps=settings.epsilon,
        fused=not next(network.parameters()).is_cuda,  # torch has no fused Adagrad for a GPU
    )


def learning_rate(settings: Adagrad | AdamW, step: int, steps: int) -> float:
    """At a step of a part's steps: the paper's is constant, AdamW's falls along half a cosine to 0."""
    if settings.name == "adamw":
        return settings.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
    return settings.learning_rate


def train_step(
    model: Any,  # noqa: ANN401 - Fabric's wrapper of a Regressor
    optimizer: torch.optim.Optimizer,
    fabric: Fabric,
    batch: Batch,
    training: Training,
    seed: tuple[int, ...],
) -> float:
    """One step of gradient descent on a batch; the mean loss before it.

    Parameters
    ----------
    model, optimizer
        As `fabric` set them up.
    seed
        What dropout's numbers follow from; its last number is the step.

    Raises
    ------
    NotFiniteError
        Naming the step, if the loss is NaN or infinite; the network is of no use then.
    """
    model.train()
    # Dropout's numbers depend on the step and the process alone, whatever happened before.
    torch.manual_seed(mixed_seed((*seed, fabric.global_rank)))
    crops, targets, weights = (fabric.to_device(part) for part in batch)
    # Fabric's wrapper sees to the precision of forward() alone, unless several processes train.
    with fabric.autocast():
        losses = model.losses(crops, targets, weights)
    mean = losses.mean()
    # Several processes average their gradients: each takes its share of the whole batch's sum.
    objective = mean if training.loss == "mean" else mean * training.batch
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(objective)
    optimizer.step()
    # Read when the whole step is queued, so that a GPU is waited for once.
    value = float(mean.detach())
    if not math.isfinite(value):
        raise NotFiniteError(
            f"the loss of batch {seed[-1]} ({len(crops)} crops) is {value}: a smaller "
            f"learning_rate or a larger initial_accumulator may help"
        )
    return value


def mixed_seed(parts: tuple[int, ...]) -> int:
    """One seed for torch from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def fingerprint(values: object, files: Iterable[Path]) -> str:
    """Names what a training stands on: params, files, and the modules of this package that are loaded.

    A checkpoint is kept under this name, so that one of another run is never gone on from.
    """
    modules = (getattr(m, "__file__", None) for n, m in sys.modules.items() if n.split(".")[0] == "deeppose")
    parts = [json.dumps(values, sort_keys=True)]
    parts += [sha256(path) for path in files]
    parts += [sha256(Path(path)) for path in sorted(filter(None, modules))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _save_checkpoint(checkpoint: Path, state: dict[str, object]) -> None:
    # By way of memory, since torch.save's own writing hides that a disk is full.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with atomic_path(checkpoint) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _mean_over_processes(fabric: Fabric, value: float) -> float:
    mean = fabric.all_reduce(torch.tensor(value, dtype=torch.float64), reduce_op="mean")
    assert isinstance(mean, torch.Tensor)
    return float(mean)
