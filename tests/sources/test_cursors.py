"""Cursors of databases: rows by their columns' names, fetched in one thread, in bounded chunks."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import adbc_driver_sqlite.dbapi as adbc
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from ximilar_async.errors import ConfigError, SourceError
from ximilar_async.sources import (
    ArrowStreamSource,
    CursorSource,
    IterableSource,
    MappedSource,
    RecordMapping,
    as_source,
)
from ximilar_async.sources._blocking import BYTES, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ximilar_async.sources import Entry, Source

COUNT = 1200
EXPECTED = [{"_id": f"sku-{n}", "price": n / 4, "stock": n} for n in range(COUNT)]
QUERY = "SELECT 'sku-' || i AS _id, i / 4.0 AS price, i AS stock FROM n ORDER BY i"


async def entries(source: Source) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


async def records(source: Source) -> list[Any]:
    found = await entries(source)
    assert [entry.fault for entry in found if entry.fault] == []
    return [entry.record for entry in found]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as made:
        made.execute("CREATE TABLE n (i INTEGER)")
        made.executemany("INSERT INTO n VALUES (?)", [(n,) for n in range(COUNT)])
        yield made


class FakeCursor:
    """A cursor over rows at hand, which notes what it is asked for."""

    def __init__(self, names: Sequence[str], rows: Sequence[Any]) -> None:
        self.description = [(name, *[None] * 6) for name in names]
        self._rows = list(rows)
        self.asked: list[int] = []
        self.threads: set[int] = set()

    def fetchmany(self, size: int) -> list[Any]:
        self.asked.append(size)
        self.threads.add(threading.get_ident())
        part, self._rows = self._rows[:size], self._rows[size:]
        return part


async def test_a_cursor_gives_its_rows_by_the_names_of_its_columns(
    connection: sqlite3.Connection,
) -> None:
    """Rows come in order, in chunks of at most 500; the cursor stays the caller's."""
    cursor = connection.execute(QUERY)
    source = as_source(cursor)
    assert isinstance(source, CursorSource)
    assert (source.size, source.fingerprint()) == (None, None)
    chunks = [chunk async for chunk in source.chunks()]
    assert [entry.record for chunk in chunks for entry in chunk] == EXPECTED
    assert [chunks[0][0].where, chunks[-1][-1].where] == ["row 1", f"row {COUNT}"]
    assert max(map(len, chunks)) == ROWS
    assert source.position == COUNT
    assert cursor.execute("SELECT 1").fetchone() == (1,)


async def test_adbc_and_duckdb_give_the_same_rows() -> None:
    """By cursor, by record batches, by Arrow's stream and by relation."""
    with adbc.connect() as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE n AS WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL "
                       f"SELECT i + 1 FROM t WHERE i + 1 < {COUNT}) SELECT i FROM t")  # fmt: skip
        cursor.execute(QUERY)
        source = as_source(cursor)
        assert isinstance(source, CursorSource)
        assert await records(source) == EXPECTED
        cursor.execute(QUERY)
        assert await records(as_source(cursor.fetch_record_batch())) == EXPECTED
        cursor.execute(QUERY)
        assert await records(as_source(cursor.fetch_arrow())) == EXPECTED
    with duckdb.connect() as warehouse:
        warehouse.execute(f"CREATE TABLE n AS SELECT i FROM range({COUNT}) t(i)")
        query = QUERY.replace("4.0", "4::DOUBLE")
        executed = as_source(warehouse.execute(query))
        assert isinstance(executed, CursorSource)
        assert await records(executed) == EXPECTED
        relation = as_source(warehouse.sql(query))
        assert isinstance(relation, ArrowStreamSource)
        assert await records(relation) == EXPECTED


async def test_a_cursor_is_driven_by_one_thread_that_is_not_the_callers() -> None:
    """What is bound to a thread stays in it."""
    cursor = FakeCursor(["_id"], [(str(n),) for n in range(COUNT)])
    assert len(await records(CursorSource(cursor))) == COUNT
    assert len(cursor.threads) == 1
    assert threading.get_ident() not in cursor.threads


