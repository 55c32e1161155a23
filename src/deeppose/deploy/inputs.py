"""What people name when they mean photos: files, folders, patterns, standard input, videos."""

import sys
from collections.abc import Iterable
from glob import glob
from pathlib import Path

from deeppose.core.errors import ImageError
from deeppose.deploy.photo import MOST_BYTES, Photo, decode_photo, read_photo

STDIN = "-"
IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".avif", ".ppm", ".pgm"}
"""What is taken of a folder."""
VIDEOS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"}


def expanded(names: Iterable[str]) -> list[str]:
    """The files that names mean: of a folder its images, of a pattern what it matches, in the names' order.

    Raises
    ------
    ImageError
        If a name is an address, a folder without images, or a pattern that matches nothing.
    """
    files: list[str] = []
    for name in names:
        path = Path(name)
        if name.startswith(("http://", "https://")):
            raise ImageError(f"{name} is an address: download it first (curl -O {name}), then give the file")
        if name not in ("", STDIN) and path.is_dir():
            inside = [str(file) for file in path.iterdir() if file.suffix.lower() in IMAGES | VIDEOS]
            if not inside:
                raise ImageError(f"{name} is a folder without images ({', '.join(sorted(IMAGES))})")
            files += sorted(inside)
        elif set(name) & set("*?[") and not path.exists():
            # Path.glob refuses some patterns, such as a**.
            matched = [file for file in glob(name, recursive=True) if Path(file).is_file()]  # noqa: PTH207
            if not matched:
                raise ImageError(f"nothing here matches {name}")
            files += sorted(matched)
        else:
            files.append(name)
    return files


def is_video(name: str) -> bool:
    """Whether a file is one, by its name."""
    return Path(name).suffix.lower() in VIDEOS


def read_input(name: str) -> Photo:
    """Decode a photo from a file, or from standard input.

    Raises
    ------
    ImageError
        As :func:`deeppose.deploy.photo.read_photo`.
    """
    if name == STDIN:
        return decode_photo(sys.stdin.buffer.read(MOST_BYTES + 1), "standard input")
    return read_photo(Path(name))
