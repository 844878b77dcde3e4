"""OpenTelemetry sees what calls and bulk runs do, by its own conventions, and never a secret."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field
from fakes import TOKEN, ScriptedTransport, refusal
from fakes import answer as answered
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.semconv.attributes import (
    db_attributes,
    error_attributes,
    http_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.semconv.metrics import db_metrics, http_metrics
from opentelemetry.trace import SpanKind, StatusCode
from scripted import ScriptedService, answer
from sight import IMAGE, QUICK, SECRETS, Sight, attributes_of, records

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async._telemetry._spans import CALL
from ximilar_async.bulk import Outcome
from ximilar_async.errors import (
    ApiError,
    BulkAborted,
    ConfigError,
    ConnectError,
    RateLimitError,
    ServerError,
    TimedOutError,
    XimilarError,
)
from ximilar_async.telemetry import OpenTelemetry

if TYPE_CHECKING:
    import logging
    from pathlib import Path


OURS = ("ximilar.",)
CONVENTIONS = {
    value
    for module in (
        db_attributes,
        error_attributes,
        http_attributes,
        server_attributes,
        url_attributes,
    )
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}


@pytest.fixture
def sight() -> Sight:
    return Sight()


# --- calls --------------------------------------------------------------------------------------


async def test_a_call_is_a_span_by_the_conventions(sight: Sight) -> None:
    """Kind, name and attributes are those of database and HTTP clients."""
    async with sight.client(ScriptedService()) as client:
        await client.collection("shoes", "fashion").insert(list(records(2)))
    (span,) = sight.spans
    assert (span.name, span.kind) == ("insert shoes", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span) == {
        db_attributes.DB_SYSTEM_NAME: "ximilar",
        db_attributes.DB_OPERATION_NAME: "insert",
        db_attributes.DB_NAMESPACE: "similarity/fashion-new",
        db_attributes.DB_COLLECTION_NAME: "shoes",
        "ximilar.request.records": 2,
        db_attributes.DB_RESPONSE_STATUS_CODE: "210",
        http_attributes.HTTP_REQUEST_METHOD: "POST",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        server_attributes.SERVER_ADDRESS: "api.ximilar.com",
        server_attributes.SERVER_PORT: 443,
        url_attributes.URL_FULL: "https://api.ximilar.com/similarity/fashion-new/v2/insert",
    }


async def test_samplers_know_what_a_call_is() -> None:
    """All that a sampler may decide by is there when the span begins."""
    seen: list[dict[str, Any]] = []

    class Curious(Broken):
        def should_sample(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(dict(kwargs.get("attributes") or args[4]))
            return super().should_sample(*args, **kwargs)

    sight = Sight(sampler=Curious("none", 1))
    async with sight.client(ScriptedService()) as client:
        await client.collection("shoes").insert(list(records(2)))
    assert seen == [
        {
            name: value
            for name, value in attributes_of(sight.spans[0]).items()
            if "response" not in name
        }
    ]


async def test_a_span_is_as_long_as_its_metric_says(sight: Sight) -> None:
    """The duration that is recorded is the span's, and its bounds are those that are advised."""
    async with sight.client(ScriptedService(delay=0.01)) as client:
        await client.collection("shoes").ping()
    ((span,), (point,)) = sight.spans, sight.points(db_metrics.DB_CLIENT_OPERATION_DURATION)
    assert span.end_time - span.start_time == int(point.sum * 1_000_000_000)
    assert point.explicit_bounds == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    (request,) = sight.points(http_metrics.HTTP_CLIENT_REQUEST_DURATION)
    advised = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    assert request.explicit_bounds == advised
    assert dict(request.attributes) == {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        server_attributes.SERVER_ADDRESS: "api.ximilar.com",
        server_attributes.SERVER_PORT: 443,
    }


