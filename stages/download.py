"""Find, draw or download the archives of a profile's models, and note which; runs on every `dvc repro`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from common import Item, manifests_folder, run_timed
from deeppose.errors import MissingArchiveError
from deeppose.files import atomic_path, read_json, sha256, write_json
from deeppose.params import Params

# What the drawn people and their labels follow from.
GENERATOR = [
    Path("src/deeppose") / name
    for name in (
        "datasets/embedded.py",
        "datasets/drawing.py",
        "datasets/figure.py",
        "datasets/flic.py",
        "datasets/observer_centric.py",
        "datasets/scenes.py",
        "skeleton.py",
    )
]
DRAWN_SETS = ("lsp", "lsp-extended", "parse", "flic", "buffy")  # in the order of what is drawn


def main(params: Params, profile: str) -> None:
    items = [Item(params, profile, model) for model in params.models]
    with atomic_path(manifests_folder(profile)) as folder:
        for item in items:
            manifest = drawn(item) if item.profile.archives == "embedded" else obtained(item)
            write_json(folder / item.manifest.name, manifest)


def drawn(item: Item) -> dict[str, object]:
    """The embedded archives, drawn anew only where what they are drawn from has changed."""
    folder, settings = item.archive_folders()[0], item.profile.embedded
    assert settings is not None
    stamp_path = folder / "drawn-from.json"
    drawn_from = {
        "settings": settings.model_dump(),
        "seed": item.params.seed,
        "generator": {path.name: sha256(path) for path in GENERATOR},
    }
    stamp = read_json(stamp_path) if stamp_path.is_file() else {}
    sizes = {folder / name: size for name, size in stamp.get("sizes", {}).items()}
    whole = bool(sizes) and all(path.is_file() and path.stat().st_size == sizes[path] for path in sizes)
    if stamp.get("drawn_from") != drawn_from or not whole:
        from deeppose.datasets.embedded import write_embedded

        paths = write_embedded(folder, settings, item.params.seed)
        stamp = {
            "drawn_from": drawn_from,
            "sizes": {path.name: path.stat().st_size for path in paths},
            "sets": {
                name: {path.name: {"sha256": sha256(path), "packing": "drawn"}}
                for name, path in zip(DRAWN_SETS, paths, strict=True)
            },
        }
        write_json(stamp_path, stamp)
    archives: dict[str, object] = {}
    for name in item.model.train + item.model.test:
        archives |= stamp["sets"].get(name, {})
    return {"archives": archives, "left_out": {}, "peers": {}}


def obtained(item: Item) -> dict[str, object]:
    """The archives of the published sets, from the mirror folder or their published address.

    A set that only tests may be missing; so may one that trains, as long as another model can be trained.
    """
    from deeppose.datasets.download import obtain
    from deeppose.datasets.peers import find_peers
    from deeppose.datasets.registry import ENTRIES, entry_named, find_archive, how_to_get, where_looked

    folders = item.archive_folders()
    names = dict.fromkeys(item.model.train + item.model.test)
    wanted = [entry_named(name) for name in names]
    if item.model.labels == "oc":
        for entry in ENTRIES:
            if entry.labels_of not in names:
                continue
            if find_archive(entry, folders) is None:
                print(f"{where_looked(entry, folders)}: the rule makes the labels")
                print(how_to_get(entry, folders[-1]))
            else:
                wanted.append(entry)
    seen = item.checksums.read_text() if item.checksums.is_file() else ""
    archives: dict[str, object] = {}
    left_out: dict[str, str] = {}
    for entry in wanted:
        try:
            found = obtain(entry, folders, folders[-1], item.checksums)
        except MissingArchiveError as error:
            if entry.name in item.model.train and not another_model_can_train(item, folders):
                raise
            # Without what this machine found, so that the report is the same everywhere.
            to_do = how_to_get(entry, Path(item.params.mirror))
            left_out[entry.name] = f"{entry.wanted} ({entry.title}) is missing; {to_do}"
            print(f"{entry.name} is left out, and with it its tables and figures: {error}")
            continue
        archives[found.path.name] = {"sha256": found.sha256, "packing": found.packing}
        print(f"{found.path.name}: {found.packing}, from {found.source}")
        if found.sha256 not in seen:
            print(f"  licence: {entry.licence}\n  cite: {entry.citation}")
    peers: dict[str, object] = {}
    for found_peer in find_peers(folders):
        path, peer = found_peer.path, found_peer.peer
        if peer.set in item.model.test:
            peers[path.name] = {"sha256": found_peer.sha256, "method": peer.method, "set": peer.set}
            print(f"{path.name}: {peer.method} will stand beside ours on {peer.set}")
    return {"archives": archives, "left_out": left_out, "peers": peers}


def another_model_can_train(item: Item, folders: Sequence[Path]) -> bool:
    """Whether a model that is run beside this one has all the archives that it is trained on."""
    from deeppose.datasets.registry import entry_named, find_archive

    return any(
        all(find_archive(entry_named(name), folders) for name in item.params.model[other].train)
        for other in item.params.models
        if other != item.model_name
    )


if __name__ == "__main__":
    name = sys.argv[1]
    run_timed(name, lambda params: main(params, name))
