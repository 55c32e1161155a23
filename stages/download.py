"""Find, draw or download the archives of a model, and note which they are; runs on every `dvc repro`."""

import json
from pathlib import Path

from common import Item, run
from deeppose.files import sha256, write_json

GENERATOR = [Path("src/deeppose/datasets") / name for name in ("embedded.py", "drawing.py", "figure.py")]


def main(item: Item, _: int) -> None:
    manifest = drawn(item) if item.profile.archives == "embedded" else obtained(item)
    write_json(item.manifest, manifest)


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
    stamp = json.loads(stamp_path.read_text()) if stamp_path.is_file() else {}
    archives = {folder / name: size for name, size in stamp.get("sizes", {}).items()}
    whole = bool(archives) and all(
        path.is_file() and path.stat().st_size == archives[path] for path in archives
    )
    if stamp.get("drawn_from") != drawn_from or not whole:
        from deeppose.datasets.embedded import write_embedded

        paths = write_embedded(folder, settings, item.params.seed)
        stamp = {
            "drawn_from": drawn_from,
            "sizes": {path.name: path.stat().st_size for path in paths},
            "archives": {path.name: {"sha256": sha256(path), "packing": "drawn"} for path in paths},
        }
        write_json(stamp_path, stamp)
    archives_found: dict[str, object] = stamp["archives"]
    return archives_found


def obtained(item: Item) -> dict[str, object]:
    """The archives of the published sets, from the mirror folder or their published address."""
    from deeppose.datasets.download import obtain
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
    manifest: dict[str, object] = {}
    for entry in wanted:
        found = obtain(entry, folders, folders[-1], item.checksums)
        manifest[entry.archive] = {"sha256": found.sha256, "packing": found.packing}
        print(f"{entry.archive}: {found.packing}, from {found.source}")
        if found.sha256 not in seen:
            print(f"  licence: {entry.licence}\n  cite: {entry.citation}")
    return manifest


if __name__ == "__main__":
    run(main)