async def test_metrics_have_the_units_of_the_conventions(sight: Sight) -> None:
    """Kinds and units are what the conventions say, and what docs/opentelemetry.md promises."""
    failing = [TimedOutError("late")]
    service = ScriptedService(lambda *_: failing.pop() if failing else None, delay=0.3)
    async with sight.client(service) as client:
        await bulk.insert(client.collection("shoes"), records(3))
        data = sight.reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    told = {metric.name: (type(metric.data).__name__, metric.unit) for metric in scope.metrics}
    assert told == {
        http_metrics.HTTP_CLIENT_REQUEST_DURATION: ("Histogram", "s"),
        db_metrics.DB_CLIENT_OPERATION_DURATION: ("Histogram", "s"),
        "http.client.active_requests": ("Sum", "{request}"),
        "ximilar.client.gate.limit": ("Sum", "{request}"),
        "ximilar.client.gate.waiting": ("Sum", "{request}"),
        "ximilar.client.retries": ("Sum", "{request}"),
        "ximilar.bulk.records": ("Sum", "{record}"),
        "ximilar.bulk.pending": ("Sum", "{record}"),
    }
    rising = {m.name for m in scope.metrics if getattr(m.data, "is_monotonic", False)}
    assert rising == {"ximilar.client.retries", "ximilar.bulk.records"}


async def test_the_account_has_no_collection(sight: Sight) -> None:
    """A call beside all collections is named by its method and the server."""
    transport = ScriptedTransport([refusal(401, b"no such token")])
    async with sight.client(transport) as client:
        with pytest.raises(XimilarError):
            await client.account()
    (span,) = sight.spans
    assert span.name == "account api.ximilar.com:443"
    assert db_attributes.DB_COLLECTION_NAME not in attributes_of(span)


async def test_a_repeated_call_is_one_span_with_its_repetitions(sight: Sight) -> None:
    """Each failed attempt is an event; the span tells how often it was sent again."""
    transport = ScriptedTransport(
        [refusal(503), ConnectError("no route"), answered(answer_count=5)]
    )
    async with sight.client(transport) as client:
        await client.collection("shoes").get_record_count()
    (span,) = sight.spans
    assert attributes_of(span)[http_attributes.HTTP_REQUEST_RESEND_COUNT] == 2
    assert span.status.status_code is StatusCode.UNSET
    assert error_attributes.ERROR_TYPE not in attributes_of(span)
    told = [(event.name, dict(event.attributes or {})["error.type"]) for event in span.events]
    assert told == [
        ("ximilar.retry", "503"),
        ("ximilar.retry", "ximilar_async.errors.ConnectError"),
    ]
    assert sight.sums("ximilar.client.retries", "error.type") == {
        "503": 1,
        "ximilar_async.errors.ConnectError": 1,
    }
    durations = sight.sums(http_metrics.HTTP_CLIENT_REQUEST_DURATION, "http.response.status_code")
    assert durations == {503: 1, None: 1, 200: 1}
    assert sight.sums(db_metrics.DB_CLIENT_OPERATION_DURATION, "db.operation.name") == {
        "getRecordCount": 1
    }


@pytest.mark.parametrize(
    ("step", "kind", "status"),
    [
        (refusal(400), "400", 400),
        (refusal(500), "500", 500),
        (answered(404, "no such record", http=200), "404", 200),
        (TimedOutError("no answer"), "ximilar_async.errors.TimedOutError", None),
        (RuntimeError("a defect"), "RuntimeError", None),
    ],
    ids=["400", "500", "code in the body", "time-out", "defect"],
)
async def test_a_failed_call_says_how(step: Any, kind: str, status: int | None) -> None:
    """Its span is an error; its type is the service's code, or the exception's name."""
    sight = Sight()
    async with sight.client(ScriptedTransport([step]), retry=Retry(attempts=1)) as client:
        with pytest.raises(Exception):  # noqa: B017, PT011 - which one, other tests say
            await client.collection("shoes").visual_knn({"_id": "1"})
    (span,) = sight.spans
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == kind
    assert attributes_of(span).get("http.response.status_code") == status
    assert sight.sums(db_metrics.DB_CLIENT_OPERATION_DURATION, "error.type") == {kind: 1}


