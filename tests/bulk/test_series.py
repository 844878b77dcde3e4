"""How a run went over time: sums in, few points out, and nothing lost on the way."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from fakes import in_virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedService

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async.bulk import _operations
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._series import (
    MOST_PERIODS,
    MOST_POINTS,
    Moment,
    Period,
    Point,
    Series,
    Timeline,
)
from ximilar_async.sources import as_source

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = 0.25


def looked_at(moments: Sequence[Moment]) -> Timeline:
    series = Series(STEP)
    for moment in moments:
        series.look(moment)
    return series.timeline


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 50)), max_size=900))
def test_points_stay_few_and_sum_to_everything(looks: list[tuple[float, int]]) -> None:
    """However long a run is: at most 240 points, one after the other, that hold all of it."""
    moments, at, decided = [], 0.0, 0
    for passed, more in looks:
        at, decided = at + passed, decided + more
        moments.append(
            Moment(
                at=at,
                decided=decided,
                troubled=decided // 3,
                requests=decided // 2,
                retries=decided // 7,
                latencies={5: decided // 2},
            )
        )
    points = looked_at(moments).points
    assert len(points) <= MOST_POINTS
    assert sum(point.decided for point in points) == decided
    assert sum(point.troubled for point in points) == decided // 3
    assert sum(point.requests for point in points) == decided // 2
    assert sum(point.retries for point in points) == decided // 7
    assert all(one.end == other.start for one, other in pairwise(points))
    if points:
        assert (points[0].start, points[-1].end) == (0.0, at)


def test_points_that_become_one_keep_their_percentiles() -> None:
    """A slow answer is in the 99th percentile of its stretch, however long that becomes."""
    slow = Point(0.0, 1.0, requests=10, latencies={100: 10})
    quick = Point(1.0, 2.0, requests=90, latencies={0: 90})
    joined = slow.joined(quick)
    assert joined.latency(0.5) == quick.latency(0.5)
    assert joined.latency(0.99) == slow.latency(0.99)
    assert Point(0.0, 1.0).latency(0.5) is None


def test_what_earlier_runs_decided_is_in_no_point() -> None:
    """A resumed run begins with sums that are not its own."""
    series = Series(STEP)
    series.begin(Moment(at=0.0, decided=1000, requests=100))
    series.look(Moment(at=0.25, decided=1010, requests=101))
    (point,) = series.timeline.points
    assert (point.decided, point.requests) == (10, 1)


def test_periods_tell_when_nothing_was_sent() -> None:
    """A pause and an outage go on from look to look, and begin when they began."""
    moments = [
        Moment(at=1.0),
        Moment(at=2.0, held=0.5),
        Moment(at=3.0, held=1.5, outage=0.25, failure="503 busy"),
        Moment(at=4.0, held=1.5, outage=1.25, failure="503 still busy"),
        Moment(at=5.0, held=1.5, outage=1.25),
        Moment(at=6.0, held=1.75, outage=1.25),
    ]
    assert looked_at(moments).periods == (
        Period("pause", 1.5, 3.0, 1.5),
        Period("outage", 2.75, 4.0, 1.25, 1, "503 still busy"),
        Period("pause", 5.75, 6.0, 0.25),
    )


def test_periods_stay_few_and_sum_to_everything() -> None:
    """A thousand pauses are a hundred periods, of as many seconds."""
    moments = [Moment(at=float(n), held=0.25 * (n // 2)) for n in range(2001)]
    periods = looked_at(moments).periods
    assert len(periods) == MOST_PERIODS
    assert sum(period.times for period in periods) == 1000
    assert sum(period.seconds for period in periods) == pytest.approx(250)


def test_one_timeline_follows_the_other() -> None:
    """Slices of a sync are one timeline: later by what was before, and still bounded."""
    one = Timeline((Point(0.0, 2.0, decided=4),), (Period("pause", 1.0, 2.0, 1.0),))
    both = one.then(one, 3.0)
    assert [(point.start, point.end) for point in both.points] == [(0.0, 2.0), (3.0, 5.0)]
    assert both.periods[1] == Period("pause", 4.0, 5.0, 1.0)
    many = Timeline()
    for slice_ in range(1000):
        many = many.then(one, 2.0 * slice_)
    assert len(many.points) <= MOST_POINTS
    assert len(many.periods) <= MOST_PERIODS
    assert sum(point.decided for point in many.points) == 4000
    assert sum(period.times for period in many.periods) == 1000


def test_a_run_of_an_hour_has_as_many_points_as_one_of_a_minute() -> None:
    """The report of a slow run has few points, which sum to its records and requests."""

    async def main() -> bulk.Report:
        clock = asyncio.get_running_loop().time
        service = ScriptedService(delay=0.05)
        client = Ximilar("token", transport=service, limits=Limits(rate=1))
        source: list[Any] = [{"_id": str(n), "_url": "https://e.com/a.jpg"} for n in range(9000)]
        client._session.clock = clock
        run = Engine(
            _operations.insert(), client.collection("c1"), as_source(source), bulk.Options(), clock
        )
        return await bulk.Job(run)

    report = in_virtual_time(main())
    points = report.timeline.points
    assert 100 < len(points) <= MOST_POINTS
    assert sum(point.decided for point in points) == report.read == 9000
    assert sum(point.requests for point in points) == report.requests
