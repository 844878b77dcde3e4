"""The engine: every record read has one outcome, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.errors import BulkAborted, ConfigError, ConnectError, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from scripted import Fault

    from ximilar_async.bulk import Result

QUICK = Retry(base=0, throttled_base=0)


def collection_of(service: ScriptedService, **settings: Any) -> Any:
    return Ximilar("token", transport=service, retry=QUICK, **settings).collection("c")


def records(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"_id": str(n), "_url": f"https://example.com/{n}.jpg", "price": n}
        for n in range(start, start + count)
    ]


def check(report: bulk.Report, read: int, **counts: int) -> None:
    """Check that the report sums to what was read, and has just these outcomes."""
    assert report.read == read == sum(report.counts.values())
    assert {str(outcome): n for outcome, n in report.counts.items() if n} == counts
    assert report.pending == 0


async def slowly(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize("kind", ["list", "generator", "async generator", "tuple", "file"])
async def test_every_kind_of_input_is_taken(kind: str, tmp_path: Path) -> None:
    """List, iterable, async iterable and JSONL file bring the same records in."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(record) for record in records(37)))
    inputs: dict[str, Any] = {
        "list": records(37),
        "generator": (record for record in records(37)),
        "async generator": slowly(records(37)),
        "tuple": tuple(records(37)),
        "file": path,
    }
    service = ScriptedService()
    report = await bulk.insert(collection_of(service), inputs[kind])
    check(report, 37, inserted=37)
    assert list(service.stored) == [str(n) for n in range(37)]
    assert report.ok
    assert report.exit_code == 0


async def test_requests_hold_ten_records_and_one_may_hold_fewer() -> None:
    """A stream is cut into 10-record requests ("max 10 records per request")."""
    service = ScriptedService()
    report = await bulk.insert(collection_of(service), records(95))
    assert [len(body["records"]) for body in service.sent("insert")] == [10] * 9 + [5]
    assert report.requests == 10
    assert service.sent("insert")[0]["fields_to_return"] == ["_id"]


async def test_the_second_time_all_are_already_present() -> None:
    """Repeating a run changes nothing and says so."""
    service = ScriptedService()
    await bulk.insert(collection_of(service), records(25))
    check(await bulk.insert(collection_of(service), records(25)), 25, already_present=25)


async def test_bad_records_cost_themselves_only() -> None:
    """What cannot be sent is rejected by name before anything is sent; the rest is inserted."""
    bad = [
        {"_url": "https://example.com/1.jpg"},
        {"_id": "no image"},
        {"_id": 7, "_url": "u"},
        [1, 2],
        {"_id": "nan", "_url": "u", "price": float("nan")},
        {"_id": "missing", "_file": "no-such-file.jpg"},
        {"_id": "heavy", "_url": "u", "text": "x" * 5000},
    ]
    service = ScriptedService()
    options = bulk.Options(max_batch_bytes=4000)
    report = await bulk.insert(collection_of(service), [*bad, *records(12)], options=options)
    check(report, 19, inserted=12, rejected=7)
    assert sorted(service.stored) == sorted(str(n) for n in range(12))
    reasons = [sample.reason for sample in report.samples[Outcome.REJECTED]]
    for word in (
        "no `_id`",
        "no image",
        "non-empty string",
        "list",
        "nan",
        "no-such-file",
        "bytes",
    ):
        assert any(word in reason for reason in reasons), (word, reasons)
    assert report.exit_code == 1
    with pytest.raises(BulkAborted, match="7 rejected"):
        report.raise_for_failures()


