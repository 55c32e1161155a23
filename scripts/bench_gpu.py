"""How fast the paper's network trains and predicts on the GPU here, and how long `paper` would take.

    python scripts/bench_gpu.py

Crops are cut from random pictures of LSP's size, so no data set is needed. Figures are medians of rounds in
which all precisions take turns. Writes reports/bench/gpu.json and gpu.md, a page of it, and prints the page.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from machine import machine

from deeppose.batches import Batch, WholeBodies, batches
from deeppose.devices import loader_workers
from deeppose.examples import BOX_COLUMNS, Examples
from deeppose.files import write_json, write_text
from deeppose.geometry import diameter
from deeppose.networks.weights import build_network
from deeppose.params import Device, Params, Training, load_params
from deeppose.skeleton import FULL_BODY
from deeppose.training import build_optimizer, start_fabric, train_step

OUTPUT = Path("reports/bench/gpu.json")
PRECISIONS = ("32-true", "tf32", "bf16-mixed")
ROUNDS, STEPS = 3, 30
PICTURES, HEIGHT, WIDTH = 500, 180, 110
MATRIX_SIDE = 8192
PROFILE = "paper"
OFF = "off the CPU's"


@dataclass
class Runner:
    """The paper's network on the GPU in one precision."""

    device: Device
    fabric: Fabric
    model: Any
    optimizer: torch.optim.Optimizer
    training: Training
    step: int = 0

    def train(self, batch: Batch) -> float:
        """One step; the loss before it."""
        self.step += 1
        return train_step(self.model, self.optimizer, self.fabric, batch, self.training, (0, 2, self.step))


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here, and this measures one")
    params = load_params()
    table = pictures(params)
    batch = next(fed(table, params, 1))
    speeds: dict[str, dict[str, list[float]]] = {name: {} for name in PRECISIONS}
    for number in range(ROUNDS + 1):
        for precision in PRECISIONS:
            runner = runner_of(params, precision)
            found = {
                "training, one batch again and again": on_one_batch(runner, batch),
                "training, crops cut beside it": on_fed_batches(runner, table, params),
                "prediction": predicting(runner, params, batch),
                "matrix products, TFLOP/s": matrix_products(precision),
            }
            # The first round wakes everything up.
            for what, speed in found.items() if number else ():
                speeds[precision].setdefault(what, []).append(speed)
            del runner
            torch.cuda.empty_cache()
    medians = {p: {what: statistics.median(s) for what, s in of.items()} for p, of in speeds.items()}
    report = {
        "machine": machine(gpu=True),
        "torch": str(torch.__version__),
        "workers": loader_workers(torch.device("cuda")),
        "batch": params.profiles[PROFILE].training.batch,
        "cutting alone": cutting(table, params),
        "images a second": medians,
        "same bits": {precision: same_bits(params, precision, batch) for precision in PRECISIONS},
        OFF: {precision: off_the_cpu(params, precision, batch) for precision in PRECISIONS},
        "hours of training": {precision: hours(params, medians[precision]) for precision in PRECISIONS},
    }
    write_json(OUTPUT, report)
    write_text(OUTPUT.with_suffix(".md"), page(report))
    print(page(report))


def runner_of(params: Params, precision: str) -> Runner:
    profile = params.profiles[PROFILE]
    device = Device(accelerator="cuda", devices=1, precision=precision)
    fabric = start_fabric(device, params.threads)
    torch.manual_seed(0)
    network = network_of(params).to(fabric.device)
    optimizer = build_optimizer(network, profile.training.optimizer, on_cpu=False)
    model, wrapped = fabric.setup(network, optimizer)
    model.mark_forward_method("losses")
    return Runner(device, fabric, model, wrapped, profile.training)


def network_of(params: Params) -> Any:  # noqa: ANN401 - each network is a class of its own
    sizes = params.profiles[PROFILE].network
    return build_network(
        **sizes.model_dump(exclude={"input"}),
        joints=len(FULL_BODY.joints),
        size=sizes.input,
        mean=[110.0, 108.0, 100.0],
    )


def pictures(params: Params) -> WholeBodies:
    """Stage 1's batches, cut from random pictures with random poses."""
    generator = np.random.default_rng(0)
    images = list(generator.integers(0, 256, (PICTURES, HEIGHT, WIDTH, 3), dtype=np.uint8))
    poses = generator.uniform(10, WIDTH - 10, (PICTURES, len(FULL_BODY.joints), 2))
    labelled = np.ones(poses.shape[:2], dtype=bool)
    table = pd.DataFrame({"part": "train", "width": np.full(PICTURES, WIDTH)})
    table[BOX_COLUMNS] = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2, float(WIDTH), float(HEIGHT)]
    table["diameter"] = diameter(poses, labelled, FULL_BODY)
    profile = params.profiles[PROFILE]
    return WholeBodies(
        images=images,
        examples=Examples(table, poses, labelled),
        training_rows=np.arange(PICTURES),
        skeleton=FULL_BODY,
        size=profile.network.input,
        padding=(110, 108, 100),
        translation=profile.stage1.translation,
        keep_joints=profile.stage1.keep_joints,
        seed=(0, 1),
    )


def fed(table: WholeBodies, params: Params, steps: int) -> Any:  # noqa: ANN401 - an iterator of batches
    device = torch.device("cuda")
    return batches(
        table,
        batch=params.profiles[PROFILE].training.batch,
        first=0,
        last=steps,
        rank=0,
        processes=1,
        workers=loader_workers(device),
        device=device,
    )


def images_a_second(step: Callable[[], Any], images: int, steps: int = STEPS) -> float:
    """Of so many calls, after three that aren't counted."""
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return steps * images / (time.perf_counter() - started)


