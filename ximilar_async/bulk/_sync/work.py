"""What is to be done, record by record: a passing file on disk, for a catalog has any size."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from attrs import define, field, frozen

from ximilar_async.sources import Entry

from .database import open_passing
from .difference import Action
from .hashes import IMAGE_FIELDS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_TABLES: Final = """
    CREATE TABLE work (
        place INTEGER PRIMARY KEY, action TEXT NOT NULL, id TEXT UNIQUE, seq INTEGER NOT NULL,
        spot TEXT NOT NULL, meta BLOB, image BLOB, names TEXT, stamp BLOB, record BLOB,
        removed TEXT, was TEXT, reason TEXT
    );
    CREATE INDEX by_action ON work (action, place);
    CREATE TABLE stored (id TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID;
"""
_COLUMNS: Final = (
    "place, action, id, seq, spot, meta, image, names, stamp, record, removed, was, reason"
)
_CHUNK: Final = 100


@frozen
class Task:
    """What is to be done with one record."""

    action: Action
    id: str | None
    seq: int = 0
    """Its number in the source, from 1; 0 if it is not in it."""
    spot: str = ""
    """Its place in the source, for people."""
    meta: bytes | None = None
    image: bytes | None = None
    names: tuple[str, ...] = ()
    stamp: bytes | None = None
    record: bytes | None = field(default=None, repr=False)
    """The record as it will be sent, as JSON; a `_file` stays a path."""
    removed: tuple[str, ...] = ()
    """Fields that are stored and are to be removed."""
    was: str = ""
    """What the state knew of it; empty for nothing."""
    reason: str = ""
    place: int | None = None
    """Its number among the tasks."""

    def entry(self, record: Any) -> Entry:
        """Return the task as an entry of a bulk run that sends a record for it."""
        return Entry(self.spot, record)

    def fault(self) -> Entry:
        """Return a task that was turned away as an entry, with the record as it was read."""
        record = None if self.record is None else orjson.loads(self.record)["record"]
        return Entry(self.spot, record, self.reason)


@define(eq=False)
class Work:
    """The tasks of a sync and what looks into the collection showed; methods block."""

    _database: sqlite3.Connection = field(repr=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False, repr=False)

    @classmethod
    def passing(cls, folder: Path | None = None) -> Self:
        """Return a place for tasks that is gone with the process.

        Args:
            folder: Where it lies on disk; None for the folder of temporary files.
        """
        return cls(open_passing(folder, _TABLES))

    def close(self) -> None:
        """Forget everything; twice does no harm."""
        with self._lock:
            self._database.close()

    def __del__(self) -> None:
        self._database.close()

    def add(self, task: Task) -> bool:
        """Add a task; tell whether it is the first of its `_id`."""
        values = (
            None, task.action, task.id, task.seq, task.spot, task.meta, task.image,
            _text(task.names), task.stamp, task.record, _text(task.removed), task.was,
            task.reason,
        )  # fmt: skip
        with self._lock:
            places = ",".join("?" * len(values))
            query = f"INSERT OR IGNORE INTO work VALUES ({places})"  # noqa: S608 - only ?
            return self._database.execute(query, values).rowcount == 1

    def count(self) -> Counter[Action]:
        """Return how many tasks there are of each kind."""
        query = "SELECT action, count(*) FROM work GROUP BY action"
        with self._lock:
            return Counter({Action(a): n for a, n in self._database.execute(query)})

    def undecided(self) -> int:
        """Return how many records of the source still wait for a look."""
        query = "SELECT count(*) FROM work WHERE action = ? AND seq > 0"
        with self._lock:
            number: int = self._database.execute(query, (Action.LOOK,)).fetchone()[0]
        return number

    def by_address(self, action: Action) -> int:
        """Return how many tasks of a kind have an image that only the service can read."""
        return sum(by_address(task) for tasks in self.tasks(action) for task in tasks)

    def removed(self) -> Counter[str]:
        """Return the fields that stored records lose, with the number of records of each."""
        query = (
            "SELECT removed, count(*) FROM work WHERE action IN (?, ?) AND removed IS NOT NULL "
            "GROUP BY removed"
        )
        counts: Counter[str] = Counter()
        with self._lock:
            for names, count in self._database.execute(query, (Action.UPDATE, Action.REPLACE)):
                counts.update(dict.fromkeys(orjson.loads(names), count))
        return counts

    def samples(self, action: Action, limit: int) -> tuple[str, ...]:
        """Return the first ids of a kind, or places where there is none."""
        query = "SELECT coalesce(id, spot) FROM work WHERE action = ? ORDER BY place LIMIT ?"
        with self._lock:
            return tuple(text for (text,) in self._database.execute(query, (action, limit)))

    def tasks(self, *actions: Action, limit: int = _CHUNK) -> Iterator[list[Task]]:
        """Yield the tasks of some kinds in their order, a list at a time.

        What is changed meanwhile is seen if it is behind the list that was yielded last.
        """
        after = -1
        marks = ",".join("?" * len(actions))
        query = (
            f"SELECT {_COLUMNS} FROM work WHERE action IN ({marks}) AND place > ? "  # noqa: S608
            "ORDER BY place LIMIT ?"
        )
        while True:
            with self._lock:
                rows = self._database.execute(query, (*actions, after, limit)).fetchall()
            if not rows:
                return
            yield [_task(row) for row in rows]
            after = rows[-1][0]

    def decide(self, tasks: Iterable[Task]) -> None:
        """Write down what was decided about tasks later on."""
        query = (
            "UPDATE work SET action = ?, meta = ?, image = ?, names = ?, stamp = ?, record = ?, "
            "removed = ?, was = ?, reason = ? WHERE id = ?"
        )
        rows = [
            (t.action, t.meta, t.image, _text(t.names), t.stamp, t.record, _text(t.removed), t.was,
             t.reason, t.id)
            for t in tasks
        ]  # fmt: skip
        with self._lock:
            self._database.executemany(query, rows)

    def done(self, *actions: Action) -> None:
        """Take the tasks of some kinds for done."""
        with self._lock:
            for action in actions:
                self.turn(action, Action.DONE)

    def turn(self, action: Action, into: Action) -> None:
        """Make tasks of another kind of all tasks of a kind."""
        with self._lock:
            self._database.execute("UPDATE work SET action = ? WHERE action = ?", (into, action))

    def of(self, ids: Iterable[str], *actions: Action) -> set[str]:
        """Return those of some ids that have a task of some kinds."""
        marks = ",".join("?" * len(actions))
        query = f"SELECT id FROM work WHERE id = ? AND action IN ({marks})"  # noqa: S608 - only ?
        with self._lock:
            found = [self._database.execute(query, (id_, *actions)).fetchone() for id_ in ids]
        return {row[0] for row in found if row is not None}

    def remove(self, action: Action) -> None:
        """Drop all tasks of a kind."""
        with self._lock:
            self._database.execute("DELETE FROM work WHERE action = ?", (action,))

    # --- what looks into the collection showed --------------------------------------------------

    def keep_stored(self, records: Iterable[tuple[str, dict[str, Any] | None]]) -> None:
        """Keep what is stored under ids; None for nothing."""
        rows = [(id_, None if r is None else orjson.dumps(r)) for id_, r in records]
        with self._lock:
            self._database.executemany("INSERT OR REPLACE INTO stored VALUES (?, ?)", rows)

    def stored(self, id: str) -> tuple[bool, dict[str, Any] | None]:
        """Return whether anybody looked, and what is stored."""
        query = "SELECT record FROM stored WHERE id = ?"
        with self._lock:
            row = self._database.execute(query, (id,)).fetchone()
        if row is None:
            return False, None
        return True, None if row[0] is None else orjson.loads(row[0])

    def forget_stored(self, ids: Iterable[str]) -> None:
        """Forget what was seen: it is not so any more."""
        with self._lock:
            self._database.executemany("DELETE FROM stored WHERE id = ?", [(i,) for i in ids])


def by_address(task: Task) -> bool:
    """Tell whether a task's image is given by its address alone.

    Example:
        >>> by_address(Task(Action.REPLACE, "a", record=b'{"_url": "https://shop/a.jpg"}'))
        True
    """
    record: dict[str, Any] = orjson.loads(task.record or b"{}")
    return record.keys() & IMAGE_FIELDS == {"_url"}


def _text(names: Sequence[str]) -> str | None:
    return orjson.dumps(names).decode() if names else None


def _task(row: Sequence[Any]) -> Task:
    place, action, id_, seq, spot, meta, image, names, stamp, record, removed, was, reason = row
    return Task(
        Action(action), id_, seq, spot, meta, image, tuple(orjson.loads(names or "[]")), stamp,
        record, tuple(orjson.loads(removed or "[]")), was, reason, place,
    )  # fmt: skip
