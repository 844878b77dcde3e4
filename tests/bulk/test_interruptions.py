"""What comes from the side: pings, providers, sources, transports that do what they should not."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scripted import Fault

    from ximilar_async._protocol import Response

QUICK = Retry(base=0.001, throttled_base=0.001, cap=0.01)


def collection_of(service: Any, token: Any = "token", **settings: Any) -> Any:
    return Ximilar(token, transport=service, retry=QUICK, **settings).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(count)]


async def test_a_ping_without_an_answer_holds_no_run() -> None:
    """The sign of life that a run asks for is bounded in time as all else is."""

    class Mute(ScriptedService):
        async def send(self, request: Any) -> Response:
            if request.url.endswith("/ping"):
                await asyncio.sleep(3600)
            return await super().send(request)

    service = Mute(lambda method, _: answer(500, http=500) if method == "insert" else None)
    options = bulk.Options(retry=Retry(attempts=8, base=0.01, cap=0.05, deadline=0.5))
    job = bulk.insert(collection_of(service), records(10), options=options)
    with suppress(BulkAborted):  # or its records are given up first
        await job
    assert (job.stats.read, job.stats.failed, job.stats.pending) == (10, 10, 0)


async def test_a_refused_ping_is_a_sign_of_life() -> None:
    """A service that knows no `ping` and answers 404 is there all the same."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method == "ping":
            return answer(404, "no such method", http=404)
        return lost() if len(service.sent("insert")) <= 12 else None

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=8, base=0.005, cap=0.02), batch_size=5)
    eight = collection_of(service, limits=Limits(concurrency=8))
    report = await bulk.insert(eight, records(40), options=options)
    assert (report.inserted, report.failed) == (40, 0)


async def test_a_token_provider_that_raises_ends_the_run_in_good_order() -> None:
    """What is under way is finished, and the report says whose fault it was."""
    asked = answered = 0

    async def provider() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise OSError("token service down")
        return "token-1"

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        nonlocal answered
        answered += 1
        return answer(401, "expired", http=401) if answered == 5 else None

    service = ScriptedService(script, delay=0.02)
    four = collection_of(service, provider, limits=Limits(concurrency=4))
    with pytest.raises(BulkAborted, match="token service down") as caught:
        await bulk.insert(four, records(200))
    report = caught.value.report
    assert report.stop is Stop.AUTH
    assert report.inserted == len(service.stored) > 0
    assert report.failed == 0


async def test_a_transport_that_raises_nonsense_ends_the_run_in_good_order() -> None:
    """An exception of no kind that transports may raise: others finish, its own are in doubt."""
    answered = 0

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        nonlocal answered
        answered += 1
        if answered == 3:
            raise ZeroDivisionError
        return None

    service = ScriptedService(script, delay=0.01)
    four = collection_of(service, limits=Limits(concurrency=4))
    with pytest.raises(BulkAborted, match="unexpected error: ZeroDivisionError") as caught:
        await bulk.insert(four, records(200))
    report = caught.value.report
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (report.stop, report.exit_code) == (Stop.DEFECT, 70)
    assert report.inserted == len(service.stored)
    assert report.failed == 10
    assert "unconfirmed" in report.samples[Outcome.FAILED][0].reason


@pytest.mark.parametrize("ends", ["deadline", "stop"])
async def test_a_source_may_take_its_time_to_close(ends: str) -> None:
    """A run that ends early cancels its source once, and waits for it."""
    told = []

    async def source() -> AsyncIterator[dict[str, Any]]:
        try:
            for number in range(100_000):
                yield {"_id": str(number), "_url": "https://example.com/1.jpg"}
                await asyncio.sleep(0.002)
        finally:
            await asyncio.sleep(0.6)
            told.append("closed")

    options = bulk.Options(deadline=0.1 if ends == "deadline" else None)
    job = bulk.insert(collection_of(ScriptedService()), source(), options=options)
    async with job:
        if ends == "stop":
            await asyncio.sleep(0.1)
            job.stop()
    assert told == ["closed"]


async def test_a_look_up_that_is_cancelled_from_elsewhere_is_repeated() -> None:
    """A stray cancellation is a lost answer, whatever was asked."""

    class Cancelling(ScriptedService):
        async def send(self, request: Any) -> Response:
            response = await super().send(request)
            if request.url.endswith("/get") and len(self.sent("get")) < 3:
                raise asyncio.CancelledError
            return response

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and len(service.sent("insert")) == 1 else None

    service = Cancelling(script, apply_first=True)
    options = bulk.Options(retry=QUICK, flush_after=0.01)
    report = await bulk.insert(collection_of(service), records(10), options=options)
    assert (report.inserted, report.failed) == (10, 0)


async def test_leaving_the_block_cancelled_twice_aborts_the_run() -> None:
    """Nobody waits any longer, so nothing goes on in the background."""
    service = ScriptedService(delay=3600)
    jobs = []

    async def user() -> None:
        jobs.append(bulk.insert(collection_of(service), records(50)))
        async with jobs[0]:
            await asyncio.sleep(0.05)
            raise ValueError

    task = asyncio.create_task(user())
    while not service.requests:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait({task})
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
    report = jobs[0].stats
    assert report.read == sum(report.counts.values()) > 0
    assert task.cancelled()


async def test_many_repeated_ids_do_not_lock_a_small_buffer() -> None:
    """Remembered repetitions make room for reading on, as sent records do."""
    repeated = [{"_id": "a", "_url": "https://example.com/a.jpg"}] * 40
    options = bulk.Options(remember_ids=True, max_pending_bytes=600)
    service = ScriptedService(delay=0.001)
    report = await bulk.insert(collection_of(service), repeated + records(5), options=options)
    assert (report.inserted, report.already_present) == (6, 39)


async def test_ids_that_cannot_be_remembered_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for temporary files the run stops; what was stored is told as stored."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    service = ScriptedService()
    long = [{**record, "_id": record["_id"] + "x" * 2**20} for record in records(60)]
    options = bulk.Options(remember_ids=True, workers=2)
    with pytest.raises(BulkAborted, match="cannot keep the ids") as caught:
        await bulk.insert(collection_of(service), long, options=options)
    report = caught.value.report
    assert report.stop is Stop.JOURNAL
    assert report.inserted == len(service.stored)
    assert report.read == sum(report.counts.values())


async def test_an_error_budget_is_for_this_run_alone(tmp_path: Path) -> None:
    """What earlier runs of a journal bore does not stop the next one at once."""
    batch = records(100)
    for number in range(6):
        del batch[number]["_url"]
    options = bulk.Options(journal=tmp_path / "j", error_budget=5, workers=1)
    with pytest.raises(BulkAborted, match="error_budget"):
        await bulk.insert(collection_of(ScriptedService()), batch, options=options)
    report = await bulk.insert(collection_of(ScriptedService()), batch, options=options)
    assert (report.rejected, report.inserted) == (6, 94)


async def test_a_record_that_raises_nonsense_when_it_is_read_hangs_no_run() -> None:
    """What breaks between source and request ends the run, and each record read has an outcome."""

    class Broken(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise ZeroDivisionError

    service = ScriptedService()
    batch = [*records(30), Broken(_id="x"), *records(10)]
    with pytest.raises(BulkAborted, match="unexpected error: ZeroDivisionError") as caught:
        await bulk.insert(collection_of(service), batch)
    report = caught.value.report
    assert report.stop is Stop.DEFECT
    assert report.read == sum(report.counts.values())
    assert report.inserted == len(service.stored)
