"""A run as the user holds it: results as they come, back-pressure, leaving early."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scripted import ScriptedService, answer

from ximilar_async import Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.errors import BulkAborted


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(count)]


async def test_results_come_once_for_every_record() -> None:
    """Each record's result is yielded, rejected ones included; then the report is there."""
    async with bulk.insert(collection_of(ScriptedService()), [*records(95), {}]) as job:
        seen = [result async for result in job.results()]
    assert sorted(result.seq for result in seen) == list(range(1, 97))
    report = await job
    assert (report.inserted, report.rejected) == (95, 1)


async def test_a_slow_consumer_holds_the_run_back() -> None:
    """While results wait to be fetched nothing more is sent, so memory stays bounded."""
    service = ScriptedService()
    options = bulk.Options(workers=2)
    async with bulk.insert(collection_of(service), iter(records(5000)), options=options) as job:
        results = job.results(buffer=20)
        first = await anext(results)
        for _ in range(200):
            await asyncio.sleep(0)
        assert first.outcome is Outcome.INSERTED
        assert len(service.requests) <= 2 + 2 + 2
        assert 1 + len([result async for result in results]) == 5000
    assert (await job).inserted == 5000


async def test_a_consumer_that_only_meets_rejections_holds_the_reader_back() -> None:
    """Back-pressure counts for records that never leave this machine too."""
    bad: list[Any] = [{} for _ in range(5000)]
    async with bulk.insert(collection_of(ScriptedService()), bad) as job:
        results = job.results(buffer=20)
        await anext(results)
        for _ in range(200):
            await asyncio.sleep(0)
        assert job.stats.rejected <= 100
        assert 1 + len([result async for result in results]) == 5000


async def test_leaving_the_results_early_lets_the_run_end() -> None:
    """`break` loses interest, not records."""
    async with bulk.insert(collection_of(ScriptedService()), records(500)) as job:
        async for result in job.results(buffer=10):
            assert result.id is not None
            break
    assert (await job).inserted == 500


async def test_an_exception_in_the_block_stops_the_run() -> None:
    """What is under way is finished, the rest is not attempted, the exception goes on."""
    service = ScriptedService(delay=0.001)
    job = bulk.insert(collection_of(service), iter(records(5000)))
    with pytest.raises(LookupError):  # noqa: PT012 - the block is what is tested
        async with job:
            async for _ in job.results():
                raise LookupError
    report = await job
    assert report.stop is bulk.Stop.ASKED
    assert report.inserted == len(service.stored) < 5000
    assert report.pending == 0


async def test_results_end_when_the_run_is_aborted() -> None:
    """A fatal stop ends the iteration; awaiting the job raises with the report."""
    service = ScriptedService(lambda _, __: answer(401, "no", http=401))
    job = bulk.insert(collection_of(service), records(50))
    seen: list[bulk.Result] = []
    with pytest.raises(BulkAborted, match="XIMILAR_TOKEN"):
        async with job:
            seen += [result async for result in job.results()]
    assert len(seen) == 50
    with pytest.raises(BulkAborted, match="XIMILAR_TOKEN"):
        await job
    assert [result async for result in job.results()] == []


async def test_a_job_that_is_stopped_before_it_starts_reads_nothing_more() -> None:
    """Stopping is possible at any time."""
    job = bulk.insert(collection_of(ScriptedService()), records(50))
    job.stop()
    report = await job
    assert (report.read, report.stop) == (0, bulk.Stop.ASKED)


async def test_a_job_can_be_awaited_by_many() -> None:
    """Every awaiting task gets the same report."""
    job = bulk.insert(collection_of(ScriptedService()), records(30))

    async def wait() -> bulk.Report:
        return await job

    first, second = await asyncio.gather(wait(), wait())
    assert first is second
