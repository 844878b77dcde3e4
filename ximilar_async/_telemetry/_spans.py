"""The spans of calls and bulk runs, and what is measured where they end."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Self

from attrs import define, field
from opentelemetry import context
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode, set_span_in_context

from ximilar_async._logging import plain
from ximilar_async.errors import ApiError

from ._guard import guarded
from ._names import error_type, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span, Tracer

    from ximilar_async._observer import RequestEnd
    from ximilar_async._retry import Trace

    from ._guard import Guard
    from ._instruments import Instruments
    from ._names import Attributes

CALL: Final = context.create_key("ximilar-call")
"""Under which the context holds the call that is under way."""
_RUN: Final = context.create_key("ximilar-run")
_BATCH: ContextVar[int] = ContextVar("ximilar_batch", default=0)
"""How many records the next call of this task brings."""
_NANO: Final = 1_000_000_000


@define(eq=False)
class CallSpan:
    """Watches one call; it has a span unless its run has had enough of them.

    Args:
        tracer: Who makes spans.
        duration: Where its duration is recorded.
        attributes: What names it, in spans and metrics.
        request: What names its requests.
        trace: What it takes, filled in as it goes.
        records: How many it brings; None for a batch of a run.
        guard: Who tells that OpenTelemetry fails.
    """

    tracer: Tracer
    duration: Histogram
    attributes: Attributes
    request: Attributes
    trace: Trace
    records: int | None
    guard: Guard
    _span: Span | None = field(default=None, init=False)
    _run: RunSpan | None = field(default=None, init=False)
    _began: int = field(factory=time.time_ns, init=False)
    _clock: float = field(factory=time.perf_counter, init=False)
    _token: Token[Context] | None = field(default=None, init=False)
    _found: Attributes = field(factory=dict, init=False)
    """What is known of it at its end only."""

    def __enter__(self) -> Self:
        self._enter()
        return self

    @guarded
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._clock
        if error is not None:
            self._found["error.type"] = error_type(error)
        if isinstance(error, ApiError):
            self._found["db.response.status_code"] = str(error.code)
        try:
            self._measure(seconds)  # within the span's context, so that exemplars name it
        finally:
            if self._token is not None:
                context.detach(self._token)
            self._end(error, seconds)

    @guarded
    def _enter(self) -> None:
        present = context.get_current()
        run = context.get_value(_RUN, present)
        self._run = run if isinstance(run, RunSpan) else None
        if self.records is None:
            self.records = _BATCH.get()
        try:
            if self._run is None or self._run.takes_span():
                self._span = self._begin()
                present = set_span_in_context(self._span, present)
        finally:  # requests and retries belong to the call, whether it has a span or not
            self._token = context.attach(context.set_value(CALL, self, present))

    def answered(self, code: int | None) -> None:
        """Take note of the service's own code."""
        if code is not None:
            self._found["db.response.status_code"] = str(code)

    @guarded
    def requested(self, request: RequestEnd) -> None:
        """Take note of a request's end."""
        if request.status is not None:
            self._found["http.response.status_code"] = request.status
        else:
            self._found.pop("http.response.status_code", None)  # an earlier attempt's

    @guarded
    def retried(self, error: BaseException, wait: float) -> None:
        """Take note that a request is to be repeated."""
        if self._span is not None:
            facts: Attributes = {"error.type": error_type(error), "ximilar.retry.wait": wait}
            self._span.add_event("ximilar.retry", facts)

    def _begin(self) -> Span:
        attributes = self.attributes | self.request
        if self.records:
            # Not `db.operation.batch.size`: one operation on many records is no batch of operations
            # (note 12 of the conventions for database client spans, from 1.43 on).
            attributes["ximilar.request.records"] = self.records
        name = _name(self.attributes)
        return self.tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=self._began
        )

    def _end(self, error: BaseException | None, seconds: float) -> None:
        if error is not None and self._span is None and self._run and self._run.takes_failed():
            self._span = self._begin()
        span = self._span
        if span is None or not span.is_recording():
            return
        if self.trace.retries:
            self._found["http.request.resend_count"] = self.trace.retries
        span.set_attributes(self._found)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, plain(error)))
        span.end(self._began + int(seconds * _NANO))  # just as long as the metric has it

    def _measure(self, seconds: float) -> None:
        codes = {
            name: self._found[name]
            for name in ("error.type", "db.response.status_code")
            if name in self._found
        }
        self.duration.record(seconds, self.attributes | codes)


