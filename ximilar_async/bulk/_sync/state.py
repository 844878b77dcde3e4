"""What is known of the records of a collection, and which of them are under way."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import orjson
from attrs import define, field, frozen

from ximilar_async.errors import StateError

from . import refused
from .database import close_kept, complaints, open_kept, open_passing
from .difference import Known, Phase, UnderWay

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

_VERSION_1: Final = """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE shapes (shape INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
    CREATE TABLE records (
        id TEXT PRIMARY KEY, n INTEGER NOT NULL, meta BLOB NOT NULL, image BLOB,
        shape INTEGER NOT NULL, stamp BLOB, phase INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE under_way (
        id TEXT PRIMARY KEY, phase INTEGER NOT NULL, meta BLOB, image BLOB,
        shape INTEGER NOT NULL, stamp BLOB, record BLOB
    ) WITHOUT ROWID;
"""
SCRIPTS: Final = (_VERSION_1, refused.TABLE)
"""What makes each version of the schema of the one before it."""

ALIKE: Final = "alike"
"""Name of the fact by which terms near-duplicates were told."""

_ASKED_AT_ONCE: Final = 500
_UPSERT: Final = """
    INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        meta = excluded.meta, image = excluded.image, shape = excluded.shape,
        stamp = excluded.stamp, phase = excluded.phase
"""


@frozen
class Row:
    """What is to be known of a record from now on."""

    id: str
    meta: bytes
    image: bytes | None
    shape: int
    stamp: bytes | None = None
    phase: Phase = Phase.STORED
    neighbours: tuple[str, ...] = ()
    """Whom it was turned away for, where it is a near-duplicate."""


@define(eq=False)
class State:
    """The rows of one collection; methods block and may be called from any thread, one at a time.

    Args:
        path: The file; for one that passes with the process, its folder.
        kept: Whether it outlives the process.
    """

    path: Path
    kept: bool
    _database: sqlite3.Connection = field(repr=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False, repr=False)
    _next: int = field(init=False, repr=False)
    _shapes: dict[str, int] = field(factory=dict, init=False, repr=False)
    _names: dict[int, str] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        with self._asking() as database:
            (highest,) = database.execute("SELECT max(n) FROM records").fetchone()
        self._next = 0 if highest is None else highest + 1

    @classmethod
    def open(cls, path: Path, *, collection: str, service: str, host: str = "") -> Self:
        """Open the state file of a collection; it is made if it is not there.

        Args:
            path: The file.
            collection: The collection's id.
            service: Its service.
            host: The machine that answers for it; empty where that does not matter.

        Raises:
            StateError: it is in use, of another collection or machine, newer, damaged, or no state.

        Example:
            >>> State.open(Path("no-such-folder/state.db"), collection="c", service="photos")
            Traceback (most recent call last):
            ximilar_async.errors.StateError: the sync state no-such-folder/state.db cannot be ...
        """
        database = open_kept(path, SCRIPTS)
        try:
            state = cls(path, True, database)  # noqa: FBT003 - an attribute
            state._bind(collection, service, host)
        except BaseException:
            close_kept(database, path)
            raise
        return state

    @classmethod
    def passing(cls, folder: Path | None = None) -> Self:
        """Return an empty state that is gone with the process.

        Args:
            folder: Where it lies on disk; None for the folder of temporary files.
        """
        database = open_passing(folder, ";".join(SCRIPTS))
        return cls(folder or Path(), False, database)  # noqa: FBT003 - an attribute

    def _bind(self, collection: str, service: str, host: str) -> None:
        belongs = orjson.dumps([collection, service]).decode()
        before = self.fact("collection")
        if before is None:
            self.note(collection=belongs, state=uuid.uuid4().hex)
        elif before != belongs:
            theirs = " of service ".join(map(repr, orjson.loads(before)))
            raise StateError(
                f"the sync state {self.path} belongs to collection {theirs}, not to "
                f"{collection!r} of service {service!r}; name another state"
            )
        there = self.fact("host")
        if there is None and host:
            self.note(host=host)
        elif host and there != host:
            raise StateError(
                f"the sync state {self.path} is of what {there} stores, not {host}; name another "
                "state"
            )

    def hold_fields(self, fields: Iterable[str] | None, *, new: bool) -> None:
        """See that a state is used with the fields that it was made with.

        Args:
            fields: The only fields that count; None for all.
            new: Whether it is being made.

        Raises:
            StateError: it was made with others.
        """
        given = "null" if fields is None else orjson.dumps(sorted(set(fields))).decode()
        held = given if new else self.fact("fields") or "null"
        if held != given:
            before, now = (
                "all fields" if one == "null" else f"the fields {', '.join(orjson.loads(one))}"
                for one in (held, given)
            )
            raise StateError(
                f"the sync state {self.path} was made with {before}, not with {now}: name another "
                "state; it is begun by reading the collection"
            )
        if new:
            self.note(fields=held)

    def close(self) -> None:
        """Give the file free; twice does no harm."""
        with self._lock:
            if self.kept:
                close_kept(self._database, self.path)
            else:
                self._database.close()

    # --- facts ----------------------------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """Return what was noted under a name."""
        with self._asking() as database:
            row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def note(self, **facts: str) -> None:
        """Note facts, each under its name."""
        with self._changing() as database:
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    @property
    def generation(self) -> str:
        """Return a text that is another one after each change that was made with this state."""
        return f"{self.fact('state') or '-'}:{self.fact('runs') or 0}"

    def move_on(self) -> None:
        """Note that what is stored is about to change."""
        self.note(runs=str(int(self.fact("runs") or 0) + 1))

    # --- shapes ---------------------------------------------------------------------------------

    def shape(self, names: Iterable[str]) -> int:
        """Return the number of a set of field names."""
        return self.shape_of(orjson.dumps(sorted(names)).decode())

    def shape_of(self, text: str) -> int:
        """Return the number of a shape by its text, which may be a key alone."""
        with self._lock:
            if text not in self._shapes:
                self._shapes[text] = self._make_shape(text)
            return self._shapes[text]

    def _make_shape(self, text: str) -> int:
        with self._changing() as database:
            database.execute("INSERT OR IGNORE INTO shapes (names) VALUES (?)", (text,))
            found = database.execute("SELECT shape FROM shapes WHERE names = ?", (text,))
            number: int = found.fetchone()[0]
        return number

    def shape_text(self, shape: int) -> str:
        """Return the text of a shape: a JSON list of names, or a key."""
        with self._lock:
            if shape not in self._names:
                with self._asking() as database:
                    row = database.execute("SELECT names FROM shapes WHERE shape = ?", (shape,))
                    self._names[shape] = (row.fetchone() or ("[]",))[0]
            return self._names[shape]

    def names(self, shape: int) -> frozenset[str]:
        """Return the field names of a shape; none where only its key is known."""
        text = self.shape_text(shape)
        return frozenset(orjson.loads(text)) if text.startswith("[") else frozenset()

    # --- rows -----------------------------------------------------------------------------------

    @property
    def highest(self) -> int:
        """Return a number above those of all rows."""
        return self._next

    def count(self) -> int:
        """Return how many records are stored, as far as is known."""
        with self._asking() as database:
            found = database.execute(
                "SELECT count(*) FROM records WHERE phase <> ?", (Phase.NEAR_DUPLICATE,)
            )
            number: int = found.fetchone()[0]
        return number

    def find(self, ids: Sequence[str]) -> dict[str, Known]:
        """Return the rows of ids, of those that have one."""
        found: dict[str, Known] = {}
        with self._asking() as database:
            for start in range(0, len(ids), _ASKED_AT_ONCE):
                part = ids[start : start + _ASKED_AT_ONCE]
                places = ",".join("?" * len(part))
                query = f"SELECT * FROM records WHERE id IN ({places})"  # noqa: S608 - only ?
                for id_, n, meta, image, shape, stamp, phase in database.execute(query, part):
                    found[id_] = Known(n, meta, image, shape, stamp, _PHASES[phase])
        return found

    def every(self) -> Iterator[tuple[str, int, Phase]]:
        """Yield id, number and phase of each row, in order of ids."""
        last = ""
        query = "SELECT id, n, phase FROM records WHERE id > ? ORDER BY id LIMIT 20000"
        while True:
            with self._asking() as database:
                rows = database.execute(query, (last,)).fetchall()
            if not rows:
                return
            for id_, n, phase in rows:
                yield id_, n, _PHASES[phase]
            last = rows[-1][0]

    def put(self, rows: Iterable[Row]) -> None:
        """Write rows, such as those that a look into the collection showed."""
        with self._changing() as database:
            self._put(database, rows)

    def _put(self, database: sqlite3.Connection, rows: Iterable[Row]) -> None:
        database.executemany(_UPSERT, self._numbered(rows))

    def _numbered(self, rows: Iterable[Row]) -> Iterator[tuple[object, ...]]:
        for row in rows:
            yield row.id, self._next, row.meta, row.image, row.shape, row.stamp, row.phase
            self._next += 1

    def clear(self) -> None:
        """Forget all rows; what is under way stays in doubt."""
        with self._changing() as database:
            database.execute("DELETE FROM records")
            database.execute("DELETE FROM refused")
            database.execute("DELETE FROM facts WHERE name = 'seeded'")

    def neighbours(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Return whom near-duplicates were turned away for."""
        query = "SELECT neighbour FROM refused WHERE id = ?"
        with self._asking() as database:
            return {id_: {name for (name,) in database.execute(query, (id_,))} for id_ in ids}

    def hold_alike(self, terms: str) -> None:
        """Forget who was turned away as a near-duplicate by other terms than these."""
        if self.fact(ALIKE) == terms:
            return
        with self._changing() as database:
            database.execute("DELETE FROM records WHERE phase = ?", (Phase.NEAR_DUPLICATE,))
            database.execute("DELETE FROM refused")
            self.note(**{ALIKE: terms})

    # --- records under way ----------------------------------------------------------------------

    def under_way(self) -> dict[str, UnderWay]:
        """Return what was under way when a run ended: few, for a run bounds what is pending."""
        query = "SELECT id, phase, meta, image, shape, stamp, record FROM under_way"
        with self._asking() as database:
            return {
                id_: UnderWay(_PHASES[phase], *rest)
                for id_, phase, *rest in database.execute(query)
            }

    def mark(self, marks: Iterable[tuple[str, UnderWay]], *, safe: bool = False) -> None:
        """Note that records are about to leave; it is written when this returns.

        Args:
            marks: Ids, and what is to become of each.
            safe: Whether that must outlast a power failure too, and not only the process.
        """
        rows = [(id_, w.phase, w.meta, w.image, w.shape, w.stamp, w.record) for id_, w in marks]
        with self._changing(safe=safe) as database:
            database.executemany(
                "INSERT OR REPLACE INTO under_way VALUES (?, ?, ?, ?, ?, ?, ?)", rows
            )

    def settle(
        self, *, put: Iterable[Row] = (), gone: Iterable[str] = (), unmark: Iterable[str] = ()
    ) -> None:
        """Note what became of records, all in one transaction.

        Args:
            put: What is now stored; these are no longer under way.
            gone: Ids of what is not stored any more; nor are these.
            unmark: Ids of what never left, or changed nothing.
        """
        rows, gone = list(put), list(gone)
        done = [(id_,) for id_ in (*(row.id for row in rows), *gone, *unmark)]
        if not done:
            return
        with self._changing() as database:
            refused.free(database, rows, gone)
            self._put(database, rows)
            refused.note(database, rows)
            database.executemany("DELETE FROM records WHERE id = ?", [(id_,) for id_ in gone])
            database.executemany("DELETE FROM under_way WHERE id = ?", done)

    # --- the database ---------------------------------------------------------------------------

    @contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        with self._lock, complaints(self.path):
            yield self._database

    @contextmanager
    def _changing(self, *, safe: bool = False) -> Iterator[sqlite3.Connection]:
        """Begin a transaction and commit it; where one is open already, join it."""
        with self._asking() as database:
            if database.in_transaction:
                yield database
                return
            # Without a sync a commit outlasts the process, and after a power failure the file is
            # whole as of some earlier commit: then updates and deletes are merely sent again.
            database.execute(f"PRAGMA synchronous = {'full' if safe else 'normal'}")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


_PHASES: Final = {phase.value: phase for phase in Phase}
