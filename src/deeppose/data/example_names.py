"""Which examples of a set's test part are meant by the name of an image."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from deeppose.core.errors import PredictionsError

SHARED = "some images show several of the examples: each of these takes the one prediction of its image"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class ExampleNames:
    """The examples by their images' names.

    An image is named by its path in the archive or the end of that, `images/im1001.jpg` or `im1001`: with or
    without what tells its format, in capitals or not. What stands before its path in the archive is not
    looked at.
    """

    def __init__(self, members: Sequence[str]) -> None:
        """Take the member of each example's image; several examples may share one."""
        self.members = members
        self._examples: dict[str, list[int]] = {}
        self._paths: dict[str, dict[str, None]] = {}
        for example, member in enumerate(members):
            path, *_ = endings = _endings(member)
            self._examples.setdefault(path, []).append(example)
            for ending in endings:
                self._paths.setdefault(ending, {})[path] = None

    def find(self, name: str) -> list[int]:
        """The examples, 0-based, that show this image.

        Raises
        ------
        PredictionsError
            If it is none of the set's images, or may be several; it begins with the name.
        """
        whole, *shorter = _endings(name)
        paths = list(self._paths.get(whole, [path for path in shorter if path in self._examples]))
        if not paths:
            raise PredictionsError(
                f"{name[:60]!r}; an image of the test part, such as {self.members[0]}, or the example's "
                f"number from 0 to {len(self.members) - 1} is expected"
            )
        if len(paths) > 1:
            raise PredictionsError(
                f"{name[:60]!r}, which may be {paths[0]} or {paths[1]}: write its whole path"
            )
        return self._examples[paths[0]]


def _endings(name: str) -> list[str]:
    """The path without its suffix, and what is left of it without its first folders."""
    path = PurePosixPath(name.replace("\\", "/").lower())
    path = path.with_suffix("") if path.suffix in IMAGE_SUFFIXES else path
    return ["/".join(path.parts[first:]) for first in range(len(path.parts))] or [""]
