"""What is read from published archives: members, MATLAB files and images, with errors that name them.

An archive is a zip file, or a folder that holds what was in one.
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from deeppose.core.errors import AnnotationError, ArchiveError, ImageError
from deeppose.data.archives.matlab import LARGEST, load_variable


class Folder:
    """A folder read like a zip archive: members by their path below it, written with slashes.

    A link stands for what it leads to, which must lie in the folder too. Hidden folders, such as .git, have
    no members.
    """

    def __init__(self, path: Path) -> None:
        self.filename = str(path)
        self._root = path.resolve(strict=True)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def namelist(self) -> list[str]:
        """Names of all members, sorted.

        Raises
        ------
        ArchiveError
            If a link leads nowhere or out of the folder, or a part of the folder can't be read.
        """
        try:
            return sorted(self._names(self._root, linked=False))
        except OSError as error:
            raise ArchiveError(f"{error.filename} can't be read: {error.strerror}") from error

    def open(self, name: str) -> BufferedIOBase:
        """One member.

        Raises
        ------
        KeyError
            If there is none of that name.
        ArchiveError
            If it is a link that leads nowhere or out of the folder.
        """
        path = self._root / name
        if ".." in path.parts or not path.is_relative_to(self._root) or not self._target(path).is_file():
            raise KeyError(name)
        return path.open("rb")

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _names(self, folder: Path, *, linked: bool) -> Iterator[str]:
        for path in folder.iterdir():
            if path.name.startswith(".") and (path.is_symlink() or path.is_dir()):
                continue
            target = self._target(path)
            if target.is_file():
                yield path.relative_to(self._root).as_posix()
            # A link to a folder around it, or links in turn, would go on without end.
            elif target.is_dir() and not (path.is_symlink() and (linked or path.is_relative_to(target))):
                yield from self._names(path, linked=linked or path.is_symlink())

    def _target(self, path: Path) -> Path:
        try:
            target = path.resolve()
        except RuntimeError:  # a link to itself, before Python 3.13
            target = path
        if target.is_relative_to(self._root) and (target.exists() or not path.is_symlink()):
            return target
        where = "which isn't there" if target.is_relative_to(self._root) else "outside of the folder"
        raise ArchiveError(
            f"{self.filename}: {path.relative_to(self._root)} leads to {target}, {where}: put the file "
            f"itself there"
        )


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
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # zipfile raises whatever damaged bytes lead it into
        raise ArchiveError(
            f"{path} is cut short or no zip archive ({error}): remove it and put the whole file there"
        ) from error


def find_member(archive: Archive, published: str) -> str:
    """A member by its published name; where it has none of that name, by what the file itself is called.

    Raises
    ------
    ArchiveError
        If there is none, or several.
    """
    names = archive.namelist()
    file = published.rpartition("/")[2]
    # Packed on a Mac, each file has a shadow there.
    found = [n for n in names if n.rpartition("/")[2] == file and not n.startswith("__MACOSX/")]
    if published in found or not found:
        return published
    if len(found) > 1:
        raise ArchiveError(f"{archive.filename} has both {found[0]} and {found[1]}: keep one of them")
    return found[0]


def read_member(archive: Archive, member: str) -> bytes:
    """The bytes of one member.

    Raises
    ------
    ArchiveError
        If the archive lacks it, or its bytes can't be read, are damaged, encrypted, or packed in a way that
        isn't known.
    """
    with _opened(archive, member) as file:
        data: bytes = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ArchiveError(f"{archive.filename}: member {member} is larger than {LARGEST >> 20} MB")
    return data


def member_sha256(archive: Archive, member: str) -> str:
    """The SHA-256 of one member, in hexadecimal; errors as of :func:`read_member`."""
    with _opened(archive, member) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _opened(archive: Archive, member: str) -> Iterator[BufferedIOBase]:
    """A member, with errors that name it."""
    try:
        with archive.open(member) as file:
            yield cast(BufferedIOBase, file)
    except ArchiveError:
        raise
    except KeyError as error:
        raise ArchiveError(
            f"{archive.filename} has no member {member}: it is not the published archive, or was packed "
            f"again in another layout"
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted; a method that is not known
        raise ArchiveError(
            f"{archive.filename}: member {member} can't be unpacked ({error}): pack it again, plainly"
        ) from error
    except PermissionError as error:
        raise ArchiveError(f"{archive.filename}: member {member} can't be read: {error.strerror}") from error
    except Exception as error:  # so many as there are methods of compression
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
            member_sha256(archive, member)


def read_image(archive: Archive, member: str, *, upright: bool = False) -> NDArray[np.uint8]:
    """Decode one image: `(height, width, 3)`, RGB.

    Parameters
    ----------
    upright
        Whether it is turned as a camera noted in the file (EXIF). Labels of the published sets were made
        without that: rows and columns are as stored.

    Raises
    ------
    ArchiveError
        If the archive lacks the member or its bytes are damaged.
    ImageError
        If it can't be decoded.
    """
    data = np.frombuffer(read_member(archive, member), dtype=np.uint8)
    try:
        flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(data, flags) if data.size else None
        why = f"{data.size} bytes"
    except cv2.error as error:  # of more pixels than it takes
        image, why = None, error.err
    if image is None:
        raise ImageError(
            f"{archive.filename}: image {member} can't be decoded ({why}): get the archive again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def is_turned(archive: Archive, member: str) -> bool:
    """Whether a camera noted in an image (EXIF) that it lies otherwise than it is stored."""
    try:
        with Image.open(io.BytesIO(read_member(archive, member))) as image:
            return bool(image.getexif().get(ExifTags.Base.Orientation, 1) != 1)
    except (OSError, ValueError, SyntaxError):  # whoever decodes it says so
        return False


def read_mat(data: bytes, where: str, key: str) -> NDArray[Any]:
    """The variable `key` of a MATLAB file; `where` names the file in errors.

    Raises
    ------
    AnnotationError
        If the file is damaged or has no such variable.
    """
    try:
        array, _ = load_variable(data, key)
    except ValueError as error:
        raise AnnotationError(f"{where} can't be read as a MATLAB file ({error}): get it again") from error
    if array is None:
        raise AnnotationError(f"{where} has no variable {key!r}: it is not the published file")
    return array
