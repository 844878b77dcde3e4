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
        attributes: What is known of it from the start.
        verb: The verb of its requests.
        trace: What it takes, filled in as it goes.
        records: How many it brings; None for a batch of a run.
    """

    tracer: Tracer
    duration: Histogram
    attributes: Attributes
    verb: str
    trace: Trace
    records: int | None
    _span: Span | None = field(default=None, init=False)
    _run: RunSpan | None = field(default=None, init=False)
    _began: int = field(factory=time.time_ns, init=False)
    _clock: float = field(factory=time.perf_counter, init=False)
    _token: Token[Context] | None = field(default=None, init=False)
    _found: Attributes = field(factory=dict, init=False)
    """What is known of it at its end only."""

    def __enter__(self) -> Self:
        present = context.get_current()
        run = context.get_value(_RUN, present)
        self._run = run if isinstance(run, RunSpan) else None
        if self.records is None:
            self.records = _BATCH.get()
        if self._run is None or self._run.takes_span():
            self._span = self._begin()
            present = set_span_in_context(self._span, present)
        self._token = context.attach(context.set_value(CALL, self, present))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._found["error.type"] = error_type(error)
        if isinstance(error, ApiError):
            self._found["db.response.status_code"] = str(error.code)
        self._measure()  # within the span's context, so that exemplars name it
        if self._token is not None:
            context.detach(self._token)
        if error is not None and self._span is None and self._run and self._run.takes_failed():
            self._span = self._begin()
        if self._span is not None:
            self._end(self._span, error)

    def answered(self, code: int | None) -> None:
        """Take note of the service's own code."""
        if code is not None:
            self._found["db.response.status_code"] = str(code)

    def requested(self, request: RequestEnd) -> None:
        """Take note of a request's end."""
        self._found["url.full"] = request.url
        if request.status is not None:
            self._found["http.response.status_code"] = request.status
        else:
            self._found.pop("http.response.status_code", None)  # an earlier attempt's

    def retried(self, error: BaseException, wait: float) -> None:
        """Take note that a request is to be repeated."""
        if self._span is not None:
            facts: Attributes = {"error.type": error_type(error), "ximilar.retry.wait": wait}
            self._span.add_event("ximilar.retry", facts)

    def _begin(self) -> Span:
        attributes = {**self.attributes, "http.request.method": self.verb}
        if self.records is not None and self.records > 1:
            attributes["db.operation.batch.size"] = self.records
        name = _name(self.attributes)
        return self.tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=self._began
        )

    def _end(self, span: Span, error: BaseException | None) -> None:
        if not span.is_recording():
            return
        if self.trace.retries:
            self._found["http.request.resend_count"] = self.trace.retries
        span.set_attributes(self._found)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, plain(error)))
        span.end()

    def _measure(self) -> None:
        codes = {
            name: self._found[name]
            for name in ("error.type", "db.response.status_code")
            if name in self._found
        }
        self.duration.record(time.perf_counter() - self._clock, self.attributes | codes)


@define(eq=False)
class RunSpan:
    """Watches one bulk run.

    Args:
        tracer: Who makes spans.
        instruments: What counts its records.
        attributes: What names it.
        most: How many of its calls get a span, and how many failed ones beyond them.
    """

    tracer: Tracer
    instruments: Instruments
    attributes: Attributes
    most: int
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
        outer, present = context.get_value(_RUN), context.get_current()
        self._outer = outer if isinstance(outer, RunSpan) else None
        if self._outer is None or self._outer.takes_span():
            name = f"bulk {_name(self.attributes)}"
            self._span = self.tracer.start_span(name, attributes=self.attributes)
            present = set_span_in_context(self._span)
        self._token = context.attach(context.set_value(_RUN, self, present))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        if error is not None:
            self._span.set_attribute("error.type", self._stop or error_type(error))
            self._span.set_status(Status(StatusCode.ERROR, plain(error)))
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

    def again(self, error: BaseException) -> None:
        """Take note that a failed batch is to be sent again."""
        facts: Attributes = {"error.type": error_type(error)}
        self.instruments.retries.add(1, self._method() | facts)

    def event(self, name: str, facts: Mapping[str, str | int | float]) -> None:
        """Take note of something that happens a few times in a run."""
        self._span.add_event(f"ximilar.{name}", named(facts, "ximilar"))

    def counted(self, counts: Mapping[str, int], pending: int) -> None:
        """Take note of how many records ended how so far, those of earlier runs left aside."""
        for outcome, count in counts.items():
            more = count - self._counts.get(outcome, 0)
            if more > 0:
                self.instruments.records.add(more, self.attributes | {"ximilar.outcome": outcome})
                self._counts[outcome] = count
        if pending != self._pending:
            self.instruments.pending.add(pending - self._pending, self.attributes)
            self._pending = pending

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
    parts = (attributes.get("db.operation.name"), attributes.get("db.collection.name"))
    return " ".join(str(part) for part in parts if part)
