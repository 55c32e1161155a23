"""How every stage script runs: what is left out, how it fails, what is noted of it."""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from deeppose.core.errors import DeepPoseError
from deeppose.core.files import leave_empty
from deeppose.core.params import Params
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.provenance import is_first_process, note_run

Outputs = Callable[[Item, int], list[Path]]


def run(main: Callable[[Item, int], None], outputs: Outputs, *, for_next_stage: bool = False) -> None:
    """Call `main` with the item and stage of the command line; what nothing can be made of stays empty."""
    profile, model, stage = (*sys.argv[1:], "0")[:3]

    def of_item(params: Params) -> None:
        item = Item(params, profile, model)
        if why := item.why_left_out(int(stage) + for_next_stage):
            print(why)
            leave_empty(outputs(item, int(stage)) if is_first_process() else [], why)
        else:
            main(item, int(stage))

    run_of_profile(of_item)


def run_of_profile(main: Callable[[Params], None]) -> None:
    """Call `main` with the params; what a user can mend stops it in one line."""
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        main(load_params())
    except DeepPoseError as error:
        sys.exit(f"error: {error}")
    if "DVC_STAGE" in os.environ:
        note_run(sys.argv[1], os.environ["DVC_STAGE"], started, time.monotonic() - clock)
