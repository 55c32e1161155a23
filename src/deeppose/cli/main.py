"""The command line, `deeppose`. Commands import what they need when they run, so that --help is quick."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deeppose.cli.export import export
from deeppose.cli.predict import predict
from deeppose.core.errors import DeepPoseError
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY, Skeleton

if TYPE_CHECKING:
    from deeppose.data.peers import Peer
    from deeppose.data.registry import Entry
    from deeppose.evaluation.score import Score

app = typer.Typer(
    help="DeepPose: human pose estimation by a cascade of regressors, and the sets it is measured on.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
datasets_app = typer.Typer(rich_markup_mode=None)
app.add_typer(datasets_app, name="datasets")
app.command()(predict)
app.command()(export)

MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="FOLDER",
        help="Of archives; else $DEEPPOSE_MIRROR, else `mirror` of ./params.yaml, else data/mirror.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"deeppose {version('deeppose')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """What comes before a command."""


def _numbered(skeleton: Skeleton) -> str:
    return ", ".join(f"{index} {joint}" for index, joint in enumerate(skeleton.joints))


SCORE_HELP = f"""Score a file of predictions on a set's test part: PCP at 0.5, strict and loose, and PDJ.

PREDICTIONS holds each joint of each test example, in the set's order, as one of:

\b
  .npz      array pred, (examples, joints, 2), x = 0 the centre of the first column
  .csv      columns example, joint, x, y: one row a joint; example and joint count from
            0, joint may also be a name; x = 0 the centre of the first column
  .parquet  as .csv
  .mat      array pred, (2, joints, examples), as published ones are: x = 1 the centre
            of the first column

A coordinate that is NaN (in .csv also: empty) is a miss, a missing row an error. A joint that is NaN, or one
constant, in all images is taken as not predicted: its figures, and those of limbs that need it, are null.

Joints of lsp and parse: {_numbered(FULL_BODY)}.

Joints of flic: {_numbered(FLIC_LABELLED)}.

Joints of buffy: {_numbered(BUFFY_STICKS)}.
"""


@app.command(help=SCORE_HELP)
def score(
    dataset: Annotated[str, typer.Argument(help="A set that `deeppose datasets` lists.")],
    predictions: Annotated[Path, typer.Argument(help="A .npz, .csv, .parquet or .mat file.")],
    labels: Annotated[
        Literal["oc", "pc"],
        typer.Option(help="Observer-centric or person-centric; figures under the two don't compare."),
    ] = "oc",
    as_json: JsonOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Score a file of predictions on a set's test part."""
    from deeppose.evaluation.score import score_file

    scored = score_file(dataset, predictions, labels, archive_folders(mirror))
    typer.echo(json.dumps(scored.figures, indent=2) if as_json else _score_text(scored, predictions))


@datasets_app.callback(invoke_without_command=True)
def datasets(context: typer.Context, mirror: MirrorOption = None) -> None:
    """List the data sets that are known: which are there, and where the others would come from."""
    context.obj = mirror
    if context.invoked_subcommand is None:
        from deeppose.data.peers import PEERS
        from deeppose.data.registry import ENTRIES

        folders = archive_folders(mirror)
        blocks = [_entry_text(entry, folders) for entry in ENTRIES]
        typer.echo("\n\n".join(blocks + [_peer_text(peer, folders) for peer in PEERS]))


@datasets_app.command()
def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A set that `deeppose datasets` lists.")],
    as_json: JsonOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Read a set from the mirror folder, decode all its images, and report what was found."""
    from deeppose.data.check import check_set

    found = check_set(name, archive_folders(mirror or context.obj))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        text = json.dumps(value) if isinstance(value, dict | list | None) else value
        typer.echo(f"{key.replace('_', ' ')}: {text}")


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
    from deeppose.core.params import load_params, mirror_folders

    mirror = load_params().mirror if Path("params.yaml").is_file() else "data/mirror"
    return mirror_folders(mirror)


def main() -> None:
    """Run the command line; an error that the user can mend ends it with one message and status 1."""
    try:
        app()
    except DeepPoseError as error:
        typer.echo(f"deeppose: {error}", err=True)
        raise SystemExit(1) from None


def _score_text(scored: "Score", predictions: Path) -> str:
    figures = scored.figures
    pcp = {"PCP at 0.5, strict": figures["pcp"], "PCP at 0.5, loose": figures["pcp_loose"]}
    pdj = {f"PDJ at {threshold}": shares for threshold, shares in figures["pdj"].items()}
    lines = [
        f"{predictions} on the {figures['n']} test examples of {figures['dataset']}, in percent",
        f"labels: {figures['labels']} ({scored.labels})",
        "",
        *_table(pcp),
        "",
        *_table(pdj),
    ]
    if scored.not_predicted:
        lines += ["", f"not predicted: {', '.join(scored.not_predicted)}"]
    if scored.without_diameter:
        lines += ["", f"without a diameter, so in no PDJ: {scored.without_diameter} examples"]
    return "\n".join(lines)


def _table(rows: Mapping[str, Mapping[str, float | None]]) -> Sequence[str]:
    kinds = list(next(iter(rows.values())))
    width = max(map(len, rows))
    cell_width = max(11, *(len(kind) + 2 for kind in kinds))
    lines = [" " * width + "".join(f"{kind.replace('_', ' '):>{cell_width}}" for kind in kinds)]
    for name, shares in rows.items():
        cells = ("–" if share is None else f"{100 * share:.2f}" for share in shares.values())
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>{cell_width}}" for cell in cells))
    return lines


def _entry_text(entry: "Entry", folders: Sequence[Path]) -> str:
    from deeppose.data.registry import find_archive

    archive = find_archive(entry, folders)
    if archive is not None:
        files = [archive] if archive.is_file() else [path for path in archive.rglob("*") if path.is_file()]
        state = f"there: {archive}, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
    elif entry.urls:
        state = f"missing: {folders[-1] / entry.wanted}, to be downloaded from {entry.urls[0]}"
    else:
        state = f"missing: {folders[-1] / entry.wanted}, to be put there by hand"
    counts: dict[str, Any] = vars(entry.counts)
    return "\n".join(
        [
            f"{entry.name}: {entry.title}",
            f"  {state}",
            f"  page: {entry.page}",
            "  {examples} examples, {train} train, {test} test, {images} images".format(**counts),
            f"  licence: {entry.licence}",
            f"  cite: {entry.citation}",
        ]
    )


def _peer_text(peer: "Peer", folders: Sequence[Path]) -> str:
    from deeppose.data.peers import find_peers, how_to_add

    there = [found for found in find_peers(folders) if found.peer == peer]
    state = (
        f"there: {there[0].path}, {there[0].packing}"
        if there
        else f"missing; {how_to_add(peer, folders[-1])}"
    )
    return "\n".join(
        [
            f"{peer.file}: predictions of {peer.method} on {peer.set}",
            f"  {state}",
            f"  page: {peer.page}",
            f"  licence: {peer.licence}",
        ]
    )
