"""SQLite files of a sync: opened for one process alone, of a known version, in bounded memory."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPLICATION: Final = 0x58_53_59_4E
"""Stands in the head of every state file ("XSYN"): no other SQLite file is taken for one."""

_BOUNDED: Final = ("temp_store = file", "cache_size = -32768", "mmap_size = 0")  # KiB
_KEPT: Final = ("journal_mode = wal", "wal_autocheckpoint = 2000", *_BOUNDED)
_PASSING: Final = ("journal_mode = off", "synchronous = off", *_BOUNDED)
"""Nothing of a passing file outlives the process, so nothing of it needs to be safe on disk."""

_ALONE: Final = "locking_mode = exclusive"
"""Set before all else: SQLite then needs no shared memory beside the file."""


def open_kept(path: Path, scripts: Sequence[str]) -> sqlite3.Connection:
    """Open a state file for this process alone, making or migrating it.

    SQLite's own lock is held until it is closed, and dies with the process.

    Args:
        path: The file.
        scripts: What makes version 1 of nothing, version 2 of version 1, and so on.

    Raises:
        StateError: it cannot be used: by whom it is in use, or why not.
    """
    with complaints(path):
        database = _connect(os.fspath(path))
        try:
            _prepare(database, path, scripts)
        except BaseException:
            database.close()
            raise
    with suppress(OSError):
        _owner_file(path).write_text(_this_process(), encoding="utf-8")
    return database


def open_passing(folder: Path | None, script: str) -> sqlite3.Connection:
    """Open a file that nobody else sees and that is gone with the process.

    Args:
        folder: Where; None for the folder of temporary files.
        script: What makes its tables.

    Raises:
        StateError: it cannot be made.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".ximilar-sync-", suffix=".sqlite", dir=folder)
        os.close(handle)
    except OSError as error:
        place = folder or tempfile.gettempdir()
        raise StateError(f"cannot make a file in {place}: {error.strerror or error}") from None
    path = Path(name)
    with complaints(path):
        database = _connect(name)
        for setting in (_ALONE, *_PASSING):
            database.execute(f"PRAGMA {setting}")
        database.executescript(script)
        database.execute("BEGIN")  # never committed: that would only write what can wait
    with suppress(OSError):
        path.unlink()  # where the system allows it, nothing is left behind whatever happens
    return database


def close_kept(database: sqlite3.Connection, path: Path) -> None:
    """Close a state file and give it free."""
    database.close()
    with suppress(OSError):
        if _owner_file(path).read_text(encoding="utf-8") == _this_process():
            _owner_file(path).unlink()


@contextmanager
def complaints(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file's name.

    Raises:
        StateError: SQLite complained.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StateError(
                f"the sync state {path} is in use by {_owner(path)}; wait for it or stop it, or "
                "name another state"
            ) from None
        raise StateError(f"the sync state {path} cannot be used: {error}") from None
    except sqlite3.DatabaseError as error:
        raise StateError(
            f"the sync state {path} cannot be used: {error}; name another file, or move it "
            "away: the next sync then reads the collection"
        ) from None


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=0)


def _prepare(database: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    for setting in (_ALONE, *_KEPT):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN EXCLUSIVE")  # takes the lock, which exclusive mode then keeps
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and tables:
        raise StateError(f"{path} is an SQLite file, but no sync state; name another one")
    if version > len(scripts):
        raise StateError(
            f"the sync state {path} has version {version}, and this ximilar-async knows "
            f"{len(scripts)}: update it, or name another state"
        )
    for number, script in enumerate(scripts[version:], version + 1):
        for statement in filter(None, map(str.strip, script.split(";"))):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
    if application != APPLICATION:
        database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute("COMMIT")


def _owner_file(path: Path) -> Path:
    return path.with_name(path.name + "-owner")


def _this_process() -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname()})


def _owner(path: Path) -> str:
    """Return who has a state file open, as far as it was written down."""
    try:
        owner = json.loads(_owner_file(path).read_text(encoding="utf-8"))
        pid, host = int(owner["pid"]), str(owner["host"])
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
    if (pid, host) == (os.getpid(), socket.gethostname()):
        return "this very process"
    return f"process {pid} on {host}"
