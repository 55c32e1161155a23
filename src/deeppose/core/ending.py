"""How every command and stage ends: in one line where a user can mend it, never in a traceback.

It is what they import first, and imports next to nothing, so that Ctrl-C at their very start ends so, too.
"""

import errno
import io
import os
import sys

from deeppose.core.errors import DeepPoseError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class OneLineEnding:
    """A block in which what a user can mend ends the process with one line on stderr, that `name` begins.

    The exit status is 1, after Ctrl-C INTERRUPTED. What was printed is written out before; a closed stream
    takes everything, and a character that its encoding lacks becomes a question mark.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        for stream in ("stdout", "stderr"):
            if getattr(sys, stream) is None:
                setattr(sys, stream, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        said, status = self._told(error)
        try:
            sys.stdout.flush()
        except OSError as unwritten:
            # Python flushes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            said, status = self._told(unwritten)
        if said:
            print(f"{self.name}: {said}", file=sys.stderr)
        if status:
            raise SystemExit(status) from None

    def _told(self, error: BaseException | None) -> tuple[str, int]:
        """The line for an error, and the exit status; nothing for what is none, or has its own ending."""
        # Typer ends so after Ctrl-C, without a word.
        if isinstance(error, KeyboardInterrupt) or (
            isinstance(error, SystemExit) and error.code == INTERRUPTED
        ):
            return "interrupted", INTERRUPTED
        if isinstance(error, DeepPoseError):
            return str(error), 1
        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("deeppose"):
            return f"{error.name} is not installed: `pip install 'deeppose[pipeline]'`, or `make env`", 1
        if isinstance(error, BrokenPipeError):
            return "", 1
        if isinstance(error, OSError):
            if error.filename:
                return f"{error.filename}: {error.strerror}", 1
            # What is written to a file is named by core/files.py.
            is_full = error.errno == errno.ENOSPC
            return f"what it prints can't be written: {error.strerror}" if is_full else str(error), 1
        return "", 0


def interrupted_in_one_line(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """A hook for `sys.excepthook`: as :class:`OneLineEnding` where Ctrl-C comes before it, or after."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED)
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]
