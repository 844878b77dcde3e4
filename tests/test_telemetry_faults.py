"""What OpenTelemetry sees of runs in trouble: one whole trace, figures that add up, no secret."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import define, field
from fakes import TOKEN, refusal
from fakes import answer as answered
from opentelemetry import trace
from opentelemetry.semconv.metrics import db_metrics, http_metrics
from opentelemetry.trace import SpanKind, StatusCode
from scripted import ScriptedService, answer
from sight import IMAGE, SECRETS, Sight, attributes_of, records

from ximilar_async import Limits, Retry, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.emulator import Emulator
from ximilar_async.errors import BulkAborted, ConnectError, TimedOutError, XimilarError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from ximilar_async._protocol import Request, Response

QUOTED = f"cannot read {IMAGE} for Token {TOKEN}"
"""What a service says that quotes what it was sent."""
BAD, POISON = "r13", "r27"
"""The record that is refused with its whole batch, and the one that breaks each request."""


@pytest.fixture
def sight() -> Sight:
    return Sight()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Listen to everything that is logged."""
    caplog.set_level(logging.DEBUG, "ximilar_async")
    return caplog


@define(eq=False)
class Weather:
    """A transport to the emulator under which requests meet one trouble after the other."""

    inner: Any
    sight: Sight
    pending: int = field(default=0, init=False)
    """Records that were told to be under way while a request was."""
    inserts: int = field(default=0, init=False)
    down: int = field(default=0, init=False)

    async def send(self, request: Request) -> Response:
        ids = self._ids(request)
        fault = self._fault(ids) if ids else None
        while self.inserts == 1 and not self.pending:  # until the run has told how far it is
            await asyncio.sleep(0.01)
            self.pending = sum(p.value for p in self.sight.points("ximilar.bulk.pending"))
        if isinstance(fault, XimilarError):
            raise fault
        return fault or await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()

    @staticmethod
    def _ids(request: Request) -> list[str]:
        """Return whose records are to be inserted."""
        if not request.url.endswith("nearDupsInsert"):
            return []
        return [record["_id"] for record in orjson.loads(request.body)["records"]]

    def _fault(self, ids: list[str]) -> Response | XimilarError | None:
        self.inserts += 1
        if self.inserts == 3:
            return refusal(429, f"slow down: {QUOTED}".encode(), retry_after="0.05")
        if self.inserts == 5:
            return TimedOutError("no answer in time")
        if self.inserts > 40 and self.down < 5:
            self.down += 1
            return ConnectError("no route")
        if BAD in ids:
            return answered(400, QUOTED, http=400)
        if POISON in ids:
            return refusal(500, QUOTED.encode())
        return None


def catalog(count: int) -> Iterator[dict[str, Any]]:
    """Yield records that differ, with one that is nearly another and one that comes again."""
    for n in range(count):
        yield {"_id": f"r{n}", "_url": f"https://example.com/{n}.jpg", "note": SECRETS[-1]}
    yield {"_id": "twin", "_url": "https://example.com/0.jpg"}
    yield {"_id": "r1", "_url": "https://example.com/1.jpg"}


def check_tree(sight: Sight, root: str) -> ReadableSpan:
    """See that all spans have ended and hang on one; return it."""
    assert sight.open_spans == {}
    (top,) = [span for span in sight.spans if span.parent is None]
    assert top.name == root
    there = {span.context.span_id: span for span in sight.spans}
    for span in sight.spans:
        assert span.context.trace_id == top.context.trace_id
        parent = there[span.parent.span_id] if span.parent else None
        assert (parent is None) == (span is top)
        if parent is not None and span.kind is SpanKind.CLIENT:
            assert parent.name.startswith("bulk ")  # a call is never the child of another
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time
        failed = span.status.status_code is StatusCode.ERROR
        assert failed == ("error.type" in attributes_of(span))
    return top


def check_no_secret(sight: Sight, told: pytest.LogCaptureFixture, *others: object) -> None:
    """See that neither spans, events, metrics nor log records hold what must not be told."""
    assert not [e for span in sight.spans for e in span.events if "exception" in e.name]
    logged = "\n".join(f"{record.getMessage()} {vars(record)!r}" for record in told.records)
    text = f"{sight.text()}\n{logged}\n{told.text}\n{others!r}"
    for secret in SECRETS:
        assert secret not in text


