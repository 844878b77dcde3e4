"""What the emulator's pure rooms cost: descriptors, exact search, near-duplicates, filters.

    python benchmarks/emulator_core.py [--rows 100000 1000000] [--photographs FOLDER] [--pairs]

Times are medians of wall clock and of this thread's CPU: where they differ, the machine was busy.
Rows are vectors with the spread of photographs' descriptors; one in a hundred is a near-duplicate.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ximilar_async.emulator.columns import Columns
from ximilar_async.emulator.decoding import decode
from ximilar_async.emulator.descriptor import VisualDescriptor
from ximilar_async.emulator.vectors import VectorStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RADIUS = 5.0
BATCH = 10

FILTERS: dict[str, dict[str, Any]] = {
    "$ne of text": {"artist": {"$ne": "david_27"}},
    "operator first": {"$gte": {"price": 200}},
    "three fields": {"price": {"$gte": 200, "$lt": 400}, "tags": "dress", "active": True},
    "dotted": {"brand.name": "b7"},
    "$or with $regex": {"$or": [{"price": {"$lt": 10}}, {"artist": {"$regex": "^david_1"}}]},
    "_id in a list": {"_id": {"$in": ["5", "77"]}},
    "range, all differ": {"cost": {"$gte": 0.5}},
}


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def timed(what: str, call: Callable[[Any], object], over: Iterable[Any], *, each: int = 1) -> None:
    """Print the median milliseconds of a call, and how many things a second that makes."""
    walls, cpus = [], []
    for item in over:
        wall, cpu = time.perf_counter(), time.thread_time()
        call(item)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.thread_time() - cpu)
    wall, cpu = float(np.median(walls)), float(np.median(cpus))
    print(f"{what:34} {wall * 1e3:10.3f} {cpu * 1e3:10.3f} {each / wall:12,.0f}")


def heading(title: str) -> None:
    """Print the head of a table."""
    print(f"\n{title:34} {'wall, ms':>10} {'CPU, ms':>10} {'per second':>12}")


def images(folder: Path | None) -> list[bytes]:
    """Return up to 300 photographs of a folder, or drawn ones of 400 x 300 pixels."""
    if folder is not None:
        return [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))[:300]]
    random = np.random.default_rng(0)
    made = []
    for _ in range(60):
        rough = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(rough).resize((400, 300), Image.Resampling.BICUBIC).save(
            buffer, "JPEG", quality=88
        )
        made.append(buffer.getvalue())
    return made


def descriptors(folder: Path | None) -> None:
    """Measure descriptors of images and of texts."""
    extractor, files = VisualDescriptor(), images(folder)
    heading("descriptors")
    timed("decode to 64 x 64", decode, files)
    timed("decode and describe", extractor.from_image, files)
    timed(
        "describe an address", extractor.from_text, [f"https://x.example/{n}" for n in range(500)]
    )


class Source:
    """Vectors with the spread of photographs' descriptors, one in a hundred near one before."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        texts = [VisualDescriptor().from_text(str(number)) for number in range(2000)]
        self.spread = np.stack(texts).std(axis=0)
        self.last = self.of(BATCH)

    def of(self, count: int) -> Floats:
        """Return so many vectors."""
        standard = self.random.standard_normal((count, len(self.spread)), np.float32)
        return np.asarray(standard * self.spread)

    def batch(self, count: int) -> Floats:
        """Return so many vectors, some of them near-duplicates."""
        vectors = self.of(count)
        near = np.flatnonzero(self.random.random(count) < 0.01)
        vectors[near] = self.last[0] + self.of(len(near)) / 40
        self.last = vectors
        return vectors


