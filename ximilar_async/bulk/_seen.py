"""Which ids were read before: exact, for any number of them, in bounded memory."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from attrs import define, field

from ximilar_async.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MAX_BYTES: Final = 32 * 2**20
"""Memory for ids, in bytes; about a quarter of a million short ones."""

_SET_BYTES: Final = 70
"""What an entry of a set takes beside the id itself."""

_SETTINGS: Final = (
    "journal_mode = off",
    "synchronous = off",
    "locking_mode = exclusive",
    "temp_store = memory",
    "cache_size = -16384",  # KiB
)
"""Nothing of this outlives the process, so nothing needs to be safe on the disk."""


@define(eq=False)
class SeenIds:
    """A set of ids that is told one after the other.

    The first ones are kept in memory, all further ones in a temporary SQLite file; no id is ever
    moved, so no call takes long. The file has no name any more while it is in use (on Windows it
    has one until `close`), so that a killed process leaves none behind.

    Args:
        max_bytes: Memory for ids, in bytes.
        folder: Where the file is made; None for the system's folder for temporary files.

    Example:
        >>> with SeenIds() as seen:
        ...     [seen.add(id) for id in ("a", "b", "a")]
        [True, True, False]
    """

    max_bytes: int = MAX_BYTES
    folder: str | os.PathLike[str] | None = None
    _ids: set[str] = field(factory=set, init=False, repr=False)
    _bytes: int = field(default=0, init=False)
    _spilled: int = field(default=0, init=False)
    _database: sqlite3.Connection | None = field(default=None, init=False, repr=False)
    _file: Path | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._ids) + self._spilled

    def __contains__(self, id: str) -> bool:
        if id in self._ids:
            return True
        if self._database is None:
            return False
        with self._complaints():
            row = self._database.execute("SELECT 1 FROM ids WHERE id = ?", (_key(id),))
            return row.fetchone() is not None

    def add(self, id: str) -> bool:
        """Take in an id and tell whether it is new.

        Raises:
            JournalError: the temporary file cannot be made or written.
        """
        if id in self._ids:
            return False
        if self._bytes < self.max_bytes:
            self._ids.add(id)
            self._bytes += sys.getsizeof(id) + _SET_BYTES
            return True
        return self._add_to_file(_key(id))

    def close(self) -> None:
        """Forget all ids and delete the file; once is enough, twice does no harm."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None
        self._ids.clear()
        self._bytes = self._spilled = 0

    def _add_to_file(self, key: bytes) -> bool:
        with self._complaints():
            if self._database is None:
                self._database = self._open()
            cursor = self._database.execute("INSERT OR IGNORE INTO ids VALUES (?)", (key,))
        new = cursor.rowcount == 1
        self._spilled += new
        return new

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            folder = self.folder or tempfile.gettempdir()
            raise JournalError(
                f"cannot keep the ids that were read in {os.fspath(folder)}: {error}; make room "
                "there, or name another folder for temporary files (TMPDIR)"
            ) from None

    def _open(self) -> sqlite3.Connection:
        handle, name = tempfile.mkstemp(prefix="ximilar-ids-", suffix=".sqlite", dir=self.folder)
        os.close(handle)
        self._file = Path(name)
        database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        try:
            for setting in _SETTINGS:
                database.execute(f"PRAGMA {setting}")
            database.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) WITHOUT ROWID")
            database.execute("BEGIN")  # never committed: that would only write what can wait
        except sqlite3.Error:
            database.close()
            raise
        with suppress(OSError):
            self._file.unlink()
            self._file = None
        return database


def _key(id: str) -> bytes:
    return id.encode("utf-8", "surrogatepass")
