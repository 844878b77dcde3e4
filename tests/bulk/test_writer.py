"""Records that trickle in: every future gets its result, whatever ends the writer."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from documented import picture
from fakes import clock, in_virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedService, answer, lost

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome, Stop, Writer, _operations
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._stream import Stream
from ximilar_async.errors import BulkAborted, ConfigError, JournalError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripted import Fault

    from ximilar_async._protocol import Request, Response
    from ximilar_async.bulk import Report, Result

QUICK = Retry(base=0, throttled_base=0)
pytestmark = pytest.mark.timeout(30)

NEVER = 3600.0
"""A `flush_after` that no test lives to see."""


class Gated(ScriptedService):
    """A service that treats no request before it is let in."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.arrived = 0
        self._let_in = asyncio.Semaphore(0)

    def open(self, requests: int = 1000) -> None:
        for _ in range(requests):
            self._let_in.release()

    async def send(self, request: Request) -> Response:
        self.arrived += 1
        await self._let_in.acquire()
        return await super().send(request)


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service, retry=QUICK).collection("c")


def writer_of(service: ScriptedService, **settings: Any) -> Writer:
    """Return a writer that sends again at once; names of options go there."""
    own = ("operation", "radius", "flush_after", "max_pending")
    options = {name: settings.pop(name) for name in list(settings) if name not in own}
    settings.setdefault("flush_after", NEVER)
    chosen = bulk.Options(**{"retry": Retry(base=0, throttled_base=0, attempts=8), **options})
    return Writer(collection_of(service), options=chosen, **settings)


def record(number: int | str, **fields: Any) -> dict[str, Any]:
    return {"_id": str(number), "_url": f"https://example.com/{number}.jpg", **fields}


async def add_all(
    writer: Writer, records: Iterable[dict[str, Any] | str]
) -> list[asyncio.Future[Result]]:
    return [await writer.add(one) for one in records]


def outcomes(futures: Iterable[asyncio.Future[Result]]) -> list[str]:
    return [str(future.result().outcome) for future in futures]


async def turns(count: int = 50) -> None:
    """Let everybody go as far as they get."""
    for _ in range(count):
        await asyncio.sleep(0)


def failing(*faults: Fault) -> ScriptedService:
    """Return a service whose first inserts get these faults."""
    left = iter(faults)
    return ScriptedService(lambda method, _: next(left, None) if method == "insert" else None)


# --- batches ------------------------------------------------------------------------------------


async def test_each_record_has_a_future_with_its_result() -> None:
    """What `add` returns can be awaited inside the block; the report stands after it."""
    service = ScriptedService()
    async with writer_of(service, flush_after=0.01) as writer:
        future = await writer.add(record(1))
        result = await future
        assert (result.seq, result.where, result.id) == (1, "record 1", "1")
        assert result.outcome is Outcome.INSERTED
        assert result.record == record(1)
        assert writer.stats.inserted == 1
    assert writer.report.counts == {Outcome.INSERTED: 1}
    assert writer.report.ok
    assert repr(writer) == "<Writer insert: 1 records read: 1 inserted>"


async def test_a_batch_leaves_when_it_is_full() -> None:
    """Ten records do not wait for an eleventh, nor for the time."""
    service = ScriptedService()
    async with writer_of(service) as writer:
        futures = await add_all(writer, map(record, range(25)))
        await asyncio.gather(*futures[:20])
        await turns()
        assert [len(body["records"]) for body in service.sent("insert")] == [10, 10]
        assert not any(future.done() for future in futures[20:])
    assert outcomes(futures) == ["inserted"] * 25


async def test_a_batch_leaves_when_it_is_heavy() -> None:
    """A batch that the next record would make too large leaves without it."""
    service = ScriptedService()
    async with writer_of(service, max_batch_bytes=3000) as writer:
        futures = await add_all(writer, (record(n, text="x" * 1000) for n in range(4)))
        await asyncio.gather(*futures[:2])
        assert [len(body["records"]) for body in service.sent("insert")] == [2]
    assert outcomes(futures) == ["inserted"] * 4


async def test_a_batch_leaves_when_it_is_old() -> None:
    """A single record is sent after `flush_after` seconds, also without the options' own."""
    async with writer_of(ScriptedService(), flush_after=0.02) as writer:
        assert (await (await writer.add(record(1)))).outcome is Outcome.INSERTED
    collection = collection_of(ScriptedService())
    async with Writer(collection, options=bulk.Options(flush_after=0.02)) as writer:
        assert (await (await writer.add(record(1)))).outcome is Outcome.INSERTED


