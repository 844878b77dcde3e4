"""Rows of a database cursor, by Python's DB-API 2 or by ADBC."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, closing
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from ximilar_async.errors import SourceError

from ._arrow import rows_of
from ._base import Entry
from ._blocking import BYTES, ROWS, BlockingSource, chosen
from ._columns import Rows, leave_out_images, plain_or_fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from ._base import Chunk
    from ._columns import Faults

_FIRST: Final = 16
"""Rows fetched first: nothing is known of their size."""

_SIMPLE: Final = frozenset({type(None), bool, int, str})
"""Types whose values are JSON as they are."""

_BYTES: Final = (bytes, bytearray, memoryview)

_REMEDY: Final = (
    "this connection is bound to the thread that opened it, which is not the event loop's: connect "
    "with check_same_thread=False, or hand over a generator that opens the connection itself"
)

_SHORT, _LONG = 0.001, 0.004
"""Seconds below which more rows are fetched at once in the event loop, and above which fewer."""


class Cursor(Protocol):
    """What every cursor of DB-API 2 has, as far as it is used here."""

    @property
    def description(self) -> Any:
        """Return a sequence for each column, its name first."""
        ...

    def fetchmany(self, size: int, /) -> Any:
        """Return the next rows, as many as there are of those asked for."""
        ...


class CursorSource(BlockingSource):
    """Rows of a cursor on which a query was executed, by the names of its columns.

    ADBC hands over record batches; any other cursor is asked for a few hundred rows at a time,
    fewer where they are large. Of DuckDB a relation, as `connection.sql(…)` returns it, is faster
    than an executed query: it is a table with Arrow's stream interface.

    All is fetched in one thread which is not the caller's, and nothing else may use the connection
    meanwhile. An SQLite connection is bound to the thread that opened it unless it was opened with
    `check_same_thread=False`: its rows are fetched in the event loop, few at a time, so that the
    loop waits some milliseconds for them, or as long as SQLite takes to find the next row. Some
    drivers hold the whole result in memory unless the cursor is one of the server's side (psycopg:
    `connection.cursor("name")`).

    Args:
        cursor: The cursor; it is left open.
        name: How people call it.
        columns: The columns to take; all unless given.

    Raises:
        SourceError: the cursor has no result set, or two columns of one name.

    Example:
        >>> import sqlite3
        >>> connection = sqlite3.connect(":memory:")
        >>> CursorSource(connection.execute("SELECT 'boot' AS _id, 19.9 AS price")).size is None
        True
    """

    def __init__(
        self,
        cursor: Any,
        name: str = "rows",
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name)
        if not cursor.description:
            raise SourceError("the cursor has no result set: execute a SELECT on it first")
        self._all = [str(column[0] or "") for column in cursor.description]
        self._kept = chosen(self._all, columns, name)
        self._cursor = cursor
        self._in_loop = False

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        if hasattr(self._cursor, "adbc_statement"):
            reader = self._cursor.fetch_record_batch()
            yield from rows_of(reader, Rows(reader.schema, self._kept, raw=raw))
        else:
            yield from self._fetched(raw=raw)

    def _fetched(self, *, raw: bool) -> Iterator[Chunk]:
        count, done, began = _FIRST, 0, perf_counter()
        while rows := self._cursor.fetchmany(count):
            columns = self._columns(rows)
            chunk = self._entries(columns, done + 1, raw=raw)
            took = perf_counter() - began
            yield chunk
            began = perf_counter()
            done += len(rows)
            fitting = BYTES * len(rows) // max(1, sum(map(_size, columns)))
            more = count * 2
            if self._in_loop and took > _SHORT:
                more = count // 2 if took > _LONG else count
            count = max(1, min(ROWS, more, fitting))

    async def _pumped(self, *, raw: bool) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of a thread, or those of the event loop where no thread may fetch."""
        self._in_loop = await asyncio.to_thread(_is_bound, self._cursor)
        chunks = self._slices(raw=raw) if self._in_loop else super()._pumped(raw=raw)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _slices(self, *, raw: bool) -> AsyncGenerator[Chunk, None]:
        with closing(self._told(raw=raw)) as chunks:
            for chunk in chunks:
                self.position += len(chunk)
                yield chunk
                await asyncio.sleep(0)

    def _columns(self, rows: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows' values by column; rows may be sequences or mappings."""
        if isinstance(rows[0], Mapping):
            return [[row[name] for row in rows] for name in self._kept]
        columns = dict(zip(self._all, zip(*rows, strict=True), strict=True))
        return [columns[name] for name in self._kept]

    def _entries(self, columns: list[Sequence[Any]], first: int, *, raw: bool) -> Chunk:
        faults: Faults = {}
        if not raw:
            columns = [
                _plain_column(name, values, faults)
                for name, values in zip(self._kept, columns, strict=True)
            ]
        records = [dict(zip(self._kept, row, strict=True)) for row in zip(*columns, strict=True)]
        leave_out_images(records, dict(zip(self._kept, columns, strict=True)))
        return [
            Entry(f"row {first + index}", row, faults.get(index))
            for index, row in enumerate(records)
        ]

    def _words(self, error: Exception) -> str:
        words = super()._words(error)
        return f"{words} {_REMEDY}" if "same thread" in words else words


def _is_bound(cursor: Any) -> bool:
    """Tell whether a cursor is SQLite's and may not be used in this thread."""
    if not any(kind.__module__ == "sqlite3" for kind in type(cursor).__mro__):
        return False
    try:
        cursor.connection.cursor().close()
    except Exception as error:  # noqa: BLE001 - whatever it is, fetching will tell
        return "same thread" in str(error)
    return False


def _plain_column(name: str, values: Sequence[Any], faults: Faults) -> Sequence[Any]:
    """Return a column's values as JSON; where their types need nothing, as they are."""
    kinds = set(map(type, values))
    if kinds <= _SIMPLE or (kinds <= {*_SIMPLE, float} and _all_finite(values)):
        return values
    return [
        bytes(value)
        if name == "_image" and isinstance(value, _BYTES)
        else plain_or_fault(value, name, index, faults)
        for index, value in enumerate(values)
    ]


def _all_finite(values: Sequence[Any]) -> bool:
    return all(isfinite(value) for value in values if type(value) is float)


def _size(values: Sequence[Any]) -> int:
    """Return about how many bytes a column's values take."""
    return sum(
        value.nbytes
        if isinstance(value, memoryview)
        else len(value)
        if isinstance(value, (str, bytes, bytearray, list, tuple, dict))
        else 8
        for value in values
    )
