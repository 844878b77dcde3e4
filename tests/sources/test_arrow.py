"""Arrow's formats and tables: rows as records, in bounded chunks, broken files told apart."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import subprocess
import sys
import threading
from contextlib import aclosing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow.feather import write_feather

from ximilar_async.errors import SourceError
from ximilar_async.sources import ArrowFileSource, ArrowStreamSource, ParquetSource, as_source
from ximilar_async.sources._blocking import BYTES, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ximilar_async.sources import Entry, Source

COUNT = 1200
TABLE = pa.table(
    {
        "_id": [f"sku-{number}" for number in range(COUNT)],
        "_url": [f"https://shop.example/{number}.jpg" for number in range(COUNT)],
        "price": [number / 4 for number in range(COUNT)],
        "tags": [["boot", str(number)] for number in range(COUNT)],
    }
)
ROWS_OF_TABLE = TABLE.to_pylist()


async def entries(source: Source) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


async def raw_rows(source: ArrowStreamSource) -> list[Any]:
    found = [entry async for chunk in source.rows() for entry in chunk]
    assert [entry.fault for entry in found if entry.fault] == []
    return [entry.record for entry in found]


async def records(source: Source) -> list[Any]:
    found = await entries(source)
    assert [entry.fault for entry in found if entry.fault] == []
    return [entry.record for entry in found]


async def until_it_breaks(source: Source) -> tuple[list[Entry], str]:
    """Return what came before the source broke off, and the words of its error."""
    found: list[Entry] = []
    try:
        async for chunk in source.chunks():
            found += chunk
    except SourceError as error:
        return found, str(error)
    pytest.fail("the source did not break off")


def stream_of(table: pa.Table, rows: int) -> bytes:
    """Return an IPC stream with so many rows a batch."""
    written = io.BytesIO()
    with pa.ipc.new_stream(written, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return written.getvalue()


# --- files --------------------------------------------------------------------------------------


async def test_a_parquet_file_gives_its_rows_in_order(tmp_path: Path) -> None:
    """Every row is a record once, with its number; size and position count rows."""
    path = tmp_path / "shop.parquet"
    pq.write_table(TABLE, path, row_group_size=501, compression="zstd")
    source = ParquetSource(path)
    found = await entries(source)
    assert [entry.record for entry in found] == ROWS_OF_TABLE
    assert [found[0].where, found[-1].where] == ["row 1", f"row {COUNT}"]
    assert (source.position, source.size) == (COUNT, COUNT)
    assert (source.name, source.path, source.files_root) == ("shop.parquet", path, tmp_path)


async def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    """A damaged column that nobody asked for is never touched."""
    path = tmp_path / "shop.parquet"
    pq.write_table(TABLE, path, compression="none", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(data)
    found = await records(ParquetSource(path, columns=["price", "_id"]))
    assert found == [{"_id": row["_id"], "price": row["price"]} for row in ROWS_OF_TABLE]
    assert "cannot read shop.parquet" in (await until_it_breaks(ParquetSource(path)))[1]


@pytest.mark.parametrize("kind", [ParquetSource, ArrowFileSource, ArrowStreamSource])
async def test_a_column_that_is_not_there_is_named(tmp_path: Path, kind: Any) -> None:
    """The error says which columns there are."""
    path = tmp_path / "shop"
    if kind is ParquetSource:
        pq.write_table(TABLE, path)
    else:
        path.write_bytes(stream_of(TABLE, 100))
    source = kind(TABLE if kind is ArrowStreamSource else path, columns=["_id", "prise"])
    found, words = await until_it_breaks(source)
    assert not found
    assert "has no column 'prise'; it has _id, _url, price, tags" in words


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
async def test_a_parquet_file_without_a_footer_gives_nothing(tmp_path: Path, damage: str) -> None:
    """A file that was broken off is refused before anything is read."""
    path = tmp_path / "shop.parquet"
    pq.write_table(TABLE, path)
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-9], "empty": b"", "other": b'{"_id": "1"}\n' * 9}[damage])
    found, words = await until_it_breaks(ParquetSource(path))
    assert not found
    assert words.startswith("cannot read shop.parquet: ")
    assert "is it a whole Parquet file?" in words


async def test_a_damaged_page_costs_what_is_behind_it(tmp_path: Path) -> None:
    """The row groups before it count."""
    path = tmp_path / "shop.parquet"
    pq.write_table(TABLE, path, row_group_size=400, compression="none", write_page_checksum=True)
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(2)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size - 300] ^= 1
    path.write_bytes(data)
    found, words = await until_it_breaks(ParquetSource(path))
    assert [entry.record for entry in found] == ROWS_OF_TABLE[:800]
    assert "cannot read shop.parquet behind row 800" in words


@pytest.mark.parametrize("kind", [ParquetSource, ArrowFileSource])
async def test_a_file_that_is_gone_is_named(tmp_path: Path, kind: Any) -> None:
    """What cannot be opened is a SourceError with the system's words."""
    words = (await until_it_breaks(kind(tmp_path / "gone.x")))[1]
    assert words == "cannot read gone.x: No such file or directory"