def test_age_is_counted_from_the_first_record_of_a_batch() -> None:
    """Records that keep coming do not put off the one that waits."""

    async def main() -> tuple[float, float]:
        stream = Stream(most=100, at_once=10, on_full=lambda: None)
        options = bulk.Options(flush_after=2, on_result=stream.decide)
        engine = Engine(
            _operations.insert(), collection_of(ScriptedService()), stream, options, clock
        )
        run = asyncio.create_task(engine.run())
        start = clock()
        futures = []
        for number in range(5):
            futures.append(await stream.offer(record(number)))
            await asyncio.sleep(0.75)
        ages = []
        for future in (futures[0], futures[4]):
            assert future is not None
            await future
            ages.append(clock() - start)
        stream.close()
        await run
        return ages[0], ages[1]

    first, last = in_virtual_time(main())
    assert first == pytest.approx(3.75, rel=0.01)  # decided after 2 s, seen after the fifth
    assert last == pytest.approx(2 + 2.25, abs=0.3)


async def test_fifty_tasks_add_at_once() -> None:
    """Each record is sent once, in the order of its task, and its future has its result."""
    service = ScriptedService()

    async def produce(task: int) -> list[Result]:
        futures = await add_all(writer, (record(f"{task}/{n}") for n in range(20)))
        return await asyncio.gather(*futures)

    async with writer_of(service, max_pending=30) as writer:
        results = await asyncio.gather(*(produce(task) for task in range(50)))
    assert writer.report.counts == {Outcome.INSERTED: 1000}
    assert sorted(one.seq for part in results for one in part) == list(range(1, 1001))
    for task, part in enumerate(results):
        assert [one.id for one in part] == [f"{task}/{n}" for n in range(20)]
        assert [one.seq for one in part] == sorted(one.seq for one in part)


# --- what can be written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "one", "outcome"),
    [
        ("insert", record(2), "inserted"),
        ("insert", record(1), "already_present"),
        ("near_dups_insert", record(2), "inserted"),
        ("update", {"_id": "1", "price": 3}, "updated"),
        ("update", {"_id": "2", "price": 3}, "not_found"),
        ("delete", "1", "deleted"),
        ("delete", {"_id": "2"}, "not_found"),
    ],
)
async def test_every_writing_operation(operation: Any, one: Any, outcome: str) -> None:
    """Insert, near_dups_insert, update and delete work alike."""
    service = ScriptedService()
    service.stored["1"] = {"_id": "1"}
    radius = 3.5 if operation == "near_dups_insert" else None
    async with writer_of(service, operation=operation, radius=radius) as writer:
        future = await writer.add(one)
    assert outcomes([future]) == [outcome]
    assert writer.report.operation == operation
    assert [body["radius"] for body in service.sent("nearDupsInsert")] == [radius] * (
        radius is not None
    )


async def test_what_cannot_be_sent_is_rejected() -> None:
    """A bad record costs itself only; its future says why, at once."""
    bad: list[Any] = [{}, {"_id": "no image"}, 7, [1], record("nan", price=float("nan"))]
    async with writer_of(ScriptedService(), max_batch_bytes=2000) as writer:
        futures = [await writer.add(one) for one in [*bad, record("heavy", text="x" * 3000)]]
        reasons = [result.reason for result in await asyncio.gather(*futures)]
        good = await writer.add(record(1))
    assert outcomes(futures) == ["rejected"] * 6
    assert "record 2" in reasons[1]
    assert "max_batch_bytes" in reasons[5]
    assert outcomes([good]) == ["inserted"]


async def test_a_record_with_an_image_does_not_wait_for_more() -> None:
    """Preparing an image holds a lone record up no longer than it takes."""
    async with asyncio.timeout(2), writer_of(ScriptedService(), flush_after=0.02) as writer:
        future = await writer.add({"_id": "1", "_image": picture(1)})
        assert (await future).outcome is Outcome.INSERTED
        flushed = await writer.add({"_id": "2", "_image": picture(2)})
        await writer.flush()
        assert outcomes([flushed]) == ["inserted"]


