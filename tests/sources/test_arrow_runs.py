"""Bulk runs from tables: every row has one outcome, and a journal goes on in a Parquet file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted import ScriptedService

from ximilar_async import Ximilar, bulk
from ximilar_async.errors import BulkAborted, JournalError
from ximilar_async.sources import ParquetSource

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 400
ROWS = [
    {"_id": f"sku-{n}", "_url": f"https://shop.example/{n}.jpg", "price": n / 4, "sizes": [n]}
    for n in range(COUNT)
]
TABLE = pa.Table.from_pylist(ROWS)


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service).collection("c")


def sends(service: ScriptedService) -> Counter[str]:
    return Counter(record["_id"] for body in service.sent("insert") for record in body["records"])


async def test_rows_of_a_frame_are_stored_as_they_are() -> None:
    """What Polars holds arrives as JSON of the same values."""
    service = ScriptedService()
    report = await bulk.insert(collection_of(service), pl.DataFrame(TABLE))
    assert (report.read, report.inserted, report.ok) == (COUNT, COUNT, True)
    sent = [record for body in service.sent("insert") for record in body["records"]]
    assert sorted(sent, key=lambda record: record["price"]) == ROWS


async def test_a_row_with_a_fault_is_rejected_by_its_id(tmp_path: Path) -> None:
    """NaN costs its row: it is named in the report's rejects, and all others are stored."""
    prices = pl.Series([float("nan") if n == 7 else n / 4 for n in range(COUNT)])
    service = ScriptedService()
    options = bulk.Options(rejects=tmp_path / "rejects.jsonl")
    frame = pl.DataFrame(TABLE).with_columns(price=prices)
    report = await bulk.insert(collection_of(service), frame, options=options)
    assert (report.read, report.inserted, report.rejected) == (COUNT, COUNT - 1, 1)
    (line,) = (tmp_path / "rejects.jsonl").read_bytes().splitlines()
    envelope = orjson.loads(line)
    assert (envelope["id"], envelope["where"]) == ("sku-7", "row 8")
    assert "price is nan" in envelope["reason"]


async def test_a_cursor_of_ids_deletes_them() -> None:
    """A query of ids is enough for what needs no more."""
    service = ScriptedService()
    await bulk.insert(collection_of(service), TABLE)
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute("CREATE TABLE gone (sku)")
        database.executemany("INSERT INTO gone VALUES (?)", [(f"sku-{n}",) for n in range(50)])
        cursor = database.execute("SELECT sku AS _id FROM gone")
        report = await bulk.delete(collection_of(service), cursor)
    assert report.ok
    assert set(service.stored) == {f"sku-{n}" for n in range(50, COUNT)}


async def test_a_table_that_breaks_off_is_accounted_for() -> None:
    """The rows before the break are sent; the run ends by the source's error."""

    def batches() -> Any:
        yield from TABLE.slice(0, 100).to_batches()
        raise ConnectionResetError("the warehouse went away")

    service = ScriptedService()
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(BulkAborted, match="the warehouse went away") as caught:
        await bulk.insert(collection_of(service), reader)
    assert caught.value.report.inserted == len(service.stored) == 100


async def test_a_journal_goes_on_in_a_parquet_file(tmp_path: Path) -> None:
    """Stopped and started again each row is sent once; another file is refused."""
    path, options = tmp_path / "shop.parquet", bulk.Options(journal=tmp_path / "j", workers=2)
    pq.write_table(TABLE, path, row_group_size=90)
    service = ScriptedService(delay=0.001)
    job = bulk.insert(collection_of(service), ParquetSource(path), options=options)
    async with job:
        while job.stats.inserted < 100:
            await asyncio.sleep(0.001)
        job.stop()
    assert 100 <= (await job).inserted < COUNT
    report = await bulk.insert(collection_of(service), ParquetSource(path), options=options)
    assert (report.read, report.inserted, report.ok) == (COUNT, COUNT, True)
    assert set(sends(service).values()) == {1}
    pq.write_table(TABLE.slice(1), path)
    with pytest.raises(JournalError):
        await bulk.insert(collection_of(service), ParquetSource(path), options=options)