async def test_large_values_come_in_small_chunks(tmp_path: Path) -> None:
    """Rows with images are handed on by bytes, not by hundreds; so they are from memory."""
    image = b"\xff\xd8" + bytes(2**20)
    table = pa.table({"_id": [str(n) for n in range(40)], "_image": [image] * 40})
    path = tmp_path / "photos.parquet"
    pq.write_table(table, path, use_dictionary=False, compression="zstd")
    views = table.cast(pa.schema([("_id", pa.string_view()), ("_image", pa.binary_view())]))
    for source in (ParquetSource(path), as_source(table), as_source(views)):
        chunks = [chunk async for chunk in source.chunks()]
        assert max(map(len, chunks)) <= BYTES // len(image)
        assert [entry.record["_id"] for chunk in chunks for entry in chunk] == [
            str(number) for number in range(40)
        ]
        assert chunks[-1][-1].record["_image"] == image


@pytest.mark.parametrize("repeated", [True, False])
async def test_images_in_parquet_never_lie_in_memory_together(
    tmp_path: Path, *, repeated: bool
) -> None:
    """Not even one image that stands in every row, which the file holds once."""
    images = [b"\xff\xd8" + bytes([n % 251]) * 250_000 for n in range(1 if repeated else 200)]
    count, path = 200, tmp_path / "photos.parquet"
    photos = pa.DictionaryArray.from_arrays(
        pa.array([n % len(images) for n in range(count)]), pa.array(images)
    )
    table = pa.table({"_id": [str(n) for n in range(count)], "_image": photos.cast(pa.binary())})
    pq.write_table(table, path, compression="zstd", write_batch_size=8)
    del images, photos, table
    before, most, found = pa.total_allocated_bytes(), 0, 0
    async for chunk in ParquetSource(path).chunks():
        most = max(most, pa.total_allocated_bytes() - before)
        found += len(chunk)
    assert found == count
    assert most < 4 * BYTES


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
async def test_arrow_files_and_streams_are_told_apart_by_their_bytes(
    tmp_path: Path, compression: str | None
) -> None:
    """An IPC file, Feather and a stream give the same rows, whatever they are called."""
    options = pa.ipc.IpcWriteOptions(compression=compression)
    path = tmp_path / "shop.arrow"
    for make in (pa.ipc.new_file, pa.ipc.new_stream):
        with make(path, TABLE.schema, options=options) as writer:
            writer.write_table(TABLE, max_chunksize=500)
        assert await records(ArrowFileSource(path)) == ROWS_OF_TABLE
        assert await records(ArrowFileSource(path, columns=["price"])) == [
            {"price": row["price"]} for row in ROWS_OF_TABLE
        ]
    write_feather(TABLE, path, compression=compression or "uncompressed")
    source = ArrowFileSource(path)
    assert await records(source) == ROWS_OF_TABLE
    assert source.position == COUNT