def search(rows: int, *, pairs: bool) -> None:
    """Measure exact search among so many vectors."""
    source, store, before = Source(), VectorStore(), resident_bytes()
    for start in range(0, rows, 10_000):
        store.append(source.batch(min(10_000, rows - start)))
    heading(f"search, {rows:,} x {store.dimensions}")
    queries = list(source.of(30))
    timed("20 nearest", lambda query: store.knn(query, 20), queries)
    for share in (0.5, 0.01):
        masked(store, queries, source.random.random(rows) < share)
    flat = resident_bytes() - before
    timed("boxes, at the first near-duplicates", lambda query: near(store, query), queries[:1])
    batches = [source.batch(BATCH) for _ in range(100)]
    timed("near-duplicates of 10", lambda batch: store.within(batch, RADIUS), batches, each=BATCH)
    timed("near-duplicates of 1", lambda query: near(store, query), queries)
    timed("within 20 of 1", lambda query: store.within(query[None], 20.0), queries)
    boxed = resident_bytes() - before - flat
    stream(store, source)
    if pairs:
        timed("all pairs within 5", lambda _: sum(1 for _ in store.pairs(RADIUS)), [0], each=rows)
    print(f"memory: vectors {flat / 2**20:.0f} MiB, boxes {boxed / 2**20:.0f} MiB")


def masked(store: VectorStore, queries: list[Floats], mask: NDArray[np.bool_]) -> None:
    """Measure search among some of the rows."""
    name = f"20 nearest, mask of {mask.mean():.0%}"
    timed(name, lambda query: store.knn(query, 20, mask), queries)


def near(store: VectorStore, query: Floats) -> object:
    """Look for the near-duplicates of one vector."""
    return store.within(query[None], RADIUS)


def stream(store: VectorStore, source: Source) -> None:
    """Measure inserting with a check for near-duplicates, batch after batch."""
    spent, slowest, batches = 0.0, 0.0, 1000
    for batch in [source.batch(BATCH) for _ in range(batches)]:
        start = time.perf_counter()
        found = store.within(batch, RADIUS)
        store.append(batch[[not len(rows) for rows, _ in found]])
        took = time.perf_counter() - start
        spent, slowest = spent + took, max(slowest, took)
    rate = batches * BATCH / spent
    print(
        f"{'insert after a check, batches of 10':34} {spent:10.3f} {'':>10} {rate:12,.0f}", end=""
    )
    print(f"   slowest batch {slowest * 1e3:.0f} ms")


def documents(rows: int) -> Iterable[dict[str, Any]]:
    """Yield documents of a catalog."""
    random = np.random.default_rng(2)
    tags = np.array(["red", "blue", "dress", "short", "long", "dotted", "cotton"])
    for number in range(rows):
        yield {
            "_id": str(number),
            "_url": f"https://shop.example/{number}.jpg",
            "price": int(random.integers(1, 1000)),
            "cost": float(random.random()),
            "artist": f"david_{number % 100}",
            "tags": tags[number % 5 : number % 5 + 3].tolist(),
            "brand": {"name": f"b{number % 50}"},
            "active": number % 3 == 0,
            "product_id": f"p{number // 4}",
        }


def filters(rows: int) -> None:
    """Measure masks of filters over so many documents."""
    made, columns, before = list(documents(rows)), Columns(), resident_bytes()
    start = time.perf_counter()
    for document in made:
        columns.append(document)
    took = time.perf_counter() - start
    heading(f"filters, {rows:,} documents")
    for name, filter in FILTERS.items():
        timed(name, columns.mask, [filter] * 5)
    timed("codes of a field", columns.codes, ["product_id"] * 5)
    memory = (resident_bytes() - before) / 2**20
    print(f"{len(made[0])} fields: {rows / took:,.0f} documents/s appended, {memory:.0f} MiB")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000], help="sizes to measure")
    parser.add_argument("--photographs", type=Path, help="a folder of JPEGs to describe")
    parser.add_argument("--pairs", action="store_true", help="also find all near-duplicate pairs")
    given = parser.parse_args()
    descriptors(given.photographs)
    for rows in given.rows:
        search(rows, pairs=given.pairs)
        filters(rows)


if __name__ == "__main__":
    main()
