"""How a run went over time: pure, in memory that does not grow.

Somebody looks a few times a second at sums that are kept anyway; nothing is done for a record or
a request. When there are too many points, neighbours become one, so that a night has as many as
a minute.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import define, evolve, field, frozen

from ._timing import percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_POINTS: Final = 240
"""Points of a run, however long it is."""

MOST_PERIODS: Final = 100
"""Periods of a run; further ones are put together with their nearest neighbours."""

_SHORT: Final = 1e-9

Kind: TypeAlias = Literal["pause", "outage"]
"""Why nothing was sent: the service asked for a pause, or did not answer."""


@frozen(kw_only=True)
class Moment:
    """What a run has done up to a moment, in sums that only grow."""

    at: float
    """Seconds since the run began."""
    decided: int = 0
    """Records."""
    troubled: int = 0
    """Those among them that were rejected, failed or not attempted."""
    requests: int = 0
    retries: int = 0
    held: float = 0.0
    """Seconds that nothing was sent because the service asked for a pause."""
    outage: float = 0.0
    """Seconds that only probes were sent because it did not answer."""
    latencies: Mapping[int, int] = field(factory=dict, repr=False)
    """How many requests took how long, by the buckets of `Histogram`."""
    concurrency: int = 0
    """Requests that may be under way at once, at this moment."""
    failure: str = ""
    """What the last request that was not answered met."""


@frozen
class Point:
    """What was done in a stretch of a run.

    Args:
        start: Seconds since the run began.
        end: The same.
        decided: Records that were decided.
        troubled: Those among them that were rejected, failed or not attempted.
        requests: Requests that were answered or given up.
        retries: Those among them that repeated an earlier one.
        concurrency: Requests that might be under way at once, at its end.
    """

    start: float
    end: float
    decided: int = 0
    troubled: int = 0
    requests: int = 0
    retries: int = 0
    concurrency: int = 0
    _latencies: Mapping[int, int] = field(factory=dict, repr=False)

    @property
    def seconds(self) -> float:
        """Return how long it was."""
        return self.end - self.start

    def latency(self, share: float) -> float | None:
        """Return the seconds within which this share of its requests was answered, if any was.

        Args:
            share: From 0 to 1.
        """
        return percentile(self._latencies, share) if self._latencies else None

    def joined(self, other: Point) -> Point:
        """Return this stretch and the one after it as one."""
        latencies = dict(self._latencies)
        for bucket, count in other._latencies.items():
            latencies[bucket] = latencies.get(bucket, 0) + count
        return Point(
            self.start,
            other.end,
            self.decided + other.decided,
            self.troubled + other.troubled,
            self.requests + other.requests,
            self.retries + other.retries,
            other.concurrency,
            latencies,
        )


@frozen
class Period:
    """A time in which nothing was sent.

    Args:
        kind: "pause", which the service asked for, or "outage".
        start: Seconds since the run began.
        end: The same.
        seconds: How long nothing was sent; less than all of it where several were put together.
        times: How many were put together.
        reason: What the last request met, in an outage.
    """

    kind: Kind
    start: float
    end: float
    seconds: float
    times: int = 1
    reason: str = ""

    def joined(self, other: Period) -> Period:
        """Return this period and a later one as one."""
        times = self.times + other.times
        seconds = self.seconds + other.seconds
        reason = other.reason or self.reason
        return Period(self.kind, self.start, other.end, seconds, times, reason)


@frozen
class Timeline:
    """How a run went over time.

    Args:
        points: What was done in each stretch, at most 240 of them, one after the other.
        periods: When nothing was sent, at most 100.

    Example:
        >>> Timeline((Point(0.0, 2.0, decided=10),)).points[0].seconds
        2.0
    """

    points: tuple[Point, ...] = ()
    periods: tuple[Period, ...] = ()

    def then(self, other: Timeline, after: float) -> Timeline:
        """Return this one with another behind it.

        Args:
            other: What followed.
            after: Seconds since the beginning of this one at which it followed.
        """
        points = [
            evolve(point, start=point.start + after, end=point.end + after)
            for point in other.points
        ]
        periods = [
            evolve(period, start=period.start + after, end=period.end + after)
            for period in other.periods
        ]
        return Timeline(_fewer([*self.points, *points]), tuple(_bounded([*self.periods, *periods])))

    def latency(self, share: float) -> float | None:
        """Return the seconds within which this share of all requests was answered, if any was.

        Args:
            share: From 0 to 1.

        Example:
            >>> Timeline((Point(0.0, 2.0, decided=10),)).latency(0.5) is None
            True
        """
        return reduce(Point.joined, self.points).latency(share) if self.points else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values: points as one list for each of their members."""
        return {
            "points": _columns(self.points),
            "periods": [_plain(period) for period in self.periods],
        }


