"""Where the time goes: latency percentiles and the bottleneck of a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from fakes import in_virtual_time
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedService

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async._concurrency import GateStatistics
from ximilar_async.bulk import _operations
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._timing import Histogram, Timing
from ximilar_async.sources import as_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUIET = GateStatistics(
    limit=4,
    under_way=0,
    waiting=0,
    held_for=0.0,
    waited_for_slot=0.0,
    waited_for_rate=0.0,
    waited_for_hold=0.0,
    held=0.0,
)


@given(st.lists(st.floats(1e-5, 1e4), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_right_to_two_percent(durations: list[float], share: float) -> None:
    """The share of durations up to it is the one asked for, in memory that does not grow."""
    seen = Histogram()
    for seconds in durations:
        seen.add(seconds)
    value = seen.percentile(share)
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    assert value == pytest.approx(exact, rel=0.021)
    assert value <= seen.longest == max(durations)


def test_without_requests_there_is_no_latency() -> None:
    """A report invents no figure."""
    assert Histogram().to_dict() == {}
    assert Timing(lambda: 0.0).shares(QUIET, QUIET) == {}


def test_idle_workers_wait_for_what_the_reader_waits_for() -> None:
    """Two idle workers while the source is slow weigh as one that waits for twice as long."""
    now = 0.0
    timing = Timing(lambda: now)
    timing.idle(2)
    timing.reading("source")
    now = 3.0
    timing.reading("images")
    now = 4.0
    timing.reading("")
    now = 100.0  # nobody reads: idle workers have nothing to wait for
    timing.idle(-2)
    timing.reading("retry")
    timing.idle(2)
    now = 102.0
    timing.idle(-2)
    timing.exchanged(2.0)
    gate = evolve(QUIET, waited_for_rate=1.0, waited_for_slot=2.0, waited_for_hold=1.0)
    assert timing.shares(QUIET, gate) == pytest.approx(
        {
            "source": 6 / 18,
            "images": 2 / 18,
            "retry": 4 / 18,
            "rate": 1 / 18,
            "gate": 3 / 18,
            "network": 2 / 18,
        }
    )


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(count)]


async def trickle(count: int) -> AsyncIterator[dict[str, Any]]:
    for record in records(count):
        await asyncio.sleep(0.1)
        yield record


@pytest.mark.parametrize(
    ("wanted", "limits", "slow_source"),
    [
        ("rate", Limits(rate=10, concurrency=50), False),
        ("source", Limits(concurrency=4), True),
        ("network", Limits(concurrency=4), False),
    ],
)
def test_a_report_names_the_bottleneck(wanted: str, limits: Limits, *, slow_source: bool) -> None:
    """What a run waited for most has the largest share; the shares sum to 1."""

    async def main() -> bulk.Report:
        clock = asyncio.get_running_loop().time
        service = ScriptedService(delay=0.05)
        client = Ximilar("token", transport=service, limits=limits)
        source: Any = trickle(300) if slow_source else records(2000)
        return await _timed_insert(client, source, clock)

    report = in_virtual_time(main())
    assert max(report.bottleneck, key=lambda name: report.bottleneck[name]) == wanted
    assert sum(report.bottleneck.values()) == pytest.approx(1)
    assert report.latency["p50"] == pytest.approx(0.05, rel=0.03)
    assert report.to_dict()["bottleneck"].keys() == report.bottleneck.keys()


async def _timed_insert(client: Ximilar, source: Any, clock: Any) -> bulk.Report:
    client._session.clock = clock
    options = bulk.Options()
    return await bulk.Job(
        Engine(_operations.insert(), client.collection("c"), as_source(source), options, clock)
    )
