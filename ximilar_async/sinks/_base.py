"""What all sinks share, and how a file comes into being whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BINARY: Final = getattr(os, "O_BINARY", 0)

_NAME: Final = 40
"""Characters of a file's name in that of its forerunner: few enough for any file system."""

Records: TypeAlias = "Sequence[Mapping[str, Any]]"
"""Records as they come from JSON."""


class Sink(Protocol):
    """Writes records to an open file in some format; the file stays the caller's."""

    def write(self, records: Records) -> None:
        """Write some records; blocking."""

    def close(self) -> None:
        """Write what ends the file; without it the file is not whole."""


@contextmanager
def replaced(path: Path, beside: Path | None = None) -> Iterator[IO[bytes]]:
    """Yield what to write to; it takes the path's name when the block ends well.

    A file that was there stands until then and lends its permissions to the new one. After an
    error, or a cancellation, nothing is left but what was there.

    Args:
        path: The file to write.
        beside: What it is called until then, where nobody else can be at it: a killed process
            leaves it, and the next one writes over it. None for a name that is nobody's.

    Raises:
        OSError: it cannot be written.
    """
    if beside is None:
        prefix = f".{path.name[:_NAME]}."
        number, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        beside = Path(name)
    else:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        with os.fdopen(number, "wb") as target:
            yield target
        settle(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise


def settle(made: Path, path: Path) -> None:
    """Give a finished file its name: on the disk first, then in the place of what was there.

    Args:
        made: The finished file, in the same folder.
        path: The name.

    Raises:
        OSError: it cannot be renamed.
    """
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.chmod(_mode_of(path))
    made.replace(path)
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Bring a file's name to the disk after it was made or renamed, where the file system can."""
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _mode_of(path: Path) -> int:
    """Return the permissions of a file that is there, or those of a new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