async def test_a_cancelled_call_ends_its_span(sight: Sight) -> None:
    """Nothing stays open in a trace, and the context is as it was."""
    async with sight.client(ScriptedService(delay=60)) as client:
        call = asyncio.create_task(client.collection("shoes").insert(list(records(1))))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait({call})
    (span,) = sight.spans
    assert attributes_of(span)["error.type"] == "asyncio.exceptions.CancelledError"
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_a_call_belongs_to_the_span_of_its_caller(sight: Sight) -> None:
    """A service's own span is the parent, also of many calls at once."""
    tracer = sight.tracers.get_tracer("a service")
    async with sight.client(ScriptedService(delay=0.001)) as client:
        shoes = client.collection("shoes")
        with tracer.start_as_current_span("request") as mine:
            await asyncio.gather(*(shoes.insert([record]) for record in records(5)))
            assert trace.get_current_span() is mine
    inserts = sight.named("insert shoes")
    assert len(inserts) == 5
    assert {span.parent.span_id for span in inserts if span.parent} == {
        mine.get_span_context().span_id
    }
    assert {attributes_of(span)["ximilar.request.records"] for span in inserts} == {1}


# --- bulk runs ----------------------------------------------------------------------------------


def flaky(every: int, fault: XimilarError) -> Any:
    """Return a script that gives every so many requests a fault."""
    seen = 0

    def script(_: str, __: dict[str, Any]) -> XimilarError | None:
        nonlocal seen
        seen += 1
        return fault if seen % every == 0 else None

    return script


async def test_a_run_with_faults_is_a_trace_that_adds_up(sight: Sight) -> None:
    """The run is the parent of its batches; records, retries and requests are the report's."""
    service = ScriptedService(flaky(3, RateLimitError(429, 429, "slow down")))
    async with sight.client(service, limits=Limits(concurrency=3)) as client:
        source = [*records(97), {"_id": "5", "_base64": IMAGE}, {"_id": "bare"}]
        report = await bulk.insert(client.collection("shoes"), source)
    assert report.retries > 3
    (run,) = sight.named("bulk insert shoes")
    batches = sight.named("insert shoes")
    assert {span.parent.span_id for span in batches if span.parent} == {run.context.span_id}
    assert all(span.parent for span in batches)
    assert len(batches) == report.requests
    facts = attributes_of(run)
    assert facts["ximilar.bulk.requests"] == report.requests
    assert facts["ximilar.bulk.retries"] == report.retries
    assert facts["ximilar.bulk.records.inserted"] == 97
    assert facts["ximilar.bulk.records.rejected"] == 1
    refused = [span for span in batches if span.status.status_code is StatusCode.ERROR]
    assert {attributes_of(span)["error.type"] for span in refused} == {"429"}
    sizes = [attributes_of(s)["ximilar.request.records"] for s in batches if s not in refused]
    assert sum(sizes) == 98  # the one that repeats an id is sent alone, and found to be there
    outcomes = {o.value: n for o, n in report.counts.items() if n}
    assert sight.sums("ximilar.bulk.records", "ximilar.outcome") == outcomes
    assert sight.sums("ximilar.bulk.pending", "db.collection.name") == {"shoes": 0}
    assert sight.sums("ximilar.client.retries", "error.type") == {"429": len(refused)}
    durations = sight.sums(http_metrics.HTTP_CLIENT_REQUEST_DURATION, "http.response.status_code")
    assert sum(durations.values()) == report.requests


async def test_an_operation_has_one_name(sight: Sight) -> None:
    """A run, its calls and all metrics name what they do as the API does."""
    failing: list[XimilarError] = []
    service = ScriptedService(lambda *_: failing.pop() if failing else None)
    async with sight.client(service) as client:
        shoes = client.collection("shoes")
        failing.append(TimedOutError("late"))
        await bulk.near_dups_insert(shoes, [{"_id": "of a run", "_base64": IMAGE}])
        failing.append(TimedOutError("late"))
        await shoes.near_dups_insert([{"_id": "of a call", "_base64": IMAGE}])
    names = {attributes_of(span)["db.operation.name"] for span in sight.spans}
    for metric in ("ximilar.client.retries", "ximilar.bulk.records", "ximilar.bulk.pending"):
        names |= set(sight.sums(metric, "db.operation.name"))
    assert names - {"get"} == {"nearDupsInsert"}  # what was in doubt is looked up
    assert sight.sums("ximilar.client.retries", "db.operation.name") == {"nearDupsInsert": 2}