async def test_one_refused_record_does_not_cost_its_batch() -> None:
    """A request refused as a whole is bisected: 9 good records are not lost with 1 bad."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        bad = method == "insert" and any(record["_id"] == "13" for record in body["records"])
        return answer(400, "bad record", http=400) if bad else None

    service = ScriptedService(script)
    report = await bulk.insert(collection_of(service), records(20))
    check(report, 20, inserted=19, rejected=1)
    (sample,) = report.samples[Outcome.REJECTED]
    assert (sample.id, sample.code) == ("13", 400)
    assert "bad record" in sample.reason


async def test_records_of_a_lost_answer_count_as_inserted_by_this_run() -> None:
    """A repeat after a lost answer says "duplicate" of what this very run stored."""
    losses = iter([True, False, True])

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and next(losses, False) else None

    service = ScriptedService(script, apply_first=True)
    report = await bulk.insert(collection_of(service), records(30))
    check(report, 30, inserted=30)
    assert report.retries == 2


async def test_records_stored_before_with_other_fields_stay_already_present() -> None:
    """A doubtful duplicate is compared with what was sent, field by field."""
    losses = iter([True])

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and next(losses, False) else None

    service = ScriptedService(script, apply_first=True)
    service.stored["3"] = {"_id": "3", "_url": "elsewhere"}
    report = await bulk.insert(collection_of(service), records(10))
    check(report, 10, inserted=9, already_present=1)
    assert report.samples[Outcome.ALREADY_PRESENT][0].id == "3"


async def test_records_in_neither_list_are_looked_up() -> None:
    """What an answer does not mention is neither invented as success nor lost."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        if method == "insert":
            service.stored["0"] = body["records"][0]
            return answer(210, answer_records=[], answer_count=0)
        return None

    service = ScriptedService(script)
    report = await bulk.insert(collection_of(service), records(3))
    check(report, 3, inserted=1, failed=2)
    assert report.anomalies == {"id in neither list": 3}


async def test_an_outage_stops_the_run_and_fails_nothing() -> None:
    """When the service is gone the run probes, then ends; what never left is not attempted."""
    dead = False

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        nonlocal dead
        dead = dead or len(service.stored) >= 50
        return ConnectError("localhost:1: cannot connect (Connection refused)") if dead else None

    service = ScriptedService(script)
    with pytest.raises(BulkAborted, match="cannot connect") as caught:
        await bulk.insert(
            collection_of(service, limits=Limits(concurrency=8)),
            iter(records(5000)),
            options=bulk.Options(retry=Retry(base=0.02, deadline=0.2)),
        )
    report = caught.value.report
    assert report.stop is Stop.OUTAGE
    assert report.exit_code == 5
    assert report.inserted == len(service.stored)
    assert report.read == sum(report.counts.values()) < 5000
    assert report.failed == 0
    assert report.not_attempted == report.read - report.inserted > 0
    assert len(service.requests) <= 5 + 16 + 10


async def test_an_outage_is_told_while_it_lasts() -> None:
    """Who watches a run sees since when the service does not answer, and why."""
    service = ScriptedService(lambda _, __: ConnectError("localhost:1: cannot connect"))
    options = bulk.Options(retry=Retry(base=0.001))
    async with bulk.insert(collection_of(service), records(100), options=options) as job:
        while not job.stats.outage:
            await asyncio.sleep(0.001)
        assert job.stats.outage == "no answer for 0 s: localhost:1: cannot connect"
        job.stop()
    assert (await job).outage == ""


async def test_an_outage_that_ends_costs_nothing_but_time() -> None:
    """Records wait out an outage; when it ends every one of them is inserted."""
    outage = iter([None] * 5 + [1] * 30)

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        gone = method == "insert" and next(outage, None)
        return ConnectError("localhost:1: cannot connect (Connection refused)") if gone else None

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=2, base=0.0005, cap=0.002))
    report = await bulk.insert(collection_of(service), records(200), options=options)
    check(report, 200, inserted=200)
    assert report.requests == 20 + 30


async def test_a_storm_of_503_is_ridden_out_with_few_requests() -> None:
    """30 % failures: every record is decided, with at most 1.5 requests for each needed."""
    dice = random.Random(5)

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        bad = method == "insert" and dice.random() < 0.3
        return answer(503, "overloaded", http=503) if bad else None

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=12, base=0.001, cap=0.01))
    report = await bulk.insert(collection_of(service), records(3000), options=options)
    check(report, 3000, inserted=3000)
    assert report.requests <= 1.5 * 300


async def test_throttling_is_no_outage() -> None:
    """429 says that the service is there: the run slows down and goes on."""
    throttled = iter(range(40))

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        slow = method == "insert" and next(throttled, None) is not None
        return answer(429, "slow down", http=429) if slow else None

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=50, base=0, throttled_base=0))
    check(
        await bulk.insert(collection_of(service), records(100), options=options), 100, inserted=100
    )


