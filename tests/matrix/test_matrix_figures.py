"""The figures that the design promises, counted in virtual time: no clock on the wall is asked."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections import Counter
from itertools import accumulate, count, takewhile
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from fakes import clock, in_virtual_time
from matrix_runs import outcomes, records
from matrix_virtual import Client, TimedService, run
from scripted import answer, lost

from ximilar_async import Limits, Retry
from ximilar_async.bulk import Stop
from ximilar_async.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix_row import Row
    from scripted import Fault

    from ximilar_async._protocol import Response
    from ximilar_async.bulk import Report

PATIENCE = 900.0
"""Seconds of an outage after which a bulk run ends, with its usual settings."""

FIRST_FAILURES = 5
"""Failures in a row that tell an outage."""


# --- a total outage -----------------------------------------------------------------------------


def probes() -> int:
    """Return how many single probes there are in an outage: after 1, 2, 4 … 60, 60 seconds."""
    waits = (min(60, 2**step) for step in count())
    return sum(1 for _ in takewhile(lambda second: second < PATIENCE, accumulate(waits)))


@pytest.fixture(autouse=True)
def _same_jitter() -> Iterator[None]:
    """Let waits be drawn alike in each run of a test."""
    before = random.getstate()
    random.seed(7)
    yield
    random.setstate(before)


@pytest.mark.parametrize("slots", [1, 4, 16, "auto"])
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        pytest.param(2000, ConnectError("localhost:1: refused"), id="2000 records-refused"),
        pytest.param(2000, answer(503, "down", http=503), id="2000 records-503"),
        pytest.param(2000, lost(), id="2000 records-time-out"),
        pytest.param(20, ConnectError("localhost:1: refused"), id="20 records-refused"),
        pytest.param(20, answer(503, "down", http=503), id="20 records-503"),
        pytest.param(20, lost(), id="20 records-time-out"),
    ],
)
def test_requests_in_a_total_outage(row: Row, slots: Any, number: int, fault: Fault) -> None:
    """At most 1.1 times what it takes to see that the service is away: what was in flight when
    the fifth request in a row failed, and one probe a step.
    """
    service = TimedService(lambda _, __: fault, delay=0.01)
    report = run(row, service, records(number), Limits(concurrency=slots))
    in_flight = min(4 if slots == "auto" else slots, -(-number // 10))
    needed = FIRST_FAILURES + in_flight - 1 + probes()
    assert report.stop is Stop.OUTAGE
    assert report.failed + report.not_attempted == report.read
    assert FIRST_FAILURES + probes() <= len(service.requests) <= 1.1 * needed
    assert report.requests == len(service.requests)


THROTTLED = answer(429, "slow down", http=429)
MAINTENANCE = answer(503, "maintenance", http=503)


@pytest.mark.parametrize("slots", [4, "auto"])
@pytest.mark.parametrize(
    ("fault", "doubtful"),
    [
        pytest.param(THROTTLED, False, id="429"),
        pytest.param(evolve(THROTTLED, headers={"retry-after": "30"}), False, id="429 with a hint"),
        pytest.param(
            evolve(MAINTENANCE, headers={"retry-after": "30"}), True, id="503 with a hint"
        ),
    ],
)
def test_a_service_that_throttles_for_ever(
    row: Row, slots: Any, fault: Response, *, doubtful: bool
) -> None:
    """Where nothing gets through for 15 minutes the run ends resumably: no record is given up."""
    service = TimedService(lambda _, __: fault, delay=0.01)
    report = run(row, service, records(500), Limits(concurrency=slots))
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert report.not_attempted + report.failed == report.read
    assert doubtful or not report.failed
    assert service.times[-1] - service.times[0] < PATIENCE + 60


@pytest.mark.xfail(reason="where no whole batch succeeds, poison is taken for an outage")
def test_poison_in_every_batch(row: Row) -> None:
    """A service that is there, and breaks on one record in each request, is no outage."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        poisoned = method == "insert" and any(each["n"] % 7 == 0 for each in body["records"])
        return answer(500, "oops", http=500) if poisoned else None

    service = TimedService(script, delay=0.01)
    report = run(row, service, records(700), Limits(concurrency=4))
    assert outcomes(report) == {"inserted": 600, "failed": 100}


# --- three of ten requests fail -----------------------------------------------------------------


