"""A guard against growing slower that does not depend on the machine: ratios within one process.

    python benchmarks/guard.py [--rounds 60]

A bare aiohttp loop and this library send the same by turns of a few hundredths of a second, in one
process; what counts is the median of the ratios of their CPU time, which hardly changes when the
machine is busy. Exits with 1 if one is above its limit.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import uvloop
from attrs import frozen
from contenders import Load, ours, plain, send
from sink import sink

from ximilar_async import bulk
from ximilar_async.telemetry import OpenTelemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from contenders import Record

Way: TypeAlias = "Callable[[list[Record]], Awaitable[object]]"

LIMITS: Final[Mapping[str, float]] = {
    "bulk.insert": 1.3,
    "bulk.insert with rate limit, journal, rejects file": 1.9,
    "collection.insert from workers": 1.15,
    "collection.visual_knn": 1.0,
    "bulk.insert with telemetry, no SDK": 1.6,
}
"""CPU of each way over the bare loop's: what was measured when it was last set, and a tenth."""

REQUESTS = 400
WORKERS = 10


@frozen
class Ways:
    """The bare loops, and ours with the bare loop that each is compared with."""

    bare: Mapping[str, Way]
    ours: Mapping[str, Way]


async def ways(load: Load, stack: AsyncExitStack) -> Ways:
    """Open everything that sends."""
    session = await stack.enter_async_context(plain.session(load))
    collection = await stack.enter_async_context(ours.opened(load))
    watched = await stack.enter_async_context(ours.opened(load, telemetry=OpenTelemetry()))
    limited = await stack.enter_async_context(ours.opened(load, ours.UNBOUND))
    books = iter(range(sys.maxsize))

    def calling(call: Callable[[list[Record]], Awaitable[object]]) -> Way:
        return lambda records: send(call, records, load.workers)

    def with_books(records: list[Record]) -> Awaitable[object]:
        folder = Path(load.folder, str(next(books)))
        folder.mkdir()
        options = bulk.Options(journal=folder / "journal", rejects=folder / "rejects")
        return bulk.insert(limited, records, options=options)

    insert = calling(plain.inserting(session, load))
    search = calling(plain.searching(session, load))
    made = (
        lambda records: bulk.insert(collection, records),
        with_books,
        calling(ours.inserting(collection)),
        calling(ours.searching(collection)),
        lambda records: bulk.insert(watched, records),
    )
    by_name = dict(zip(LIMITS, made, strict=True))
    bare = {name: search if "knn" in name else insert for name in by_name}
    return Ways(bare, by_name)


async def cpu(way: Way, records: list[Record]) -> float:
    """Return the seconds of CPU that sending takes."""
    gc.collect()
    start = time.process_time()
    await way(records)
    return time.process_time() - start


async def compare(load: Load, rounds: int) -> dict[str, list[float]]:
    """Return each way's ratios to the bare loop."""
    seen: dict[str, list[float]] = {name: [] for name in LIMITS}
    async with AsyncExitStack() as stack:
        all_ways = await ways(load, stack)
        records = load.records(load.requests)
        for turn in range(rounds + 1):
            for name, way in all_ways.ours.items():
                bare = await cpu(all_ways.bare[name], records)
                ratio = await cpu(way, records) / bare
                if turn:  # the first time connections are made, and code is cold
                    seen[name].append(ratio)
    return seen


def main() -> None:
    """Read the arguments, measure, print; exit with 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, sink() as server:
        load = Load(server.url, "url", REQUESTS, rounds, WORKERS, None, folder)
        seen = uvloop.run(compare(load, rounds))
    print(f"{'CPU ÷ bare aiohttp loop':52} {'median':>7} {'quartiles':>14} {'limit':>7}")
    above = False
    for name, ratios in seen.items():
        low, middle, high = statistics.quantiles(ratios, n=4)
        bad = middle > LIMITS[name]
        above = above or bad
        mark = "  above" if bad else ""
        print(f"{name:52} {middle:7.2f} {low:6.2f} to {high:.2f} {LIMITS[name]:7.2f}{mark}")
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
