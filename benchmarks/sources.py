"""Rows a second and peak memory of each kind of source, without a service.

    python benchmarks/sources.py [--rows 200000] [--only parquet polars] [--dry]

Each kind is read to its end by a process of its own, one after the other. A row has an id, the
address of an image, a price, a stock, a title, a brand and tags. What is made of it is what a bulk
run is handed: a dict in which each value is known to be JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import adbc_driver_sqlite.dbapi as adbc
import duckdb
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import results
from vitals import peak_mib, vitals

from ximilar_async.sources import ArrowFileSource, CursorSource, ParquetSource, as_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ximilar_async.sources import Source

PATIENCE: Final = 1200.0
"""Seconds after which a reader is given up."""

PART: Final = 50_000
"""Rows that are written at once."""

GROUP: Final = 2**20 // PART * PART
"""Rows of a row group of Parquet; pyarrow makes it a mebi by itself."""

BRANDS: Final = pa.array([f"brand {number}" for number in range(16)])

LEGEND = """
{rows:,} rows read to the end, by a process of its own each. MiB are those of
the process: before it reads, with all libraries and the source made; at its peak; and its growth
from a tenth of the rows to all. The frame of Polars and the table of pyarrow lie in that memory as
a whole; of no other kind do all rows.

Made by `benchmarks/sources.py`: {machine}, load {load}, Python {python}, pyarrow {pyarrow}.
"""


def parts(rows: int) -> Iterator[pa.Table]:
    """Yield the catalog as tables of some rows."""
    for start in range(0, rows, PART):
        number = pa.array(range(start, min(rows, start + PART)))
        text = number.cast(pa.string())
        columns = {
            "_id": pc.binary_join_element_wise("sku-", text, ""),
            "_url": pc.binary_join_element_wise("https://shop.example/i/", text, ".jpg", ""),
            "price": pc.add(pc.multiply(number.cast(pa.float64()), 0.25), 0.9),
            "stock": pc.bit_wise_and(number, 63),
            "title": pc.binary_join_element_wise("A sturdy boot, model ", text, ""),
            "brand": BRANDS.take(pc.bit_wise_and(number, 15)),
            "tags": pa.array([["boot", "sale"]] * len(number)),
        }
        yield pa.table(columns)


def gathered(rows: int) -> Iterator[pa.Table]:
    """Yield the same in tables of a million rows, as a writer has them that is not asked."""
    tables: list[pa.Table] = []
    for table in parts(rows):
        tables.append(table)
        if len(tables) * PART == GROUP:
            yield pa.concat_tables(tables)
            tables.clear()
    if tables:
        yield pa.concat_tables(tables)


def write_parquet(path: Path, rows: int) -> None:
    """Write the catalog as Parquet, as pyarrow does by itself: a million rows a group."""
    with pq.ParquetWriter(path, next(parts(1)).schema) as writer:
        for batch in gathered(rows):
            writer.write_table(batch)


def write_arrow(path: Path, rows: int) -> None:
    """Write the catalog as a stream of Arrow."""
    with pa.ipc.new_stream(path, next(parts(1)).schema) as writer:
        for table in parts(rows):
            writer.write_table(table)


def write_jsonl(path: Path, rows: int) -> None:
    """Write the catalog as JSON lines."""
    with path.open("wb") as file:
        for table in parts(rows):
            file.writelines(orjson.dumps(row) + b"\n" for row in table.to_pylist())


def write_sqlite(path: Path, rows: int) -> None:
    """Write the catalog as a table of SQLite, its tags as text."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE shop (_id, _url, price, stock, title, brand, tags)")
        for table in parts(rows):
            flat = table.set_column(6, "tags", pc.binary_join(table.column("tags"), ","))
            columns = [column.to_pylist() for column in flat.columns]
            values = zip(*columns, strict=True)
            database.executemany("INSERT INTO shop VALUES (?, ?, ?, ?, ?, ?, ?)", values)


WRITERS: Final[dict[str, Callable[[Path, int], None]]] = {
    "shop.parquet": write_parquet,
    "shop.arrows": write_arrow,
    "shop.jsonl": write_jsonl,
    "shop.db": write_sqlite,
}
QUERY: Final = "SELECT * FROM shop"


