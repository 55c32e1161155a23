"""How fast the paper's network trains and predicts on the GPU here, and how long `paper` would take.

    python scripts/bench_gpu.py

Crops are cut from random pictures of LSP's size, so no data set is needed. Speeds are medians of rounds in
which all precisions take turns. Writes reports/bench/gpu.json and gpu.md, a page of it, and prints the page.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench_setup import (
    PROFILE,
    Runner,
    feed,
    network_of,
    random_examples,
    random_pictures,
    whole_bodies,
)
from benching import made_on, write_report
from pages import page_of, table

from deeppose.cascade.batches import Batch, WholeBodies
from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.devices import loader_workers
from deeppose.core.params import CASCADE_STAGES_IN_DVC_YAML, Params
from deeppose.core.params_file import load_params
from deeppose.core.training_params import Device

OUTPUT = Path("reports/bench/gpu.json")
PRECISIONS = ("32-true", "tf32", "bf16-mixed")
ROUNDS, STEPS, UNCOUNTED = 3, 30, 3
PICTURES = 500
MATRIX_SIDE = 8192
ONE_BATCH = "training, the same batch again and again, images/s"
FED = "training, crops cut beside it, images/s"
CUT_THERE = "training, crops cut on the GPU, images/s"
PREDICTION = "prediction, images/s"
PRODUCTS = "a large matrix product, TFLOP/s"
OFF = "relative distance from the CPU's double precision"


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here, and this measures one")
    params = load_params()
    gpu = torch.device("cuda")
    workers = loader_workers(gpu)
    pictures, examples = random_pictures(PICTURES), random_examples(PICTURES)
    bodies = whole_bodies(params, pictures, examples)
    bodies_there = whole_bodies(params, DeviceImages(pictures, gpu), examples)
    batch = next(fed(bodies, params, 1, workers))
    there = Batch(*(part.cuda() for part in batch))
    speeds: dict[str, dict[str, list[float]]] = {name: {} for name in PRECISIONS}
    for number in range(ROUNDS + 1):
        for precision in PRECISIONS:
            runner = on_gpu(params, precision)
            found = {
                ONE_BATCH: images_a_second(partial(runner.train, there), len(batch.crops)),
                FED: on_fed_batches(runner, bodies, params, workers),
                CUT_THERE: on_fed_batches(runner, bodies_there, params, 0),
                PRODUCTS: matrix_products(precision),
            }
            # Stages predict in single precision, whatever they were trained in.
            if precision != "bf16-mixed":
                found[PREDICTION] = predicting(runner, params, batch)
            # The first round wakes everything up.
            for what, speed in found.items() if number else ():
                speeds[precision].setdefault(what, []).append(speed)
            del runner
            torch.cuda.empty_cache()
    medians = {p: {what: statistics.median(s) for what, s in of.items()} for p, of in speeds.items()}
    report = {
        **made_on(gpu=True),
        "torch": str(torch.__version__),
        "workers": workers,
        "batch": params.profiles[PROFILE].training.batch,
        "cutting alone": cutting(bodies, params, workers),
        "speeds": medians,
        "same bits": {precision: same_bits(params, precision, batch) for precision in PRECISIONS},
        OFF: {precision: off_the_cpu(params, precision, batch) for precision in PRECISIONS},
        "hours of training": {precision: hours(params, medians[precision][FED]) for precision in PRECISIONS},
    }
    write_report(OUTPUT, report, page)


def on_gpu(params: Params, precision: str) -> Runner:
    device = Device(accelerator="cuda", devices=1, precision=precision, crops="host")
    return Runner(params, device, network_of(params))


def fed(bodies: WholeBodies, params: Params, steps: int, workers: int) -> Iterator[Batch]:
    """Batches for so many steps, those gone that were cut before the first was asked for."""
    ahead = 2 * workers  # what a loader has under way
    # At the last step the workers must be as busy as before.
    cut = feed(bodies, params, "cuda", last=ahead + steps + ahead, workers=workers)
    for _ in range(ahead):
        next(cut)
    return cut


def images_a_second(step: Callable[[], Any], images: int, steps: int = STEPS) -> float:
    """Of so many calls, after some that aren't counted."""
    for _ in range(UNCOUNTED):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return steps * images / (time.perf_counter() - started)


