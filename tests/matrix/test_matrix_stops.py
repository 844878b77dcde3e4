"""Rows of the fault matrix: runs that are stopped, cancelled or held back, and what users do.

As in `test_matrix_engine`, each row asserts exact outcomes and that they agree with the store.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from matrix_runs import (
    catalog,
    insert,
    on_insert,
    one_at_a_time,
    outcomes,
    records,
    sent,
    until_stored,
)
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from matrix_row import Row

    from ximilar_async.bulk import Job, Report, Result


# --- stopped ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [Limits(concurrency=1), Limits(concurrency=4, rate=1, per=3600.0)],
    ids=["at the gate", "for the rate"],
)
async def test_stop_while_requests_wait(row: Row, limits: Limits) -> None:
    """What waits for a slot or for the rate is called back; only what has left is finished."""
    service = ScriptedService(delay=0.02)
    async with row.client(transport=service, limits=limits) as client:
        options = row.options(workers=8)
        job = bulk.insert(client.collection("c"), records(200), options=options)
        async with job:
            while not service.requests or job.stats.read < 80:
                await asyncio.sleep(0)
            job.stop()
        report = await row.run(job)
    assert (report.stop, report.exit_code) == (Stop.ASKED, 130)
    assert outcomes(report) == {"inserted": 10, "not_attempted": report.read - 10}
    assert len(service.requests) == 1
    row.agree(service.stored)


async def test_stop_while_the_service_asks_for_a_pause(row: Row) -> None:
    """A Retry-After of a minute does not keep a run that is stopped."""
    hint = Response(429, {"retry-after": "60"}, answer(429, "slow down").body)
    service = ScriptedService(on_insert(lambda number, _: hint if number == 3 else None))
    async with row.client(transport=service, limits=Limits(concurrency=1)) as client:
        job = bulk.insert(client.collection("c"), records(100), options=row.options(workers=3))
        async with job:
            while not job.stats.paused:
                await asyncio.sleep(0)
            job.stop()
        report = await row.run(job)
    assert outcomes(report) == {"inserted": 20, "not_attempted": report.read - 20}
    row.agree(service.stored)


async def test_stop_in_an_outage(row: Row) -> None:
    """What waits for the service to come back is reported at once, what may be applied as such."""
    service = ScriptedService(lambda _, __: answer(503, "down", http=503))
    async with row.client(transport=service) as client:
        options = row.options(retry=Retry(base=60))
        job = bulk.insert(client.collection("c"), records(200), options=options)
        async with job:
            while not job.stats.outage:
                await asyncio.sleep(0)
            job.stop()
        report = await row.run(job)
    assert report.stop is Stop.ASKED
    assert outcomes(report) == {
        "failed": len(sent(service)),
        "not_attempted": report.read - len(sent(service)),
    }
    row.agree(service.stored)


async def test_stop_while_records_are_in_doubt(row: Row) -> None:
    """What was sent and not answered is looked up before a stopped run ends."""
    service = ScriptedService(
        on_insert(lambda number, _: lost() if number == 2 else None), apply_first=True
    )
    async with row.client(transport=service, limits=Limits(concurrency=1)) as client:
        options = row.options(retry=Retry(base=60), workers=1)
        job = bulk.insert(client.collection("c"), records(100), options=options)
        async with job:
            await until_stored(service, 20)
            job.stop()
        report = await row.run(job)
    stored = len(service.stored)
    assert outcomes(report) == {"inserted": stored, "not_attempted": report.read - stored}
    assert service.sent("get")
    row.agree(service.stored)


async def test_abort(row: Row) -> None:
    """Giving up at once claims nothing: what was under way is told as unconfirmed."""
    service = ScriptedService(delay=3600)
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), records(100), options=row.options())
        async with job:
            while service.under_way < 4 or job.stats.read < 80:
                await asyncio.sleep(0)
            job.abort()
        report = await row.run(job)
    assert outcomes(report) == {"failed": 40, "not_attempted": report.read - 40}
    failed = [result for result in row.results if result.outcome is Outcome.FAILED]
    assert all("unconfirmed" in result.reason for result in failed)
    row.agree(service.stored)


async def _trickle(count: int, release: asyncio.Event) -> AsyncIterator[dict[str, Any]]:
    for record in records(count):
        yield record
    await release.wait()


@pytest.mark.parametrize("phase", ["under way", "waiting to be sent again", "reading"])
async def test_task_cancel(row: Row, phase: str) -> None:
    """Cancelling who awaits a run drains it, and raises; a journal goes on from there."""
    again = on_insert(lambda number, _: answer(503, "busy", http=503) if number in (2, 3) else None)
    service = ScriptedService(again if phase == "waiting to be sent again" else None, delay=0.002)
    retry = Retry(attempts=5, base=60, cap=60) if again else Retry()
    source: Any = _trickle(35, asyncio.Event()) if phase == "reading" else catalog(row, 200)
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), source, options=row.options(retry=retry))
        task = asyncio.create_task(row.run(job))
        await until_stored(service, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert service.under_way == 0
    (report,) = row.reports
    assert report.inserted == len(service.stored) >= 20
    assert report.inserted + report.failed + report.not_attempted == report.read
    row.agree(service.stored)
    if phase != "reading":
        report = await insert(row, service, source)
        assert outcomes(report) == {"inserted": 200}
        assert max(sent(service).values()) == (2 if phase.startswith("waiting") else 1)
        row.agree(service.stored)


# --- callbacks and consumers --------------------------------------------------------------------


class _NoGoodError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 55, 200])
async def test_a_raising_on_result(row: Row, after: int) -> None:
    """A user's error ends the run, is told with its report, and loses no record."""

    def on_result(_: Result) -> None:
        row.results.append(_)
        if len(row.results) == after:
            raise _NoGoodError("mine")

    service = ScriptedService(delay=0.001)
    report = await insert(row, service, records(200), on_result=on_result)
    assert report.stop is Stop.CALLBACK
    assert "mine" in report.stop_reason
    assert len(row.results) == after
    assert outcomes(report) == {
        name: number
        for name, number in [
            ("inserted", len(service.stored)),
            ("not_attempted", report.read - len(service.stored)),
        ]
        if number
    }
    (stopped,) = row.errors
    assert isinstance(stopped, BulkAborted)
    assert isinstance(stopped.__cause__, _NoGoodError)


