"""SHA-256 of large archives, computed once: a small file remembers them by path, size and time."""

import hashlib
from pathlib import Path

from deeppose.core.files import read_notes, sha256, write_json
from deeppose.data.archives.zips import member_sha256, open_archive


def archive_sha256(path: Path, cache: Path | None = None) -> str:
    """The SHA-256 of an archive, in hexadecimal: of a file's bytes, or of a folder's names and files.

    Parameters
    ----------
    cache
        A JSON file that is read and kept up to date; without one the file is hashed anew. A file whose
        size or time of change differs is hashed anew in any case, and so is a folder, whose own time of
        change says nothing of the files in it.
    """
    if path.is_dir():
        return _folder_sha256(path)
    if cache is None:
        return sha256(path)
    known = read_notes(cache)
    key = str(path.resolve())
    stat = path.stat()
    stamp = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    found = known.get(key)
    if isinstance(found, dict) and {**found, **stamp} == found and isinstance(found.get("sha256"), str):
        digest: str = found["sha256"]
        return digest
    digest = sha256(path)
    write_json(cache, {**known, key: {**stamp, "sha256": digest}})
    return digest


def _folder_sha256(path: Path) -> str:
    """A digest over the members' names, in their order, each with the digest of its bytes."""
    digest = hashlib.sha256()
    with open_archive(path) as folder:
        for name in folder.namelist():
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(bytes.fromhex(member_sha256(folder, name)))
    return digest.hexdigest()
