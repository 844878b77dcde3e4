"""A sync that reads can be ended: whatever it waits for, it does not wait for it any longer."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, product, products

from ximilar_async import bulk
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Request, Response

BOUND = 20
"""Seconds after which a sync that does not end fails its test."""


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


class Stalled:
    """A source that gives ten records and then nothing, and notes how it was left."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.left: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for record in products(range(10)):
            yield record
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            self.left = error
            raise


@pytest.mark.parametrize(
    "end",
    [
        lambda job: job.stop("enough"),
        lambda job: job.stop("enough", grace=0),
        lambda job: job.abort("enough"),
    ],
    ids=["stop", "grace", "abort"],
)
async def test_a_source_that_gives_nothing_does_not_keep_it(
    shop: Shop, tmp_path: Path, end: Callable[[bulk.SyncJob], None]
) -> None:
    """The source is left, nothing was sent, and the state is free."""
    source = Stalled()
    job = bulk.sync(shop.collection, source, state=tmp_path / "s.db")
    async with asyncio.timeout(BOUND), job:
        await source.reached.wait()
        end(job)
    report = await job
    assert (report.stop, report.stop_reason) == (bulk.Stop.ASKED, "enough")
    assert (report.exit_code, report.read, shop.writes()) == (130, 0, {})
    assert isinstance(source.left, asyncio.CancelledError)
    again = await bulk.sync(shop.collection, products(range(10)), state=tmp_path / "s.db")
    assert again.inserted == 10


async def test_a_blocking_source_does_not_keep_it(shop: Shop, tmp_path: Path) -> None:
    """A pipe that nobody writes to: it blocks a thread, and not the end of the sync."""
    reached, let_go = threading.Event(), threading.Event()

    def piped() -> Iterator[dict[str, Any]]:
        yield from products(range(10))
        reached.set()
        let_go.wait(BOUND)

    job = bulk.sync(shop.collection, piped(), state=tmp_path / "s.db")
    try:
        async with asyncio.timeout(BOUND), job:
            await asyncio.to_thread(reached.wait, BOUND)
            job.stop()
        assert not let_go.is_set()
        assert (await job).stop is bulk.Stop.ASKED
    finally:
        let_go.set()


async def test_a_stalled_pipe_does_not_keep_it(shop: Shop, tmp_path: Path) -> None:
    """A file that is a pipe, such as standard input, is left like any other source."""
    reading, writing = os.pipe()
    try:
        job = bulk.sync(shop.collection, f"/dev/fd/{reading}", state=tmp_path / "s.db")
        async with asyncio.timeout(BOUND), job:
            while job.stats.stage != "reading the source":
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            job.stop()
        report = await job
        assert (report.stop, report.stop_reason) == (bulk.Stop.ASKED, "asked to stop")
    finally:
        os.close(writing)
        os.close(reading)


@pytest.mark.parametrize("times", [1, 2])
async def test_cancelled_while_it_reads_it_ends(shop: Shop, tmp_path: Path, times: int) -> None:
    """`asyncio.timeout` around a sync works, whatever the source does."""
    source = Stalled()
    job = bulk.sync(shop.collection, source, state=tmp_path / "s.db")
    waiting = asyncio.ensure_future(_awaited(job))
    async with asyncio.timeout(BOUND):
        await source.reached.wait()
        for _ in range(times):
            waiting.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await job).stop_reason == "cancelled"


async def _awaited(job: bulk.SyncJob) -> bulk.SyncReport:
    return await job


async def test_the_deadline_holds_while_it_reads(shop: Shop, tmp_path: Path) -> None:
    """A source that stalls is given up when the time is over."""
    options = bulk.Options(deadline=0.2)
    job = bulk.sync(shop.collection, Stalled(), state=tmp_path / "s.db", options=options)
    async with asyncio.timeout(BOUND):
        report = await job
    assert (report.stop, report.exit_code) == (bulk.Stop.DEADLINE, 1)
    assert report.stop_reason == "0.2 s have passed (deadline)"


async def test_a_slow_source_is_left_at_once(shop: Shop, tmp_path: Path) -> None:
    """One that does not heed being cancelled is left with its next record."""
    reached, seen = asyncio.Event(), []

    async def stubborn() -> AsyncIterator[dict[str, Any]]:
        for n in range(1000):
            seen.append(n)
            if n == 10:
                reached.set()
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            yield product(n)

    async with asyncio.timeout(BOUND):
        async with bulk.sync(shop.collection, stubborn(), state=tmp_path / "s.db") as job:
            await reached.wait()
            job.stop()
        assert ((await job).stop, seen[-1]) == (bulk.Stop.ASKED, 10)


async def test_a_collection_that_does_not_answer_does_not_keep_it(
    shop: Shop, tmp_path: Path
) -> None:
    """Reading page by page changes nothing: a request for a page is given up."""
    await bulk.insert(shop.collection, products(range(40)))
    asked, inner = asyncio.Event(), shop.transport.inner

    class Silent:
        async def send(self, request: Request) -> Response:
            if "allRecords" not in request.url:
                answered: Response = await inner.send(request)
                return answered
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def aclose(self) -> None: ...

    shop.transport.inner = Silent()
    job = bulk.sync(shop.collection, products(range(40)), state=tmp_path / "s.db")
    async with asyncio.timeout(BOUND), job:
        await asked.wait()
        job.abort()
    assert (await job).stop is bulk.Stop.ASKED
    shop.transport.inner = inner
    assert (await bulk.sync(shop.collection, products(range(40)), state=tmp_path / "s.db")).seeded


async def test_a_plan_that_runs_out_of_time_says_so(shop: Shop, tmp_path: Path) -> None:
    """By an error that callers know, with the reason and the report of what was done."""
    options = bulk.Options(deadline=0.2)
    async with asyncio.timeout(BOUND):
        with pytest.raises(BulkAborted, match=r"0\.2 s have passed \(deadline\)") as caught:
            await bulk.plan_sync(
                shop.collection, Stalled(), state=tmp_path / "s.db", options=options
            )
    report = caught.value.report
    assert (report.stop, report.stage) == (bulk.Stop.DEADLINE, "reading the source")
    assert _names(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_deadline_is_told_as_it_was_given(shop: Shop, tmp_path: Path) -> None:
    """Not as what was left of it when the last run began."""

    def fault(method: str, _: dict[str, Any]) -> None:
        if method == "insert":
            threading.Event().wait(0.05)

    shop.transport.fault = fault
    options = bulk.Options(deadline=1.0)
    report = await bulk.sync(
        shop.collection, products(range(1500)), state=tmp_path / "s.db", options=options
    )
    assert (report.stop, report.stop_reason) == (
        bulk.Stop.DEADLINE,
        "1 s have passed (deadline)",
    )
    assert report.inserted


async def test_a_source_that_is_cancelled_by_itself_broke_off(shop: Shop, tmp_path: Path) -> None:
    """It is one more way to fail: what was read is sent, nobody's task is cancelled."""

    async def cancelled() -> AsyncIterator[dict[str, Any]]:
        yield product(1)
        raise asyncio.CancelledError

    with pytest.raises(BulkAborted, match="CancelledError") as caught:
        await bulk.sync(shop.collection, cancelled(), state=tmp_path / "s.db")
    report = caught.value.report
    assert (report.stop, report.inserted) == (bulk.Stop.SOURCE, 1)