async def test_a_raising_progress(row: Row) -> None:
    """The same for `progress`, which is called by the clock."""

    def progress(_: Report) -> None:
        raise _NoGoodError("mine")

    service = ScriptedService(delay=0.02)
    report = await insert(
        row, service, iter(records(5000)), progress=progress, client=one_at_a_time()
    )
    assert report.stop is Stop.CALLBACK
    assert outcomes(report) == {
        "inserted": len(service.stored),
        "not_attempted": report.read - len(service.stored),
    }
    assert isinstance(row.errors[0].__cause__, _NoGoodError)
    row.agree(service.stored)


async def test_a_progress_that_raises_at_the_end(row: Row) -> None:
    """An error in the last call is told too: nothing a user raises is swallowed."""

    def progress(_: Report) -> None:
        raise _NoGoodError("mine")

    service = ScriptedService()
    report = await insert(row, service, records(20), progress=progress)
    assert outcomes(report) == {"inserted": 20}
    assert [type(error.__cause__) for error in row.errors] == [_NoGoodError]
    row.agree(service.stored)


async def test_a_callback_that_raises_a_cancellation(row: Row) -> None:
    """Asking a cancelled future for its result, in a callback, ends the run like any error."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()

    def on_result(result: Result) -> None:
        row.results.append(result)
        if len(row.results) == 25:
            future.result()

    service = ScriptedService(delay=0.001)
    report = await insert(row, service, records(200), on_result=on_result)
    assert report.stop is Stop.CALLBACK
    assert outcomes(report) == {
        "inserted": len(service.stored),
        "not_attempted": report.read - len(service.stored),
    }


async def test_a_slow_consumer(row: Row) -> None:
    """The run waits for whoever fetches its results, and every result is fetched once."""
    service = ScriptedService()
    most = 0
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), records(200), options=row.options())
        fetched = []
        async for result in job.results(buffer=10):
            await asyncio.sleep(0.0005)
            fetched.append(result.id)
            most = max(most, len(row.results) - len(fetched))
        report = await row.run(job)
    assert outcomes(report) == {"inserted": 200}
    assert Counter(fetched) == Counter(service.stored.keys())
    assert most <= 10 + 4 * 10
    row.agree(service.stored)


async def test_a_consumer_that_leaves(row: Row) -> None:
    """Whoever leaves the results early does not hold the run."""
    service = ScriptedService()
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), records(200), options=row.options())
        results = job.results(buffer=10)
        async for _ in results:
            break
        await results.aclose()
        report = await row.run(job)
    assert outcomes(report) == {"inserted": 200}
    row.agree(service.stored)


async def _raise_within(job: Job) -> None:
    async with job:
        async for _ in job.results(buffer=10):
            raise _NoGoodError


async def test_a_consumer_that_raises(row: Row) -> None:
    """An error in the block drains the run and goes its way."""
    service = ScriptedService(delay=0.001)
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), catalog(row, 200), options=row.options())
        with pytest.raises(_NoGoodError):
            await _raise_within(job)
        report = await row.run(job)
    assert report.stop is Stop.ASKED
    assert outcomes(report) == {
        "inserted": len(service.stored),
        "not_attempted": report.read - len(service.stored),
    }
    row.agree(service.stored)
    assert outcomes(await insert(row, service, catalog(row, 200))) == {"inserted": 200}


@pytest.mark.parametrize("end", ["stop", "deadline", "401"])
async def test_a_run_that_ends_while_results_wait(row: Row, end: str) -> None:
    """A run that has to end does so, whether or not somebody fetches its results."""
    revoked = answer(401, "no", http=401) if end == "401" else None
    service = ScriptedService(lambda _, __: revoked if len(service.stored) >= 30 else None)
    options = row.options(deadline=0.3 if end == "deadline" else None)
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), records(500), options=options)
        results = job.results(buffer=5)
        await anext(results)
        if end == "stop":
            job.stop()
        task = asyncio.create_task(row.run(job))
        done, _ = await asyncio.wait({task}, timeout=3)
        if not done:
            await results.aclose()
        report = await task
        rest = [result async for result in results]
    assert done, "the run waits for whoever fetches its results"
    assert report.stop in (Stop.ASKED, Stop.DEADLINE, Stop.AUTH)
    assert report.inserted == len(service.stored) < 500
    assert len(rest) == report.read - 1
    row.agree(service.stored)


async def test_a_blocking_source_that_pauses(row: Row) -> None:
    """What a blocking iterable gave is sent while it thinks about the next record."""
    decided = threading.Event()
    held = []

    def source() -> Iterator[dict[str, Any]]:
        yield from records(25)
        held.append(not decided.wait(2))
        yield from records(1, start=25)

    def on_result(result: Result) -> None:
        row.results.append(result)
        if len(row.results) == 25:
            decided.set()

    service = ScriptedService()
    report = await insert(row, service, source(), on_result=on_result)
    assert outcomes(report) == {"inserted": 26}
    assert held == [False]
    row.agree(service.stored)
