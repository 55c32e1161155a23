"""Options that several commands take, and what they mean."""

from pathlib import Path
from typing import Annotated

import typer

MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="FOLDER",
        help="Of archives; else $DEEPPOSE_MIRROR, else `mirror` of ./params.yaml, else data/mirror.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def archive_folders(given: Path | None) -> list[Path]:
    """Where archives are looked for: in the folder `given`, or where the pipeline looks.

    Where there is no params.yaml, data/mirror takes the place of its `mirror`.

    Raises
    ------
    ParamsError
        If there is a params.yaml, but not a valid one.
    """
    if given is not None:
        return [given]
    from deeppose.core.params import mirror_folders
    from deeppose.core.params_file import load_params

    mirror = load_params().mirror if Path("params.yaml").is_file() else "data/mirror"
    return mirror_folders(mirror)
