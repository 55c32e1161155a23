"""Writing that a kill can't spoil: into a temporary name beside the target, then renamed."""

import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeppose.core.errors import DeepPoseError, DiskFullError, OutputError, StageError

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` if the block ends well.

    The block may make a file or a folder there. Whatever goes wrong, the temporary path is removed and
    an older `target` is left as it was.

    Raises
    ------
    DiskFullError
        If the block fails because the disk (or the user's quota) is full.
    OutputError
        If nothing can be written there.
    """
    temporary = _temporary_beside(target)
    try:
        yield temporary
        if target.is_dir() and temporary.is_dir():
            _remove(target)
        temporary.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"no space left on the disk while writing {target}: free some and run the same command "
                f"again; nothing was left half-written"
            ) from error
        # What the block reads may fail as well, and has its own name.
        if str(error.filename).startswith(str(temporary)):
            raise OutputError(f"{target} can't be written: {error.strerror}") from error
        raise
    finally:
        _remove(temporary)


def check_outputs(targets: Iterable[Path]) -> None:
    """Stop before any work if one can't be written: a folder where its name has no suffix, else a file.

    Folders that they lie in are made.

    Raises
    ------
    OutputError
        Naming it, and why.
    """
    for target in targets:
        _temporary_beside(target)
        if target.exists() and target.is_dir() == bool(target.suffix):
            reason = os.strerror(errno.EISDIR if target.is_dir() else errno.ENOTDIR)
            raise OutputError(f"{target} can't be written: {reason}")


def _temporary_beside(target: Path) -> Path:
    """A free path in the folder of `target`, which is made, that this process can write to.

    Another process has another one. What a killed run left is cleared away by the next on that machine.
    """
    # Of one length: a target's own name may be as long as names can be.
    name = f".{hashlib.md5(os.fsencode(target.name), usedforsecurity=False).hexdigest()[:12]}"
    name += f"-{platform.node()[:64]}-"
    temporary = target.with_name(f"{name}{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{name}*.part"):
            if left == temporary or not _runs(left.stem.removeprefix(name)):
                _remove(left)
        # The system says here, and not after the work, that a name is too long or nothing can be written.
        target.is_symlink()
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise OutputError(f"{target} can't be written: {error.strerror}") from error
    return temporary


def _runs(process: str) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # Killed, with nobody who asked how it ended.
    return not status.rpartition(")")[2].startswith(" Z")


def write_json(target: Path, value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write `value` as indented JSON with sorted keys; NaN is refused, since viewers choke on it."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(target, text)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name a file that an earlier stage or run wrote, whatever is wrong with it.

    Raises
    ------
    StageError
        If the block fails.
    """
    try:
        yield
    except DeepPoseError:
        raise
    except Exception as error:  # there are as many as layouts of files
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise StageError(
            f"{path} is missing or damaged ({why}): remove what is there and run `dvc repro` again"
        ) from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """What a file of JSON holds; errors as of :func:`reading`."""
    with reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def read_notes(path: Path) -> dict[str, Any]:
    """What was noted in a JSON file that no result hangs on; nothing where it is missing or damaged."""
    try:
        notes = read_json(path) if path.is_file() else {}
        if isinstance(notes, dict):
            return notes
    except StageError:
        pass
    print(f"{path} is damaged: it is begun anew", file=sys.stderr)
    return {}


def read_csv(path: Path) -> "pd.DataFrame":
    """A table of commas; errors as of :func:`reading`."""
    import pandas as pd

    with reading(path):
        return pd.read_csv(path)


def read_parquet(path: Path, numbers: Collection[str] = (), others: Collection[str] = ()) -> "pd.DataFrame":
    """A table that has these columns, those of `numbers` numeric; errors as of :func:`reading`."""
    import pandas as pd

    with reading(path):
        table = pd.read_parquet(path)
        if lacking := [name for name in (*numbers, *others) if name not in table]:
            raise ValueError(f"no column {', '.join(lacking)}")
        if texts := [name for name in numbers if not pd.api.types.is_numeric_dtype(table[name])]:
            raise ValueError(f"{', '.join(texts)}: no numbers")
        return table


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_parquet(target: Path, table: "pd.DataFrame") -> None:
    """Write a table as Parquet, without its index."""
    with atomic_path(target) as temporary:
        table.to_parquet(temporary, index=False)


def leave_empty(targets: Iterable[Path], why: str) -> None:
    """Say why, give files no content, and folders (targets without a suffix) a note."""
    print(why)
    for target in targets:
        if target.suffix == ".json":
            write_json(target, {"left_out": why})
        elif target.suffix:
            write_text(target, "")
        else:
            with atomic_path(target) as folder:
                write_text(folder / "left-out.txt", f"{why}\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