class Failing(TimedService):
    """Fails just 3 of any 10 requests that follow each other, chosen by chance."""

    def __init__(self, kind: str, seed: int, *, applied: bool) -> None:
        super().__init__(self._decide, apply_first=applied, delay=0.01)
        self._kind = kind
        self._dice = random.Random(seed)
        self._deck: list[bool] = []
        self.doubtful: set[str] = set()
        """Records that were in a request which failed and stored them all the same."""

    def _decide(self, method: str, body: dict[str, Any]) -> Fault | None:
        if not self._deck:
            self._deck = [True] * 3 + [False] * 7
            self._dice.shuffle(self._deck)
        if not self._deck.pop():
            return None
        if method == "insert" and self._apply_first:
            self.doubtful |= {record["_id"] for record in body["records"]}
        return answer(503, "busy", http=503) if self._kind == "503" else lost()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("slots", [1, 8, "auto"])
@pytest.mark.parametrize("applied", [False, True], ids=["not applied", "applied"])
@pytest.mark.parametrize("kind", ["503", "time-out"])
def test_requests_when_a_third_fails(
    row: Row, seed: int, kind: str, slots: Any, *, applied: bool
) -> None:
    """Where 3 of 10 requests fail every record is decided, with at most 1.5 requests for each one
    needed: one insert for 10 records, and one look-up for 10 records in doubt.
    """
    service = Failing(kind, seed, applied=applied)
    # With the usual 8 attempts one of 50 such runs would have a record that fails by bad luck.
    patient = Retry(attempts=12, deadline=PATIENCE)
    report = run(row, service, records(3000), Limits(concurrency=slots), retry=patient)
    assert outcomes(report) == {"inserted": 3000}
    needed = 300 + -(-len(service.doubtful) // 10)
    assert needed / 0.7 - 20 <= len(service.requests) <= 1.5 * needed
    assert report.requests == len(service.requests)


# --- a token that is revoked --------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 8, 32, "auto"])
@pytest.mark.parametrize("code", [401, 403])
def test_requests_after_the_token_is_refused(row: Row, code: int, slots: Any) -> None:
    """When the first refusal arrives no request leaves any more: only those in flight are lost."""

    def script(_: str, __: dict[str, Any]) -> Fault | None:
        if clock() < revoked_at:
            return None
        refused_at.append(clock())
        return answer(code, "no", http=code)

    revoked_at, refused_at = 1000.0 + 5.0, list[float]()
    service = TimedService(script, delay=0.1)
    report = run(row, service, records(20_000), Limits(concurrency=slots))
    assert report.stop is Stop.AUTH
    assert report.failed == 0
    assert report.inserted == len(service.stored) > 0
    assert max(service.times) <= refused_at[0]
    assert len(refused_at) <= (32 if slots == "auto" else slots)


# --- the rate -----------------------------------------------------------------------------------


def worst_window(times: list[float]) -> int:
    """Return the most requests in any second."""
    return max(bisect_left(times, start + 1.0) - n for n, start in enumerate(times))


@pytest.mark.parametrize("failing", [False, True], ids=["all good", "a third fails"])
@pytest.mark.parametrize(
    ("rate", "burst", "number"), [(5, 1, 100), (100, 10, 600), (1000, 10, 3000)]
)
def test_the_rate_is_held(row: Row, rate: int, burst: int, number: int, *, failing: bool) -> None:
    """In no second more than the rate and its burst, repetitions included; on the whole 98 %."""
    service = Failing("503", 1, applied=False) if failing else TimedService(delay=0.05)
    limits = Limits(rate=rate, concurrency=100)
    quick = Retry(attempts=20, base=0.001, cap=0.01, deadline=1e6)
    report = run(row, service, records(number), limits, batch_size=1, retry=quick)
    assert outcomes(report) == {"inserted": number}
    assert worst_window(service.times) <= rate + burst
    steady = (len(service.times) - burst) / (service.times[-1] - service.times[0])
    assert steady >= 0.98 * rate


def test_the_rate_is_held_by_several_runs_together(row: Row) -> None:
    """The quota is the client's: two runs share it, and neither starves."""

    async def main() -> list[Report]:
        client = Client.of(row, service, Limits(rate=100, concurrency=100))
        parts = [records(300), records(300, start=300)]
        return await asyncio.gather(*(client.insert(part, batch_size=1) for part in parts))

    service = TimedService(delay=0.05)
    reports = in_virtual_time(main())
    assert [outcomes(report) for report in reports] == [{"inserted": 300}] * 2
    assert worst_window(service.times) <= 100 + 10
    assert len(service.times) / (service.times[-1] - service.times[0]) >= 98
    assert min(report.elapsed for report in reports) > 4
    row.agree(service.stored)
    assert max(Counter(b["records"][0]["_id"] for _, b in service.requests).values()) == 1
