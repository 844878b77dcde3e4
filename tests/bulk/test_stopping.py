"""Ends of a run before its source: what has left is waited for, nothing further leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fakes import clock, in_virtual_time
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Stop
from ximilar_async.errors import BulkAborted, ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scripted import Fault

QUICK = Retry(base=0.001, throttled_base=0.001, cap=0.01)


def collection_of(service: Any, **settings: Any) -> Any:
    return Ximilar("token", transport=service, retry=QUICK, **settings).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(count)]


async def test_after_stop_no_request_leaves_that_waits_for_a_slot() -> None:
    """Requests in line at the gate are called back; the one under way is finished."""
    service = ScriptedService(delay=0.02)
    slow = collection_of(service, limits=Limits(concurrency=1))
    job = bulk.insert(slow, records(200), options=bulk.Options(workers=8))
    async with job:
        while not service.requests:
            await asyncio.sleep(0)
        job.stop()
    report = await job
    assert len(service.requests) == 1
    assert (report.inserted, report.failed, report.requests) == (10, 0, 1)
    assert report.not_attempted == report.read - 10


async def test_after_stop_no_request_leaves_that_waits_for_the_rate() -> None:
    """A run that is held to a slow rate ends at once when it is stopped."""
    service = ScriptedService()
    slow = collection_of(service, limits=Limits(rate=1, per=3600.0))
    job = bulk.insert(slow, records(100))
    async with job:
        while not service.requests:
            await asyncio.sleep(0)
        job.stop()
    report = await job
    assert (report.inserted, report.not_attempted) == (10, report.read - 10)


async def test_after_stop_no_request_leaves_that_waits_for_the_end_of_a_pause() -> None:
    """A Retry-After of an hour does not keep a stopped run."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method == "insert" and len(service.requests) == 3:
            refused = answer(429, "too many requests", http=429)
            return type(refused)(429, {"retry-after": "500"}, refused.body)
        return None

    service = ScriptedService(script)
    job = bulk.insert(collection_of(service, limits=Limits(concurrency=2)), records(500))
    async with job:
        while not job.stats.paused:
            await asyncio.sleep(0.005)
        assert job.stats.closed.startswith("paused for ")
        job.stop()
    report = await job
    assert report.inserted == len(service.stored)
    assert report.failed == 0
    assert report.held > 0


async def test_an_outage_calls_back_what_waits_at_the_gate() -> None:
    """When five requests in a row fail, those in line wait for the probe to succeed."""

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        return answer(503, "down", http=503) if len(service.requests) <= 5 else None

    service = ScriptedService(script, delay=0.001)
    one = collection_of(service, limits=Limits(concurrency=1))
    options = bulk.Options(retry=Retry(attempts=8, base=0.05, cap=0.1), workers=20)
    report = await bulk.insert(one, records(200), options=options)
    assert report.inserted == 200
    assert report.outage_seconds > 0
    # 5 failures, then every batch once: nobody ran into the closed gate.
    assert len(service.requests) == 5 + 20


async def test_a_deadline_ends_the_run_as_stop_does() -> None:
    """`deadline` bounds the whole run; the report says what was not attempted."""

    async def endless() -> AsyncIterator[dict[str, Any]]:
        number = 0
        while True:
            yield {"_id": str(number), "_url": "https://example.com/1.jpg"}
            number += 1
            await asyncio.sleep(0.001)

    service = ScriptedService()
    options = bulk.Options(deadline=0.3)
    report = await bulk.insert(collection_of(service), endless(), options=options)
    assert report.stop is Stop.DEADLINE
    assert report.read == sum(report.counts.values())
    assert report.inserted == len(service.stored) > 0
    assert report.exit_code == bulk.ExitCode.TROUBLE


@pytest.mark.parametrize(("budget", "stops"), [(4, True), (5, False), (0.04, True), (0.06, False)])
async def test_too_many_errors_stop_the_run(budget: float, *, stops: bool) -> None:
    """`error_budget` is a number of records, or a share of them."""
    batch = records(100)
    for number in range(0, 100, 20):
        del batch[number]["_url"]
    service = ScriptedService()
    options = bulk.Options(error_budget=budget, workers=1)
    job = bulk.insert(collection_of(service), batch, options=options)
    if not stops:
        assert (await job).rejected == 5
        return
    with pytest.raises(BulkAborted, match="error_budget") as caught:
        await job
    report = caught.value.report
    assert report.stop is Stop.ERRORS
    assert report.read == sum(report.counts.values())


