"""Getting an archive: from the folders a user filled, else from its published address.

A download that broke off goes on where it stopped, in this run or the next; what came in lies beside the
target as NAME.part until it is whole and checked.
"""

import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from deeppose.core.errors import DeepPoseError, DiskFullError, MissingArchiveError
from deeppose.core.files import sha256
from deeppose.core.progress import progress
from deeppose.data.archives.checksums import archive_sha256
from deeppose.data.archives.contents import UNKNOWN, check_contents, classify
from deeppose.data.archives.zips import verify_archive
from deeppose.data.registry import Entry, find_archive, how_to_get, where_looked

ATTEMPTS = 4
PAUSE = 1.0  # seconds before the second attempt, doubled before each one after it
TIMEOUT = (5.0, 30.0)  # seconds until a host answers, and without a byte
CHUNK = 1 << 20


@dataclass(frozen=True)
class Obtained:
    """An archive that is there and rightly filled; `source` is the folder or the address it came from."""

    path: Path
    sha256: str
    packing: str
    source: str


def obtain(
    entry: Entry, folders: Sequence[Path], checksums: Path | None = None, *, attempts: int = ATTEMPTS
) -> Obtained:
    """Find an entry's archive in the folders, in this order, or download it; check its contents.

    Parameters
    ----------
    folders
        Where it is looked for, and used in place; a download lands in the last.
    checksums
        A JSON file that remembers checksums, see :func:`deeppose.data.archives.checksums.archive_sha256`.
    attempts
        How often an address is tried.

    Raises
    ------
    MissingArchiveError
        If it is in no folder and can't be downloaded; says what to put where.
    ArchiveError, AnnotationError
        If an archive is there but its contents are not the published ones.
    """
    archive = find_archive(entry, folders)
    source = str(archive.parent) if archive else ""
    if archive is None:
        archive, source = _from_addresses(entry, folders, attempts)
    digest = archive_sha256(archive, checksums)
    packing = classify(entry, digest)
    if packing == UNKNOWN:
        check_contents(entry, archive)
    return Obtained(archive, digest, packing, source)


def _from_addresses(entry: Entry, folders: Sequence[Path], attempts: int) -> tuple[Path, str]:
    """Try the entry's addresses one after the other; give the file and the address."""
    target = folders[-1] / entry.archive
    reasons = []
    for url in entry.urls:
        try:
            download(url, target, entry.published_sha256, attempts)
            return target, url
        except (requests.RequestException, MissingArchiveError) as error:
            reasons.append(f"{url}: {error}")
    tried = " and could not be downloaded (" + "; ".join(reasons) + ")" if reasons else ""
    unknown = "" if entry.urls else ", and no address of the file itself is known"
    where = where_looked(entry, list(dict.fromkeys(folders)))
    raise MissingArchiveError(f"{where}{tried}{unknown}; {how_to_get(entry, folders[-1])}")


def download(url: str, target: Path, expected_sha256: str | None, attempts: int = ATTEMPTS) -> None:
    """Download a file, going on where an earlier attempt stopped, and check it before it gets its name.

    Parameters
    ----------
    expected_sha256
        Of the whole file; where it is None, the file must be a zip archive whose members are all intact.

    Raises
    ------
    requests.RequestException
        If every attempt failed; what came in is kept for the next run.
    MissingArchiveError
        If something else than the archive came; it is removed.
    DiskFullError
        If the disk is full; what came in is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for attempt in range(attempts):
        try:
            _fetch_rest(url, part)
            break
        except requests.RequestException as error:
            if attempt == attempts - 1 or _is_final(error):
                raise
            time.sleep(PAUSE * 2**attempt)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    f"no space left on the disk while downloading {target.name}: free some and run the same "
                    f"command again; it goes on from {part}"
                ) from error
            raise
    problem = _problem(part, expected_sha256)
    if problem is not None:
        part.unlink()
        raise MissingArchiveError(f"{problem}; it was removed")
    part.replace(target)


def _fetch_rest(url: str, part: Path) -> None:
    """Append to `part` what it lacks; a server that can't send a range sends all of it again."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if have and response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is lacking; the check that follows finds out what the file is worth
        response.raise_for_status()
        start = have if response.status_code == requests.codes.partial_content else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with (
            part.open("r+b" if start else "wb") as file,
            progress(iter(b""), part.stem, total, unit="B", initial=start) as done,
        ):
            file.seek(start)
            for chunk in response.iter_content(CHUNK):
                done.update(file.write(chunk))


def _is_final(error: requests.RequestException) -> bool:
    """Whether the server refused (4xx), so that asking again is of no use."""
    return error.response is not None and 400 <= error.response.status_code < 500


def _problem(part: Path, expected_sha256: str | None) -> str | None:
    """Why what came is not the archive, in words, or None if it is."""
    if expected_sha256 is not None:
        found = sha256(part)
        return (
            None
            if found == expected_sha256
            else f"gave other contents, sha256 {found}, not {expected_sha256}"
        )
    try:
        verify_archive(part)
    except DeepPoseError as error:
        return f"gave no whole archive ({error})"
    return None
