"""What a process is set up to before networks run in it."""

import subprocess
import sys

import pytest

TENSORS, FLOATS = 8, 4 * 2**20
FAULTS = f"""
import resource
import torch
from deeppose.cascade.devices import set_up_device
from deeppose.core.training_params import Device

set_up_device(Device(accelerator="cpu", devices=1, precision="32-true", crops="host"), 1)
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones({FLOATS}) for _ in range({TENSORS})]
    del tensors
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a habit of glibc")
def test_pages_that_tensors_gave_back_are_not_cleared_anew():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    first, *again = map(int, run.stdout.split())
    assert again[-1] < first / 10