@pytest.mark.parametrize("value", [-1, 1.5, 1.0, -0.1, "5", True, float("nan")])
def test_a_budget_that_means_nothing_is_refused(value: Any) -> None:
    """The message names the option and both its forms."""
    with pytest.raises(ConfigError, match="error_budget must be a whole number of records, or a"):
        bulk.Options(error_budget=value)


async def test_a_run_whose_every_record_is_refused_stops() -> None:
    """A 400 for everything is about the request, not about fifty thousand records."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return answer(400, "wrong field", http=400) if method == "insert" else None

    service = ScriptedService(script)
    with pytest.raises(BulkAborted, match="none accepted: 400 wrong field") as caught:
        await bulk.insert(collection_of(service), records(5000), options=bulk.Options(workers=2))
    report = caught.value.report
    assert report.stop is Stop.CONFIGURATION
    assert 50 <= report.rejected < 200
    assert report.read == sum(report.counts.values())
    assert len(service.requests) < 300


async def test_a_service_that_hangs_is_given_up_in_time() -> None:
    """`Retry.deadline` also bounds the wait for a single answer, whatever the time-outs are."""
    service = ScriptedService(delay=3600)
    options = bulk.Options(retry=Retry(deadline=0.3), workers=2)
    with pytest.raises(BulkAborted, match="no answer after") as caught:
        await bulk.insert(collection_of(service), records(40), options=options)
    report = caught.value.report
    assert report.stop is Stop.OUTAGE
    assert report.failed == 20
    assert "unconfirmed" in report.samples[bulk.Outcome.FAILED][0].reason
    assert report.not_attempted == 20


async def test_a_cancellation_from_elsewhere_is_a_lost_answer() -> None:
    """A transport that is cancelled under a request neither ends nor hangs the run."""
    cancelled = 0

    class Cancelling(ScriptedService):
        async def send(self, request: Any) -> Any:
            nonlocal cancelled
            result = await super().send(request)
            if cancelled < 2:
                cancelled += 1
                raise asyncio.CancelledError
            return result

    service = Cancelling()
    report = await bulk.insert(
        collection_of(service), records(40), options=bulk.Options(retry=QUICK, workers=2)
    )
    assert (report.inserted, report.retries) == (40, 2)


@pytest.mark.parametrize("bad", [["3"], ["1", "5"]])
@pytest.mark.parametrize("fails", ["500", "time-out"])
async def test_a_poisoned_batch_is_isolated_although_nothing_else_is_there(
    bad: list[str], fails: str
) -> None:
    """The service is asked whether it is there; if so, the batch is at fault and bisected."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        ids = {record["_id"] for record in body.get("records", ())}
        if method != "insert" or ids.isdisjoint(bad):
            return None
        return answer(500, "oops", http=500) if fails == "500" else lost()

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=4, base=0.001, cap=0.01))
    report = await bulk.insert(collection_of(service), records(10), options=options)
    assert report.inserted == 10 - len(bad)
    assert report.failed == len(bad)
    assert service.stored.keys() == {str(n) for n in range(10)} - set(bad)


async def test_look_ups_wait_for_the_end_of_an_outage() -> None:
    """A record in doubt is not given up because the service is away when it is looked up."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method == "insert":
            return lost() if len(service.sent("insert")) == 1 else None
        away = len(service.sent("get")) + len(service.sent("ping")) <= 12
        return answer(503, "down", http=503) if away else None

    service = ScriptedService(script, apply_first=True)
    options = bulk.Options(retry=Retry(attempts=8, base=0.001, cap=0.004), flush_after=0.01)
    report = await bulk.insert(collection_of(service), records(10), options=options)
    assert (report.inserted, report.failed) == (10, 0)


async def test_a_missing_collection_is_no_missing_record() -> None:
    """A 404 about the collection stops a run; it does not count its records as not found."""

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        return answer(404, "Collection not found", http=404)

    service = ScriptedService(script)
    with pytest.raises(BulkAborted, match="Collection not found") as caught:
        await bulk.delete(collection_of(service), ["1", "2"])
    report = caught.value.report
    assert (report.stop, report.not_attempted) == (Stop.CONFIGURATION, 2)


def test_a_rate_is_held_by_a_bulk_run() -> None:
    """50 requests a second: 100 batches take 2 seconds of the loop's time, and not more."""

    async def main() -> float:
        service = ScriptedService()
        client = Ximilar("token", transport=service, limits=Limits(rate=50, concurrency=20))
        start = clock()
        await bulk.insert(client.collection("c"), records(1000))
        return clock() - start

    assert in_virtual_time(main()) == pytest.approx(2, rel=0.1)