async def test_names_are_the_conventions_or_ours(sight: Sight) -> None:
    """No attribute is made up: each is a stable one of the conventions, or begins with our name."""
    service = ScriptedService(flaky(3, RateLimitError(429, 429, "slow down")))
    async with sight.client(service) as client:
        await bulk.insert(client.collection("shoes"), records(40))
    names = {name for span in sight.spans for name in attributes_of(span)}
    names |= {
        name for span in sight.spans for event in span.events for name in event.attributes or ()
    }
    assert names >= {"db.system.name", "ximilar.bulk.read"}
    assert {name for name in names - CONVENTIONS if not name.startswith(OURS)} == set()


async def test_no_secret_is_seen(sight: Sight) -> None:
    """Neither token, nor image, nor a record's field is in any span or metric.

    Also where the service quotes them in what it refuses, and where an error carries them.
    """

    def script(method: str, body: dict[str, Any]) -> Any:
        if method != "insert" or body["records"][0]["_id"] == "0":
            return None
        return answer(400, f"cannot read {IMAGE} for Token {TOKEN}", http=400)

    async with sight.client(ScriptedService(script)) as client:
        report = await bulk.insert(client.collection("shoes"), records(30))
        assert report.rejected
        with pytest.raises(XimilarError):
            await client.collection("shoes").insert(list(records(9))[1:])
    text = sight.text()
    assert "ximilar.bulk.records" in text
    assert "cannot read" in text
    for secret in SECRETS:
        assert secret not in text


async def test_spans_of_a_large_run_are_bounded() -> None:
    """So many calls of a run have a span, and so many failed ones; the metrics count them all."""
    sight = Sight(spans_per_run=5)
    fault = answer(400, "refused", http=400)
    service = ScriptedService(lambda _, body: fault if body["records"][0]["_id"] > "9" else None)
    async with sight.client(service, limits=Limits(concurrency=1)) as client:
        report = await bulk.insert(client.collection("shoes"), records(300))
    batches = sight.named("insert shoes")
    assert report.requests > 40
    assert len(batches) == 10
    assert [span.status.status_code for span in batches[5:]] == [StatusCode.ERROR] * 5
    assert all(span.parent for span in batches)
    assert sum(sight.sums("http.client.request.duration", "x").values()) == report.requests
    (run,) = sight.named("bulk insert shoes")
    assert len(run.events) == 0


async def test_a_run_that_is_not_sampled_leaves_no_span() -> None:
    """Its batches follow its decision; metrics count all the same."""
    sight = Sight(sampler=ParentBased(ALWAYS_OFF))
    async with sight.client(ScriptedService()) as client:
        await bulk.insert(client.collection("shoes"), records(30))
    assert sight.spans == ()
    assert sight.sums("ximilar.bulk.records", "ximilar.outcome") == {"inserted": 30}


async def test_a_run_that_must_stop_is_an_error(sight: Sight) -> None:
    """Its span says why, in an event and as its error's type."""
    service = ScriptedService(lambda *_: answer(401, "no", http=401))
    async with sight.client(service) as client:
        with pytest.raises(BulkAborted):
            await bulk.insert(client.collection("shoes"), records(30))
    (run,) = sight.named("bulk insert shoes")
    assert run.status.status_code is StatusCode.ERROR
    assert attributes_of(run)["error.type"] == "authorization refused"
    assert [event.name for event in run.events] == ["ximilar.run.stop"]


async def test_an_outage_is_told_on_the_run(sight: Sight) -> None:
    """The breaker's opening and closing are events of the run's span."""
    failing = [ConnectError("no route")] * 5
    service = ScriptedService(lambda *_: failing.pop() if failing else None)
    async with sight.client(service, limits=Limits(concurrency=2)) as client:
        await bulk.insert(client.collection("shoes"), records(50))
    (run,) = sight.named("bulk insert shoes")
    assert [event.name for event in run.events] == ["ximilar.breaker.open", "ximilar.breaker.close"]


async def test_a_resumed_run_counts_its_own_records(sight: Sight, tmp_path: Path) -> None:
    """What an earlier run of the journal decided is counted once."""
    options = bulk.Options(journal=tmp_path / "journal")
    async with sight.client(ScriptedService()) as client:
        for _ in range(2):
            report = await bulk.insert(
                client.collection("shoes"), list(records(20)), options=options
            )
        assert report.counts[Outcome.INSERTED] == 20
    assert sight.sums("ximilar.bulk.records", "ximilar.outcome") == {"inserted": 20}


