"""Several processes that train together, started by Fabric or by torchrun: what they reach, how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import several
import torch

from deeppose.cascade.processes import start_fabric
from deeppose.core.errors import DeviceError, ProcessesError
from deeppose.core.training_params import Device

SCRIPT = str(Path(__file__).parents[1] / "support" / "several.py")
GONE = "another of the 2 processes that run this stage together is gone"
SECONDS = 60  # what a busy machine may take to start two processes

# One worker of pytest-xdist runs all of them, so that the trainings are made once.
pytestmark = pytest.mark.xdist_group("processes")


def start(folder, processes, kind="alexnet", *rest, torchrun=None):
    """Start the small training there, by Fabric or by as many processes of torchrun."""
    folder.mkdir(exist_ok=True)
    runner = [] if torchrun is None else torchrun_command(torchrun)
    # Fabric's own must be enough, whatever this test was started by.
    clean = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "RANK")}
    return subprocess.Popen(
        [sys.executable, *runner, SCRIPT, str(folder), str(processes), kind, *map(str, rest)],
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def torchrun_command(processes):
    return ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]


def trained(folder, *arguments, **options):
    """Run it to its end; gives the folder, in which its losses and weights lie."""
    process = start(folder, *arguments, **options)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return folder


def losses(folder):
    return pd.read_csv(folder / "log.csv").set_index("step")["loss"]


def weights(folder):
    return (folder / "weights.safetensors").read_bytes()


def notes(folder, rank):
    """What a process noted, the words after each keyword."""
    lines = (folder / f"{rank}.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The small training in one, two and four processes."""
    folder = tmp_path_factory.mktemp("processes")
    return {processes: trained(folder / str(processes), processes) for processes in (1, 2, 4)}


# What they reach


@pytest.mark.parametrize("processes", [2, 4])
def test_their_losses_are_those_of_one(runs, processes):
    one, together = losses(runs[1]), losses(runs[processes])
    assert together.index.tolist() == [3, 6, 9, 10]
    pd.testing.assert_series_equal(together, one, rtol=1e-5)


def test_statistics_of_batch_normalisation_are_each_processs_own(tmp_path):
    one, two = (losses(trained(tmp_path / str(count), count, "spatial")) for count in (1, 2))
    assert two.to_numpy() == pytest.approx(one.to_numpy(), rel=0.01)
    assert two.to_numpy() != pytest.approx(one.to_numpy(), rel=1e-5)


def test_batch_normalisation_over_processes_needs_a_gpu():
    # docs/scale.md says so; when torch learns it, statistics over the whole batch are to be had.
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        with pytest.raises(ValueError, match="SyncBatchNorm expected input tensor to be on GPU"):
            torch.nn.SyncBatchNorm(3)(torch.zeros(2, 3, 4, 4))
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("processes", [2, 4])
def test_the_first_process_alone_writes_checkpoints(runs, processes):
    saved = [
        [int(note[1]) for note in notes(runs[processes], rank) if note[0] == "checkpoint"]
        for rank in range(processes)
    ]
    assert saved == [[3, 6, 9, 10], *[[]] * (processes - 1)]
    assert len((runs[processes] / "speed.csv").read_text().splitlines()) == 1 + len(saved[0])


def test_each_has_the_threads_of_the_params(runs):
    for rank in range(4):
        assert ("threads", str(several.THREADS)) in notes(runs[4], rank)


def test_torchrun_gives_the_same_bits_as_fabric(runs, tmp_path):
    assert weights(trained(tmp_path / "torchrun", 2, torchrun=2)) == weights(runs[2])


# What doesn't fit


def test_another_number_of_processes_than_the_params_say_is_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProcessesError, match=r"started 4 processes, but device\.devices is 2.*devices=4"):
        start_fabric(Device(accelerator="cpu", devices=2, precision="32-true", crops="host"), threads=1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(ProcessesError, match="3 of 4 processes on this machine"):
        start_fabric(Device(accelerator="cpu", devices=4, precision="32-true", crops="host"), threads=1)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(DeviceError, match=r"devices is 8, but torch sees 4 CUDA devices.*devices=4"):
        start_fabric(Device(accelerator="cuda", devices=8, precision="32-true", crops="host"), threads=1)


def test_torchruns_processes_may_lie_on_several_machines(monkeypatch):
    asked = {}

    class Spy:
        def __init__(self, **options):
            asked.update(options)

        def launch(self):
            pass

    monkeypatch.setattr("deeppose.cascade.processes.Fabric", Spy)
    for name, value in {"WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    start_fabric(Device(accelerator="cpu", devices=16, precision="32-true", crops="host"), threads=1)
    assert (asked["devices"], asked["num_nodes"]) == (8, 2)


def test_a_slurm_jobs_tasks_are_not_taken_for_processes(monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "3"}.items():
        monkeypatch.setenv(name, value)
    fabric = start_fabric(Device(accelerator="cpu", devices=1, precision="32-true", crops="host"), threads=1)
    assert (fabric.world_size, fabric.global_rank) == (1, 0)


# What a dead process does


def brought_down(folder, killed, sleeper, *, torchrun=None):
    """Kill one of two processes in the middle; gives what was said, when both have ended."""
    process = start(folder, 2, "alexnet", sleeper, torchrun=torchrun)
    waited_for(lambda: (folder / f"{sleeper}.txt").is_file() and ("sleeps",) in notes(folder, sleeper))
    pids = [int(note[1]) for rank in (0, 1) for note in notes(folder, rank) if note[0] == "pid"]
    os.kill(pids[killed], signal.SIGKILL)
    said, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    waited_for(lambda: not any(map(runs_still, pids)))
    return said


# The one that sleeps is busy with something else than the other processes.
@pytest.mark.parametrize(("killed", "sleeper"), [(1, 0), (0, 0), (0, 1)])
def test_a_process_that_dies_takes_the_others_down(tmp_path, killed, sleeper):
    said = brought_down(tmp_path / "run", killed, sleeper)
    assert f"error: process {1 - killed}: {GONE}" in said


@pytest.mark.parametrize(("torchrun", "words"), [(None, f"error: process 0: {GONE}"), (2, "rank      : 1")])
def test_the_next_run_goes_on_and_ends_with_the_same_bits(runs, tmp_path, torchrun, words):
    folder = tmp_path / "run"
    assert words in brought_down(folder, 1, 1, torchrun=torchrun)
    assert (folder / "state.pt").exists()
    assert not (folder / "weights.safetensors").exists()
    trained(folder, 2, torchrun=torchrun)
    assert weights(folder) == weights(runs[2])
    assert [note[1] for note in notes(folder, 0) if note[0] == "checkpoint"] == ["3", "6", "9", "10"]


def waited_for(holds):
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def runs_still(pid):
    status = Path("/proc") / str(pid) / "stat"
    # A zombie's parent hasn't asked for its end yet.
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] != "Z"
