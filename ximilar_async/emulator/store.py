"""What outlives the process: one SQLite file a collection, one row a record."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from .errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Row: TypeAlias = tuple[str, bytes, bytes]
"""`_id`, document (JSON), vector (float32, little-endian)."""

SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x58696D41  # "XimA": tells our files from other SQLite files

_SCHEMA: Final = f"""
begin immediate;
create table meta (key text primary key, value text not null);
create table records (
    row integer primary key, id text not null unique, document blob not null, vector blob not null
);
pragma application_id = {_APPLICATION_ID};
pragma user_version = {SCHEMA_VERSION};
"""


class Store(Protocol):
    """Where one collection is kept; every method succeeds whole or changes nothing."""

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order of insertion."""
        ...

    def insert(self, rows: Sequence[Row]) -> None:
        """Add rows; their ids are new."""
        ...

    def replace(self, documents: Sequence[tuple[str, bytes]]) -> None:
        """Give the rows of some ids other documents."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the rows of some ids."""
        ...

    def close(self) -> None:
        """Release what is held; may be called twice."""
        ...


class MemoryStore:
    """Keeps nothing: the collection in RAM is all there is."""

    def rows(self) -> Iterator[Row]:
        """Yield nothing."""
        return iter(())

    def insert(self, rows: Sequence[Row]) -> None:
        """Do nothing."""

    def replace(self, documents: Sequence[tuple[str, bytes]]) -> None:
        """Do nothing."""

    def delete(self, ids: Sequence[str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class SqliteStore:
    """The rows of one collection in one SQLite file (WAL); used by one thread at a time.

    Args:
        path: The file; made when it is not there.
        facts: What the file must be about, as `{"collection": id, "extractor": name}`: written into
            a new file, compared with those of an old one.

    Raises:
        EmulatorError: the file is no such store, is of a newer version, or is about something else.
    """

    def __init__(self, path: Path, facts: dict[str, str]) -> None:
        self._path = path
        with self._named():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(facts)
            except BaseException:
                self._db.close()
                raise

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order of insertion."""
        with self._named():
            yield from self._db.execute("select id, document, vector from records order by row")

    def insert(self, rows: Sequence[Row]) -> None:
        """Add rows; their ids are new."""
        with self._transaction():
            self._db.executemany(
                "insert into records (id, document, vector) values (?, ?, ?)", rows
            )

    def replace(self, documents: Sequence[tuple[str, bytes]]) -> None:
        """Give the rows of some ids other documents."""
        with self._transaction():
            self._db.executemany(
                "update records set document = ? where id = ?",
                [(document, id_) for id_, document in documents],
            )

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the rows of some ids."""
        with self._transaction():
            self._db.executemany("delete from records where id = ?", [(id_,) for id_ in ids])

    def close(self) -> None:
        """Write the log back into the file and close it; may be called twice."""
        self._db.close()

    def _prepare(self, facts: dict[str, str]) -> None:
        version = self._pragma("user_version")
        if version == 0 and not self._db.execute("select 1 from sqlite_master").fetchone():
            self._create(facts)
        elif self._pragma("application_id") != _APPLICATION_ID:
            raise EmulatorError(f"{self._path} is not a collection of this emulator")
        elif version != SCHEMA_VERSION:
            raise EmulatorError(
                f"{self._path} was written by another version of ximilar-async (schema {version}; "
                f"this version reads {SCHEMA_VERSION}): use that version, or another folder"
            )
        else:
            self._compare(facts)
        # NORMAL: a crash of the process loses nothing; a power cut may lose the last transactions,
        # but corrupts nothing.
        self._db.execute("pragma synchronous = normal")

    def _create(self, facts: dict[str, str]) -> None:
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_SCHEMA)
        self._db.executemany("insert into meta (key, value) values (?, ?)", facts.items())
        self._db.execute("commit")

    def _compare(self, facts: dict[str, str]) -> None:
        found = dict(self._db.execute("select key, value from meta"))
        for name, value in facts.items():
            if found.get(name) != value:
                raise EmulatorError(
                    f"{self._path} was made for the {name} {found.get(name)!r}, not {value!r}: "
                    f"use another folder, or delete the file"
                )

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"pragma {name}").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._named():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EmulatorError(f"{self._path}: {error}") from error
