"""`deeppose predict`: the trained cascade on anybody's photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeppose.errors import GeometryError, ImageError, ParamsError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from deeppose.photo import Cascade


def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos, each of one person.")],
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Where the person is, in pixels: first column, first row (from 0), width, height. "
            "Default: the full image.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A model of params.yaml.")] = "lsp",
    profile: Annotated[
        str | None, typer.Option(help="Whose weights are taken. Default: `profile` of params.yaml.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE.png", help="Default: the image's name with -pose.png, here."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the joints as JSON; a picture is drawn only with -o.")
    ] = False,
) -> None:
    """Find the pose of the person in each photo, and draw the stick figure of each cascade stage.

    The weights are those that `dvc repro` trained in this folder. Joints are printed in pixels, x = 0
    being the centre of the first column.
    """
    if output is not None and len(images) > 1:
        raise ImageError(
            f"-o {output} names one picture for {len(images)} photos: leave -o out, or give one photo"
        )
    if output is not None and output.suffix != ".png":
        raise ImageError(f"-o {output}: pictures are written as PNG: name it {output.with_suffix('.png')}")
    targets = [output or Path(f"{path.stem}-pose.png") for path in images]
    if not as_json and len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise ImageError(f"the pictures of two photos would both be {twice}: give one at a time, with -o")
    from deeppose.photo import load_cascade, read_photo

    cascade = load_cascade(weights_of(model, profile))
    found = []
    for path, target in zip(images, targets, strict=True):
        photo = read_photo(path)
        corners = parse_box(box, photo.shape[1], photo.shape[0])
        poses = cascade.predict(photo, corners)
        found.append(as_values(path, corners, cascade, poses))
        if not as_json or output is not None:
            draw(photo, poses, cascade, target)
            if not as_json:
                typer.echo(f"{path}: {target}")
    if as_json:
        typer.echo(json.dumps(found, indent=2))


def weights_of(model: str, profile: str | None) -> list[Path]:
    """The weights of a model's stages, first to last.

    Raises
    ------
    ParamsError
        If params.yaml has no such model or profile.
    WeightsError
        If they have not been trained.
    """
    from deeppose.params import load_params

    params = load_params()
    profile = profile or params.profile
    for kind, name, known in (("model", model, params.model), ("profile", profile, params.profiles)):
        if name not in known:
            raise ParamsError(f"params.yaml has no {kind} {name!r}, only {', '.join(known)}")
    folder = Path("data") / profile / model
    paths = [folder / f"stage{stage}.safetensors" for stage in range(1, params.cascade_stages + 1)]
    for path in paths:
        if not path.is_file():
            raise WeightsError(f"{path} is not there: `dvc repro` with profile {profile} trains it")
    return paths


def parse_box(text: str | None, width: int, height: int) -> "np.ndarray":
    """The box `(4,)` that X,Y,W,H means, or that of the full image.

    Raises
    ------
    GeometryError
        If the text is not four numbers, the last two positive.
    """
    import numpy as np

    from deeppose.geometry import image_box

    if text is None:
        return image_box(width, height)
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError as error:
        raise GeometryError(
            f"--box {text!r} is not X,Y,W,H, four numbers with commas between them"
        ) from error
    if not (w > 0 and h > 0 and np.isfinite([x, y, w, h]).all()):
        raise GeometryError(f"--box {text}: width {w:g} and height {h:g} must be positive")
    return np.array([x + (w - 1) / 2, y + (h - 1) / 2, w, h])


def as_values(
    path: Path, box: "np.ndarray", cascade: "Cascade", poses: dict[str, "np.ndarray"]
) -> dict[str, Any]:
    """What --json prints of one photo."""
    x, y, w, h = (float(value) for value in box)
    return {
        "image": str(path),
        "box": [x - (w - 1) / 2, y - (h - 1) / 2, w, h],
        "joints": list(cascade.skeleton.joints),
        "stages": {stage: pose.tolist() for stage, pose in poses.items()},
    }


def draw(photo: "np.ndarray", poses: dict[str, "np.ndarray"], cascade: "Cascade", target: Path) -> None:
    """Draw the stick figures side by side into `target`."""
    from deeppose.pose_figures import draw_predictions
    from deeppose.style import save_photos

    save_photos(draw_predictions(photo, poses, cascade.skeleton), target.parent, target.stem)
