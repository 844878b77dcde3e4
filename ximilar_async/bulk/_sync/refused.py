"""Which records were turned away as near-duplicates, and for which stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .difference import Phase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from .state import Row

TABLE: Final = """
    CREATE TABLE refused (
        id TEXT, neighbour TEXT, PRIMARY KEY (id, neighbour)
    ) WITHOUT ROWID;
    CREATE INDEX by_neighbour ON refused (neighbour);
    DELETE FROM records WHERE phase = 2;
"""
"""What makes the table; a row from before it is forgotten, for nobody knows what it was like."""

ANY: Final = ""
"""Stands for a neighbour that the service did not name: it may be any record."""


def note(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Note whom rows were turned away for; a row that was not turned away is so no more.

    Args:
        database: The state, within a transaction.
        rows: What was just written.
    """
    database.executemany("DELETE FROM refused WHERE id = ?", [(row.id,) for row in rows])
    database.executemany(
        "INSERT OR IGNORE INTO refused VALUES (?, ?)",
        [
            (row.id, neighbour)
            for row in rows
            if row.phase is Phase.NEAR_DUPLICATE
            for neighbour in row.neighbours or (ANY,)
        ],
    )


def free(database: sqlite3.Connection, rows: Iterable[Row], gone: Sequence[str]) -> None:
    """Forget who was turned away for nothing but records that are gone or have another image.

    Args:
        database: The state, within a transaction and before it is changed.
        rows: What is about to be written.
        gone: Ids of what is not stored any more.
    """
    if database.execute("SELECT 1 FROM refused LIMIT 1").fetchone() is None:
        return
    left = [*gone, *(row.id for row in rows if _has_moved(database, row))]
    freed: set[str] = set()
    for neighbour in [*left, ANY] if left else ():
        found = database.execute("SELECT id FROM refused WHERE neighbour = ?", (neighbour,))
        freed.update(id_ for (id_,) in found)
    database.executemany("DELETE FROM refused WHERE neighbour = ?", [(id_,) for id_ in left])
    database.executemany("DELETE FROM refused WHERE id = ?", [(id_,) for id_ in gone])
    database.executemany(
        "DELETE FROM records WHERE id = ?1 AND phase = 2 AND NOT EXISTS "
        "(SELECT 1 FROM refused WHERE id = ?1 AND neighbour <> '')",
        [(id_,) for id_ in freed],
    )


def _has_moved(database: sqlite3.Connection, row: Row) -> bool:
    """Tell whether a row is about to have another image than it has."""
    query = "SELECT image FROM records WHERE id = ? AND phase <> 2"
    before = database.execute(query, (row.id,)).fetchone()
    return before is not None and None not in (before[0], row.image) and before[0] != row.image