@pytest.mark.parametrize("ending", ["stop", "abort"])
@pytest.mark.parametrize("turn", range(0, 60, 6))
async def test_a_stop_while_images_are_prepared_loses_nobody(turn: int, ending: str) -> None:
    """Whenever a run ends: what was taken is in the report, and no future is forgotten."""
    service = Gated()
    futures: list[asyncio.Future[Result]] = []

    async def add_images() -> None:
        for number in itertools.count():
            one = {"_id": f"{number}", "_image": picture(number % 3)}
            futures.append(await writer.add(one))

    async with writer_of(service, workers=1, batch_size=1, max_pending_bytes=3000) as writer:
        adding = [asyncio.create_task(add_images()) for _ in range(5)]
        while not writer.stats.read:
            await asyncio.sleep(0)
        for _ in range(turn):
            await asyncio.sleep(0.0005)
        getattr(writer, ending)()
        service.open()
        ended = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(one) for one in ended] == [BulkAborted] * 5
    assert all(future.done() for future in futures)
    assert writer.report.read == len(futures) == sum(writer.report.counts.values())
    assert "broke off" not in {future.result().reason for future in futures}


async def test_an_abort_right_after_adding_loses_nobody() -> None:
    """What was taken while an image was prepared is in the report, even in the very same moment."""
    async with writer_of(ScriptedService(), max_pending=1) as writer:
        futures = await add_all(writer, [{"_id": "1", "_image": picture(1)}, record(2)])
        writer.abort()
    assert outcomes(futures) == ["inserted", "not_attempted"]
    assert writer.report.read == 2


async def test_the_same_id_thrice() -> None:
    """A repeated `_id` waits for the first one to be decided; each has its own result."""
    async with writer_of(ScriptedService(), max_pending=2) as writer:
        futures = await add_all(writer, [record(1), record(1), record(1)])
        await writer.flush()
        assert outcomes(futures) == ["inserted", "already_present", "already_present"]


async def test_results_can_be_iterated_over() -> None:
    """What a job offers, a writer does too: results in the order in which they are decided."""
    async with writer_of(ScriptedService()) as writer:

        async def listen() -> list[int]:
            return [result.seq async for result in writer.results()]

        listener = asyncio.create_task(listen())
        await turns()
        futures = await add_all(writer, map(record, range(30)))
        await writer.flush()
        writer.close()
        assert await listener == list(range(1, 31))
    assert outcomes(futures) == ["inserted"] * 30


# --- flush --------------------------------------------------------------------------------------


async def test_flush_waits_for_what_is_sent_again() -> None:
    """After `flush` everything added before it is decided, failures and repetitions included."""
    service = failing(answer(503, http=503), answer(429, http=429), answer(503, http=503))
    async with writer_of(service) as writer:
        futures = await add_all(writer, map(record, range(13)))
        report = await writer.flush()
        assert outcomes(futures) == ["inserted"] * 13
        assert (report.inserted, report.pending, report.stop) == (13, 0, None)
        assert report.retries >= 3
        later = await writer.add(record("later"))
        await turns()
        assert not later.done()  # the haste is over


async def test_flush_waits_for_lost_answers_to_be_looked_up() -> None:
    """A record in doubt is looked up at once when somebody waits for it."""
    left = iter([lost()])
    service = ScriptedService(
        lambda method, _: next(left, None) if method == "insert" else None, apply_first=True
    )
    async with asyncio.timeout(2), writer_of(service) as writer:
        futures = await add_all(writer, map(record, range(3)))
        await writer.flush()
        assert outcomes(futures) == ["inserted"] * 3


async def test_flush_with_nothing_to_do() -> None:
    """It returns at once before anything is added, when all is decided, and after the end."""
    async with writer_of(ScriptedService()) as writer:
        assert (await writer.flush()).read == 0
        await writer.add(record(1))
        assert (await writer.flush()).inserted == 1
        assert (await writer.flush()).inserted == 1
    assert (await writer.flush()).inserted == 1


async def test_flush_does_not_wait_for_what_is_added_later() -> None:
    """Two flushes at once each return when what came before them is decided."""
    service = Gated()
    async with writer_of(service) as writer:
        await writer.add(record(1))
        first = asyncio.create_task(writer.flush())
        await turns()
        later = await writer.add(record(2))
        second = asyncio.create_task(writer.flush())
        await turns()
        service.open(1)
        assert (await first).inserted == 1
        assert not later.done()
        assert not second.done()
        service.open()
        assert (await second).inserted == 2