async def test_a_sync_is_the_parent_of_its_runs(sight: Sight, tmp_path: Path) -> None:
    """All that a sync sends belongs to one trace."""
    from ximilar_async.emulator import Emulator  # noqa: PLC0415 - one test needs it

    catalog = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(25)]
    async with Emulator() as emulator, sight.client(emulator.transport()) as client:
        await bulk.sync(client.collection("shoes"), catalog, state=tmp_path / "state.db")
    (sync,) = sight.named("bulk sync shoes")
    (run,) = sight.named("bulk insert shoes")
    assert run.parent is not None
    assert run.parent.span_id == sync.context.span_id
    assert {span.context.trace_id for span in sight.spans} == {sync.context.trace_id}
    assert attributes_of(sync)["ximilar.bulk.read"] == 25


# --- what breaks --------------------------------------------------------------------------------


@define(eq=False)
class Broken(SpanProcessor, Sampler):
    """A processor, a sampler or an instrument of somebody else's that raises time and again."""

    part: str
    every: int
    _seen: int = field(default=0, init=False)

    def breaks(self, part: str) -> None:
        self._seen += part == self.part
        if part == self.part and self._seen % self.every == 0:
            raise RuntimeError(f"{part} is broken")

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.breaks("on_start")

    def on_end(self, span: Any) -> None:
        self.breaks("on_end")

    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        self.breaks("sampler")
        return ALWAYS_ON.should_sample(*args, **kwargs)

    def get_description(self) -> str:
        return "a broken one"

    def get_meter(self, *args: Any, **kwargs: Any) -> Any:
        """Return a meter whose instruments are this one's."""
        return _BrokenMeter(self, MeterProvider().get_meter(*args, **kwargs))


@define(eq=False)
class _BrokenMeter:
    broken: Broken
    meter: Any

    def __getattr__(self, name: str) -> Any:
        return lambda named, *_, **__: _BrokenInstrument(self.broken, named)


@define(eq=False)
class _BrokenInstrument:
    broken: Broken
    name: str

    def add(self, *_: Any, **__: Any) -> None:
        self.broken.breaks(self.name)

    record = add


def broken_telemetry(part: str, every: int = 1) -> tuple[OpenTelemetry, InMemorySpanExporter]:
    broken, exporter = Broken(part, every), InMemorySpanExporter()
    tracers = TracerProvider(sampler=broken)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    tracers.add_span_processor(broken)
    return OpenTelemetry(tracer_provider=tracers, meter_provider=broken), exporter


PARTS = (
    "on_start",
    "on_end",
    "sampler",
    "http.client.request.duration",
    "db.client.operation.duration",
    "ximilar.client.retries",
    "ximilar.bulk.records",
    "ximilar.bulk.pending",
)


def is_warning(record: logging.LogRecord) -> bool:
    return getattr(record, "event", "") == "telemetry"


