"""Which archives a model stands on: found, downloaded or, of synthetic people, made; noted by checksum."""

from pathlib import Path
from typing import Any

import deeppose
from deeppose.core.errors import ArchiveError, MissingArchiveError, ParamsError
from deeppose.core.files import read_notes, sha256, write_json
from deeppose.core.params import Params
from deeppose.core.paths import Item
from deeppose.data.archives.checksums import archive_sha256
from deeppose.data.archives.download import ATTEMPTS, obtain
from deeppose.data.own_sets import note_of
from deeppose.data.peers import find_peers
from deeppose.data.registry import ENTRIES, Entry, entry_named, find_archive, how_to_get, where_looked
from deeppose.data.synthetic.archives import NAMES, write_embedded

PACKAGE = Path(deeppose.__file__).parent


def make_manifests(params: Params, profile: str) -> dict[str, dict[str, object]]:
    """Get the archives of all models of a profile; by model what is noted.

    Returns
    -------
    `archives` (by file name its checksum and packing), `left_out` (by set what would bring it), `peers`
    (other people's predictions, by file name); and of one's own, where there are any, `skeleton` and
    `datasets`.

    Raises
    ------
    ArchiveError
        If an archive holds something else than the published set.
    ParamsError
        If the profile trains no such model, or a model names a set that isn't known.
    MissingArchiveError
        If no model has all the archives that it is trained on, or a set of one's own is not there.
    """
    params.check_trained(profile)
    items = [Item(params, profile, model) for model in params.models]
    own = params.profiles[profile].datasets
    published = [entry.name for entry in ENTRIES]
    if taken := [name for name in own if name in published]:
        raise ParamsError(
            f"profiles/{profile}.yaml:datasets.{taken[0]} is a published set: take another name"
        )
    known = [*published, *own]
    for item in items:
        for key, names in (("train", item.model.train), ("test", item.model.test)):
            for name in names:
                if name not in known:
                    raise ParamsError(
                        f"model.{item.model_name}.{key} names {name!r}, which is none of {', '.join(known)}"
                    )
    if params.profiles[profile].synthetic:
        sets = _synthetic_sets(items[0])
        manifests = {item.model_name: _of_synthetic(item, sets) for item in items}
    else:
        manifests = {item.model_name: _of_published(item) for item in items}
    return {item.model_name: manifests[item.model_name] | _of_ones_own(item) for item in items}


def check_archives(item: Item) -> None:
    """That the archives are still those which were noted.

    Raises
    ------
    ArchiveError, MissingArchiveError
        Naming the one that isn't.
    """
    folders = item.archive_folders()
    for name, noted in item.read_manifest()["archives"].items():
        path = next((folder / name for folder in folders if (folder / name).exists()), None)
        if path is None:
            raise MissingArchiveError(
                f"{name} is no longer in {' or '.join(map(str, folders))}: put it back, or {item.look_again}"
            )
        if archive_sha256(path, item.checksums) != noted["sha256"]:
            raise ArchiveError(f"{path} has changed since {item.manifest} noted it: {item.look_again}")


def _synthetic_sets(item: Item) -> dict[str, Any]:
    """Make the archives of synthetic people, if what they follow from has changed; give them by set."""
    folder, settings = item.archive_folders()[0], item.profile.embedded
    assert settings is not None
    stamp_path = folder / "drawn-from.json"
    # The modules that the synthetic people and their labels follow from.
    generator = sorted((PACKAGE / "data/synthetic").glob("*.py"))
    beside = ("data/readers/flic.py", "data/readers/observer_centric.py", "core/skeletons.yaml")
    generator += [PACKAGE / name for name in beside]
    made_from = {
        "settings": settings.model_dump(),
        "seed": item.params.seed,
        "generator": {str(path.relative_to(PACKAGE)): sha256(path) for path in generator},
    }
    stamp = read_notes(stamp_path)
    if stamp.get("drawn_from") != made_from or not _whole(folder, stamp.get("sets"), item.checksums):
        paths = write_embedded(folder, settings, item.params.seed)
        stamp = {
            "drawn_from": made_from,
            "sets": {
                name: {path.name: {"sha256": archive_sha256(path, item.checksums), "packing": "drawn"}}
                for name, path in zip(NAMES, paths, strict=True)
            },
        }
        write_json(stamp_path, stamp)
    return dict(stamp["sets"])


