"""`deeppose new`: a model of one's own, from a file of labels."""

from typing import Annotated

import typer

from deeppose.core.errors import ParamsError


def new(
    name: Annotated[str, typer.Argument(help="Of the model, its profile, its data set and its skeleton.")],
    coco: Annotated[
        str | None, typer.Option(metavar="FILE", help="Labels, as COCO keypoints in JSON.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="FILE", help="Labels, as CSV with the columns image, joint, x, y.")
    ] = None,
    deeplabcut: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Labels, as DeepLabCut's CollectedData_NAME.csv or .h5; with a * in it several.",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="That the names of images start in. Default: that of FILE, images in it, or one around it.",
        ),
    ] = None,
) -> None:
    """Write the params of a model of your own: an entry of params.yaml and a profile, which it chooses there.

    Nothing of the models that are there changes. It says what it found, what it made of it, and what to type
    next.
    """
    given = {
        kind: file
        for kind, file in {"coco": coco, "table": table, "deeplabcut": deeplabcut}.items()
        if file is not None
    }
    if len(given) != 1:
        raise ParamsError("give one file of labels, by --coco, --table or --deeplabcut")
    from deeppose.core.params_file import add_model, load_params, read_values
    from deeppose.data.new_model import SETTINGS_OF, new_model

    params = load_params()
    if SETTINGS_OF not in params.profiles:
        raise ParamsError(f"profiles/{SETTINGS_OF}.yaml, whose settings a new model takes, is not there")
    ((kind, file),) = given.items()
    made = new_model(name, kind, file, images, params, read_values()["profiles"][SETTINGS_OF])
    about = f"The model {name} of one's own, with the network and settings of {SETTINGS_OF}."
    add_model(name, made.model, made.profile, about)
    for remark in made.remarks:
        typer.echo(remark)
    box = " --box X,Y,W,H" if made.model["initial_box"] == "annotation" else ""
    typer.echo(
        f"\nWritten: profiles/{name}.yaml and, in params.yaml, model.{name}. Change there what is not right. "
        f"Next:\n"
        f"  deeppose datasets check {name}\n"
        f"  dvc repro\n"
        f"  deeppose predict PHOTO.jpg --model {name}{box}\n"
        f"params.yaml says `profile: {name}` and `models: [{name}]` now, before it was `profile: "
        f"{params.profile}` and `models: [{', '.join(params.models)}]`."
    )
