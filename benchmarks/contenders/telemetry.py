"""`bulk.insert` in a process that has OpenTelemetry's API and SDK, with telemetry off and on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ximilar_async.telemetry import OpenTelemetry

from .ours import run_bulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from . import Load, Meter

_QUEUE = 2**16
"""Spans that may wait, so that none is dropped: a turn makes them faster than any service does."""


class Nowhere(SpanExporter):
    """Takes spans away; what sending them costs is the exporter's."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - theirs
        """Drop them."""
        return SpanExportResult.SUCCESS


def off(load: Load, meter: Meter) -> None:
    """The client is not given telemetry."""
    run_bulk(load, meter)


def without_provider(load: Load, meter: Meter) -> None:
    """The client is given telemetry, and no SDK is set up to take it."""
    run_bulk(load, meter, telemetry=OpenTelemetry())


def on(load: Load, meter: Meter) -> None:
    """A span for each request, taken away by a thread of the SDK, and all metrics."""
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=_QUEUE))
    meters = MeterProvider([InMemoryMetricReader()])
    every = OpenTelemetry(
        tracer_provider=tracers, meter_provider=meters, spans_per_run=load.requests
    )
    run_bulk(load, meter, telemetry=every)
    tracers.shutdown()
    meters.shutdown()