async def test_a_run_that_meets_everything_is_one_trace(
    sight: Sight, told: pytest.LogCaptureFixture
) -> None:
    """A pause, a lost answer, a refused batch, a poisoned one, an outage, near-duplicates.

    Every span has ended and hangs on the run's; spans, metrics and report tell the same.
    """
    options = bulk.Options(retry=Retry(attempts=8, base=0, throttled_base=0), workers=1)
    async with Emulator() as emulator:
        weather = Weather(emulator.transport(), sight)
        async with sight.client(weather, limits=Limits(concurrency=1)) as client:
            shoes = client.collection("shoes")
            report = await bulk.near_dups_insert(shoes, catalog(400), radius=0.01, options=options)
            levels = sight.sums("ximilar.client.gate.limit", "server.address")
    assert {outcome: n for outcome, n in report.counts.items() if n} == {
        Outcome.INSERTED: 398,
        Outcome.ALREADY_PRESENT: 1,
        Outcome.NEAR_DUPLICATE: 1,
        Outcome.REJECTED: 1,
        Outcome.FAILED: 1,
    }
    assert report.held > 0
    assert (weather.down, weather.pending > 0) == (5, True)
    run = check_tree(sight, "bulk nearDupsInsert shoes")
    calls = [span for span in sight.spans if span.kind is SpanKind.CLIENT]
    assert len(calls) == report.requests
    _check_failures(sight, calls)
    _check_figures(sight, report, attributes_of(run))
    assert [event.name for event in run.events] == ["ximilar.breaker.open", "ximilar.breaker.close"]
    assert sum(levels.values()) >= 1
    check_no_secret(sight, told, report)


def _check_failures(sight: Sight, calls: list[ReadableSpan]) -> None:
    """See that each trouble is in spans and metrics as what it was, and as often."""
    kinds = Counter(attributes_of(span).get("error.type") for span in calls)
    assert kinds.keys() == {
        *("400", "429", "500", None),
        "ximilar_async.errors.ConnectError",
        "ximilar_async.errors.TimedOutError",
    }
    assert sight.sums(db_metrics.DB_CLIENT_OPERATION_DURATION, "error.type") == kinds
    refused = [s for s in calls if attributes_of(s).get("error.type") == "400"]
    sizes = [attributes_of(span)["ximilar.request.records"] for span in refused]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (10, 1)  # it was bisected until the record was alone
    assert all("cannot read" in (span.status.description or "") for span in refused)


def _check_figures(sight: Sight, report: bulk.Report, facts: dict[str, Any]) -> None:
    """See that the metrics, the run's span and the report tell the same."""
    outcomes = {outcome.value: n for outcome, n in report.counts.items() if n}
    assert sight.sums("ximilar.bulk.records", "ximilar.outcome") == outcomes
    for name, count in outcomes.items():
        assert facts[f"ximilar.bulk.records.{name}"] == count
    assert (facts["ximilar.bulk.requests"], facts["ximilar.bulk.retries"]) == (
        report.requests,
        report.retries,
    )
    statuses = sight.sums(http_metrics.HTTP_CLIENT_REQUEST_DURATION, "http.response.status_code")
    assert sum(statuses.values()) == report.requests
    assert statuses.keys() == {200, 400, 429, 500, None}
    assert sight.sums("ximilar.bulk.pending", "db.collection.name") == {"shoes": 0}
    assert set(sight.sums("ximilar.client.retries", "error.type")) == {
        *("429", "500"),
        "ximilar_async.errors.ConnectError",
        "ximilar_async.errors.TimedOutError",
    }


async def _endless() -> AsyncIterator[dict[str, Any]]:
    n = 0
    while True:
        yield {"_id": str(n), "_base64": IMAGE, "note": SECRETS[-1]}
        n += 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize("end", ["cancelled", "left", "refused", "source breaks"])
async def test_a_run_that_ends_early_leaves_nothing_open(
    end: str, sight: Sight, told: pytest.LogCaptureFixture
) -> None:
    """However a run ends, its spans end with it, nothing is pending, and the context is clean."""
    seen: list[str] = []

    def script(method: str, _: dict[str, Any]) -> Any:
        seen.append(method)
        return answer(401, QUOTED, http=401) if end == "refused" and len(seen) > 20 else None

    async def source() -> AsyncIterator[dict[str, Any]]:
        async for record in _endless():
            if end == "source breaks" and record["_id"] == "200":
                raise OSError("the disk is gone")
            yield record

    service = ScriptedService(script, delay=0.005)
    async with sight.client(service, limits=Limits(concurrency=3)) as client:
        failure = await _run_until(end, bulk.insert(client.collection("shoes"), source()), seen)
        assert trace.get_current_span() is trace.INVALID_SPAN
    run = check_tree(sight, "bulk insert shoes")
    assert len(seen) > 5
    pending = sight.sums("ximilar.bulk.pending", "db.collection.name")
    assert set(pending.values()) <= {0}
    facts = attributes_of(run)
    assert (facts["ximilar.bulk.stop"], facts.get("error.type")) == failure
    check_no_secret(sight, told)


