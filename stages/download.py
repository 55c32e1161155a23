"""Find, draw or download the archives of a profile's models, and note which; runs on every `dvc repro`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import Item, manifests_folder, run_timed
from deeppose.core.errors import MissingArchiveError
from deeppose.core.files import atomic_path, read_json, sha256, write_json
from deeppose.core.params import Params
from deeppose.data.archives.checksums import archive_sha256

if TYPE_CHECKING:
    from deeppose.data.registry import Entry

# What the drawn people and their labels follow from.
GENERATOR = [
    Path("src/deeppose") / name
    for name in (
        "data/synthetic/archives.py",
        "data/synthetic/painting.py",
        "data/synthetic/bodies.py",
        "data/readers/flic.py",
        "data/readers/observer_centric.py",
        "data/synthetic/scenes.py",
        "core/skeleton.py",
    )
]
DRAWN_SETS = ("lsp", "lsp-extended", "parse", "flic", "buffy")  # in the order of what is drawn


def main(params: Params, profile: str) -> None:
    items = [Item(params, profile, model) for model in params.models]
    sets = draw(items[0]) if params.profiles[profile].archives == "embedded" else None
    with atomic_path(manifests_folder(profile)) as folder:
        for item in items:
            manifest = obtained(item) if sets is None else drawn(item, sets)
            write_json(folder / item.manifest.name, manifest)


def draw(item: Item) -> dict[str, Any]:
    """Draw the embedded archives, if what they are drawn from has changed; give them by set."""
    folder, settings = item.archive_folders()[0], item.profile.embedded
    assert settings is not None
    stamp_path = folder / "drawn-from.json"
    drawn_from = {
        "settings": settings.model_dump(),
        "seed": item.params.seed,
        "generator": {path.name: sha256(path) for path in GENERATOR},
    }
    stamp = read_json(stamp_path) if stamp_path.is_file() else {}
    if stamp.get("drawn_from") != drawn_from or not whole(folder, stamp["sets"], item.checksums):
        from deeppose.data.synthetic.archives import write_embedded

        paths = write_embedded(folder, settings, item.params.seed)
        stamp = {
            "drawn_from": drawn_from,
            "sets": {
                name: {path.name: {"sha256": archive_sha256(path, item.checksums), "packing": "drawn"}}
                for name, path in zip(DRAWN_SETS, paths, strict=True)
            },
        }
        write_json(stamp_path, stamp)
    sets: dict[str, Any] = stamp["sets"]
    return sets


def drawn(item: Item, sets: dict[str, Any]) -> dict[str, object]:
    """The drawn archives that a model stands on."""
    from deeppose.data.registry import entry_named

    archives: dict[str, object] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(item.model.train + item.model.test):
        entry = entry_named(name)
        if unlabelled := without_labels(item, entry):
            left_out[name] = unlabelled
        elif name not in sets:
            left_out[name] = (
                f"{entry.title} is not among the drawn sets: a profile with archives: mirror takes it"
            )
        else:
            archives |= sets[name]
    return {"archives": archives, "left_out": left_out, "peers": {}}


def whole(folder: Path, sets: dict[str, Any], checksums: Path) -> bool:
    """Whether the archives are there as they were drawn."""
    drawn_files = {folder / name: noted["sha256"] for files in sets.values() for name, noted in files.items()}
    return all(
        path.is_file() and archive_sha256(path, checksums) == digest for path, digest in drawn_files.items()
    )


def without_labels(item: Item, entry: "Entry") -> str:
    """Why a set can't be read with the labels that the model has; "" if it can."""
    if item.model.labels == "oc" or entry.person_centric:
        return ""
    return (
        f"{entry.title} has observer-centric labels alone, and model.{item.model_name}.labels is pc; with oc "
        f"it is part of the run"
    )


def obtained(item: Item) -> dict[str, object]:
    """The archives of the published sets, from the mirror folder or their published address.

    A set that only tests may be missing; so may one that trains, as long as another model can be trained.
    """
    from deeppose.data.archives.download import ATTEMPTS, obtain
    from deeppose.data.peers import find_peers
    from deeppose.data.registry import ENTRIES, entry_named, find_archive, how_to_get, where_looked

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
        if unlabelled := without_labels(item, entry):
            left_out[entry.name] = unlabelled
            print(f"{entry.name} is left out, and with it its tables and figures: {unlabelled}")
            continue
        may_be_missing = entry.name not in item.model.train or another_model_can_train(item, folders)
        try:
            found = obtain(
                entry, folders, folders[-1], item.checksums, attempts=1 if may_be_missing else ATTEMPTS
            )
        except MissingArchiveError as error:
            if not may_be_missing:
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
    from deeppose.data.registry import entry_named, find_archive

    return any(
        all(find_archive(entry_named(name), folders) for name in item.params.model[other].train)
        for other in item.params.models
        if other != item.model_name
    )


if __name__ == "__main__":
    name = sys.argv[1]
    run_timed(name, lambda params: main(params, name))