def on_one_batch(runner: Runner, batch: Batch) -> float:
    there = Batch(*(part.cuda() for part in batch))
    return images_a_second(lambda: runner.train(there), len(batch.crops))


def on_fed_batches(runner: Runner, table: WholeBodies, params: Params) -> float:
    # The loader's first batches, cut before the clock starts, would flatter it.
    waited = 2 * loader_workers(torch.device("cuda"))
    feed = fed(table, params, waited + STEPS + 3)
    for _ in range(waited):
        next(feed)
    return images_a_second(lambda: runner.train(next(feed)), runner.training.batch)


def cutting(table: WholeBodies, params: Params) -> float:
    """Crops that the workers cut in a second, with nothing that takes them."""
    steps = 4 * STEPS
    feed = fed(table, params, steps + 3)
    return images_a_second(lambda: next(feed), params.profiles[PROFILE].training.batch, steps)


def predicting(runner: Runner, params: Params, batch: Batch) -> float:
    size = params.profiles[PROFILE].prediction_batch
    crops = batch.crops.cuda().repeat(-(-size // len(batch.crops)), 1, 1, 1)[:size]
    runner.model.eval()
    with torch.inference_mode():
        return images_a_second(lambda: runner.model(crops), size)


def matrix_products(precision: str) -> float:
    """TFLOP/s of a large product in this precision: what the network can't exceed."""
    kind = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    left, right = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, device="cuda", dtype=kind) for _ in range(2))
    products = images_a_second(lambda: left @ right, 1)
    return products * 2 * MATRIX_SIDE**3 / 1e12


def same_bits(params: Params, precision: str, batch: Batch) -> bool:
    """Whether ten steps give the same weights twice."""
    states = []
    for _ in range(2):
        runner = runner_of(params, precision)
        for _ in range(10):
            runner.train(batch)
        states.append({name: value.cpu() for name, value in runner.model.state_dict().items()})
        del runner
    first, second = states
    return all(torch.equal(value, second[name]) for name, value in first.items())


def off_the_cpu(params: Params, precision: str, batch: Batch) -> dict[str, float]:
    """How far outputs and gradients on the GPU are from those in double precision on the CPU, relatively."""
    few = Batch(*(part[:8] for part in batch))
    torch.manual_seed(0)
    exact = network_of(params).double().eval()
    runner = runner_of(params, precision)
    runner.model.eval()
    found = {"outputs": apart(runner.model(few.crops.cuda()), exact(few.crops))}
    exact.losses(few.crops, few.targets.double(), few.weights.double()).mean().backward()
    with runner.fabric.autocast():
        loss = runner.model.losses(*(part.cuda() for part in few)).mean()
    runner.fabric.backward(loss)
    first, expected = (next(iter(network.parameters())).grad for network in (runner.model, exact))
    return found | {"gradient of the first layer": apart(first, expected)}


def apart(found: Any, expected: Any) -> float:  # noqa: ANN401 - tensors
    difference = found.detach().double().cpu() - expected.detach().double()
    return float(difference.norm() / expected.detach().double().norm())


def hours(params: Params, speeds: dict[str, float]) -> dict[str, float]:
    """Of training all stages of each model, at the speed with crops cut beside it."""
    profile = params.profiles[PROFILE]
    speed = speeds["training, crops cut beside it"]
    return {
        model: sum(profile.stage(stage).steps[model] for stage in (1, 2, 3))
        * profile.training.batch
        / speed
        / 3600
        for model in params.model
    }


def page(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    rows = {
        "training, the same batch again and again, images/s": of_speeds(
            report, "training, one batch", ",.0f"
        ),
        "training, crops cut beside it, images/s": of_speeds(report, "training, crops", ",.0f"),
        "prediction, images/s": of_speeds(report, "prediction", ",.0f"),
        "a large matrix product, TFLOP/s": of_speeds(report, "matrix", ",.0f"),
        "outputs, relative distance from the CPU's in double precision": of_distances(report, "outputs"),
        "gradient of the first layer, likewise": of_distances(report, "gradient of the first layer"),
        "the same bits again": [
            "yes" if report["same bits"][precision] else "no" for precision in PRECISIONS
        ],
    }
    for model in report["hours of training"][PRECISIONS[0]]:
        rows[f"all of `{PROFILE}`'s steps of {model}, hours"] = [
            f"{report['hours of training'][precision][model]:.1f}" for precision in PRECISIONS
        ]
    cells = [
        ["", *PRECISIONS],
        ["---", *["---:"] * len(PRECISIONS)],
        *([what, *of] for what, of in rows.items()),
    ]
    return "\n".join(
        [
            "# The paper's network on a GPU",
            "",
            f"Made by `make bench-gpu` on: {report['machine']}, torch {report['torch']}. Batches of "
            f"{report['batch']}, deterministic algorithms. {report['workers']} processes cut crops, alone "
            f"{report['cutting alone']:,.0f} a second.",
            "",
            *("| " + " | ".join(row) + " |" for row in cells),
            "",
            "Which pixel a maximum is taken from, and which unit is cut off at 0, hangs on the last digits "
            "of the outputs, so gradients differ by about the root of what outputs differ by.",
            "",
        ]
    )


def of_distances(report: dict[str, Any], what: str) -> list[str]:
    """How far this is from the CPU's in each precision."""
    return [f"{report[OFF][precision][what]:.0e}" for precision in PRECISIONS]


def of_speeds(report: dict[str, Any], begins: str, style: str) -> list[str]:
    """One kind of speed in each precision."""
    speeds = report["images a second"]
    (what,) = (name for name in speeds[PRECISIONS[0]] if name.startswith(begins))
    return [format(speeds[precision][what], style) for precision in PRECISIONS]


if __name__ == "__main__":
    main()