async def test_large_rows_are_fetched_a_few_at_a_time() -> None:
    """How many rows are asked for follows from how large the last ones were."""
    image = bytes(BYTES // 4)
    cursor = FakeCursor(["_id", "_image"], [(str(n), image) for n in range(60)])
    assert len(await records(CursorSource(cursor))) == 60
    assert set(cursor.asked[1:]) == {3}
    small = FakeCursor(["_id"], [(str(n),) for n in range(COUNT)])
    await records(CursorSource(small))
    assert max(small.asked) == ROWS


@pytest.mark.parametrize("kind", ["tuples", "mappings", "rows"])
async def test_rows_may_be_tuples_mappings_or_the_drivers_own(
    connection: sqlite3.Connection, kind: str
) -> None:
    """Whatever the driver makes of a row, a record has its columns by name."""
    cursor: Any
    if kind == "rows":
        connection.row_factory = sqlite3.Row
        cursor = connection.execute("SELECT 'a' AS _id, 2 AS stock")
    else:
        row = {"stock": 2, "_id": "a"} if kind == "mappings" else ("a", 2)
        cursor = FakeCursor(["_id", "stock"], [row])
    assert await records(CursorSource(cursor, columns=["_id"])) == [{"_id": "a"}]
    cursor = FakeCursor(["_id", "stock"], [("a", 2)]) if kind != "rows" else connection.execute(
        "SELECT 'a' AS _id, 2 AS stock"
    )  # fmt: skip
    assert await records(as_source(cursor)) == [{"_id": "a", "stock": 2}]


async def test_values_follow_the_rule_of_their_type() -> None:
    """A value without a JSON form costs its row; an image's bytes stay; a mapping gets all."""
    names = ["_id", "_image", "_url", "price"]
    rows = [
        ("1", memoryview(b"x"), None, 1.5),
        ("2", None, "u", float("nan")),
        ("3", None, "u", b"x"),
    ]
    first, second, third = await entries(CursorSource(FakeCursor(names, rows)))
    assert first.record == {"_id": "1", "_image": b"x", "price": 1.5}
    assert first.fault is None
    assert "price is nan" in str(second.fault)
    assert "price is bytes" in str(third.fault)
    assert [second.record["_id"], third.record["_id"]] == ["2", "3"]
    raw = [entry async for chunk in CursorSource(FakeCursor(names, rows)).rows() for entry in chunk]
    assert [entry.fault for entry in raw] == [None] * 3
    assert raw[2].record["price"] == b"x"


def filled(rows: int) -> sqlite3.Connection:
    """Return a connection as Python opens it, bound to its thread, with a table."""
    bound = sqlite3.connect(":memory:")
    bound.execute("CREATE TABLE n (i INTEGER)")
    bound.executemany("INSERT INTO n VALUES (?)", [(n,) for n in range(rows)])
    return bound


async def test_a_connection_bound_to_its_thread_is_read_in_the_event_loop() -> None:
    """SQLite's own defaults work; other tasks have their turn after each chunk."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with closing(filled(COUNT)) as bound:
        source = as_source(bound.execute(QUERY))
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        chunks = [chunk async for chunk in source.chunks()]
        counting.cancel()
        assert [entry.record for chunk in chunks for entry in chunk] == EXPECTED
        assert source.position == COUNT
        assert turns > len(chunks)
        mapped = MappedSource(as_source(bound.execute("SELECT i FROM n")), RecordMapping(id="i"))
        assert (await records(mapped))[0] == {"_id": "0"}


async def test_a_source_of_a_bound_connection_can_be_left() -> None:
    """What is not read stays with the cursor, and the connection can be used at once."""
    with closing(filled(COUNT)) as bound:
        cursor = bound.execute("SELECT i AS _id FROM n")
        async with aclosing(as_source(cursor).chunks()) as chunks:
            first = await anext(chunks)
        assert cursor.fetchone() == (len(first),)


async def test_a_connection_bound_to_another_thread_is_told_how_to_open_it() -> None:
    """SQLite's refusal becomes a SourceError with the remedy; the remedy works."""
    made: queue.Queue[sqlite3.Cursor] = queue.Queue()
    done = threading.Event()

    def hold() -> None:
        with closing(filled(3)) as bound:
            made.put(bound.execute("SELECT i FROM n"))
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        with pytest.raises(SourceError, match="check_same_thread=False, or hand over a generator"):
            await entries(as_source(made.get(timeout=60)))
    finally:
        done.set()
        thread.join()

    def rows() -> Iterator[dict[str, Any]]:
        with closing(sqlite3.connect(":memory:")) as own:
            yield from ({"_id": name} for (name,) in own.execute("SELECT 'boot'"))

    assert await records(as_source(rows())) == [{"_id": "boot"}]


async def test_a_cursor_that_breaks_off_gives_what_came_before() -> None:
    """The driver's error becomes a SourceError that says behind which row."""

    class Broken(FakeCursor):
        def fetchmany(self, size: int) -> list[Any]:
            if self.asked:
                raise ConnectionResetError("the server went away")
            return super().fetchmany(size)

    found: list[Entry] = []
    with pytest.raises(SourceError, match="cannot read rows behind row 16: the server went away"):  # noqa: PT012
        async for chunk in CursorSource(Broken(["_id"], [(str(n),) for n in range(99)])).chunks():
            found += chunk
    assert len(found) == 16


def test_a_cursor_without_rows_to_give_is_refused(connection: sqlite3.Connection) -> None:
    """No query, a statement without a result, and names that are not unique."""
    for cursor in (connection.cursor(), connection.execute("DELETE FROM n")):
        with pytest.raises(SourceError, match="no result set: execute a SELECT"):
            as_source(cursor)
    with pytest.raises(SourceError, match="has the column 'a' twice"):
        as_source(connection.execute("SELECT 1 AS a, 2 AS a"))
    with adbc.connect() as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a)")
        with pytest.raises(SourceError, match="no result set"):
            as_source(cursor)