def _of_synthetic(item: Item, sets: dict[str, Any]) -> dict[str, object]:
    """The archives of synthetic people that a model stands on."""
    archives: dict[str, object] = {}
    left_out: dict[str, str] = {}
    for name in _names(item, own=False):
        entry = entry_named(name)
        if unlabelled := _without_labels(item, entry):
            left_out[name] = unlabelled
        elif (entry.shares or name) not in sets:
            without = "has no synthetic people: a profile with archives: mirror takes it"
            left_out[name] = f"{entry.title} {without}"
        else:
            archives |= sets[entry.shares or name]
    return {"archives": archives, "left_out": left_out, "peers": {}}


def _of_ones_own(item: Item) -> dict[str, object]:
    """What a model stands on beside what is published: its skeleton and sets, where they are one's own."""
    described = item.skeleton.described
    sets = {}
    for name in _names(item, own=True):
        dataset = item.profile.datasets[name]
        sets[name] = note_of(name, dataset, item.profile.skeleton_of_set(name))
        print(f"{name}: {dataset.annotations} and the images that it names in {dataset.images}")
    return ({} if isinstance(described, str) else {"skeleton": described}) | (
        {"datasets": sets} if sets else {}
    )


def _names(item: Item, *, own: bool) -> list[str]:
    """The sets of a model that are one's own, or the published ones."""
    names = dict.fromkeys(item.model.train + item.model.test)
    return [name for name in names if (name in item.profile.datasets) == own]


def _whole(folder: Path, sets: Any, checksums: Path) -> bool:  # noqa: ANN401 - whatever was noted
    try:
        made = {folder / name: noted["sha256"] for files in sets.values() for name, noted in files.items()}
    except (AttributeError, TypeError, KeyError):
        return False
    return all(path.is_file() and archive_sha256(path, checksums) == digest for path, digest in made.items())


def _without_labels(item: Item, entry: "Entry") -> str:
    """Why a set can't be read with the labels that the model has; "" if it can."""
    if item.model.labels == "oc" or entry.person_centric:
        return ""
    return (
        f"{entry.title} has observer-centric labels alone, and model.{item.model_name}.labels is pc; with oc "
        f"it is part of the run"
    )


def _of_published(item: Item) -> dict[str, object]:
    """The archives of the published sets, from the mirror folder or their published address.

    A set that only tests may be missing; so may one that trains, as long as another model can be trained.
    """
    folders = item.archive_folders()
    names = _names(item, own=False)
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
    another_can_train = any(
        all(
            name in item.profile.datasets or find_archive(entry_named(name), folders)
            for name in item.params.model[other].train
        )
        for other in item.params.models
        if other != item.model_name
    )
    seen = item.checksums.read_text(errors="replace") if item.checksums.is_file() else ""
    archives: dict[str, object] = {}
    left_out: dict[str, str] = {}
    for entry in wanted:
        if unlabelled := _without_labels(item, entry):
            left_out[entry.name] = unlabelled
            print(f"{entry.name} is left out, and with it its tables and figures: {unlabelled}")
            continue
        may_be_missing = entry.name not in item.model.train or another_can_train
        attempts = 1 if may_be_missing else ATTEMPTS
        try:
            found = obtain(entry, folders, item.checksums, attempts=attempts)
        except MissingArchiveError as error:
            if not may_be_missing:
                raise
            # Without what this machine found, so that the report is the same everywhere.
            to_do = how_to_get(entry, Path(item.params.mirror))
            left_out[entry.name] = f"{entry.wanted} ({entry.title}) is missing; {to_do}"
            print(f"{entry.name} is left out, and with it its tables and figures: {error}")
            print(f"Once it is there: {item.look_again}")
            continue
        archives[found.path.name] = {"sha256": found.sha256, "packing": found.packing}
        if entry.shares in names:
            continue
        print(f"{found.path.name}: {found.packing}, from {found.source}")
        if found.sha256 not in seen:
            print(f"  licence: {entry.licence}\n  cite: {entry.citation}")
    peers: dict[str, object] = {}
    for there in find_peers(folders):
        if there.peer.set in item.model.test:
            described = {"method": there.peer.method, "set": there.peer.set}
            peers[there.peer.file] = {"sha256": there.sha256, **described}
            print(f"{there.peer.file}: {there.peer.method} will stand beside ours on {there.peer.set}")
    return {"archives": archives, "left_out": left_out, "peers": peers}
