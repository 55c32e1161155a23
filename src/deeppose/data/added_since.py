"""What has come into the folders of archives since a run."""

from collections.abc import Sequence
from pathlib import Path

from deeppose.core.paths import Item
from deeppose.data.peers import find_peers
from deeppose.data.registry import ENTRIES, find_archive


def added_since(item: Item, folders: Sequence[Path]) -> list[str]:
    """Files that are in `folders` now and that the last run of this model did without, by name."""
    if item.profile.synthetic or not item.manifest.is_file():
        return []
    manifest = item.read_manifest()
    names = {*item.model.train, *item.model.test}
    entries = [entry for entry in ENTRIES if entry.name in manifest["left_out"]]
    if item.model.labels == "oc":
        entries += [entry for entry in ENTRIES if entry.labels_of in names]
    found = [path.name for entry in entries if (path := find_archive(entry, folders))]
    found += [found.peer.file for found in find_peers(folders) if found.peer.set in item.model.test]
    return [name for name in found if name not in {*manifest["archives"], *manifest["peers"]}]
