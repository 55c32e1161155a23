"""`deeppose predict`: the trained cascade on anybody's photos and videos."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deeppose.cli.weights import labels_of, weights_to_predict
from deeppose.core.errors import DeepPoseError, GeometryError, ImageError, NotFiniteError
from deeppose.core.files import check_outputs
from deeppose.core.predictors import stage_name
from deeppose.core.published import PUBLISHED

if TYPE_CHECKING:
    import numpy as np

    from deeppose.core.images import Pixels
    from deeppose.core.skeleton import Skeleton
    from deeppose.deploy.results import Found

LARGEST_BOX = 1e6
"""No photo's side is longer, pixels."""


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Photos, videos, folders of them, patterns such as 'day*.jpg', or - for stdin."),
    ],
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Where a person is, in pixels: first column, first row (from 0), width, height. Once for "
            "each person. Default: people are found.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model of params.yaml: lsp has whole bodies, flic upper bodies.")
    ] = "lsp",
    profile: Annotated[
        str | None,
        typer.Option(
            help="Whose weights are taken. Default: `profile` of params.yaml; where that has seen "
            f"synthetic people alone, {PUBLISHED}, whose weights are published."
        ),
    ] = None,
    detector: Annotated[
        Literal["faces", "torchvision"],
        typer.Option(help="What finds people: their faces, or torchvision's detector of people."),
    ] = "faces",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The picture (.png) or video (.mp4) of one input, or the folder for those of several. "
            "Default: the input's name with -pose, here.",
        ),
    ] = None,
    stages: Annotated[
        bool,
        typer.Option("--stages", help="Draw the initial box and the pose after each stage."),
    ] = False,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Joints of a lower confidence are drawn hollow.")
    ] = 0.5,
    form: Annotated[
        Literal["json", "jsonl", "coco", "csv"] | None,
        typer.Option(
            "--format",
            help="Print all joints; pictures are drawn only with -o. json and jsonl have everything, coco is "
            "COCO's results, csv is what `deeppose score` reads: one person an image, the most confident.",
        ),
    ] = None,
) -> None:
    """Find the people in photos and videos and their poses, and draw them.

    The weights are those that are published with the project, or that `dvc repro` trained in this folder.
    Joints are printed in pixels, x = 0 being the centre of the first column, each with a confidence: the
    probability that it is right within 0.2 pose diameters. That nobody is found is an answer, not an error.
    An input that fails is named on stderr; the others have their poses all the same.
    """
    import numpy as np

    from deeppose.core.progress import progress
    from deeppose.deploy.drawing import drawn_people, drawn_stages, save_png
    from deeppose.deploy.inputs import expanded, is_video, read_input
    from deeppose.deploy.people import find_people, poses_in
    from deeppose.deploy.pose import load_cascade
    from deeppose.deploy.results import Found, lines_of
    from deeppose.deploy.video import Video, new_video

    names = expanded(inputs)
    if form in ("coco", "csv") and len(names) > 1 and any(map(is_video, names)):
        raise ImageError(f"--format {form} numbers the frames of a video: give it alone, or take jsonl")
    targets = targets_of(names, output) if form is None or output is not None else {}
    given = [parse_box(text) for text in box or ()]
    weights, skeleton = weights_to_predict(model, profile)
    finder = None
    if detector == "torchvision":
        from deeppose.deploy.detectors import torchvision_detector

        finder = torchvision_detector()
    # Of a few small crops: two threads take three times as long where others use the cores, too.
    cascade = load_cascade(weights, skeleton, threads=1)
    drawn = partial(drawn_people, skeleton=cascade.skeleton, least=min_confidence)
    if stages:
        drawn = partial(drawn_stages, skeleton=cascade.skeleton, least=min_confidence, stages=len(weights))
    failed: list[str] = []

    def found_in(name: str, photo: "Pixels", frame: int | None = None) -> Found:
        height, width, _ = photo.shape
        people = poses_in(cascade, photo, np.array(given)) if given else find_people(cascade, photo, finder)
        return Found(name, width, height, people, frame)

    def of_photo(name: str) -> Iterator[Found]:
        photo, remarks = read_input(name)
        for remark in remarks:
            typer.echo(f"deeppose: {remark}", err=True)
        found = found_in(name, photo)
        if name in targets and (found.people or form is not None):
            save_png(drawn(photo, found.people), targets[name])
        yield found

    def of_video(name: str) -> Iterator[Found]:
        video = Video(Path(name))
        with ExitStack() as stack:
            written = stack.enter_context(new_video(targets[name], video.rate)) if name in targets else None
            for number, frame in enumerate(progress(video, name, video.frames or None, unit="frame")):
                found = found_in(name, frame, number)
                if written:
                    written.write(drawn(frame, found.people))
                yield found

    def of_all() -> Iterator[Found]:
        for name in progress(names, "predicting", unit="input", hidden=len(names) == 1):
            try:
                yield from of_video(name) if is_video(name) else of_photo(name)
            except DeepPoseError as error:
                # The others name the file themselves.
                at = f"{name}: " if isinstance(error, GeometryError | NotFiniteError) else ""
                by = f"; its weights are in {weights[0].parent}" if isinstance(error, NotFiniteError) else ""
                typer.echo(f"deeppose: {at}{error}{by}", err=True)
                failed.append(name)

    if form is None:
        for name, people in counted(of_all()):
            where = f"{targets[name]}, " if people or is_video(name) else ""
            typer.echo(f"{name}: {people_text(people)}, {where}by the weights in {weights[0].parent}")
    else:
        for piece in lines_of(form, of_all(), about(model, weights, cascade.skeleton), cascade.skeleton):
            typer.echo(piece)
    if failed:
        if len(names) > 1:
            typer.echo(
                f"deeppose: {len(failed)} of {len(names)} inputs failed: {', '.join(failed)}", err=True
            )
        raise typer.Exit(1)


