"""`OpenTelemetry`: what a user gives to a client."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from opentelemetry import context, metrics, trace

from ximilar_async._version import __version__

from ._guard import Guard, guarded
from ._instruments import Instruments
from ._names import SCHEMA, call, error_type, operation, place, run_operation, server
from ._spans import CALL, CallSpan, RunSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import MeterProvider, Observation
    from opentelemetry.trace import TracerProvider

    from ximilar_async._config import Target
    from ximilar_async._endpoints import Endpoint
    from ximilar_async._observer import RequestEnd, Watched
    from ximilar_async._retry import Trace

    from ._names import Attributes

_NAME: Final = "ximilar_async"
_LEAST_ERROR: Final = 400


class OpenTelemetry:
    """Tells OpenTelemetry of every call and bulk run of the clients that it is given to.

    Make one and give it to every client of the process. Where no SDK is set up it shows nothing.

    Args:
        tracer_provider: Where spans go; None for the global provider.
        meter_provider: Where metrics go; None for the global provider.
        spans_per_run: How many calls of one bulk run get a span, and how many failed ones beyond
            them; metrics and the run's own span count all.

    Example:
        from ximilar_async.telemetry import OpenTelemetry

        async with Ximilar(telemetry=OpenTelemetry()) as client:
            print((await client.collection("shoes-id").get_record_count()).count)
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        spans_per_run: int = 1000,
    ) -> None:
        self._most = spans_per_run
        self.guard = Guard()
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider, SCHEMA)
        self._clients: WeakSet[Watched] = WeakSet()
        self._lock = Lock()  # metrics are read by a thread of their own
        meter = metrics.get_meter(_NAME, __version__, meter_provider, SCHEMA)
        self._instruments = Instruments(meter, self._gates)

    def __repr__(self) -> str:
        return f"OpenTelemetry(spans_per_run={self._most})"

    def opened(self, client: Watched) -> None:
        """Take note of a client that is open."""
        with self._lock:
            self._clients.add(client)

    def closed(self, client: Watched) -> None:
        """Take note that it is closed."""
        with self._lock:
            self._clients.discard(client)

    def call(
        self,
        client: Watched,
        endpoint: Endpoint[Any],
        target: Target | None,
        url: str,
        *,
        trace: Trace,
        records: int | None,
    ) -> CallSpan:
        """Return what watches a call; arguments as for `Observer.call`."""
        where = () if target is None else (target.prefix, target.collection_id)
        attributes = call(endpoint.path, client.base_url, *where)
        return CallSpan(
            self._tracer,
            self._instruments.call,
            attributes,
            {"http.request.method": endpoint.verb, "url.full": url},
            trace,
            records,
            self.guard,
        )

    @guarded
    def requested(self, client: Watched, request: RequestEnd) -> None:
        """Take note of a request, within its call."""
        attributes: Attributes = {"http.request.method": request.verb, **server(client.base_url)}
        if request.status is not None:
            attributes["http.response.status_code"] = request.status
        if request.error is not None:
            attributes["error.type"] = error_type(request.error)
        elif request.status is not None and request.status >= _LEAST_ERROR:
            attributes["error.type"] = str(request.status)
        self._instruments.request.record(request.seconds, attributes)
        present = context.get_value(CALL)
        if isinstance(present, CallSpan):
            present.requested(request)

    @guarded
    def retried(self, method: str, error: BaseException, wait: float) -> None:
        """Take note that a request is to be repeated, within its call."""
        attributes = operation(method) | {"error.type": error_type(error)}
        self._instruments.retries.add(1, attributes)
        present = context.get_value(CALL)
        if isinstance(present, CallSpan):
            present.retried(error, wait)

    def run(self, operation: str, service: str, collection: str) -> RunSpan:
        """Return what watches a bulk run."""
        attributes = run_operation(operation) | place(service, collection)
        return RunSpan(self._tracer, self._instruments, attributes, self._most, self.guard)

    def _gates(self, which: int) -> Iterable[Observation]:
        with self._lock:
            clients = list(self._clients)
        sums: dict[str, int] = {}
        for client in clients:
            levels = client.levels()
            if levels is not None:
                sums[client.base_url] = sums.get(client.base_url, 0) + levels[which]
        return [metrics.Observation(value, server(url)) for url, value in sums.items()]
