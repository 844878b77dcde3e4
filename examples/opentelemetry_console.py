"""Traces and metrics of a load that meets faults, printed to the console.

    pip install 'ximilar-async[emulator,otel]' opentelemetry-sdk
    python opentelemetry_console.py

Runs on the embedded emulator; with a real token, leave `base_url` out and set XIMILAR_TOKEN. In a
service, take an OTLP exporter instead of the console's, or start it by `opentelemetry-instrument`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator, faults
from ximilar_async.telemetry import OpenTelemetry

try:
    from opentelemetry import trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
except ModuleNotFoundError:
    sys.exit("this example needs the SDK: pip install opentelemetry-sdk")

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan


def span_line(span: ReadableSpan) -> str:
    """Return a span as one line; `span.to_json()` has everything."""
    attributes = span.attributes or {}
    took = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    names = ("db.response.status_code", "error.type", "http.request.resend_count")
    facts = [f"{name}={attributes[name]}" for name in names if name in attributes]
    return f"{'  ' if span.parent else ''}{span.name}  {took:.1f} ms  {' '.join(facts)}\n"


def metric_lines(data: MetricsData) -> str:
    """Return metrics as a line for each data point."""
    lines = [
        f"{metric.name} {getattr(point, 'value', None) or getattr(point, 'count', 0)} "
        f"{dict(point.attributes or {})}\n"
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    return "".join(lines)


async def main(telemetry: OpenTelemetry) -> None:
    """Load 60 products into a service that is throttled now and then, and search."""
    records = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(60)]
    busy = faults.Faults(faults.throttled(every=3, retry_after=0.1))
    async with (
        Emulator(faults=busy) as emulator,
        Ximilar("any-token", base_url=emulator.url, telemetry=telemetry) as client,
    ):
        products = client.collection("products")
        with trace.get_tracer("my shop").start_as_current_span("nightly load"):
            report = await bulk.insert(products, records)
            await products.visual_knn({"_id": "7"}, k=3)
        print(report.summary(), file=sys.stderr)


if __name__ == "__main__":
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=span_line)))
    trace.set_tracer_provider(tracers)
    meters = MeterProvider(
        [PeriodicExportingMetricReader(ConsoleMetricExporter(formatter=metric_lines))]
    )
    asyncio.run(main(OpenTelemetry(meter_provider=meters)))
    tracers.shutdown()  # sends what is left
    meters.shutdown()
