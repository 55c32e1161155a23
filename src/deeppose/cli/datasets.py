"""`deeppose datasets`: the sets that are known, which are there, what a run did without, what is in one."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeppose.cli.options import JsonOption, MirrorOption, archive_folders, own_set, params_here

if TYPE_CHECKING:
    from deeppose.data.peers import Peer
    from deeppose.data.registry import Entry

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, mirror: MirrorOption = None) -> None:
    """List the data sets that are known: which are there, and where the others would come from."""
    context.obj = mirror
    if context.invoked_subcommand is None:
        from deeppose.data.peers import PEERS
        from deeppose.data.registry import ENTRIES

        folders = archive_folders(mirror)
        blocks = [_entry_text(entry, folders) for entry in ENTRIES]
        blocks += [_peer_text(peer, folders) for peer in PEERS]
        typer.echo("\n\n".join([*blocks, *_of_ones_own(), *_added_since(folders)]))


@app.command()
def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A set that `deeppose datasets` lists.")],
    as_json: JsonOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Read a set from the mirror folder, decode all its images, and report what was found."""
    from deeppose.data.check import check_own, check_set

    own = own_set(name)
    found = check_set(name, archive_folders(mirror or context.obj)) if own is None else check_own(own)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        text = json.dumps(value) if isinstance(value, dict | list | None) else value
        typer.echo(f"{key.replace('_', ' ')}: {text}")


def _entry_text(entry: "Entry", folders: Sequence[Path]) -> str:
    from deeppose.data.registry import find_archive

    archive = find_archive(entry, folders)
    if archive is not None:
        state = _state(archive)
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


def _state(archive: Path) -> str:
    """That it is there and how large, or why a folder can't be read."""
    from deeppose.core.errors import ArchiveError
    from deeppose.data.archives.zips import Folder

    try:
        names = [""] if archive.is_file() else Folder(archive).namelist()
    except ArchiveError as error:
        return f"there, but {error}"
    return f"there: {archive}, {sum((archive / name).stat().st_size for name in names) / 1e6:.1f} MB"


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


def _of_ones_own() -> Iterator[str]:
    params = params_here()
    for profile, of in {} if params is None else params.profiles.items():
        for name, dataset in of.datasets.items():
            yield (
                f"{name}: one's own, of profile {profile}\n"
                f"  labels: {dataset.annotations} ({dataset.format})\n  images: {dataset.images}"
            )


def _added_since(folders: Sequence[Path]) -> Iterator[str]:
    """For each profile what its last run did without that is there now, and what to type."""
    from deeppose.core.paths import Item
    from deeppose.data.added_since import added_since

    params = params_here()
    if params is None:
        return
    for profile in params.profiles:
        items = [Item(params, profile, model) for model in params.models]
        if found := {name for item in items for name in added_since(item, folders)}:
            yield (
                f"The last run of profile {profile} did without {', '.join(sorted(found))}, there now. "
                f"To run with it, say profile: {profile} in params.yaml, then:\n"
                f"  dvc repro --force --single-item download@{profile}\n  dvc repro"
            )
