"""What is read from published archives: members, MATLAB files and images, with errors that name them.

An archive is a zip file, or a folder that holds what was in one.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deeppose.core.errors import AnnotationError, ArchiveError, ImageError


class Folder:
    """A folder read like a zip archive: members by their path below it, written with slashes.

    A link or a `..` that leads out of the folder is no member.
    """

    def __init__(self, path: Path) -> None:
        self.filename = str(path)
        self._root = path.resolve(strict=True)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def namelist(self) -> list[str]:
        """Names of all members, sorted."""
        files = (path.relative_to(self._root).as_posix() for path in self._root.rglob("*"))
        return sorted(name for name in files if self._member(name) is not None)

    def read(self, name: str) -> bytes:
        """The bytes of one member.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        path = self._member(name)
        if path is None:
            raise KeyError(name)
        return path.read_bytes()

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _member(self, name: str) -> Path | None:
        path = (self._root / name).resolve()
        return path if path.is_relative_to(self._root) and path.is_file() else None


Archive = zipfile.ZipFile | Folder


def open_archive(path: Path) -> Archive:
    """Open a zip archive, or a folder that stands for one, for reading.

    Raises
    ------
    ArchiveError
        If it can't be read, is cut short or is no zip archive at all.
    """
    try:
        return Folder(path) if path.is_dir() else zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ArchiveError(
            f"{path} is cut short or no zip archive ({error}): remove it and put the whole file there"
        ) from error
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror}") from error


def read_member(archive: Archive, member: str) -> bytes:
    """The bytes of one member.

    Raises
    ------
    ArchiveError
        If the archive lacks it or its bytes are damaged.
    """
    try:
        return archive.read(member)
    except KeyError as error:
        raise ArchiveError(
            f"{archive.filename} has no member {member}: it is not the published archive, or was packed "
            f"again in another layout"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ArchiveError(
            f"{archive.filename}: member {member} is damaged ({error}): get the archive again"
        ) from error


def verify_archive(path: Path) -> None:
    """Read every member once and compare it with its own checksum.

    Raises
    ------
    ArchiveError
        If the archive is cut short or a member is damaged.
    """
    with open_archive(path) as archive:
        for member in archive.namelist():
            read_member(archive, member)


def read_image(archive: Archive, member: str) -> NDArray[np.uint8]:
    """Decode one image: `(height, width, 3)`, RGB, rows and columns as stored.

    An orientation that a camera noted in the file is not applied, since the labels were made without it.

    Raises
    ------
    ArchiveError
        If the archive lacks the member or its bytes are damaged.
    ImageError
        If it can't be decoded.
    """
    data = np.frombuffer(read_member(archive, member), dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    if image is None:
        raise ImageError(
            f"{archive.filename}: image {member} can't be decoded ({data.size} bytes): get the archive again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_mat(data: bytes, where: str, key: str) -> NDArray[Any]:
    """The variable `key` of a MATLAB file; `where` names the file in errors.

    Raises
    ------
    AnnotationError
        If the file is damaged or has no such variable.
    """
    from scipy.io import loadmat

    try:
        variables = loadmat(io.BytesIO(data), variable_names=[key])
    except Exception as error:  # scipy raises whatever a damaged byte leads to
        raise AnnotationError(f"{where} can't be read as a MATLAB file ({error}): get it again") from error
    if key not in variables:
        raise AnnotationError(f"{where} has no variable {key!r}: it is not the published file")
    array: NDArray[Any] = variables[key]
    return array