async def test_an_arrow_stream_that_broke_off_gives_what_came_before(tmp_path: Path) -> None:
    """Broken within a batch or between two: the batches before it count, and the break is told."""
    data, path = stream_of(TABLE, 400), tmp_path / "shop.arrows"
    pieces = {"within": data[:-300], "between": data[:-8], "mark": data[:-4], "word": data[:-6]}
    for place, piece in pieces.items():
        path.write_bytes(piece)
        found, words = await until_it_breaks(ArrowFileSource(path))
        whole = 800 if place == "within" else COUNT
        assert [entry.record for entry in found] == ROWS_OF_TABLE[:whole], place
        assert "shop.arrows" in words


async def test_two_streams_in_one_file_are_refused_at_the_seam(tmp_path: Path) -> None:
    """What is behind the end mark is not passed over in silence."""
    path = tmp_path / "shop.arrows"
    path.write_bytes(stream_of(TABLE, 400) * 2)
    found, words = await until_it_breaks(ArrowFileSource(path))
    assert len(found) == COUNT
    assert "goes on behind its end mark" in words


async def test_an_arrow_file_that_broke_off_gives_nothing(tmp_path: Path) -> None:
    """So do an empty file, text, and Feather 1, which says what to do."""
    path = tmp_path / "shop.arrow"
    write_feather(TABLE, path)
    whole = path.read_bytes()
    for data, words in (
        (whole[:-5], "is it a whole Arrow IPC file"),
        (b"", "is it a whole Arrow IPC file"),
        (b"_id,price\n" * 5, "is it a whole Arrow IPC file"),
        (b"FEA1" + bytes(40), "write it again as Feather 2 or Parquet"),
    ):
        path.write_bytes(data)
        found, told = await until_it_breaks(ArrowFileSource(path))
        assert not found
        assert words in told


