"""`deeppose predict`: the trained cascade on anybody's photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeppose.core.errors import FaceError, GeometryError, ImageError, ParamsError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from deeppose.core.images import Pixels
    from deeppose.core.params import Params
    from deeppose.deploy.photo import Cascade, Person


PUBLISHED = "cpu"
"""The profile whose weights come with the project."""


def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos.")],
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Where the person is, in pixels: first column, first row (from 0), width, height. "
            "Default: as the model was trained, the full image (lsp) or around each face (flic).",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A model of params.yaml.")] = "lsp",
    profile: Annotated[
        str | None,
        typer.Option(
            help="Whose weights are taken. Default: `profile` of params.yaml; where that has seen "
            f"synthetic people alone, {PUBLISHED}, whose weights are published."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.png",
            help="Default: the image's name with -pose.png, here. Where several faces are found, a number "
            "follows.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the joints as JSON; a picture is drawn only with -o.")
    ] = False,
) -> None:
    """Find the pose of the person in each photo, and draw the stick figure of each cascade stage.

    The weights are those that are published with the project, or that `dvc repro` trained in this folder. A
    model that was trained on boxes around faces gives a pose and a picture for each face, the most confident
    first. Joints are printed in pixels, x = 0 being the centre of the first column.
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
    from deeppose.deploy.photo import Person, load_cascade, read_photo

    given = None if box is None else Person(parse_box(box))
    weights = weights_of(model, profile)
    cascade = load_cascade(weights)
    found = []
    faceless = []
    for path, target in zip(images, targets, strict=True):
        photo = read_photo(path)
        if given is not None and not meets(given.box, photo):
            height, width, _ = photo.shape
            raise GeometryError(f"--box {box} lies outside {path}, which is {width}×{height} pixels")
        people = cascade.people(photo) if given is None else [given]
        if not people:
            faceless.append(str(path))
        for number, person in enumerate(people, start=1):
            poses = cascade.predict(photo, person.box)
            found.append(as_values(path, person, cascade, poses) | {"weights": str(weights[0].parent)})
            if not as_json or output is not None:
                picture = target.with_stem(f"{target.stem}-{number}") if len(people) > 1 else target
                draw(photo, poses, cascade, picture)
                if not as_json:
                    typer.echo(f"{path}: {picture}, by the weights in {weights[0].parent}")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    if faceless:
        raise FaceError(
            f"no face was found in {', '.join(faceless)}, and the boxes that {model} starts from are made of "
            f"faces: say by --box X,Y,W,H where the person is, with all joints"
        )


def weights_of(model: str, profile: str | None) -> list[Path]:
    """The weights of a model's stages, first to last.

    Raises
    ------
    ParamsError
        If the params have no such model or profile.
    WeightsError
        If they have not been trained.
    """
    from deeppose.core.params_file import load_params

    params = load_params()
    profile = profile or profile_for_photographs(params)
    for kind, name, known in (("model", model, params.model), ("profile", profile, params.profiles)):
        if name not in known:
            raise ParamsError(f"no {kind} {name!r} here, only {', '.join(known)}")
    folder = Path("data") / profile / model
    paths = [folder / f"stage{stage}.safetensors" for stage in range(1, params.cascade_stages + 1)]
    for path in paths:
        if not path.is_file():
            there = "`python scripts/published.py weights` puts the published one there, "
            trains = f"`dvc repro` with profile {profile} trains it"
            synthetic = f"; --profile {params.profile} takes weights that have seen synthetic people alone"
            raise WeightsError(
                f"{path} is not there: {there if profile == PUBLISHED else ''}{trains}"
                f"{synthetic if profile != params.profile and has_synthetic_people(params) else ''}"
            )
        if path.stat().st_size == 0:
            raise WeightsError(
                f"{path} is empty: either an archive that {model} is trained on was missing (`deeppose "
                f"datasets` says which, and what to type once it is there), or fewer cascade_stages were "
                f"asked for then; `dvc repro` trains it"
            )
    return paths


def profile_for_photographs(params: "Params") -> str:
    """The profile of params.yaml, or the published one where that has seen synthetic people alone."""
    return PUBLISHED if has_synthetic_people(params) and PUBLISHED in params.profiles else params.profile


def has_synthetic_people(params: "Params") -> bool:
    """Whether the profile of params.yaml is trained on them."""
    return params.profiles[params.profile].synthetic


def parse_box(text: str) -> "np.ndarray":
    """The box `(4,)` that X,Y,W,H means.

    Raises
    ------
    GeometryError
        If the text is not four numbers, the last two positive.
    """
    import numpy as np

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
    path: Path, person: "Person", cascade: "Cascade", poses: dict[str, "np.ndarray"]
) -> dict[str, Any]:
    """What --json prints of one person."""
    values: dict[str, Any] = {"image": str(path), "box": from_first_column(person.box)}
    if person.face is not None:
        face, score = person.face
        values["face"] = {"box": from_first_column(face), "score": score}
    return values | {
        "joints": list(cascade.skeleton.joints),
        "stages": {stage: pose.tolist() for stage, pose in poses.items()},
    }


def meets(box: "np.ndarray", photo: "Pixels") -> bool:
    """Whether a box `(4,)` and a photo have a pixel in common."""
    height, width, _ = photo.shape
    x, y, w, h = from_first_column(box)
    return x < width and y < height and x + w > 0 and y + h > 0


def from_first_column(box: "np.ndarray") -> list[float]:
    """X, Y, W, H as --box takes them."""
    x, y, w, h = (float(value) for value in box)
    return [x - (w - 1) / 2, y - (h - 1) / 2, w, h]


def draw(photo: "np.ndarray", poses: dict[str, "np.ndarray"], cascade: "Cascade", target: Path) -> None:
    """Draw the stick figures side by side into `target`."""
    from deeppose.report.figures.poses import predictions_sheet
    from deeppose.report.style import save_picture

    save_picture(predictions_sheet(photo, poses, cascade.skeleton), target.parent, target.stem)
