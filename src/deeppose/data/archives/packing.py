"""Files that are known byte for byte: archives, other people's predictions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Packing:
    """One of them, and in words what is packed how."""

    sha256: str
    description: str