def on_fed_batches(runner: Runner, bodies: WholeBodies, params: Params, workers: int) -> float:
    cut = fed(bodies, params, UNCOUNTED + STEPS, workers)
    return images_a_second(lambda: runner.train(next(cut)), runner.training.batch)


def cutting(bodies: WholeBodies, params: Params, workers: int) -> float:
    """Crops that the workers cut in a second, with nothing that takes them."""
    steps = 4 * STEPS
    cut = fed(bodies, params, UNCOUNTED + steps, workers)
    return images_a_second(lambda: next(cut), params.profiles[PROFILE].training.batch, steps)


def predicting(runner: Runner, params: Params, batch: Batch) -> float:
    size = params.profiles[PROFILE].prediction_batch
    crops = batch.crops.cuda().repeat(-(-size // len(batch.crops)), 1, 1, 1)[:size]
    runner.model.eval()
    with torch.inference_mode():
        return images_a_second(lambda: runner.model.module(crops), size)


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
        runner = on_gpu(params, precision)
        for _ in range(10):
            runner.train(batch)
        states.append({name: value.cpu() for name, value in runner.model.state_dict().items()})
        del runner
    first, second = states
    return all(torch.equal(value, second[name]) for name, value in first.items())


def off_the_cpu(params: Params, precision: str, batch: Batch) -> dict[str, float]:
    """How far outputs and gradients on the GPU are from those in double precision on the CPU, relatively."""
    few = Batch(*(part[:8] for part in batch))
    exact = network_of(params).double().eval()
    runner = on_gpu(params, precision)
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


def hours(params: Params, speed: float) -> dict[str, float]:
    """What all steps of each model's stages take at so many images a second."""
    profile = params.profiles[PROFILE]
    stages = [profile.stage(stage) for stage in range(1, CASCADE_STAGES_IN_DVC_YAML + 1)]
    images = {model: sum(s.steps[model] for s in stages) * profile.training.batch for model in params.model}
    return {model: count / speed / 3600 for model, count in images.items()}


def page(report: dict[str, Any]) -> str:
    times, apart = report["hours of training"], report[OFF]
    speeds = (ONE_BATCH, FED, CUT_THERE, PREDICTION, PRODUCTS)
    rows = [[what, *shown(report["speeds"], what, ",.0f")] for what in speeds]
    rows += [[f"{what}, {OFF}", *shown(apart, what, ".0e")] for what in apart[PRECISIONS[0]]]
    rows.append(["the same bits again", *("yes" if report["same bits"][p] else "no" for p in PRECISIONS)])
    for model in times[PRECISIONS[0]]:
        rows.append([f"all steps of {model} at that speed, hours", *shown(times, model, ".1f")])
    return page_of(
        "The paper's network on a GPU",
        f"Made by `python scripts/bench_gpu.py` at commit {report['revision']}, torch {report['torch']}, on: "
        f"{report['machine']}. Batches of {report['batch']}, deterministic algorithms. {report['workers']} "
        f"processes cut crops, alone {report['cutting alone']:,.0f} a second. Hours leave out what isn't "
        "training, and take stage 1's crops for those of all stages. Predictions are made in single "
        "precision, in TF32 where training is. A dash: not measured.",
        table(["", *PRECISIONS], rows),
    )


def shown(figures: dict[str, Any], what: str, style: str) -> list[str]:
    return [format(figures[p][what], style) if what in figures[p] else "–" for p in PRECISIONS]


if __name__ == "__main__":
    main()