def by_sqlite(path: Path) -> Source:
    """Return a cursor of Python's own driver."""
    database = sqlite3.connect(path, check_same_thread=False)
    return CursorSource(database.execute(QUERY))


def by_adbc(path: Path) -> Source:
    """Return a cursor of ADBC."""
    cursor = adbc.connect(str(path)).cursor()
    cursor.execute(QUERY)
    return CursorSource(cursor)


KINDS: Final[dict[str, tuple[str, Callable[[Path], Any]]]] = {
    "parquet": ("shop.parquet", ParquetSource),
    "parquet, 2 columns": ("shop.parquet", partial(ParquetSource, columns=["_id", "price"])),
    "arrow stream": ("shop.arrows", ArrowFileSource),
    "jsonl": ("shop.jsonl", as_source),
    "pyarrow": ("shop.parquet", lambda path: as_source(pq.read_table(path))),
    "polars": ("shop.parquet", lambda path: as_source(pl.read_parquet(path))),
    "duckdb": ("shop.parquet", lambda path: as_source(duckdb.read_parquet(str(path)))),
    "sqlite3": ("shop.db", by_sqlite),
    "adbc": ("shop.db", by_adbc),
}
"""The file and how it is read."""


async def read(source: Source, rows: int) -> dict[str, Any]:
    """Read a source to its end and return what that took."""
    count, early, before = 0, 0.0, vitals().mib
    cpu, start = time.process_time(), time.perf_counter()
    async for chunk in source.chunks():
        count += len(chunk)
        if not early and count * 10 >= rows:
            early = vitals().mib
    seconds = time.perf_counter() - start
    return {
        "rows": count,
        "rows_per_second": round(count / seconds),
        "cpu_us_a_row": round(1e6 * (time.process_time() - cpu) / count, 1),
        "start_mib": round(before),
        "peak_mib": round(peak_mib()),
        "growth_mib": round(vitals().mib - early, 1),
        "seconds": round(seconds, 1),
    }


def measured(kind: str, folder: Path, rows: int) -> dict[str, Any]:
    """Read a kind of source in a process of its own."""
    command = [sys.executable, __file__, "--rows", str(rows), "--read", kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise SystemExit(f"{kind}: {done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    if told["rows"] != rows:
        raise SystemExit(f"{kind}: {told['rows']} rows read of {rows}")
    return told


def measure(kinds: list[str], rows: int) -> tuple[dict[str, Any], str]:
    """Write the catalogs, read each kind; return figures and table."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as made:
        for name, write in WRITERS.items():
            path = Path(made) / name
            wanted = [kind for kind in kinds if KINDS[kind][0] == name]
            if wanted:
                write(path, rows)
            for kind in wanted:
                found[kind] = measured(kind, Path(made), rows)
                print(kind, found[kind], file=sys.stderr)
            path.unlink(missing_ok=True)
    head = ["", "rows/s", "µs of CPU a row", "MiB before", "peak MiB", "+MiB", "s"]
    lines = [_line(kind, found[kind]) for kind in kinds]
    words = {**results.circumstances(), "rows": rows, "pyarrow": pa.__version__}
    return {"rows": rows, **found}, results.table(head, lines) + LEGEND.format(**words)


def _line(kind: str, told: dict[str, Any]) -> list[str]:
    growth = f"{told['growth_mib']:+.1f}"
    memory = [f"{told['start_mib']}", f"{told['peak_mib']}", growth]
    return [
        kind,
        f"{told['rows_per_second']:,}",
        f"{told['cpu_us_a_row']}",
        *memory,
        f"{told['seconds']}",
    ]


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--dry", action="store_true", help="print only, write no result")
    parser.add_argument("--read", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        kind, folder = given.read
        name, make = KINDS[kind]
        print(json.dumps(asyncio.run(read(make(Path(folder) / name), given.rows))))
        return
    data, text = measure(given.only, given.rows)
    print(text)
    if not given.dry:
        results.write("sources", data, text)


if __name__ == "__main__":
    main()
