"""This library, used in each of the ways that its users have."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from ximilar_async import Limits, Ximilar, bulk

from . import COLLECTION, QUERY, TOKEN, K, batches, drive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ximilar_async import Collection
    from ximilar_async.telemetry import OpenTelemetry

    from . import Call, Load, Meter, Record

UNBOUND = 1e6
"""Requests a second: a limit that costs what a limit costs and never binds."""


@asynccontextmanager
async def opened(
    load: Load, rate: float | None = None, telemetry: OpenTelemetry | None = None
) -> AsyncIterator[Collection]:
    """Yield a collection of a client with as many slots as there are workers.

    Args:
        load: Where it is.
        rate: The client's limit, in requests a second.
        telemetry: Who watches the client; None for nobody.
    """
    limits = Limits(concurrency=load.workers, rate=rate)
    async with Ximilar(
        TOKEN, base_url=load.url, limits=limits, ssl=load.bundle, telemetry=telemetry
    ) as client:
        yield client.collection(COLLECTION)


def inserting(collection: Collection) -> Call:
    """Return what inserts a batch."""

    async def call(records: list[Record]) -> None:
        answer = await collection.insert(records)
        assert len(answer.records) == len(records)

    return call


def searching(collection: Collection) -> Call:
    """Return what searches once and reads the typed answer."""

    async def call(_: list[Record]) -> None:
        answer = await collection.visual_knn(QUERY, k=K)
        assert len(answer.matches) == K

    return call


def run_bulk(
    load: Load,
    meter: Meter,
    options: Callable[[int], bulk.Options] = lambda _: bulk.Options(),
    rate: float | None = None,
    telemetry: OpenTelemetry | None = None,
) -> None:
    """Run a bulk insert each turn.

    Args:
        load: What to send.
        meter: Measures it.
        options: Returns the options of a turn.
        rate: The client's limit, in requests a second.
        telemetry: Who watches the client; None for nobody.
    """

    async def run() -> None:
        async with opened(load, rate, telemetry) as collection:
            await bulk.insert(collection, load.records(load.warm))
            for turn, records in enumerate(meter.turns(load)):
                with meter:
                    report = await bulk.insert(collection, records, options=options(turn))
                assert report.inserted == len(records), report.summary()

    uvloop.run(run())


def bulk_insert(load: Load, meter: Meter) -> None:
    """`bulk.insert` as it comes: retries, reconciliation and exact accounting are always on."""
    run_bulk(load, meter)


def bulk_without_opentelemetry(load: Load, meter: Meter) -> None:
    """The same as though OpenTelemetry were not installed: importing it fails."""
    sys.modules["opentelemetry"] = None
    run_bulk(load, meter)


def bulk_journal(load: Load, meter: Meter) -> None:
    """`bulk.insert` with a journal."""
    folder = Path(load.folder)
    run_bulk(load, meter, lambda turn: bulk.Options(journal=folder / f"journal-{turn}"))


def bulk_all(load: Load, meter: Meter) -> None:
    """`bulk.insert` with a rate limit that never binds, a journal and a rejects file."""
    folder = Path(load.folder)

    def options(turn: int) -> bulk.Options:
        return bulk.Options(journal=folder / f"journal-{turn}", rejects=folder / f"rejects-{turn}")

    run_bulk(load, meter, options, UNBOUND)


def single_insert(load: Load, meter: Meter) -> None:
    """`collection.insert`, a call a batch, from workers that share one iterator."""

    async def run() -> None:
        async with opened(load) as collection:
            await drive(inserting(collection), load, meter)

    uvloop.run(run())


def single_knn(load: Load, meter: Meter) -> None:
    """`collection.visual_knn` with its typed answer."""

    async def run() -> None:
        async with opened(load) as collection:
            await drive(searching(collection), load, meter)

    uvloop.run(run())


def gather(load: Load, meter: Meter) -> None:
    """One `gather` of all calls; the client's limit holds them back."""

    async def run() -> None:
        async with opened(load) as collection:
            await asyncio.gather(*map(collection.insert, batches(load.records(load.warm))))
            for records in meter.turns(load):
                with meter:
                    answers = await asyncio.gather(*map(collection.insert, batches(records)))
                assert sum(len(answer.records) for answer in answers) == len(records)

    uvloop.run(run())


def task_a_batch(load: Load, meter: Meter) -> None:
    """A task for each batch, made when a semaphore lets it."""

    async def run() -> None:
        async with opened(load) as collection:

            async def send_all(records: list[Record]) -> None:
                room = asyncio.Semaphore(load.workers)

                async def one(batch: list[Record]) -> None:
                    try:
                        answer = await collection.insert(batch)
                        assert len(answer.records) == len(batch)
                    finally:
                        room.release()

                async with asyncio.TaskGroup() as group:
                    for batch in batches(records):
                        await room.acquire()
                        group.create_task(one(batch))

            await send_all(load.records(load.warm))
            for records in meter.turns(load):
                with meter:
                    await send_all(records)

    uvloop.run(run())
