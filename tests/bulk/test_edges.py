"""Rare ways in which a run could hang, lie or say nothing, each kept from coming back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.errors import BulkAborted, ConfigError
from ximilar_async.sources import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from pathlib import Path

    from scripted import Fault

    from ximilar_async.sources import Chunk

QUICK = Retry(attempts=2, base=0)


def collection_of(service: ScriptedService, **settings: Any) -> Any:
    return Ximilar("token", transport=service, **settings).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(count)]


@define
class Faulty:
    """A source of records, some of which it says cannot be had as they should be."""

    faults: set[int]
    name = "catalog.csv"
    size: int | None = None
    position = 0
    path: Path | None = None
    files_root: Path | None = None

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield three batches of records."""
        yield [
            Entry(f"line {n}", record, "has the price nan" if n in self.faults else None)
            for n, record in enumerate(records(30))
        ]


@pytest.mark.parametrize("faults", [{3}, {0, 9}, {10}, set(range(20, 30)), set(range(30))])
async def test_a_record_that_its_source_finds_fault_with_is_not_sent(faults: set[int]) -> None:
    """However complete it looks, and whatever stands beside it in its batch, it is rejected."""
    service = ScriptedService()
    report = await bulk.insert(collection_of(service), Faulty(faults))
    assert report.counts[Outcome.REJECTED] == len(faults)
    assert set(service.stored) == {str(n) for n in range(30) if n not in faults}
    samples = report.samples[Outcome.REJECTED]
    assert "has the price nan" in samples[0].reason


async def test_records_in_doubt_do_not_hold_the_reader_for_ever() -> None:
    """Doubtful records weigh as pending; they are looked up before there is no room left."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and len(service.sent("insert")) <= 2 else None

    service = ScriptedService(script, apply_first=True)
    options = bulk.Options(
        retry=QUICK, max_pending_bytes=200, flush_after=0.02, batch_size=5, workers=1
    )
    report = await bulk.insert(collection_of(service), records(40), options=options)
    assert (report.read, report.inserted) == (40, 40)


async def test_a_delete_that_nothing_confirms_is_not_reported_as_done() -> None:
    """A look-up that does not mention a record says nothing about it."""
    service = ScriptedService(lambda _, __: answer(200, answer_records=[], skipped_records=[]))
    report = await bulk.delete(collection_of(service), ["1", "2"])
    assert report.counts == {Outcome.FAILED: 2}
    assert "does not mention" in report.samples[Outcome.FAILED][0].reason


async def test_a_source_that_is_cancelled_did_not_end_well() -> None:
    """A cancelled inner task ends the source, not the truth."""

    async def broken() -> AsyncIterator[dict[str, Any]]:
        yield records(1)[0]
        raise asyncio.CancelledError

    with pytest.raises(BulkAborted) as caught:
        await bulk.insert(collection_of(ScriptedService()), broken())
    assert caught.value.report.stop is Stop.SOURCE


async def test_a_generator_that_exits_is_told_of() -> None:
    """SystemExit in a user's generator neither hangs the run nor ends the program."""

    def leaving() -> Iterator[dict[str, Any]]:
        yield records(1)[0]
        raise SystemExit(3)

    with pytest.raises(BulkAborted, match="SystemExit") as caught:
        await bulk.insert(collection_of(ScriptedService()), leaving())
    assert caught.value.report.inserted == 1


async def test_files_stay_below_the_collections_root(tmp_path: Path) -> None:
    """What a single call refuses, a bulk run refuses too."""
    (tmp_path / "inside").mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8\xff")
    client = Ximilar("token", transport=ScriptedService())
    collection = client.collection("c", files_root=tmp_path / "inside")
    report = await bulk.insert(collection, [{"_id": "1", "_file": str(secret)}])
    assert report.counts == {Outcome.REJECTED: 1}
    assert "outside" in report.samples[Outcome.REJECTED][0].reason


async def test_throttling_costs_time_and_no_attempts() -> None:
    """However often the service says 429, no record is given up for it."""
    throttled = iter(range(60))

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        slow = method == "insert" and next(throttled, None) is not None
        return answer(429, "slow down", http=429) if slow else None

    options = bulk.Options(retry=Retry(attempts=2, base=0, throttled_base=0))
    report = await bulk.insert(collection_of(ScriptedService(script)), records(50), options=options)
    assert report.inserted == 50


async def test_what_only_waited_for_a_slot_was_not_attempted() -> None:
    """Giving up a run claims no doubt about requests that never left."""
    service = ScriptedService(delay=3600)
    collection = collection_of(service, limits=Limits(concurrency=1))
    job = bulk.insert(collection, records(100), options=bulk.Options(workers=5))
    async with job:
        while service.under_way < 1 or job.stats.read < 60:
            await asyncio.sleep(0)
        job.abort()
    report = await job
    assert report.counts[Outcome.FAILED] == 10
    assert report.counts[Outcome.NOT_ATTEMPTED] == report.read - 10


async def test_leaving_the_block_raises_what_ended_the_run() -> None:
    """A refused token is not swallowed because nobody awaited the job."""
    service = ScriptedService(lambda _, __: answer(401, "no", http=401))
    with pytest.raises(BulkAborted, match="401"):
        async with bulk.insert(collection_of(service), records(3)):
            pass


async def test_a_raising_token_provider_gives_a_report() -> None:
    """Whatever breaks a run, its report comes along."""

    def token() -> str:
        raise LookupError("vault")

    collection = Ximilar(token, transport=ScriptedService()).collection("c")
    with pytest.raises(BulkAborted, match="vault") as caught:
        await bulk.insert(collection, records(30))
    assert caught.value.report.pending == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 1.5},
        {"batch_size": 2.5},
        {"flush_after": float("nan")},
        {"on_result": 5},
        {"progress": asyncio.sleep},
    ],
)
def test_options_are_checked_where_they_are_given(wrong: dict[str, Any]) -> None:
    """A wrong option is named before anything is read."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        bulk.Options(**wrong)


async def test_integers_beyond_64_bits_are_refused_by_name(tmp_path: Path) -> None:
    """A long number in a file is not quietly made a float."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"_id": "1", "_url": "u", "ean": 123456789012345678901}\n')
    report = await bulk.insert(collection_of(ScriptedService()), path)
    assert "ean is an integer beyond 64 bits" in report.samples[Outcome.REJECTED][0].reason
