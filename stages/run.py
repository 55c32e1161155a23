"""How every stage script runs: what is left out, how it fails, what is noted of it; imported first of all."""

import sys

from deeppose.core.ending import OneLineEnding, interrupted_in_one_line

sys.excepthook = interrupted_in_one_line  # while the rest is imported, too, which takes seconds

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from deeppose.core.files import check_outputs, leave_empty
from deeppose.core.params import Params
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.provenance import is_first_process, note_run


def run(main: Callable[[Item, int], None], outputs: Callable[..., list[Path]], *, later: int = 0) -> None:
    """Call `main` with the item and stage of the command line; where nothing can be made, leave empty."""

    def of_item(params: Params) -> None:
        item, stage = Item(params, *sys.argv[1:3]), int((*sys.argv[3:], "0")[0])
        if not (why := item.why_left_out(stage + later)):
            check_outputs(outputs(item, stage))
            main(item, stage)
        elif is_first_process():
            leave_empty(outputs(item, stage), why)

    run_of_profile(of_item)


def run_of_profile(main: Callable[[Params], None]) -> None:
    """Call `main` with the params; what a user can mend stops it in one line."""
    started = datetime.now(UTC)
    with OneLineEnding("error"):
        main(load_params())
        note_run(sys.argv[1], os.environ.get("DVC_STAGE"), started)
