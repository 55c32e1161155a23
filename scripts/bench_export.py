"""How fast exported networks run on the CPU beside ours, one crop at a time and in batches.

    python scripts/bench_export.py

Fresh networks of the profiles `cpu` and `paper`, so no data set and no weights are needed. Speeds are medians
of rounds in which the two take turns, and so is their ratio. Writes reports/bench/export.json and export.md,
a page of it, and prints the page.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from bench_network import CPU
from bench_setup import network_of
from benching import in_turn, made_on, write_report
from pages import page_of, table

from deeppose.cascade.devices import set_up_device
from deeppose.core.params_file import load_params
from deeppose.deploy.export import TOLERANCE, export_network, sample_crops
from deeppose.deploy.onnx_runtime import INPUT, JOINTS, open_session
from deeppose.networks.fused import merged
from deeppose.networks.regressor import Regressor

REPORT = Path("reports/bench/export.json")
PROFILES = ("cpu", "paper")
BATCHES = (1, 32)
ROUNDS, SECONDS = 7, 1.0
OURS, EXPORTED, RATIO = "ours, crops/s", "exported, crops/s", "exported by ours"


def main() -> None:
    params = load_params()
    set_up_device(CPU, params.threads)
    networks = {profile: network_of(params, profile).eval() for profile in PROFILES}
    report = {
        **made_on(),
        "torch": str(torch.__version__),
        "onnxruntime": onnxruntime.__version__,
        "threads": params.threads,
        "rounds": ROUNDS,
        "networks": {name: beside(of, params.threads) for name, of in networks.items()},
    }
    write_report(REPORT, report, page)


def beside(network: Regressor, threads: int) -> dict[str, Any]:
    """A network and its exported self in turn; each turn takes at least so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        difference = export_network(network, path)
        session = open_session(path, threads)
        size = path.stat().st_size
    for_prediction = merged(network, torch.device("cpu"))
    speeds = {}
    for batch in BATCHES:
        crops = sample_crops(batch, network.size)
        calls = {
            OURS: partial(for_prediction, torch.from_numpy(crops)),
            EXPORTED: partial(session.run, [JOINTS], {INPUT: crops}),
        }
        with torch.inference_mode():
            turns = in_turn({name: partial(seconds_a_call, call) for name, call in calls.items()}, ROUNDS)
        speeds[str(batch)] = {name: batch / turns.median(name) for name in calls}
        speeds[str(batch)][RATIO] = turns.ratio(OURS, EXPORTED)
    return {"input": network.size, "difference": difference, "bytes": size, "speeds": speeds}


def seconds_a_call(call: Callable[[], Any]) -> float:
    """Over SECONDS at least, after a call that isn't counted."""
    call()
    started, calls = time.perf_counter(), 0
    while (taken := time.perf_counter() - started) < SECONDS or not calls:
        call()
        calls += 1
    return taken / calls


def page(report: dict[str, Any]) -> str:
    rows = []
    for name, of in report["networks"].items():
        for batch, speeds in of["speeds"].items():
            figures = [f"{speeds[OURS]:,.1f}", f"{speeds[EXPORTED]:,.1f}", f"{speeds[RATIO]:.2f}"]
            rows.append([f"that of `{name}`, {of['input']} px", batch, *figures])
    furthest = max(of["difference"] for of in report["networks"].values())
    return page_of(
        "Exported networks beside ours",
        f"Made by `python scripts/bench_export.py` at commit {report['revision']}, torch {report['torch']}, "
        f"onnxruntime {report['onnxruntime']}, on: {report['machine']}. {report['threads']} threads, medians "
        f"of {report['rounds']} rounds in which the two take turns. Their outputs are at most {furthest:.0e} "
        f"of a box's side from ours; {TOLERANCE:.0e} is what is tolerated.",
        table(["network", "crops a call", OURS, EXPORTED, RATIO], rows),
    )


if __name__ == "__main__":
    main()