@pytest.mark.parametrize("kind", ["500", "time-out"])
async def test_a_record_that_breaks_its_request_every_time_is_isolated(kind: str) -> None:
    """Poison: a batch that fails twice while others succeed is bisected; the others go in."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        if method != "insert" or all(record["_id"] != "13" for record in body["records"]):
            return None
        return answer(500, "internal error", http=500) if kind == "500" else lost()

    service = ScriptedService(script)
    options = bulk.Options(retry=Retry(attempts=6, base=0.001, cap=0.01), workers=2)
    report = await bulk.insert(collection_of(service), records(200), options=options)
    check(report, 200, inserted=199, failed=1)
    assert report.samples[Outcome.FAILED][0].id == "13"


async def test_the_same_id_is_never_under_way_twice() -> None:
    """A repeated id waits for the first one's outcome, across all requests."""
    under_way: set[str] = set()

    class Watching(ScriptedService):
        async def send(self, request: Any) -> Any:
            ids = {record["_id"] for record in orjson.loads(request.body)["records"]}
            assert not ids & under_way
            under_way.update(ids)
            try:
                return await super().send(request)
            finally:
                under_way.difference_update(ids)

    dice = random.Random(3)
    many = [records(1, start=dice.randrange(30))[0] for _ in range(600)]
    service = Watching(delay=0.001)
    report = await bulk.insert(collection_of(service), many, options=bulk.Options(workers=8))
    assert report.read == 600 == sum(report.counts.values())
    assert report.inserted == len(service.stored) == len({record["_id"] for record in many})


async def test_a_repeated_id_waits_for_a_look_into_the_collection() -> None:
    """A record in doubt is looked up although another one waits for its id."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and len(service.sent("insert")) <= 2 else None

    service = ScriptedService(script, apply_first=True)
    options = bulk.Options(retry=Retry(attempts=2, base=0))
    report = await bulk.insert(collection_of(service), records(1) * 2, options=options)
    check(report, 2, inserted=1, already_present=1)


async def test_abort_ends_at_once_and_says_what_is_unconfirmed() -> None:
    """A request that is given up may have been applied: its records are failed, unconfirmed."""
    service = ScriptedService(delay=3600)
    job = bulk.insert(collection_of(service), records(95), options=bulk.Options(workers=2))
    async with job:
        while service.under_way < 2:
            await asyncio.sleep(0)
        job.abort()
    report = await job
    check(report, report.read, failed=20, not_attempted=report.read - 20)
    assert all("unconfirmed" in sample.reason for sample in report.samples[Outcome.FAILED])


async def test_stop_with_a_grace_gives_up_what_does_not_end() -> None:
    """After the grace the requests that still hang are given up."""
    service = ScriptedService(delay=3600)
    job = bulk.insert(collection_of(service), records(30), options=bulk.Options(workers=1))
    async with job:
        while service.under_way < 1:
            await asyncio.sleep(0)
        job.stop(grace=0.01)
    report = await job
    check(report, report.read, failed=10, not_attempted=report.read - 10)


@pytest.mark.parametrize(
    ("fault", "stop", "exit_code"),
    [
        (answer(401, "Invalid token", http=401), Stop.AUTH, 3),
        (answer(412, "hard capacity exceeded"), Stop.CAPACITY, 4),
        (answer(402, "no credits", http=402), Stop.CAPACITY, 4),
        (answer(404, "Not found", http=404), Stop.CONFIGURATION, 2),
        (answer(200, http=302), Stop.CONFIGURATION, 2),
    ],
    ids=["401", "412", "402", "404", "302"],
)
async def test_what_no_repetition_can_mend_stops_the_run(
    fault: Fault, stop: Stop, exit_code: int
) -> None:
    """Authorization, capacity and configuration end the run after what is under way."""
    service = ScriptedService(
        lambda method, _: fault if method == "insert" and len(service.stored) >= 30 else None
    )
    with pytest.raises(BulkAborted) as caught:
        await bulk.insert(collection_of(service, limits=Limits(concurrency=3)), iter(records(2000)))
    report = caught.value.report
    assert (report.stop, report.exit_code) == (stop, exit_code)
    assert report.inserted == len(service.stored)
    assert report.read == sum(report.counts.values()) < 2000
    assert len(service.requests) <= 3 + 2 * 3


async def test_what_a_full_collection_took_counts_as_inserted() -> None:
    """412 with lists: the lists first, then the end of the run."""

    def script(_: str, body: dict[str, Any]) -> Fault:
        ids = [record["_id"] for record in body["records"]]
        reason = {"status": {"code": 412, "text": "hard capacity exceeded"}}
        return answer(
            412,
            answer_records=[{"_id": ids[0]}],
            skipped_records=[{"_id": id_, "_reason": reason} for id_ in ids[1:]],
        )

    with pytest.raises(BulkAborted) as caught:
        await bulk.insert(
            collection_of(ScriptedService(script)), records(10), options=bulk.Options(workers=1)
        )
    check(caught.value.report, 10, inserted=1, rejected=9)


async def test_a_source_that_breaks_off_loses_nothing_it_gave() -> None:
    """What came before a source's error is inserted; the error is told with the report."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield from records(15)
        raise KeyError("column")

    service = ScriptedService()
    with pytest.raises(BulkAborted, match="column") as caught:
        await bulk.insert(collection_of(service), breaking())
    check(caught.value.report, 15, inserted=15)
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_raising_callback_ends_the_run_with_its_report() -> None:
    """An exception in `on_result` is the user's to see, and loses no record."""

    def on_result(_: Result) -> None:
        raise ZeroDivisionError

    service = ScriptedService()
    with pytest.raises(BulkAborted, match="on_result") as caught:
        await bulk.insert(
            collection_of(service), records(500), options=bulk.Options(on_result=on_result)
        )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.report.pending == 0