@define(eq=False)
class RunSpan:
    """Watches one bulk run.

    Args:
        tracer: Who makes spans.
        instruments: What counts its records.
        attributes: What names it.
        most: How many of its calls get a span, and how many failed ones beyond them.
        guard: Who tells that OpenTelemetry fails.
    """

    tracer: Tracer
    instruments: Instruments
    attributes: Attributes
    most: int
    guard: Guard
    _span: Span = field(default=INVALID_SPAN, init=False)
    _outer: RunSpan | None = field(default=None, init=False)
    """The sync that it is a part of."""
    _token: Token[Context] | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)
    _counts: dict[str, int] = field(factory=dict, init=False)
    _pending: int = field(default=0, init=False)
    _stop: str = field(default="", init=False)

    def __enter__(self) -> Self:
        self._enter()
        return self

    @guarded
    def _enter(self) -> None:
        outer, present = context.get_value(_RUN), context.get_current()
        self._outer = outer if isinstance(outer, RunSpan) else None
        try:
            if self._outer is None or self._outer.takes_span():
                name = f"bulk {_name(self.attributes)}"
                self._span = self.tracer.start_span(name, attributes=self.attributes)
                present = set_span_in_context(self._span)
        finally:
            self._token = context.attach(context.set_value(_RUN, self, present))

    @guarded
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        try:
            if error is not None:
                self._span.set_attribute("error.type", self._stop or error_type(error))
                self._span.set_status(Status(StatusCode.ERROR, plain(error)))
        finally:
            self._span.end()

    def takes_span(self) -> bool:
        """Tell whether one more call gets a span; a sync's runs share what it may have."""
        if self._outer is not None:
            return self._outer.takes_span()
        self._calls += 1
        return self._calls <= self.most

    def takes_failed(self) -> bool:
        """Tell whether one more failed call gets a span."""
        if self._outer is not None:
            return self._outer.takes_failed()
        self._failed += 1
        return self._failed <= self.most

    def batch(self, records: int) -> None:
        """Take note of how many records the task's next call brings."""
        _BATCH.set(records)

    @guarded
    def again(self, error: BaseException) -> None:
        """Take note that a failed batch is to be sent again."""
        facts: Attributes = {"error.type": error_type(error)}
        self.instruments.retries.add(1, self._method() | facts)

    @guarded
    def event(self, name: str, facts: Mapping[str, str | int | float]) -> None:
        """Take note of something that happens a few times in a run."""
        self._span.add_event(f"ximilar.{name}", named(facts, "ximilar"))

    @guarded
    def counted(self, counts: Mapping[str, int], pending: int) -> None:
        """Take note of how many records ended how so far, those of earlier runs left aside."""
        grown, self._pending = pending - self._pending, pending
        if grown:
            self.instruments.pending.add(grown, self.attributes)
        for outcome, count in counts.items():
            more = count - self._counts.get(outcome, 0)
            if more > 0:
                self._counts[outcome] = count
                self.instruments.records.add(more, self.attributes | {"ximilar.outcome": outcome})

    @guarded
    def ended(self, facts: Mapping[str, str | int | float], *, stop: str) -> None:
        """Take note of what the run did."""
        outcomes = {f"records.{outcome}": count for outcome, count in self._counts.items()}
        self._span.set_attributes(named({**facts, **outcomes}, "ximilar.bulk"))
        if stop:
            self._stop = stop
            self._span.set_attribute("ximilar.bulk.stop", stop)

    def _method(self) -> Attributes:
        kept = ("db.system.name", "db.operation.name")
        return {name: self.attributes[name] for name in kept}


def _name(attributes: Attributes) -> str:
    """Return a span's name, as the conventions have it: the operation, and what it is done to."""
    target = attributes.get("db.collection.name")
    if target is None:
        target = f"{attributes['server.address']!s}:{attributes['server.port']!s}"
    return f"{attributes['db.operation.name']!s} {target!s}"