class AsyncCursor:
    """What an async driver's cursor looks like."""

    description = (("a",),)

    async def fetchmany(self, size: int) -> list[Any]:
        return []


class Result:
    """What a result of SQLAlchemy looks like."""

    def mappings(self) -> Any:
        return self

    def fetchmany(self, size: int) -> list[Any]:
        return []


def old_pandas() -> Any:
    kind = type(
        "DataFrame", (), {"__module__": "pandas.core.frame", "__iter__": lambda _: iter(())}
    )
    return kind()


def closed_connection() -> sqlite3.Connection:
    """Return a connection that nobody has to close any more."""
    with closing(sqlite3.connect(":memory:")) as made:
        return made


NEAR_MISSES: list[tuple[Any, str]] = [
    ({"_id": "1"}, "put the single record into a list; of a dict of columns make a table"),
    (b"shop.jsonl", "not bytes; is it a path"),
    (pl.LazyFrame({"_id": ["1"]}), r"hand over its \.collect\(\)"),
    (pa.array(["1"]), r"a column is no table: .* \.to_pylist\(\)"),
    (pa.chunked_array([["1"]]), r"a column is no table"),
    (pyarrow.dataset.dataset(pa.table({"_id": ["1"]})), r"\.scanner\(\)\.to_reader\(\)"),
    (pyarrow.dataset.dataset(pa.table({"_id": ["1"]})).scanner(), r"its \.to_reader\(\)"),
    (closed_connection(), "a database connection holds no rows: hand over a cursor"),
    (AsyncCursor(), "an async generator that yields a dict"),
    (Result(), r"of a result of SQLAlchemy hand over its \.cursor"),
    (old_pandas(), "update pandas to 2.2 or newer"),
    (object(), "a database cursor or a path, not object"),
]


@pytest.mark.parametrize(("wrong", "words"), NEAR_MISSES, ids=lambda v: type(v).__name__)
def test_what_comes_near_is_named_with_what_to_do(wrong: Any, words: str) -> None:
    """A wrong kind of thing is refused at once, by what it is and what would do."""
    with pytest.raises(ConfigError, match=words):
        as_source(wrong)


async def test_a_column_of_ids_is_an_iterable_of_them() -> None:
    """A series of Polars gives its values, as ids are wanted."""
    source = as_source(pl.Series(["1", "2"]))
    assert isinstance(source, IterableSource)
    assert await records(source) == ["1", "2"]
