"""`deeppose new`: a model of one's own, from a file of labels."""

from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[str, typer.Argument(help="Of the model, its profile, its data set and its skeleton.")],
    coco: Annotated[
        Path, typer.Option(metavar="FILE", help="Labels, as COCO keypoints in JSON.", show_default=False)
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="That the names of images start in. Default: that of FILE, or the folder images in it.",
        ),
    ] = None,
) -> None:
    """Write the params of a model of your own: an entry of params.yaml and a profile, which it chooses there.

    Nothing of the models that are there changes. It says what it found, what it made of it, and what to type
    next.
    """
    from deeppose.core.params_file import add_model, load_params, read_values
    from deeppose.data.new_model import SETTINGS_OF, new_of_coco

    params = load_params()
    made = new_of_coco(name, coco, images, params, read_values()["profiles"][SETTINGS_OF])
    about = f"The model {name} of one's own, with the network and settings of {SETTINGS_OF}."
    add_model(name, made.model, made.profile, about)
    for remark in made.remarks:
        typer.echo(remark)
    typer.echo(
        f"\nWritten: profiles/{name}.yaml and, in params.yaml, model.{name}. Change there what is not right. "
        f"Next:\n"
        f"  deeppose datasets check {name}\n"
        f"  dvc repro\n"
        f"  deeppose predict PHOTO.jpg --model {name}"
        + (" --box X,Y,W,H" if made.model["initial_box"] == "annotation" else "")
        + f"\nparams.yaml says `profile: {name}` and `models: [{name}]` now, before it was `profile: "
        f"{params.profile}` and `models: [{', '.join(params.models)}]`."
    )
