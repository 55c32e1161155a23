"""`deeppose export`: the trained cascade's networks for people who run them without this package."""

from pathlib import Path
from typing import Annotated

import typer

from deeppose.cli.weights import weights_of
from deeppose.core.errors import ParamsError


def export(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where the files go; made if it isn't there."),
    ],
    model: Annotated[str, typer.Option(help="A model of params.yaml.")] = "lsp",
    profile: Annotated[
        str | None, typer.Option(help="Whose weights are taken, as by `deeppose predict`.")
    ] = None,
    stage: Annotated[
        int | None, typer.Option(help="Of the cascade, counted from 1. Default: all of them.")
    ] = None,
) -> None:
    """Write the cascade's networks as ONNX files, each with a JSON file that says how it is used.

    A network takes crops, (batch, side, side, 3) uint8 RGB, in batches of any size, and gives joints relative
    to their boxes, (batch, joints, 2). Each is run before it is kept, and compared with ours. docs/export.md
    has what must be done around them.
    """
    weights, skeleton = weights_of(model, profile)
    if stage is not None and not 1 <= stage <= len(weights):
        raise ParamsError(f"--stage {stage}: the cascade has stages 1 to {len(weights)}")
    from deeppose.deploy.export import check_folder, export_stage

    numbers = range(1, len(weights) + 1) if stage is None else [stage]
    check_folder(output, numbers, weights[0].parent)
    for number in numbers:
        path = weights[number - 1]
        written = export_stage(path, number, skeleton, output)
        typer.echo(
            f"{written.network}, {written.description}: from {path}, outputs at most "
            f"{written.difference:.1e} of a box's side from ours"
        )