def counted(found: Iterator["Found"]) -> Iterator[tuple[str, int]]:
    """Each input and how many people it shows, a video in its frame with most."""
    for name, images in itertools.groupby(found, key=lambda image: image.image):
        yield name, max(len(image.people) for image in images)


def people_text(count: int) -> str:
    """Nobody, a person, 3 people."""
    return {0: "nobody found", 1: "1 person"}.get(count, f"{count} people")


def about(model: str, weights: Sequence[Path], skeleton: "Skeleton") -> dict[str, Any]:
    """What goes with the people in every format that has room for it."""
    from importlib.metadata import version

    from deeppose.core.files import sha256

    return {
        "version": version("deeppose"),
        "model": model,
        "joints": list(skeleton.joints),
        "limbs": [[limb.start, limb.end] for limb in skeleton.limbs],
        "labels": labels_of(model),
        "weights": {stage_name(number): sha256(path) for number, path in enumerate(weights, start=1)},
    }


def targets_of(names: Sequence[str], output: Path | None) -> dict[str, Path]:
    """By input where its picture or video goes.

    Raises
    ------
    ImageError
        If two would be one file, or one would overwrite an input, or has another format.
    OutputError
        If one can't be written.
    """
    from deeppose.deploy.inputs import STDIN, is_video

    targets: dict[str, Path] = {}
    inputs = {file_of(Path(name)) for name in names} - {None}
    for name in dict.fromkeys(names):
        suffix = ".mp4" if is_video(name) else ".png"
        own = f"{'stdin' if name == STDIN else Path(name).stem}-pose{suffix}"
        if output is None:
            target = Path(own)
        elif output.suffix == suffix and len(names) == 1:
            target = output
        elif output.suffix:
            what = "several inputs" if len(names) > 1 else name
            raise ImageError(
                f"-o {output} for {what}: pictures are .png, videos .mp4, one for each input; give a folder"
            )
        else:
            target = output / own
        if target in targets.values():
            raise ImageError(
                f"the pictures of two inputs would both be {target}: give one at a time, with -o"
            )
        if file_of(target) in inputs:
            raise ImageError(
                f"the picture of {name} would overwrite {target}, which is one of the inputs: leave that "
                f"out, or name another place by -o"
            )
        targets[name] = target
    check_outputs(targets.values())
    return targets


def file_of(path: Path) -> tuple[int, int] | None:
    """What is the same for all names of a file; None where there is none that can be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def parse_box(text: str) -> "np.ndarray":
    """The box `(4,)` that X,Y,W,H means.

    Raises
    ------
    GeometryError
        If the text is not four numbers, or one of them is none that a box in a photo has.
    """
    import numpy as np

    from deeppose.core.geometry import centred

    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError as error:
        raise GeometryError(
            f"--box {text!r} is not X,Y,W,H, four numbers with commas between them"
        ) from error
    for name, value, least in (("X", x, -LARGEST_BOX), ("Y", y, -LARGEST_BOX), ("W", w, 1), ("H", h, 1)):
        if not least <= value <= LARGEST_BOX:
            raise GeometryError(f"--box {text}: {name} is {value:g}, not from {least:g} to {LARGEST_BOX:g}")
    return centred(np.array([x, y, w, h]))
