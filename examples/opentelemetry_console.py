"""Traces and metrics of a load that meets faults, printed to the console.

    pip install 'ximilar-async[all]' opentelemetry-sdk && python examples/opentelemetry_console.py

To be seen: a line for each span (a load of 60 products into an emulator that is throttled now and
then, the calls below it, a search), then one for each metric.

One search in a collection of yours, for what is most like the record of that id:

    XIMILAR_TOKEN=... python examples/opentelemetry_console.py COLLECTION-ID ID --service fashion

In a service, take an OTLP exporter instead of the console's, or start it by
`opentelemetry-instrument`.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk, errors
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
    facts = [f"{name}={attributes[name]!s}" for name in names if name in attributes]
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


async def demonstrate(telemetry: OpenTelemetry) -> None:
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


async def run(telemetry: OpenTelemetry, collection: str, id_: str, service: str) -> None:
    """Search a collection of the real service."""
    async with Ximilar(telemetry=telemetry) as client:
        await client.collection(collection, service).visual_knn({"_id": id_}, k=3)


def main() -> None:
    """Set OpenTelemetry up as a program does once, at its start, and let it tell what happens."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("id", nargs="?", default="1", help="of a stored record")
    parser.add_argument("--service", default="photos", help="the collection's, such as fashion")
    given = parser.parse_args()
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=span_line)))
    trace.set_tracer_provider(tracers)
    meters = MeterProvider(
        [PeriodicExportingMetricReader(ConsoleMetricExporter(formatter=metric_lines))]
    )
    telemetry = OpenTelemetry(meter_provider=meters)
    try:
        if given.collection is None:
            asyncio.run(demonstrate(telemetry))
        else:
            asyncio.run(run(telemetry, given.collection, given.id, given.service))
    finally:
        tracers.shutdown()  # sends what is left
        meters.shutdown()


if __name__ == "__main__":
    try:
        main()
    except errors.XimilarError as error:  # it is in the span as well
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