async def test_on_result_hears_of_every_record_once() -> None:
    """Each record's result names its place, id and outcome."""
    heard: list[Result] = []
    service = ScriptedService()
    service.stored["1"] = {}
    await bulk.insert(
        collection_of(service),
        [*records(12), {}],
        options=bulk.Options(on_result=heard.append),
    )
    assert sorted(result.seq for result in heard) == list(range(1, 14))
    by_seq = {result.seq: result for result in heard}
    assert by_seq[1].outcome is Outcome.INSERTED
    assert (by_seq[2].id, by_seq[2].outcome) == ("1", Outcome.ALREADY_PRESENT)
    assert (by_seq[13].where, by_seq[13].outcome) == ("record 13", Outcome.REJECTED)
    assert by_seq[3].record == records(1, start=2)[0]


async def test_stop_finishes_what_is_under_way_and_reports_the_rest() -> None:
    """`stop()` drains: a request that left is waited for, what waits is not attempted."""
    service = ScriptedService(delay=0.01)
    job = bulk.insert(
        collection_of(service), iter(records(10_000)), options=bulk.Options(workers=2)
    )
    async with job:
        while job.stats.inserted < 40:
            await asyncio.sleep(0.005)
        job.stop()
    report = await job
    assert report.stop is Stop.ASKED
    assert report.exit_code == 130
    assert report.inserted == len(service.stored)
    assert report.read == sum(report.counts.values()) < 10_000
    assert report.not_attempted == report.read - report.inserted
    assert service.under_way == 0


async def test_cancelling_the_awaiting_task_drains_and_raises() -> None:
    """A cancelled request may have been applied all the same, so cancelling waits for answers."""
    service = ScriptedService(delay=0.01)
    job = bulk.insert(collection_of(service), iter(records(10_000)))

    async def wait() -> bulk.Report:
        return await job

    task = asyncio.create_task(wait())
    while job.stats.inserted < 20:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.under_way == 0
    assert job.stats.pending == 0
    assert job.stats.inserted == len(service.stored)


async def test_stop_interrupts_a_source_that_gives_nothing() -> None:
    """A run that waits for its source ends at once when it is asked to."""

    async def stuck() -> AsyncIterator[dict[str, Any]]:
        yield records(1)[0]
        await asyncio.Event().wait()

    job = bulk.insert(collection_of(ScriptedService()), stuck())
    async with job:
        while job.stats.read < 1:
            await asyncio.sleep(0)
        job.stop()
    check(await job, 1, not_attempted=1)


async def test_records_of_a_slow_source_are_sent_after_a_while() -> None:
    """A batch that does not fill leaves after `flush_after` seconds."""
    decided = asyncio.Event()

    async def trickle() -> AsyncIterator[dict[str, Any]]:
        yield records(1)[0]
        await decided.wait()

    report = await bulk.insert(
        collection_of(ScriptedService()),
        trickle(),
        options=bulk.Options(flush_after=0.02, on_result=lambda _: decided.set()),
    )
    check(report, 1, inserted=1)


