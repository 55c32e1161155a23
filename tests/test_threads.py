"""How long torch's threads spin before they sleep."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "load", ["import deeppose.cascade.training", "import deeppose.deploy.pose", "import deeppose.cli.main"]
)
@pytest.mark.parametrize(("given", "kept"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_threads_sleep_soon_unless_told_otherwise(load, given, kept):
    """However the package is come by: it is set before torch is loaded, which reads it then."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    code = f"{load}, os; print(os.environ['GOMP_SPINCOUNT'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == kept
