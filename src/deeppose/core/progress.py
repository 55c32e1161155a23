"""Progress with an estimate of what is left: a bar in a terminal, elsewhere a line a minute."""

import sys
from collections.abc import Iterable
from typing import TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")
BARS_APART, LINES_APART = 0.1, 60.0
"""Seconds."""


def progress(
    steps: Iterable[T],
    name: str,
    total: int | None = None,
    *,
    unit: str,
    initial: int = 0,
    hidden: bool = False,
) -> "tqdm[T]":
    """Steps as they are taken, told on standard error; of no steps, what `update` counts.

    Parameters
    ----------
    total
        How many there are; None: as many as `steps` says.
    unit
        What a step is; "B": bytes.
    initial
        How many are done already.
    hidden
        That nothing is told.
    """
    closed = not sys.stderr
    in_terminal = not closed and sys.stderr.isatty()
    return tqdm(
        steps,
        name,
        total,
        unit=unit,
        unit_scale=unit == "B",
        initial=initial,
        disable=hidden or closed,
        leave=None,  # A bar within another goes when it is done.
        file=sys.stderr if in_terminal else _Lines(sys.stderr),
        mininterval=BARS_APART if in_terminal else LINES_APART,
        miniters=None if in_terminal else 1,
        delay=0 if in_terminal else LINES_APART,
    )


class _Lines:
    """A stream on which each state of a bar is a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if line := text.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()
