"""What is counted and measured."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter, Observation

# The conventions' own advice on where durations are counted, in seconds.
_HTTP_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_DB_BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

_GATE: Final = (
    ("ximilar.client.gate.limit", "Requests that may be under way at once."),
    ("http.client.active_requests", "Requests that are under way."),
    ("ximilar.client.gate.waiting", "Requests that wait for their turn."),
)
"""In the order of the gate's `Levels`."""


class Instruments:
    """What is counted and measured.

    Args:
        meter: Who makes the instruments.
        gates: Returns the sum of all gates' levels of a kind, by its place in `Levels`; any thread
            may ask.
    """

    def __init__(self, meter: Meter, gates: Callable[[int], Iterable[Observation]]) -> None:
        self.request = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_HTTP_BOUNDS,
        )
        self.call = meter.create_histogram(
            "db.client.operation.duration",
            "s",
            "Duration of calls, their waits and repetitions included.",
            explicit_bucket_boundaries_advisory=_DB_BOUNDS,
        )
        self.retries = meter.create_counter(
            "ximilar.client.retries", "{request}", "Failed requests that are sent again."
        )
        self.records = meter.create_counter(
            "ximilar.bulk.records", "{record}", "Records of bulk runs, by what became of them."
        )
        self.pending = meter.create_up_down_counter(
            "ximilar.bulk.pending", "{record}", "Records that are read and not yet decided."
        )
        for which, (name, words) in enumerate(_GATE):
            read = partial(_read, gates, which)
            meter.create_observable_up_down_counter(name, [read], "{request}", words)


def _read(
    gates: Callable[[int], Iterable[Observation]], which: int, _: CallbackOptions
) -> Iterable[Observation]:
    return gates(which)