@define
class Series:
    """Makes a timeline of looks at a run.

    Args:
        step: Seconds of a point at first; twice as many whenever there are too many points.
        most: Points that are kept.

    Example:
        >>> series = Series(step=1.0)
        >>> series.look(Moment(at=1.0, decided=10))
        >>> series.look(Moment(at=2.0, decided=30))
        >>> [point.decided for point in series.timeline.points]
        [10, 20]
    """

    step: float = 0.25
    most: int = MOST_POINTS
    _first: Moment = field(factory=lambda: Moment(at=0.0), init=False)
    """Where the open point begins."""
    _last: Moment = field(factory=lambda: Moment(at=0.0), init=False)
    _points: list[Point] = field(factory=list, init=False)
    _periods: list[Period] = field(factory=list, init=False)
    _closed: set[Kind] = field(factory=set, init=False)
    """Why nothing was sent up to the last look."""

    def begin(self, moment: Moment) -> None:
        """Note what the sums are when the run begins; earlier runs may have added to them."""
        self._first = self._last = moment

    def look(self, moment: Moment) -> None:
        """Note what the sums are now."""
        last, self._last = self._last, moment
        self._note("pause", moment, moment.held - last.held, "")
        self._note("outage", moment, moment.outage - last.outage, moment.failure)
        # Looks come a little early or late: what is nearly a step is one.
        if moment.at - self._first.at >= 0.9 * self.step:
            self._points.append(_between(self._first, moment))
            self._first = moment
            if len(self._points) > self.most:
                self._points = _halved(self._points)
                self.step *= 2

    @property
    def timeline(self) -> Timeline:
        """Return how it went so far, the point that is not full yet included."""
        points = list(self._points)
        if self._last.at - self._first.at > _SHORT:
            points.append(_between(self._first, self._last))
        return Timeline(_fewer(points, self.most), tuple(self._periods))

    def _note(self, kind: Kind, moment: Moment, seconds: float, reason: str) -> None:
        if seconds <= _SHORT:
            self._closed.discard(kind)
            return
        start = max(0.0, moment.at - seconds)
        if kind in self._closed:
            place = max(i for i, period in enumerate(self._periods) if period.kind == kind)
            before = self._periods[place]
            more = before.seconds + seconds
            self._periods[place] = evolve(before, end=moment.at, seconds=more, reason=reason)
            return
        self._closed.add(kind)
        self._periods.append(Period(kind, start, moment.at, seconds, 1, reason))
        self._periods = _bounded(self._periods)


def _between(first: Moment, last: Moment) -> Point:
    before = first.latencies
    grown = {
        bucket: more
        for bucket, count in last.latencies.items()
        if (more := count - before.get(bucket, 0))
    }
    return Point(
        first.at,
        last.at,
        last.decided - first.decided,
        last.troubled - first.troubled,
        last.requests - first.requests,
        last.retries - first.retries,
        last.concurrency,
        grown,
    )


def _halved(points: Sequence[Point]) -> list[Point]:
    pairs = [one.joined(other) for one, other in zip(points[::2], points[1::2], strict=False)]
    return [*pairs, points[-1]] if len(points) % 2 else pairs


def _fewer(points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    while len(points) > most:
        points = _halved(points)
    return tuple(points)


def _bounded(periods: list[Period]) -> list[Period]:
    """Return periods of which the nearest of a kind are put together while there are too many."""
    while len(periods) > MOST_PERIODS:
        place, other = min(
            _neighbours(periods),
            key=lambda pair: periods[pair[1]].start - periods[pair[0]].end,
        )
        periods[place] = periods[place].joined(periods[other])
        del periods[other]
    return periods


def _neighbours(periods: Sequence[Period]) -> Iterable[tuple[int, int]]:
    for kind in ("pause", "outage"):
        yield from pairwise(i for i, period in enumerate(periods) if period.kind == kind)


_ROUNDED: Final = 3


def _columns(points: Sequence[Point]) -> dict[str, list[Any]]:
    return {
        "start": [round(point.start, _ROUNDED) for point in points],
        "end": [round(point.end, _ROUNDED) for point in points],
        "decided": [point.decided for point in points],
        "troubled": [point.troubled for point in points],
        "requests": [point.requests for point in points],
        "retries": [point.retries for point in points],
        "concurrency": [point.concurrency for point in points],
        "p50": [_seconds(point.latency(0.5)) for point in points],
        "p99": [_seconds(point.latency(0.99)) for point in points],
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _plain(period: Period) -> dict[str, Any]:
    return {
        "kind": period.kind,
        "start": round(period.start, _ROUNDED),
        "end": round(period.end, _ROUNDED),
        "seconds": round(period.seconds, _ROUNDED),
        "times": period.times,
        "reason": period.reason,
    }