@pytest.mark.parametrize(
    ("part", "every"),
    [*((part, 1) for part in PARTS), ("on_end", 3), ("sampler", 3)],
    ids=[*PARTS, "on_end now and then", "sampler now and then"],
)
async def test_what_raises_in_telemetry_changes_nothing(
    part: str, every: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A run with faults ends as it does without telemetry: all stored, all counted as stored.

    It is told once, at WARNING, however often it happens.
    """
    telemetry, _ = broken_telemetry(part, every)
    failing = [ConnectError("no route"), ServerError(503, 503, "busy"), TimedOutError("late")] * 3
    seen = iter(range(10_000))
    service = ScriptedService(lambda *_: failing.pop() if failing and next(seen) % 2 else None)
    async with Ximilar(TOKEN, transport=service, retry=QUICK, telemetry=telemetry) as client:
        report = await bulk.insert(client.collection("shoes"), records(100))
        for _ in range(4):
            await client.collection("shoes").ping()
    assert report.ok
    assert report.counts[Outcome.INSERTED] == len(service.stored) == 100
    assert [(r.levelname, r.name) for r in caplog.records if is_warning(r)] == [
        ("WARNING", "ximilar_async.client")
    ]


@pytest.mark.parametrize("part", PARTS)
async def test_what_raises_in_telemetry_leaves_no_context_behind(part: str) -> None:
    """After a call that telemetry failed in, its caller's span is the current one as before."""
    telemetry, _ = broken_telemetry(part)
    tracer = TracerProvider().get_tracer("a service")
    transport = ScriptedTransport([refusal(503)], then=answered(answer_count=5))
    async with Ximilar(TOKEN, transport=transport, retry=QUICK, telemetry=telemetry) as client:
        with tracer.start_as_current_span("request") as mine:
            for _ in range(2):
                await client.collection("shoes").get_record_count()
                assert trace.get_current_span() is mine
                assert context.get_value(CALL) is None


async def test_a_broken_instrument_costs_no_span(caplog: pytest.LogCaptureFixture) -> None:
    """What still works goes on: spans are ended where durations cannot be recorded."""
    telemetry, exporter = broken_telemetry("db.client.operation.duration")
    async with Ximilar(TOKEN, transport=ScriptedService(), telemetry=telemetry) as client:
        await bulk.insert(client.collection("shoes"), records(20))
    assert Counter(span.name for span in exporter.get_finished_spans()) == {
        "insert shoes": 2,
        "bulk insert shoes": 1,
    }
    (told,) = [vars(r) for r in caplog.records if is_warning(r)]
    assert (told["error"], told["reason"]) == (
        "RuntimeError",
        "db.client.operation.duration is broken",
    )
    assert told["where"].startswith("test_telemetry.py:")


async def test_a_failed_call_fails_as_it_would(caplog: pytest.LogCaptureFixture) -> None:
    """The service's refusal is raised, and not what telemetry raises while it is told of it."""
    telemetry, _ = broken_telemetry("on_end")
    transport = ScriptedTransport(then=refusal(400))
    async with Ximilar(TOKEN, transport=transport, telemetry=telemetry) as client:
        with pytest.raises(ApiError) as caught:
            await client.collection("shoes").get_record_count()
    assert caught.value.code == 400
    assert caught.value.__context__ is None
    assert any(map(is_warning, caplog.records))


# --- the gate -----------------------------------------------------------------------------------


async def test_the_gate_is_read_while_it_works(sight: Sight) -> None:
    """Limit, requests under way and those in line, of all open clients together."""

    def levels() -> tuple[int, ...]:
        names = ("ximilar.client.gate.limit", "http.client.active_requests")
        return tuple(
            sum(point.value for point in sight.points(name))
            for name in (*names, "ximilar.client.gate.waiting")
        )

    service = ScriptedService(delay=0.05)
    settings = {"limits": Limits(concurrency=2)}
    async with sight.client(service, **settings) as one, sight.client(service, **settings) as two:
        assert levels() == (0, 0, 0)
        calls = [
            asyncio.create_task(
                client.collection("shoes").insert([{"_id": str(n), "_base64": "x"}])
            )
            for n, client in enumerate([one, one, one, two])
        ]
        while service.under_way < 3:
            await asyncio.sleep(0.001)
        assert levels() == (4, 3, 1)
        await asyncio.gather(*calls)
        assert levels() == (4, 0, 0)
    assert sight.points("ximilar.client.gate.limit") == []


# --- off ----------------------------------------------------------------------------------------


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_nothing_is_imported_unless_asked_for() -> None:
    """A client without telemetry never loads OpenTelemetry."""
    code = """
import sys
from ximilar_async import Ximilar, bulk
Ximilar("token").collection("c")
print([name for name in sys.modules if name.startswith(("opentelemetry", "ximilar_async._tele"))])
"""
    assert _python(code).strip() == "[]"


def test_without_the_extra_the_error_says_what_to_install() -> None:
    """Whoever lacks opentelemetry-api is told which extra brings it."""
    code = "import sys; sys.modules['opentelemetry'] = None; import ximilar_async.telemetry"
    assert "pip install 'ximilar-async[otel]'" in _python(code)


def test_what_is_no_observer_is_refused() -> None:
    """A wrong object is named at once, and not at the first call."""
    wrong: Any = object()
    with pytest.raises(ConfigError, match="telemetry must be an OpenTelemetry"):
        Ximilar("token", telemetry=wrong)