PACKED = {
    ".gz": gzip.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", PACKED)
async def test_packed_files_are_unpacked_and_broken_ones_told(tmp_path: Path, ending: str) -> None:
    """Parquet, IPC files and streams are read through gzip and zstd; a cut end is a SourceError."""
    plain = tmp_path / "plain"
    pq.write_table(TABLE, plain)
    packed = tmp_path / f"shop.x{ending}"
    kinds: list[Any] = [ParquetSource, ArrowFileSource, ArrowFileSource]
    written = [plain.read_bytes(), b"", stream_of(TABLE, 100)]
    write_feather(TABLE, plain, compression="uncompressed")
    written[1] = plain.read_bytes()
    for kind, data in zip(kinds, written, strict=True):
        whole = PACKED[ending](data)
        packed.write_bytes(whole)
        source = kind(packed)
        assert await records(source) == ROWS_OF_TABLE
        assert (source.path, source.files_root) == (packed, tmp_path)
        packed.write_bytes(whole[: len(whole) * 9 // 10])
        found, words = await until_it_breaks(kind(packed))
        assert f"shop.x{ending}" in words
        assert len(found) < COUNT
        assert bool(found) == (data is written[2] and ending == ".gz")


@pytest.mark.parametrize("kind", [ParquetSource, ArrowFileSource])
async def test_an_address_is_read_and_has_a_fingerprint_of_its_content(
    tmp_path: Path, kind: Any
) -> None:
    """What fsspec opens is read as a file is; its `_file` fields reach nothing of this machine."""
    memory = MemoryFileSystem()
    path = tmp_path / "shop"
    pq.write_table(TABLE, path) if kind is ParquetSource else write_feather(TABLE, path)
    memory.pipe_file("/catalogs/shop.x", path.read_bytes())
    source = kind("memory://catalogs/shop.x", columns=["price"])
    assert await records(source) == [{"price": row["price"]} for row in ROWS_OF_TABLE]
    assert (source.name, source.path) == ("shop.x", None)
    assert source.files_root is not None
    assert not source.files_root.is_dir()
    words = (await until_it_breaks(kind("memory://catalogs/gone.x")))[1]
    assert "gone.x" in words


@pytest.mark.parametrize("kind", [ParquetSource, ArrowFileSource])
def test_a_fingerprint_tells_one_content_from_another(tmp_path: Path, kind: Any) -> None:
    """A copy has the same; a change of one value gives another."""
    path, copy = tmp_path / "shop", tmp_path / "copy"
    for target, table in ((path, TABLE), (copy, TABLE)):
        pq.write_table(table, target) if kind is ParquetSource else write_feather(table, target)
    assert kind(path).fingerprint() == kind(copy).fingerprint()
    other = TABLE.set_column(2, "price", pa.array([0.0] * COUNT))
    pq.write_table(other, copy) if kind is ParquetSource else write_feather(other, copy)
    assert kind(path).fingerprint() != kind(copy).fingerprint()


async def test_a_pipe_can_be_read_like_a_file(tmp_path: Path) -> None:
    """Arrow comes through a pipe as a stream or as a file; so does Parquet."""
    pq.write_table(TABLE, tmp_path / "shop.parquet")
    kinds: list[tuple[Any, bytes]] = [
        (ArrowFileSource, stream_of(TABLE, 100)),
        (ParquetSource, (tmp_path / "shop.parquet").read_bytes()),
    ]
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for kind, data in kinds:
        writer = threading.Thread(target=path.write_bytes, args=(data,))
        writer.start()
        assert await records(kind(path)) == ROWS_OF_TABLE
        writer.join()


# --- tables -------------------------------------------------------------------------------------


class Stream:
    """Anything with Arrow's stream interface and nothing else, as ADBC hands out."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


TABLES: dict[str, tuple[Any, int | None]] = {
    "table": (lambda: TABLE, COUNT),
    "reader": (lambda: TABLE.to_reader(max_chunksize=7), None),
    "batch": (lambda: TABLE.combine_chunks().to_batches()[0], COUNT),
    "polars": (lambda: pl.DataFrame(TABLE), COUNT),
    "duckdb": (lambda: duckdb.connect().from_arrow(TABLE), None),
    "bare": (lambda: Stream(TABLE), None),
}


@pytest.mark.parametrize("kind", TABLES)
async def test_every_table_gives_its_rows(kind: str) -> None:
    """Whatever library holds the rows, they come in order and in chunks of at most 500."""
    make, size = TABLES[kind]
    source = as_source(make())
    assert isinstance(source, ArrowStreamSource)
    assert (source.size, source.fingerprint(), source.path) == (size, None, None)
    chunks = [chunk async for chunk in source.chunks()]
    assert [entry.record for chunk in chunks for entry in chunk] == ROWS_OF_TABLE
    assert max(map(len, chunks)) <= ROWS
    assert source.position == COUNT


async def test_what_a_part_shares_with_the_whole_does_not_make_chunks_small() -> None:
    """Large dictionaries and the data of views count as much as a part of them takes."""
    texts = pa.array([f"{number} ".ljust(200_000 // 8) for number in range(800)])
    views = texts.cast(pa.string_view())
    offsets = pa.array(range(801), pa.int32())
    few = pa.array([number % 3 for number in range(800)])
    table = pa.table(
        {
            "a": pa.DictionaryArray.from_arrays(few, pa.array([str(n) * 9 for n in range(10**6)])),
            "b": pa.ListArray.from_arrays(offsets, views).slice(0, 800),
        }
    )
    for name, rows in (("a", ROWS), ("b", 300)):  # 300 of 25 kB are within 8 MiB
        source = as_source(table.select([name]))
        chunks = [chunk async for chunk in source.chunks()]
        assert max(map(len, chunks)) == rows
        assert [entry.record for chunk in chunks for entry in chunk] == (
            table.select([name]).to_pylist()
        )


async def test_a_computation_that_fails_is_a_source_error() -> None:
    """What came before it counts."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from TABLE.slice(0, 10).to_batches()
        raise LookupError("the disk is full")

    source = as_source(pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    found, words = await until_it_breaks(source)
    assert len(found) == 10
    assert words == "cannot read records behind row 10: Unknown error: the disk is full"


async def test_a_table_is_read_beside_the_event_loop_and_left_in_the_middle() -> None:
    """The stream is drawn in a thread, only as far as it was asked for, and let go."""
    drawn: list[int] = []
    ended = threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for _ in range(100):
                drawn.append(threading.get_ident())
                yield from TABLE.slice(0, ROWS).to_batches()
        finally:
            ended.set()

    source = as_source(pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    async with aclosing(source.chunks()) as chunks:
        await anext(chunks)
    del source, chunks
    assert await asyncio.to_thread(ended.wait, 10)
    assert len(drawn) <= 2
    assert threading.get_ident() not in drawn


async def test_columns_without_a_name_of_their_own_are_refused() -> None:
    """A name that stands twice or is blank is named before any row is read."""
    for names, words in (
        (["a", "b", "a"], "has the column 'a' twice; rename one"),
        (["a", "", "c"], "column 2 of records has no name"),
    ):
        table = pa.Table.from_arrays([pa.array([1])] * 3, names=names)
        found, told = await until_it_breaks(as_source(table))
        assert not found
        assert words in told


async def test_a_nameless_index_of_pandas_is_no_column() -> None:
    """What pandas adds for a filtered frame is left out; a named index stays."""
    table = pa.table({"_id": ["1"], "__index_level_0__": [7], "sku": ["a"]})
    assert await records(as_source(table)) == [{"_id": "1", "sku": "a"}]


async def test_a_row_without_an_image_of_one_kind_lacks_that_field() -> None:
    """Null in an image's column is no image there; any other null stays null."""
    table = pa.table({"_id": ["1", "2"], "_url": ["u", None], "_image": [None, b"x"]})
    table = table.append_column("note", pa.nulls(2))
    assert await records(as_source(table)) == [
        {"_id": "1", "_url": "u", "note": None},
        {"_id": "2", "_image": b"x", "note": None},
    ]


# --- values -------------------------------------------------------------------------------------

UUID_OF = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
VIEWS = pa.array(["boot", "a text longer than twelve bytes"], pa.string_view())
VALUES: list[tuple[pa.Array, Any, Any]] = [
    (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1, 2**64 - 1),
    (pa.array([True]), True, True),
    (pa.array([None]), None, None),
    (pa.array([0.5], pa.float16()), 0.5, 0.5),
    (pa.array(["x"], pa.large_string()), "x", "x"),
    (VIEWS[1:], VIEWS[1].as_py(), VIEWS[1].as_py()),
    (pa.array(["x"]).dictionary_encode(), "x", "x"),
    (pa.DictionaryArray.from_arrays(pa.array([1]), VIEWS), VIEWS[1].as_py(), VIEWS[1].as_py()),
    (pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), ["x"]), "x", "x"),
    (pa.array([Decimal("19.90")]), 19.9, Decimal("19.90")),
    (pa.array([Decimal(5)], pa.decimal256(60, 0)), 5, Decimal(5)),
    (pa.array([date(2026, 3, 1)]), "2026-03-01", date(2026, 3, 1)),
    (pa.array([NOON], pa.timestamp("ns", "UTC")), "2026-03-01T12:00:00.250000Z", NOON),
    (
        pa.array([NOON], pa.timestamp("ms", "Europe/Prague")),
        "2026-03-01T12:00:00.250000Z",
        NOON,
    ),
    (
        pa.array([NOON], pa.timestamp("us")),
        "2026-03-01T12:00:00.250000",
        NOON.replace(tzinfo=None),
    ),
    (pa.array([[1, None], None])[:1], [1, None], [1, None]),
    (
        pa.array([{"a": [{"b": Decimal("1.5")}]}]),
        {"a": [{"b": 1.5}]},
        {"a": [{"b": Decimal("1.5")}]},
    ),
    (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), {"k": 1}, {"k": 1}),
    (pa.array([[(7, "v")]], pa.map_(pa.int8(), pa.string())), {"7": "v"}, {7: "v"}),
    (pa.array([UUID_OF.bytes], pa.binary(16)).cast(pa.uuid()), str(UUID_OF), UUID_OF),
    (
        pa.ListArray.from_arrays([0, 1], pa.array([NOON], pa.timestamp("ns", "UTC"))),
        ["2026-03-01T12:00:00.250000Z"],
        [NOON],
    ),
]


@pytest.mark.parametrize(
    ("array", "value", "raw"), VALUES, ids=lambda v: str(getattr(v, "type", ""))
)
async def test_each_type_of_arrow_becomes_what_its_rule_says(
    array: Any, value: Any, raw: Any
) -> None:
    """Values are JSON by the rule of their type; rows for a mapping keep Python's own."""
    table = pa.table({"field": array})
    assert await records(ArrowStreamSource(table)) == [{"field": value}]
    (record,) = await raw_rows(ArrowStreamSource(table))
    assert record == {"field": raw}
    assert type(record["field"]) is type(raw)


BAD_TEXT = pa.Array.from_buffers(
    pa.string(),
    2,
    [None, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])), pa.py_buffer(b"a\xff")],
)
FAULTS: list[tuple[pa.Array, str]] = [
    (pa.array([1.5, float("nan")]), "field is nan, which JSON cannot carry"),
    (pa.array([[1.5], [0.5, float("-inf")]]), "field[1] is -inf"),
    (pa.array([None, b"x"]), "field is bytes"),
    (
        pa.array([1000, 1001], pa.timestamp("ns")),
        "field cannot be read: Casting from timestamp[ns]",
    ),
    (pa.array([0, 2**62], pa.timestamp("us")), "field cannot be read: "),
    (BAD_TEXT, "field cannot be read: 'utf-8' codec can't decode byte 0xff"),
    (
        pa.array([[("k", 1)], [("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int8())),
        "duplicate key",
    ),
]


@pytest.mark.parametrize(("array", "words"), FAULTS, ids=lambda v: str(getattr(v, "type", "")))
async def test_a_value_without_a_json_form_costs_its_row(array: Any, words: str) -> None:
    """The row is a fault that names the column and keeps its id; the rows beside it are whole."""
    table = pa.table({"_id": ["1", "2"], "field": array})
    good, bad = await entries(as_source(table))
    assert good.fault is None
    assert bad.where == "row 2"
    assert bad.fault is not None
    assert bad.fault.startswith("is no record: field")
    assert words in bad.fault
    assert bad.record["_id"] == "2"


async def test_nan_is_left_to_a_mapping() -> None:
    """Rows for a mapping keep what JSON cannot carry."""
    table = pa.table({"price": [float("inf")], "photo": [b"x"]})
    assert await raw_rows(ArrowStreamSource(table)) == [{"price": float("inf"), "photo": b"x"}]


# --- without pyarrow ----------------------------------------------------------------------------

BARE = """
import asyncio, sys
sys.modules["pyarrow"] = None  # as if it were not installed
from ximilar_async.sources import ParquetSource, as_source

async def tell(source):
    try:
        async for _ in source().chunks():
            pass
    except Exception as error:
        print(type(error).__name__, error)

class Table:
    def __arrow_c_stream__(self, requested_schema=None):
        return None

asyncio.run(tell(lambda: ParquetSource("shop.parquet")))
asyncio.run(tell(lambda: as_source(Table())))
"""


def test_without_pyarrow_the_error_says_what_installs_it(tmp_path: Path) -> None:
    """Sources can be imported all the same; only what needs pyarrow is refused."""
    (tmp_path / "shop.parquet").touch()
    done = subprocess.run(
        [sys.executable, "-c", BARE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    first, second = done.stdout.splitlines()
    for line in (first, second):
        assert line.startswith("SourceError ")
        assert "pip install 'ximilar-async[sources]'" in line
