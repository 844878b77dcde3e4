"""An OpenTelemetry that keeps in memory what it is told, and all that must not be in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field
from fakes import TOKEN
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from ximilar_async import Retry, Ximilar
from ximilar_async.telemetry import OpenTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler

QUICK = Retry(base=0, throttled_base=0)
IMAGE = "aW1hZ2UtY2FuYXJ5" * 20
SECRET_FIELD = "canary-of-a-field"
SECRETS = (TOKEN, IMAGE, SECRET_FIELD)


@define(eq=False)
class Open(SpanProcessor):
    """Knows which spans were begun and have not ended."""

    names: Counter[str] = field(factory=Counter, init=False)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.names[span.name] += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.names[span.name] -= 1


@define
class Sight:
    """What an in-memory OpenTelemetry has seen."""

    sampler: Sampler = ALWAYS_ON
    spans_per_run: int = 1000
    exporter: InMemorySpanExporter = field(factory=InMemorySpanExporter, init=False)
    reader: InMemoryMetricReader = field(factory=InMemoryMetricReader, init=False)
    tracers: TracerProvider = field(init=False)
    telemetry: OpenTelemetry = field(init=False)
    _open: Open = field(factory=Open, init=False)

    def __attrs_post_init__(self) -> None:
        self.tracers = TracerProvider(sampler=self.sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracers.add_span_processor(self._open)
        self.telemetry = OpenTelemetry(
            tracer_provider=self.tracers,
            meter_provider=MeterProvider([self.reader]),
            spans_per_run=self.spans_per_run,
        )

    def client(self, transport: Any, **settings: Any) -> Ximilar:
        settings = {"retry": QUICK, **settings}
        return Ximilar(TOKEN, transport=transport, telemetry=self.telemetry, **settings)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def open_spans(self) -> dict[str, int]:
        """Return how many spans of each name have not ended."""
        return {name: count for name, count in self._open.names.items() if count}

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def points(self, name: str) -> list[Any]:
        """Return the data points of a metric."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def sums(self, name: str, attribute: str) -> dict[Any, int]:
        """Return the sums of a counter (or the counts of a histogram) by an attribute."""
        sums: Counter[Any] = Counter()
        for point in self.points(name):
            value = point.count if hasattr(point, "count") else point.value
            sums[point.attributes.get(attribute)] += value
        return dict(sums)

    def text(self) -> str:
        """Return everything that was seen, as an exporter would write it."""
        data = self.reader.get_metrics_data()
        return "\n".join([*(span.to_json() for span in self.spans), data.to_json() if data else ""])


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def records(count: int) -> Iterator[dict[str, Any]]:
    """Yield records that hold what must not be told."""
    for n in range(count):
        yield {"_id": str(n), "_base64": IMAGE, "note": SECRET_FIELD}
