"""Options that several commands take, and what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deeppose.core.params import Params
    from deeppose.data.pose_set import PoseSet

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

    params = params_here()
    return mirror_folders("data/mirror" if params is None else params.mirror)


def params_here() -> "Params | None":
    """The params of this folder; None where there is no params.yaml.

    Raises
    ------
    ParamsError
        If there is one, but not a valid one.
    """
    from deeppose.core.params_file import load_params

    return load_params() if Path("params.yaml").is_file() else None


def own_set(name: str) -> "PoseSet | None":
    """A set of one's own, which a profile of this folder describes, read; None if there is none of that name.

    Raises
    ------
    DeepPoseError
        If its files can't be read.
    """
    from deeppose.data.own_sets import read_own

    params = params_here()
    for profile in [] if params is None else params.profiles.values():
        if name in profile.datasets:
            dataset = profile.datasets[name]
            return read_own(name, dataset, profile.skeleton_of_set(name))
    return None