async def test_flush_can_be_given_up() -> None:
    """Cancelling a flush cancels waiting, and nothing else."""
    service = Gated()
    async with writer_of(service) as writer:
        future = await writer.add(record(1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.flush(), 0.01)
        service.open()
        await future
    assert outcomes([future]) == ["inserted"]


# --- back-pressure ------------------------------------------------------------------------------


async def test_adding_waits_while_too_many_records_are_undecided() -> None:
    """Back-pressure by records: the fourth waits until one of three is decided."""
    service = Gated()
    async with writer_of(service, max_pending=3) as writer:
        await add_all(writer, map(record, range(3)))
        fourth = asyncio.create_task(writer.add(record(3)))
        await turns()
        assert not fourth.done()
        assert (writer.stats.read, service.arrived) == (3, 1)
        service.open()
        assert (await fourth) is not None
        assert (await writer.flush()).inserted == 4


async def test_few_pending_records_never_wait_for_a_batch_to_fill() -> None:
    """A batch that back-pressure keeps from filling is sent as it is, failures included."""
    service = failing(*[answer(503, http=503)] * 3)
    async with writer_of(service, max_pending=3) as writer:
        futures = await add_all(writer, map(record, range(20)))
        await writer.flush()
        assert outcomes(futures) == ["inserted"] * 20


async def test_adding_waits_while_too_many_bytes_are_pending() -> None:
    """Back-pressure by bytes: heavy records wait although they are few."""
    service = Gated()
    async with writer_of(service, max_pending_bytes=5000, batch_size=2) as writer:
        adding = asyncio.create_task(
            add_all(writer, (record(n, text="x" * 1000) for n in range(40)))
        )
        await turns(500)
        assert not adding.done()
        assert writer.stats.read < 10
        service.open()
        futures = await adding
        await writer.flush()
        assert outcomes(futures) == ["inserted"] * 40


async def test_heavy_records_that_are_sent_again_make_room() -> None:
    """A reader that is paused for bytes does not keep a repetition waiting for a fuller batch."""
    service = failing(*[answer(503, http=503)] * 3)
    async with asyncio.timeout(2), writer_of(service, max_pending_bytes=1000) as writer:
        futures = await add_all(writer, (record(n, text="x" * 300) for n in range(33)))
        await writer.flush()
        assert outcomes(futures) == ["inserted"] * 33


async def test_an_add_that_is_cancelled_while_it_waits_hands_over_nothing() -> None:
    """The record is neither sent nor counted, and whoever waits behind is served."""
    service = Gated()
    async with writer_of(service, max_pending=2) as writer:
        await add_all(writer, map(record, range(2)))
        waiting = [asyncio.create_task(writer.add(record(n))) for n in ("a", "b", "c")]
        await turns()
        waiting[0].cancel()
        waiting[1].cancel()
        await turns()
        service.open()
        last = await waiting[2]
    assert waiting[0].cancelled()
    assert waiting[1].cancelled()
    assert last.result().seq == 3
    assert set(service.stored) == {"0", "1", "c"}
    assert writer.report.read == 3


async def test_an_add_that_is_cancelled_too_late_is_accounted_for() -> None:
    """At whatever turn of the loop it is cancelled, what was sent is what the report counts."""
    for turn in range(8):
        service = ScriptedService()
        async with writer_of(service) as writer:
            await writer.flush()
            adding = asyncio.create_task(writer.add(record("x")))
            await turns(turn)
            adding.cancel()
            await asyncio.wait({adding})
        assert writer.report.read == writer.report.inserted == len(service.stored)


# --- failures -----------------------------------------------------------------------------------


async def test_a_poisoned_record_costs_itself_only() -> None:
    """A request that is refused for one record's sake brings the others in."""

    def script(_: str, body: dict[str, Any]) -> Fault | None:
        poisoned = any(one["_id"] == "3" for one in body["records"])
        return answer(400, "bad record", http=400) if poisoned else None

    async with writer_of(ScriptedService(script)) as writer:
        futures = await add_all(writer, map(record, range(10)))
        await writer.flush()
        expected = ["inserted"] * 10
        expected[3] = "rejected"
        assert outcomes(futures) == expected


async def test_throttling_costs_time_only() -> None:
    """However often the service says 429, nothing is lost."""
    service = failing(*[answer(429, http=429)] * 30)
    async with writer_of(service) as writer:
        futures = await add_all(writer, map(record, range(50)))
    assert outcomes(futures) == ["inserted"] * 50


def refusing_from(number: int, fault: Fault) -> ScriptedService:
    """Return a service that refuses all requests from this one on."""
    seen = itertools.count(1)
    return ScriptedService(lambda *_: fault if next(seen) >= number else None)


@pytest.mark.parametrize(
    ("status", "stop", "rest"),
    [(401, Stop.AUTH, "not_attempted"), (402, Stop.CAPACITY, "rejected")],
)
async def test_a_fatal_stop_reaches_everybody(status: int, stop: Stop, rest: str) -> None:
    """Futures get their results; adding, flushing and the end of the block raise the report."""
    service = refusing_from(3, answer(status, "no", http=status))
    writer = writer_of(service, workers=1)
    with pytest.raises(BulkAborted, match=str(status)) as caught:  # noqa: PT012 - so ends the block
        async with writer:
            futures = await add_all(writer, map(record, range(25)))
            with pytest.raises(BulkAborted, match=str(status)):
                await writer.flush()
            with pytest.raises(BulkAborted, match=str(status)) as refused:
                await writer.add(record("late"))
            assert refused.value.report.stop is stop
    assert outcomes(futures) == ["inserted"] * 20 + [rest] * 5
    assert caught.value.report.read == 25
    assert writer.report.stop is stop
    with pytest.raises(ConfigError, match="closed"):
        await writer.add(record("later"))


async def test_who_waits_to_add_learns_of_a_fatal_stop() -> None:
    """Back-pressure never outlives the run: all waiting calls raise, and nothing is counted."""
    service = Gated(lambda *_: answer(401, "no", http=401))
    with pytest.raises(BulkAborted, match="401"):  # noqa: PT012 - the block is what is tested
        async with writer_of(service, max_pending=3) as writer:
            adding = [asyncio.create_task(writer.add(record(n))) for n in range(20)]
            await turns()
            service.open()
            done = await asyncio.gather(*adding, return_exceptions=True)
            assert [type(one) for one in done[3:]] == [BulkAborted] * 17
    assert writer.report.counts == {Outcome.NOT_ATTEMPTED: 3}
    assert service.stored == {}


async def test_a_fatal_stop_is_told_before_the_last_answers_are_in() -> None:
    """Who adds does not wait for requests that hang while the run ends."""
    service = Gated(lambda *_: answer(401, "no", http=401))
    writer = writer_of(service, workers=2)
    with suppress(BulkAborted):
        async with writer:
            await add_all(writer, map(record, range(20)))
            waiting = asyncio.create_task(add_all(writer, map(record, range(20, 100))))
            while service.arrived < 2:
                await asyncio.sleep(0)
            service.open(1)
            with pytest.raises(BulkAborted, match="401"):
                await waiting
            with pytest.raises(BulkAborted, match="401"):
                await writer.add(record("late"))
            assert service.under_way + len(service.requests) == 1
            service.open()
    assert writer.report.not_attempted == writer.report.read


async def test_a_rejects_file_that_cannot_be_used_is_told_of(tmp_path: Path) -> None:
    """When the run cannot even begin, whoever adds learns why, and so does the block."""
    writer = writer_of(ScriptedService(), rejects=tmp_path / "nowhere" / "rejects.jsonl")
    with pytest.raises(JournalError):  # noqa: PT012 - the block is what is tested
        async with writer:
            for _ in range(2):
                with pytest.raises(JournalError):
                    await writer.add(record(1))
            with pytest.raises(JournalError):
                await writer.flush()
    assert writer.report.read == 0


async def test_what_failed_is_in_the_rejects_file(tmp_path: Path) -> None:
    """The file works as for any other run."""
    path = tmp_path / "rejects.jsonl"
    async with writer_of(ScriptedService(), rejects=path) as writer:
        await add_all(writer, [record(1), {"_id": "no image"}])
    assert b"no image" in path.read_bytes()
    assert orjson.loads(path.read_bytes().splitlines()[-1])
    assert writer.report.rejected == 1


# --- the user's functions -----------------------------------------------------------------------


async def test_on_result_and_progress_are_called() -> None:
    """The options' functions hear of everything; `on_result` when the future has its result."""
    heard: list[Result] = []
    told: list[Report] = []
    async with writer_of(ScriptedService(), on_result=heard.append, progress=told.append) as writer:
        await add_all(writer, [*map(record, range(12)), {}])
    assert sorted(result.seq for result in heard) == list(range(1, 14))
    assert told[-1].read == 13


@pytest.mark.parametrize("name", ["on_result", "progress"])
async def test_a_raising_function_silences_no_future(name: str) -> None:
    """A user's function that raises stops the run; every future has its result all the same."""

    def broken(_: object) -> None:
        raise ZeroDivisionError

    futures: list[asyncio.Future[Result]] = []
    writer = writer_of(ScriptedService(), **{name: broken})
    with pytest.raises(BulkAborted, match=name) as caught:  # noqa: PT012 - so ends the block
        async with writer:
            for number in itertools.count():
                future = await writer.add(record(number))
                futures.append(future)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(BulkAborted, match=name) as caught:
        await writer.aclose()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert all(future.done() for future in futures)
    assert writer.report.read == len(futures) == sum(writer.report.counts.values())


# --- the end ------------------------------------------------------------------------------------


async def test_an_exception_in_the_block_leaves_the_rest_unsent() -> None:
    """What is under way is finished, what waits is not attempted, and the exception goes on."""
    service = Gated()
    writer = writer_of(service, workers=1)
    with pytest.raises(LookupError):  # noqa: PT012 - the block is what is tested
        async with writer:
            futures = await add_all(writer, map(record, range(25)))
            while not service.arrived:
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(0.01, service.open)
            raise LookupError
    assert outcomes(futures[:10]) == ["inserted"] * 10
    assert outcomes(futures[10:]) == ["not_attempted"] * 15
    assert writer.report.stop is Stop.ASKED
    assert "LookupError" in writer.report.stop_reason
    with pytest.raises(ConfigError, match="closed"):
        await writer.add(record("late"))
    assert set(service.stored) == {str(n) for n in range(10)}


async def test_cancelling_the_task_in_the_block_drains() -> None:
    """A cancelled request may have been applied all the same, so its answer is waited for."""
    service = Gated()
    futures: list[asyncio.Future[Result]] = []

    async def serve() -> None:
        async with writer_of(service, workers=1) as writer:
            futures.extend(await add_all(writer, map(record, range(15))))
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    while not (futures and service.arrived):
        await asyncio.sleep(0)
    task.cancel()
    await turns()
    assert not task.done()
    service.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcomes(futures) == ["inserted"] * 10 + ["not_attempted"] * 5


@pytest.mark.parametrize("ending", ["block", "exception", "aclose"])
async def test_cancelling_once_more_gives_up(ending: str) -> None:
    """Whoever cancels twice does not wait for an answer that never comes."""
    service = Gated()
    futures: list[asyncio.Future[Result]] = []

    async def serve() -> None:
        writer = writer_of(service, workers=1)
        if ending == "aclose":
            futures.extend(await add_all(writer, map(record, range(15))))
            await writer.aclose()
        async with writer:
            futures.extend(await add_all(writer, map(record, range(15))))
            if ending == "exception":
                raise LookupError

    task = asyncio.create_task(serve())
    while not (futures and service.arrived):
        await asyncio.sleep(0)
    # An exception has left the block already: the first one gives up.
    for _ in range(1 if ending == "exception" else 2):
        await turns()
        assert not task.done()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait(futures)
    assert outcomes(futures) == ["failed"] * 10 + ["not_attempted"] * 5
    assert "unconfirmed" in futures[0].result().reason


async def test_abort_gives_every_future_its_result() -> None:
    """What has left counts as unconfirmed, what has not as not attempted; adding raises."""
    service = Gated()
    async with writer_of(service, workers=1) as writer:
        futures = await add_all(writer, map(record, range(15)))
        while not service.arrived:
            await asyncio.sleep(0)
        writer.abort("enough")
        await asyncio.wait(futures)
        with pytest.raises(BulkAborted, match="enough"):
            await writer.add(record("late"))
    assert outcomes(futures) == ["failed"] * 10 + ["not_attempted"] * 5


async def test_stop_ends_what_nobody_waits_for() -> None:
    """`stop` finishes requests under way; leaving the block then gives the report."""
    service = ScriptedService()
    async with writer_of(service) as writer:
        futures = await add_all(writer, map(record, range(3)))
        writer.stop("enough")
    assert writer.report.stop is Stop.ASKED
    assert outcomes(futures) == ["not_attempted"] * 3


async def test_a_writer_that_is_aborted_before_it_began() -> None:
    """Nothing hangs when the reader never came to read."""
    async with writer_of(ScriptedService()) as writer:
        writer.abort()
        with pytest.raises(BulkAborted):
            await writer.add(record(1))
    assert writer.report.read == 0


async def test_closing_twice() -> None:
    """Closing is harmless at any time; the report is the same each time."""
    service = ScriptedService()
    async with writer_of(service) as writer:
        future = await writer.add(record(1))
        writer.close()
        writer.close()
        with pytest.raises(ConfigError, match="closed"):
            await writer.add(record(2))
        report = await writer.aclose()
        assert report == await writer.aclose() == await writer == writer.report
    writer.close()
    assert outcomes([future]) == ["inserted"]
    assert set(service.stored) == {"1"}


async def test_without_a_block() -> None:
    """A writer begins with the first record and ends with `aclose`, also if there was none."""
    writer = writer_of(ScriptedService())
    with pytest.raises(ConfigError, match="not ended"):
        _ = writer.report
    future = await writer.add(record(1))
    with pytest.raises(ConfigError, match="not ended"):
        _ = writer.report
    assert (await writer.aclose()).inserted == 1
    assert outcomes([future]) == ["inserted"]
    unused = writer_of(ScriptedService())
    unused.close()
    with pytest.raises(ConfigError, match="closed"):
        await unused.add(record(1))
    assert (await unused.aclose()).read == 0


async def test_who_waits_to_add_learns_of_the_closing() -> None:
    """Closing takes nothing more, not even from those who wait in line."""
    service = Gated()
    async with writer_of(service, max_pending=2) as writer:
        await add_all(writer, map(record, range(2)))
        waiting = asyncio.create_task(writer.add(record(2)))
        await turns()
        writer.close()
        with pytest.raises(ConfigError, match="closed"):
            await waiting
        service.open()
    assert writer.report.inserted == 2


async def test_who_waits_for_a_paused_reader_learns_of_the_closing() -> None:
    """Also where there is room for more records, but not for more bytes."""
    service = Gated()
    async with writer_of(service, max_pending_bytes=1000) as writer:
        adding = asyncio.create_task(
            add_all(writer, (record(n, text="x" * 900) for n in range(10)))
        )
        await turns()
        writer.close()
        with pytest.raises(ConfigError, match="closed"):
            await adding
        service.open()
    assert writer.report.read == writer.report.inserted < 10


async def test_nothing_is_left_running() -> None:
    """When the block is left, its tasks have ended."""
    before = asyncio.all_tasks()
    async with writer_of(ScriptedService()) as writer:
        await add_all(writer, map(record, range(15)))
    await turns(3)
    assert asyncio.all_tasks() == before


def test_a_leaked_writer_leaves_no_future_open() -> None:
    """A writer that is never closed ends with its loop; each future has a result then."""
    service = ScriptedService()
    futures: list[asyncio.Future[Result]] = []

    async def main() -> None:
        writer = writer_of(service)
        futures.extend(await add_all(writer, map(record, range(13))))
        await futures[0]

    asyncio.run(main())
    assert outcomes(futures) == ["inserted"] * 10 + ["not_attempted"] * 3


async def test_a_writer_nobody_holds_sends_all_the_same() -> None:
    """Whoever has the future needs nothing else."""
    future = await writer_of(ScriptedService(), flush_after=0.05).add(record(1))
    gc.collect()
    result = await future
    assert result.outcome is Outcome.INSERTED
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_futures_nobody_awaits_make_no_noise() -> None:
    """Neither failures nor a fatal stop end in a complaint of the event loop."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    writer = writer_of(refusing_from(2, answer(401, "no", http=401)), workers=1)
    with suppress(BulkAborted):
        await add_all(writer, [{}, *map(record, range(100))])
    await turns()
    assert writer.report.stop is Stop.AUTH
    assert (writer.report.rejected, writer.report.inserted) == (1, 10)
    del writer
    gc.collect()
    await turns()
    assert complaints == []


async def test_cancelling_a_future_changes_nothing_for_its_record() -> None:
    """`wait_for` cancels what it waits for: the record is decided all the same."""
    service = Gated()
    async with writer_of(service) as writer:
        future = await writer.add(record(1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.01)
        assert future.cancelled()
        flush = asyncio.create_task(writer.flush())
        await turns()
        assert not flush.done()
        service.open()
        assert (await flush).inserted == 1


async def test_another_event_loop_is_refused() -> None:
    """A writer works from one event loop, and says so."""
    service = ScriptedService()
    writer = writer_of(service)
    await writer.add(record(1))
    refused: list[ConfigError] = []

    async def elsewhere() -> None:
        for call in (lambda: writer.add(record(2)), writer.flush, writer.aclose):
            with pytest.raises(ConfigError, match="another event loop") as caught:
                await call()
            refused.append(caught.value)

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    assert len(refused) == 3
    assert (await writer.aclose()).inserted == 1
    assert threading.active_count() >= 1


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"operation": "get"}, "operation must be one of"),
        ({"radius": 3.0}, "radius is for near_dups_insert"),
        ({"max_pending": 0}, "max_pending"),
        ({"max_pending": True}, "max_pending"),
        ({"max_pending": 2.5}, "max_pending"),
        ({"flush_after": 0.0}, "flush_after"),
        ({"journal": "run.journal"}, "journal"),
        ({"max_records": 5}, "max_records"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], words: str) -> None:
    """Settings are checked before anything is added."""
    with pytest.raises(ConfigError, match=words):
        writer_of(ScriptedService(), **wrong)


async def test_a_dry_run_sends_nothing() -> None:
    """Everything is checked and nothing leaves; the futures say so."""
    service = ScriptedService()
    async with writer_of(service, dry_run=True) as writer:
        futures = await add_all(writer, [record(1), {}])
    assert outcomes(futures) == ["not_attempted", "rejected"]
    assert service.requests == []


async def test_a_mark_on_each_record() -> None:
    """attribution="exact" works as for any other run."""
    service = ScriptedService()
    async with writer_of(service, attribution="exact") as writer:
        await writer.add(record(1))
    assert service.stored["1"]["ximilar_async_run"].endswith("/1")


# --- anything may happen ------------------------------------------------------------------------

FAULTS = [
    None,
    None,
    None,
    answer(503, http=503),
    answer(429, http=429),
    answer(400, http=400),
    answer(401, http=401),
    lost(),
]


STEPS = ["add", "bad", "again", "image", "turn", "cancel", "flush"]
ENDINGS = ["leave", "raise", "abort", "stop", "close", "cancel", "leak"]


class Play:
    """One writer that many things happen to.

    Args:
        writer: The writer.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.futures: list[asyncio.Future[Result]] = []
        self.cancelled = 0

    async def run(self, steps: list[str], ending: str) -> None:
        if ending == "leak":
            return await self._take(steps)
        async with self.writer:
            await self._take(steps)
            if ending == "raise":
                raise LookupError
            if ending == "cancel":
                raise asyncio.CancelledError
            if ending != "leave":
                getattr(self.writer, ending)()
        return None

    async def _take(self, steps: list[str]) -> None:
        for number, step in enumerate(steps):
            match step:
                case "add":
                    self.futures.append(await self.writer.add(record(number)))
                case "bad":
                    self.futures.append(await self.writer.add({}))
                case "again":
                    self.futures.append(await self.writer.add(record("same")))
                case "image":
                    one = {"_id": str(number), "_image": picture(number % 3)}
                    self.futures.append(await self.writer.add(one))
                case "cancel":
                    await self._cancel(number)
                case "flush":
                    await self.writer.flush()
                case _:
                    await turns(number)

    async def _cancel(self, number: int) -> None:
        adding = asyncio.create_task(self.writer.add(record(number)))
        await turns(number % 5)
        adding.cancel()
        await asyncio.wait({adding})
        if adding.cancelled():
            self.cancelled += 1
        else:
            self.futures.append(adding.result())


@settings(max_examples=60, deadline=None)
@given(
    faults=st.lists(st.sampled_from(FAULTS), max_size=12),
    apply_first=st.booleans(),
    steps=st.lists(st.sampled_from(STEPS), max_size=40),
    ending=st.sampled_from(ENDINGS),
    bounds=st.tuples(st.integers(1, 12), st.integers(1, 10)),
)
def test_every_future_has_its_result(
    *,
    faults: list[Fault | None],
    apply_first: bool,
    steps: list[str],
    ending: str,
    bounds: tuple[int, int],
) -> None:
    """Whatever happens and however it ends: futures, report and store agree."""
    left = iter(faults)
    service = ScriptedService(lambda *_: next(left, None), apply_first=apply_first)
    play = Play(writer_of(service, max_pending=bounds[0], batch_size=bounds[1], flush_after=0.01))
    with suppress(BulkAborted, LookupError, asyncio.CancelledError):
        asyncio.run(play.run(steps, ending))
    report = play.writer.stats
    assert all(future.done() for future in play.futures)
    assert report.pending == 0
    assert len(play.futures) <= report.read <= len(play.futures) + play.cancelled
    results = [future.result() for future in play.futures]
    assert len({result.seq for result in results}) == len(results)
    stored = {result.id for result in results if result.outcome is Outcome.INSERTED}
    assert stored <= set(service.stored)
