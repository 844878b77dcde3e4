"""Millions of rows planned against a state of millions: how long, and in how much memory?

    python benchmarks/plan_millions.py [--rows 5000000] [--folder FOLDER]

A Parquet file of metadata is written and a state that has all of it; then, in a process of its own,
a sync is planned against both: 0.1 % of the prices changed, 1,000 records gone, none new.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ximilar_async import Ximilar, bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk._sync.hashes import metadata_hash
from ximilar_async.bulk._sync.looking import SEEDED
from ximilar_async.bulk._sync.state import Row, State

if TYPE_CHECKING:
    from ximilar_async._protocol import Request

PART = 50_000
GONE = 1_000


def record(n: int) -> dict[str, Any]:
    """Return a product; ids come in no order that an index could use."""
    return {
        "_id": f"{n * 2_654_435_761 % 2**32:010d}",
        "name": f"Product number {n}",
        "brand": f"brand-{n % 997}",
        "price": n % 1_000 + 0.99,
        "stock": n % 50,
    }


class Counting:
    """A service that has so many records."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    async def send(self, _: Request) -> Response:
        """Answer every request with the number of records."""
        body = {"status": {"code": 200, "text": "OK"}, "answer_count": self.rows}
        return Response(200, {}, orjson.dumps(body))

    async def aclose(self) -> None:
        """Hold nothing."""


def prepare(folder: Path, rows: int) -> None:
    """Write catalog and state."""
    import pyarrow as pa  # noqa: PLC0415 - not in the process that is measured twice
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    state = State.open(folder / "state.db", collection="c", service="similarity/photos")
    dice, writer = random.Random(1), None
    for start in range(0, rows, PART):
        part = [record(n) for n in range(start, min(start + PART, rows))]
        bare = [{name: value for name, value in r.items() if name != "_id"} for r in part]
        shape = state.shape(bare[0])
        state.put(
            Row(r["_id"], metadata_hash(b), None, shape) for r, b in zip(part, bare, strict=True)
        )
        for one in part:
            one["price"] += dice.random() < 0.001
        table = pa.Table.from_pylist(part[GONE:] if not start else part)
        writer = writer or pq.ParquetWriter(folder / "catalog.parquet", table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    state.note(**{SEEDED: "1"})
    state.close()


async def measure(folder: Path, rows: int) -> None:
    """Plan, and print how long it took and how much memory."""
    began = time.monotonic()
    async with Ximilar("token", transport=Counting(rows)) as client:
        plan = await bulk.plan_sync(
            client.collection("c"),
            folder / "catalog.parquet",
            mode="mirror",
            state=folder / "state.db",
        )
    seconds = time.monotonic() - began
    print(plan.summary())
    plan.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.0f} s, {rows / seconds:,.0f} rows a second, peak RSS {peak:,.0f} MiB")


def main() -> None:
    """Read the command line; prepare, then measure in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        asyncio.run(measure(given.folder, given.rows))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        began = time.monotonic()
        prepare(Path(folder), given.rows)
        size = (Path(folder) / "state.db").stat().st_size / 2**20
        print(f"prepared in {time.monotonic() - began:.0f} s, state {size:,.0f} MiB", flush=True)
        words = [sys.executable, __file__, "--measure", "--rows", str(given.rows)]
        subprocess.run([*words, "--folder", folder], check=True)


if __name__ == "__main__":
    main()
