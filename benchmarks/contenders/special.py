"""What has no peer: cost of many records, gaps of the loop, the rate, a Writer's answers."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import attrs
import uvloop
from vitals import Course, peak_mib

from ximilar_async import ImageOptions, bulk

from . import BATCH, HEADERS, batches, body, plainly
from .ours import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ximilar_async import Collection

    from . import Load, Meter, Record


# --- many records -------------------------------------------------------------------------------


def _endless(most: int) -> Iterator[Record]:
    for number in range(most):
        url = f"https://shop.example/images/{number:08}.jpg"
        yield {"_id": f"sku-{number:08}", "_url": url, "category": "boots", "price": number}


FEW = 10_000
"""Records of the runs that a long one is compared with."""


async def _cpu(collection: Collection, most: int, options: bulk.Options) -> float:
    """Insert so many records; return the seconds of CPU."""
    start = time.process_time()
    report = await bulk.insert(collection, _endless(most), options=options)
    assert report.inserted == most, report.summary()
    return time.process_time() - start


def _many(load: Load, meter: Meter, options: Callable[[], bulk.Options]) -> None:
    """Insert many records, with short runs before and after: what a record costs is to be equal.

    Args:
        load: How many.
        meter: Measures the long run alone.
        options: Returns the options of the next run.
    """
    most = load.requests * BATCH

    async def run() -> None:
        async with opened(load) as collection:
            few = [await _cpu(collection, FEW, options()) for _ in range(4)][1:]
            for _ in meter.starts(load):
                course = Course(most)
                chosen = attrs.evolve(options(), progress=course.note)
                with meter:
                    start = time.perf_counter()
                    cpu = await _cpu(collection, most, chosen)
                    seconds = time.perf_counter() - start
                    few += [await _cpu(collection, FEW, options()) for _ in range(3)]
                    grown = course.points[-1]["mib"] - course.points[0]["mib"]
                    meter.note(seconds=seconds, cpu=cpu, peak_mib=peak_mib(), grown_mib=grown)
                    meter.note(growth=cpu / most / (statistics.median(few) / FEW))

    uvloop.run(run())


def many(load: Load, meter: Meter) -> None:
    """`bulk.insert` of a generator's records."""
    _many(load, meter, bulk.Options)


def many_with_books(load: Load, meter: Meter) -> None:
    """The same with a journal, and ids that came before remembered."""
    numbers = count()

    def options() -> bulk.Options:
        journal = Path(load.folder, f"journal-{next(numbers)}")
        return bulk.Options(journal=journal, remember_ids=True)

    _many(load, meter, options)


# --- gaps ---------------------------------------------------------------------------------------

_BEAT = 0.001


@asynccontextmanager
async def _beating() -> AsyncIterator[list[tuple[float, float]]]:
    """Note by how much a timer of a millisecond is late while the block lasts, in milliseconds.

    And how much CPU the loop's thread took meanwhile: of that alone other work on the machine, and
    threads that hold the interpreter's lock, are innocent.
    """
    late: list[tuple[float, float]] = []

    async def beat() -> None:
        while True:
            start, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_BEAT)
            took = time.perf_counter() - start - _BEAT
            late.append((1e3 * took, 1e3 * (time.thread_time() - cpu)))

    task = asyncio.create_task(beat())
    await asyncio.sleep(10 * _BEAT)
    yield late
    await asyncio.sleep(10 * _BEAT)
    task.cancel()


def _note_gaps(meter: Meter, late: list[tuple[float, float]]) -> None:
    took, own = zip(*late, strict=True)
    p99 = statistics.quantiles(took, n=100)[98]
    meter.note(worst_ms=max(took), p99_ms=p99, own_ms=max(own))


def _gaps(load: Load, meter: Meter, images: ImageOptions) -> None:
    options = bulk.Options(images=images)

    async def run() -> None:
        async with opened(load) as collection:
            await bulk.insert(collection, load.records(1), options=options)
            for records in meter.turns(load):
                with meter:
                    async with _beating() as late:
                        await bulk.insert(collection, records, options=options)
                    _note_gaps(meter, late)

    uvloop.run(run())


def gaps_sent_as_they_are(load: Load, meter: Meter) -> None:
    """`bulk.insert` of large image files that travel byte for byte."""
    _gaps(load, meter, ImageOptions(max_side=None))


def gaps_shrunk(load: Load, meter: Meter) -> None:
    """`bulk.insert` of large image files that are shrunk, as they are by default."""
    _gaps(load, meter, ImageOptions())


def gaps_naive(load: Load, meter: Meter) -> None:
    """The same by aiohttp's `json=`, six images a request as ours."""

    async def run() -> None:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            for records in meter.turns(load):
                with meter:
                    async with _beating() as late:
                        for batch in batches(records):
                            content = body([plainly(record) for record in batch[:6]])
                            async with session.post(f"{load.endpoint}/insert", json=content) as got:
                                await got.read()
                    _note_gaps(meter, late)

    uvloop.run(run())


def gaps_idle(load: Load, meter: Meter) -> None:
    """Nothing at all: what the machine itself is late by."""

    async def run() -> None:
        for _ in meter.starts(load):
            with meter:
                async with _beating() as late:
                    await asyncio.sleep(1)
                _note_gaps(meter, late)
                meter.note(requests=0)

    uvloop.run(run())


# --- the rate -----------------------------------------------------------------------------------

RATE = 100


def limited(load: Load, meter: Meter) -> None:
    """`bulk.insert` under a rate limit; the sink tells its busiest second."""

    async def run() -> None:
        async with opened(load, RATE) as collection:
            for records in meter.turns(load):
                with meter:
                    await bulk.insert(collection, records)

    uvloop.run(run())


# --- a Writer -----------------------------------------------------------------------------------

FLUSH_AFTER = 0.05
PAUSE = 0.04
"""Seconds between two records, at most; half of it in the mean."""


def writer(load: Load, meter: Meter) -> None:
    """`bulk.Writer` at low traffic: milliseconds from `add` to the record's result."""

    async def run() -> None:
        async with opened(load) as collection:
            for records in meter.turns(load):
                with meter:
                    requests, took = await _trickle(collection, records)
                    at = statistics.quantiles(took, n=100)
                    meter.note(requests=requests, p50_ms=1e3 * at[49], p99_ms=1e3 * at[98])

    uvloop.run(run())


async def _trickle(collection: Collection, records: list[Record]) -> tuple[int, list[float]]:
    """Add one record after the other; return the requests that took, and each record's seconds."""
    took: list[float] = []
    drawn = random.Random(0)

    async def add(record: Record, writer: bulk.Writer) -> None:
        start = time.perf_counter()
        await (await writer.add(record))
        took.append(time.perf_counter() - start)

    async with (
        bulk.Writer(collection, flush_after=FLUSH_AFTER) as writer,
        asyncio.TaskGroup() as group,
    ):
        for record in records:
            group.create_task(add(record, writer))
            await asyncio.sleep(drawn.uniform(0, PAUSE))
    return writer.report.requests, took