async def test_a_blocking_iterable_runs_off_the_loop_in_one_thread() -> None:
    """A generator that blocks never holds the event loop, and always runs in the same thread."""
    threads: set[int] = set()

    def blocking() -> Iterator[dict[str, Any]]:
        for record in records(250):
            threads.add(threading.get_ident())
            yield record

    check(await bulk.insert(collection_of(ScriptedService()), blocking()), 250, inserted=250)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_the_same_id_is_never_twice_in_one_request() -> None:
    """Results are joined by `_id`, so a repeated one opens the next request."""
    service = ScriptedService()
    doubled = [record for record in records(20) for _ in range(2)]
    report = await bulk.insert(collection_of(service), doubled, options=bulk.Options(workers=1))
    check(report, 40, inserted=20, already_present=20)
    for body in service.sent("insert"):
        ids = [record["_id"] for record in body["records"]]
        assert len(set(ids)) == len(ids)


async def test_workers_keep_to_the_clients_concurrency() -> None:
    """However many workers, the client's quota holds for all of its jobs together."""
    service = ScriptedService(delay=0.002)
    client = Ximilar("token", transport=service, limits=Limits(concurrency=3))
    options = bulk.Options(workers=20)
    await asyncio.gather(
        bulk.insert(client.collection("a"), records(200), options=options),
        bulk.insert(client.collection("b"), records(200, start=500), options=options),
    )
    assert service.most_under_way == 3


async def test_pending_bytes_are_bounded() -> None:
    """Reading pauses while too much is under way, and goes on when there is room."""
    most = 0
    service = ScriptedService(delay=0.001)
    job = bulk.insert(
        collection_of(service),
        ({"_id": str(n), "_url": "u", "text": "x" * 1000} for n in range(300)),
        options=bulk.Options(
            max_pending_bytes=20_000, on_result=lambda _: note(), batch_size=3, workers=4
        ),
    )

    def note() -> None:
        nonlocal most
        most = max(most, job._engine._ledger.pending_bytes)

    check(await job, 300, inserted=300)
    assert most <= 20_000 + 10 * 1100


async def test_a_dry_run_sends_nothing_and_finds_what_is_wrong() -> None:
    """Everything is read and checked; good records are not attempted, bad ones are rejected."""
    service = ScriptedService()
    report = await bulk.insert(
        collection_of(service), [*records(15), {}], options=bulk.Options(dry_run=True)
    )
    check(report, 16, not_attempted=15, rejected=1)
    assert service.requests == []


async def test_max_records_reads_no_more() -> None:
    """`max_records` ends the reading, not the accounting."""
    report = await bulk.insert(
        collection_of(ScriptedService()), iter(records(500)), options=bulk.Options(max_records=42)
    )
    check(report, 42, inserted=42)


async def test_progress_is_told_at_the_end() -> None:
    """`progress` gets the final state whatever the run's length."""
    told: list[bulk.Report] = []
    await bulk.insert(
        collection_of(ScriptedService()), records(5), options=bulk.Options(progress=told.append)
    )
    assert told[-1].inserted == 5


async def test_nothing_is_left_running() -> None:
    """When a run has ended, so have its tasks."""
    before = asyncio.all_tasks()
    await bulk.insert(collection_of(ScriptedService()), records(100))
    gc.collect()
    assert asyncio.all_tasks() == before


def test_wrong_inputs_are_named_at_once() -> None:
    """A single record, a number, a missing file and unknown options are refused by name."""
    collection, insert, options = collection_of(ScriptedService()), bulk.insert, bulk.Options
    wrong: Any = {"_id": "1"}
    with pytest.raises(ConfigError, match="into a list"):
        insert(collection, wrong)
    wrong = 3
    with pytest.raises(ConfigError, match="not int"):
        insert(collection, wrong)
    with pytest.raises(SourceError, match=r"no such file.*nowhere\.jsonl"):
        insert(collection, "nowhere.jsonl")
    with pytest.raises(ConfigError, match="batch_size must be a whole number from 1 to 10"):
        options(batch_size=11)
    misspelt: dict[str, Any] = {"wrokers": 3}
    with pytest.raises(TypeError, match="wrokers"):
        options(**misspelt)
