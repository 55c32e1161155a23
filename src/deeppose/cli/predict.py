"""`deeppose predict`: the trained cascade on anybody's photos."""

import json
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeppose.core.errors import (
    DeepPoseError,
    FaceError,
    GeometryError,
    ImageError,
    NotFiniteError,
    ParamsError,
    WeightsError,
)
from deeppose.core.files import check_outputs
from deeppose.core.published import PUBLISHED, PUT_BACK

if TYPE_CHECKING:
    import numpy as np

    from deeppose.core.images import Pixels
    from deeppose.core.params import Params
    from deeppose.core.skeleton import Described
    from deeppose.deploy.photo import Cascade, Person

MOST_DRAWN = 1600
"""Of the longer side of a photo as it is drawn, pixels; a picture shows fewer."""
LARGEST_BOX = 1e6
"""No photo's side is longer, pixels."""


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
    first. Joints are printed in pixels, x = 0 being the centre of the first column. A photo that fails is
    named on stderr; the others have their poses all the same.
    """
    if output is not None and len(images) > 1:
        raise ImageError(
            f"-o {output} names one picture for {len(images)} photos: leave -o out, or give one photo"
        )
    if output is not None and output.suffix != ".png":
        raise ImageError(f"-o {output}: pictures are written as PNG: end its name in .png")
    targets = [output or Path(f"{path.stem}-pose.png") for path in images]
    is_drawn = not as_json or output is not None
    photos = {file_of(path) for path in images} - {None}
    if is_drawn:
        if len(set(targets)) < len(targets):
            twice = next(target for target in targets if targets.count(target) > 1)
            raise ImageError(f"the pictures of two photos would both be {twice}: give one at a time, with -o")
        for path, target in zip(images, targets, strict=True):
            check_is_no_photo(target, path, photos)
        check_outputs(targets)
    given = None if box is None else parse_box(box)
    weights, skeleton = weights_of(model, profile)
    from deeppose.deploy.photo import Person, load_cascade, read_photo

    cascade = load_cascade(weights, skeleton)
    by = str(weights[0].parent)
    found, faceless, failed = [], [], False

    def predict_photo(path: Path, target: Path) -> None:
        photo, remarks = read_photo(path)
        for remark in remarks:
            typer.echo(f"deeppose: {remark}", err=True)
        if given is not None and not meets(given, photo):
            height, width, _ = photo.shape
            raise GeometryError(f"--box {box} lies outside {path}, which is {width}×{height} pixels")
        people = cascade.people(photo) if given is None else [Person(given)]
        if not people:
            faceless.append(str(path))
        for number, person in enumerate(people, start=1):
            poses = cascade.predict(photo, person.box)
            if is_drawn:
                picture = target.with_stem(f"{target.stem}-{number}") if len(people) > 1 else target
                check_is_no_photo(picture, path, photos)
                draw(photo, poses, cascade, picture)
            found.append(as_values(path, person, cascade, poses) | {"weights": by})
            if not as_json:
                typer.echo(f"{path}: {picture}, by the weights in {by}")

    for path, target in zip(images, targets, strict=True):
        try:
            predict_photo(path, target)
        except DeepPoseError as error:
            said = f"{path}: {error}; they are in {by}" if isinstance(error, NotFiniteError) else error
            typer.echo(f"deeppose: {said}", err=True)
            failed = True
    if as_json:
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
    if faceless:
        raise FaceError(
            f"no face was found in {', '.join(faceless)}, and the boxes that {model} starts from are made of "
            f"faces: say by --box X,Y,W,H where the person is, with all joints"
        )
    if failed:
        raise typer.Exit(1)


def file_of(path: Path) -> tuple[int, int] | None:
    """What is the same for all names of a file; None where there is none that can be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_is_no_photo(picture: Path, path: Path, photos: Set[tuple[int, int] | None]) -> None:
    """Stop before the picture of the photo `path` takes the place of one of the photos."""
    if file_of(picture) in photos:
        raise ImageError(
            f"the picture of {path} would overwrite {picture}, which is one of the photos: leave that out, "
            f"or name another picture by -o"
        )