async def _run_until(end: str, job: Any, seen: list[str]) -> tuple[str, str | None]:
    """Bring a run to its end; return what its span is to have as stop and as the error's type."""
    if end in {"cancelled", "left"}:
        task = asyncio.create_task(_of(job))
        while len(seen) < 20:
            await asyncio.sleep(0.001)
        if end == "left":
            job.stop("enough")
        else:
            task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() == (end == "cancelled")
        return "stopped", None
    with pytest.raises(BulkAborted) as caught:
        await job
    assert caught.value.report.stop is not None
    return (caught.value.report.stop.value,) * 2


async def _of(job: Any) -> None:
    await job


@pytest.mark.parametrize("end", ["done", "refused"])
async def test_a_sync_in_trouble_is_one_trace(
    end: str, sight: Sight, told: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Its runs and look-ups hang on its span, whether it is done or refused half-way."""
    catalog = [
        {"_id": str(n), "_url": f"https://example.com/{n}.jpg", "note": SECRETS[-1]}
        for n in range(60)
    ]

    async with Emulator() as emulator:
        weather = _Moody(emulator.transport(), end == "refused")
        async with sight.client(weather, limits=Limits(concurrency=2)) as client:
            shoes, state = client.collection("shoes"), tmp_path / "state.db"
            try:
                report = await bulk.sync(shoes, catalog, state=state)
            except BulkAborted as error:
                report = error.report
        levels = sight.points("ximilar.client.gate.limit")
    assert (report.stop is None) == (end == "done")
    sync = check_tree(sight, "bulk sync shoes")
    (run,) = sight.named("bulk insert shoes")
    assert run.parent is not None
    assert run.parent.span_id == sync.context.span_id
    assert attributes_of(sync)["ximilar.bulk.read"] == 60
    calls = [span for span in sight.spans if span.kind is SpanKind.CLIENT]
    statuses = Counter(attributes_of(span).get("http.response.status_code") for span in calls)
    del statuses[None]  # called back before they left
    durations = sight.sums(http_metrics.HTTP_CLIENT_REQUEST_DURATION, "http.response.status_code")
    assert durations == statuses
    assert levels == []  # the client is closed
    check_no_secret(sight, told, report)


@define(eq=False)
class _Moody:
    """Refuses every third insert for being too fast; or, from the fourth on, its token."""

    inner: Any
    refuses: bool
    inserts: int = field(default=0, init=False)

    async def send(self, request: Request) -> Response:
        self.inserts += request.url.endswith("/insert")
        if request.url.endswith("/insert"):
            if self.refuses and self.inserts > 3:
                return refusal(401, QUOTED.encode())
            if self.inserts % 3 == 0:
                return refusal(429, QUOTED.encode(), retry_after="0.01")
        response: Response = await self.inner.send(request)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("step", ["cancelled at the gate", "cancelled on its way", "given up"])
async def test_a_call_that_comes_to_nothing_ends_its_span(
    step: str, sight: Sight, told: pytest.LogCaptureFixture
) -> None:
    """Wherever a call ends, its span ends too, and names the address that it was for."""
    down = ConnectError("no route") if step == "given up" else None
    service = ScriptedService(lambda *_: down, delay=60 if down is None else 0)
    settings = {"limits": Limits(concurrency=1), "retry": Retry(attempts=3, base=0)}
    async with sight.client(service, **settings) as client:
        shoes = client.collection("shoes")
        calls = [asyncio.create_task(shoes.insert([record])) for record in records(2)]
        await asyncio.sleep(0.01)
        for call in calls[step == "cancelled at the gate" :]:
            call.cancel()
            await asyncio.wait({call})
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    assert sight.open_spans == {}
    assert len(sight.spans) == 2
    for span in sight.spans:
        assert span.status.status_code is StatusCode.ERROR
        assert attributes_of(span)["url.full"].endswith("/similarity/photos/v2/insert")
        assert "http.response.status_code" not in attributes_of(span)
    if step == "given up":
        assert [attributes_of(span)["http.request.resend_count"] for span in sight.spans] == [2, 2]
    check_no_secret(sight, told)
