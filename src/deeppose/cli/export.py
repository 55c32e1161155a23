"""`deeppose export`: the trained cascade's networks for people who run them without this package."""

from pathlib import Path
from typing import Annotated

import typer

from deeppose.cli.weights import weights_of
from deeppose.core.errors import ParamsError

SAMPLE_HEIGHT = 360
"""Of a synthetic picture, pixels."""


def export(
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where the files go; made if it isn't there."),
    ] = None,
    web: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write a page instead that runs the published cascades in a browser: docs/web.md.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model of params.yaml.", show_default="lsp")] = None,
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
    has the cropping and the cascade's loop around them.
    """
    if (output is None) == (web is None):
        raise ParamsError("give a folder, either by -o for networks or by --web for a page")
    if web is not None:
        if (model, profile, stage) != (None, None, None):
            raise ParamsError(
                "--web writes the published cascades, whole: leave out --model, --profile and --stage"
            )
        from deeppose.deploy.web import write_page

        size = write_page(web, sample_photos())
        typer.echo(f"{web}: {size / 1e6:.1f} MB; `deeppose demo {web}` opens it")
        return
    assert output is not None
    weights, skeleton = weights_of(model or "lsp", profile)
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


def sample_photos() -> dict[str, bytes]:
    """Pictures to try a page on, JPEG by name: synthetic people, and a photo of scikit-image."""
    import cv2
    import numpy as np
    from skimage import data

    from deeppose.data.synthetic.painting import draw
    from deeppose.data.synthetic.scenes import draw_scene

    coffee, astronaut = (np.asarray(getattr(data, name)())[..., ::-1] for name in ("coffee", "astronaut"))
    pictures = {
        "synthetic person": draw(np.random.default_rng(1), [coffee], SAMPLE_HEIGHT).image,
        "synthetic scene": draw_scene(np.random.default_rng(1), [coffee], SAMPLE_HEIGHT).image,
        "astronaut": astronaut,
    }
    return {name: cv2.imencode(".jpg", picture)[1].tobytes() for name, picture in pictures.items()}