def weights_of(model: str, profile: str | None) -> "tuple[list[Path], Described]":
    """The weights of a model's stages, first to last, and the model's skeleton.

    Raises
    ------
    ParamsError
        If the params have no such model or profile.
    WeightsError
        If they have not been trained, or can't be read.
    """
    from deeppose.core.params_file import load_params
    from deeppose.core.paths import Item

    params = load_params()
    profile = profile or profile_for_photographs(params, model)
    for kind, name, known in (("model", model, params.model), ("profile", profile, params.profiles)):
        if name not in known:
            raise ParamsError(f"no {kind} {name!r} here, only {', '.join(known)}")
    folder = Path("data") / profile / model
    paths = [folder / f"stage{stage}.safetensors" for stage in range(1, params.cascade_stages + 1)]
    for path in paths:
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError) as error:
            there = f"{PUT_BACK}, " if profile == PUBLISHED else ""
            trains = f"`dvc repro` with profile {profile} trains it"
            synthetic = f"; --profile {params.profile} takes weights that have seen synthetic people alone"
            if profile == params.profile or not has_synthetic_people(params, model):
                synthetic = ""
            raise WeightsError(f"{path} is not there: {there}{trains}{synthetic}") from error
        except OSError as error:
            raise WeightsError(f"{path} can't be read: {error.strerror}") from error
        if size == 0:
            raise WeightsError(
                f"{path} is empty: either an archive that {model} is trained on was missing (`deeppose "
                f"datasets` says which, and what to type once it is there), or fewer cascade_stages were "
                f"asked for then; `dvc repro` trains it"
            )
    return paths, Item(params, profile, model).skeleton.described


def profile_for_photographs(params: "Params", model: str) -> str:
    """The profile of params.yaml, or another where that has seen synthetic people alone or has no such model.

    The other one is the published one if that has the model, or else the first that has.
    """
    for name in dict.fromkeys([params.profile, PUBLISHED, *params.profiles]):
        if (found := params.profiles.get(name)) and found.trains(model) and not found.synthetic:
            return name
    return params.profile


def has_synthetic_people(params: "Params", model: str) -> bool:
    """Whether the profile of params.yaml trains the model on them."""
    profile = params.profiles[params.profile]
    return profile.synthetic and profile.trains(model)


def parse_box(text: str) -> "np.ndarray":
    """The box `(4,)` that X,Y,W,H means.

    Raises
    ------
    GeometryError
        If the text is not four numbers, or one of them is none that a box in a photo has.
    """
    import numpy as np

    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError as error:
        raise GeometryError(
            f"--box {text!r} is not X,Y,W,H, four numbers with commas between them"
        ) from error
    for name, value, least in (("X", x, -LARGEST_BOX), ("Y", y, -LARGEST_BOX), ("W", w, 1), ("H", h, 1)):
        if not least <= value <= LARGEST_BOX:
            raise GeometryError(f"--box {text}: {name} is {value:g}, not from {least:g} to {LARGEST_BOX:g}")
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
    import cv2
    import numpy as np

    from deeppose.report.figures.poses import predictions_sheet
    from deeppose.report.style import save_picture

    sides = np.array([photo.shape[1], photo.shape[0]])
    drawn = np.maximum(1, np.round(sides * min(1, MOST_DRAWN / sides.max())).astype(int))
    if (drawn < sides).any():
        photo = cv2.resize(photo, drawn.tolist(), interpolation=cv2.INTER_AREA)
        poses = {stage: (pose + 0.5) * (drawn / sides) - 0.5 for stage, pose in poses.items()}
    save_picture(predictions_sheet(photo, poses, cascade.skeleton), target.parent, target.stem)
