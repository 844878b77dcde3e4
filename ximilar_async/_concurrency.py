"""How many requests may be under way at once: as told, or found by experiment.

A state machine without a clock or an event loop: it is told of every attempt, in seconds of the
caller's clock, and its `limit` says how many may be under way now (docs/design.md, Adaptive
concurrency).
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf, sqrt
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field, frozen

from ._retry import FailureClass, classify
from .errors import DisconnectedError, ServerError, TimedOutError

if TYPE_CHECKING:
    from .errors import XimilarError

START: Final = 4
"""Requests at once before anything is known."""

CEILING: Final = 32
"""Requests at once that are never exceeded without being told to."""

_KEPT: Final = 0.9
"""What a cut leaves of the limit."""
_TOLERATED: Final = 0.1
"""Share of push-backs that no cut follows: a cut of a tenth cures no smaller excess."""
_WEIGHT: Final = 0.4
"""Weight of the latest round trip in the moving average."""
_DEVIATIONS: Final = 2.5
"""Answers are slow when they are above the average by this many deviations."""
_LEAST_DEVIATION: Final = 0.02
"""Share of the average that a deviation never goes below, lest a microsecond count as slow."""
_FIRST_DEVIATION: Final = 0.5
"""The same before the spread is known (RFC 6298 starts with half the first round trip)."""
_SLACK: Final = 1.01
"""Answers are no slower than the average up to this multiple of it: sums are rounded."""

_OVERLOADED = frozenset({502, 503, 504})
_PUSHING_BACK = frozenset({FailureClass.NOT_SENT, FailureClass.THROTTLED})


class Signal(Enum):
    """What an attempt's end says about the service's load."""

    ANSWERED = auto()
    """Its time is what an answer takes."""
    PUSHED_BACK = auto()
    """The service refused for load, or nothing came: 429, 502 to 504, time-out, no connection."""
    NEUTRAL = auto()
    """Nothing: it was cancelled, refused for its content, or answered with nonsense."""


def signal_of(error: XimilarError) -> Signal:
    """Return what a failed attempt says about the service's load.

    Example:
        >>> signal_of(TimedOutError("no answer in time")), signal_of(ServerError(500, 500, "oops"))
        (<Signal.PUSHED_BACK: 2>, <Signal.NEUTRAL: 3>)
    """
    if isinstance(error, ServerError):
        pushed_back = error.code in _OVERLOADED
    else:
        lost = isinstance(error, (TimedOutError, DisconnectedError))
        pushed_back = lost or classify(error) in _PUSHING_BACK
    return Signal.PUSHED_BACK if pushed_back else Signal.NEUTRAL


class Concurrency(Protocol):
    """What decides how many requests may be under way."""

    @property
    def limit(self) -> int:
        """Return how many requests may be under way now; at least 1."""
        ...

    def sent(self, under_way: int) -> None:
        """Take note that a request was sent, and how many are under way with it."""
        ...

    def ended(self, started: float, ended: float, signal: Signal) -> None:
        """Take note of how an attempt ended, which may change the limit.

        Args:
            started: When it was sent, in seconds.
            ended: When its answer was whole or its failure known, in seconds; never decreases.
            signal: What it says about the service's load.
        """
        ...


@frozen
class Fixed:
    """A limit that was told, and that nothing changes.

    Example:
        >>> fixed = Fixed(8)
        >>> fixed.ended(0.0, 1.0, Signal.PUSHED_BACK)
        >>> fixed.limit
        8
    """

    limit: int

    def sent(self, under_way: int) -> None:
        """Learn nothing."""

    def ended(self, started: float, ended: float, signal: Signal) -> None:
        """Learn nothing."""


@define
class Adaptive:
    """Finds between 1 and a ceiling how many requests at once the service answers best.

    After Vector's adaptive request concurrency. Answers are averaged over a round trip at a time,
    and compared with a moving average of the round trips before and its deviation, never with a
    multiple of the quickest answer, which under jitter leads to 1.

    - One more, after a round trip in which the limit was reached, nothing pushed back and answers
      were not slower than the average.
    - A tenth less, at most once in a round trip: at once when more than a tenth of the limit was
      pushed back, or after a round trip in which the limit was reached and answers were slow.
    - Neither for attempts sent before the last cut, since the cut is the answer to them already.

    Args:
        limit: Requests at once to start with.
        ceiling: Most requests at once.

    Example:
        >>> adaptive = Adaptive(limit=2)
        >>> for second in range(5):
        ...     adaptive.sent(under_way=adaptive.limit)
        ...     adaptive.ended(second, second + 1.0, Signal.ANSWERED)
        >>> adaptive.limit
        6
        >>> adaptive.ended(6.0, 6.1, Signal.PUSHED_BACK)
        >>> adaptive.limit
        5
    """

    limit: int = START
    ceiling: int = field(default=CEILING, kw_only=True)
    _mean: float | None = field(default=None, init=False)
    _variance: float = field(default=0.0, init=False)
    _cut_at: float = field(default=-inf, init=False)
    _turn_ends: float = field(default=-inf, init=False)
    _seconds: float = field(default=0.0, init=False)
    _answers: int = field(default=0, init=False)
    _pushed_back: int = field(default=0, init=False)
    _reached: bool = field(default=False, init=False)

    def sent(self, under_way: int) -> None:
        """Take note of a request that was sent; see `Concurrency`."""
        if under_way >= self.limit:
            self._reached = True

    def ended(self, started: float, ended: float, signal: Signal) -> None:
        """Take note of how an attempt ended; see `Concurrency`."""
        if signal is Signal.ANSWERED:
            self._seconds += ended - started
            self._answers += 1
            if ended >= self._turn_ends:
                self._end_turn(ended, self._seconds / self._answers)
        elif signal is Signal.PUSHED_BACK and started >= self._cut_at:
            self._pushed_back += 1
            round_trip = ended - started if self._mean is None else self._mean
            over = self._pushed_back > _TOLERATED * self.limit
            if over and ended >= self._cut_at + round_trip:
                self._cut(ended)
                # What ends in the first of two round trips was sent before the cut.
                self._begin_turn(ended + 2 * round_trip)

    def _end_turn(self, now: float, average: float) -> None:
        if self._mean is None:
            self._mean, self._variance = average, (_FIRST_DEVIATION * average) ** 2
        else:
            self._adapt(now, average, self._mean)
            drift = average - self._mean
            self._mean += _WEIGHT * drift
            self._variance = (1 - _WEIGHT) * (self._variance + _WEIGHT * drift * drift)
        self._begin_turn(now + self._mean)

    def _adapt(self, now: float, average: float, mean: float) -> None:
        if not self._reached:
            return  # below the limit it is not the limit that makes answers slow or quick
        deviation = max(sqrt(self._variance), _LEAST_DEVIATION * mean)
        if average > mean + _DEVIATIONS * deviation:
            self._cut(now)
        elif average <= _SLACK * mean and not self._pushed_back and self.limit < self.ceiling:
            self.limit += 1

    def _cut(self, now: float) -> None:
        self.limit = max(1, int(self.limit * _KEPT))
        self._cut_at = now

    def _begin_turn(self, until: float) -> None:
        self._turn_ends = until
        self._seconds, self._answers, self._pushed_back, self._reached = 0.0, 0, 0, False


@frozen(kw_only=True)
class GateStatistics:
    """What a gate does now, and what requests have waited for so far."""

    limit: int
    """Requests that may be under way."""
    under_way: int
    """Requests that were let through and have not left."""
    waiting: int
    """Requests that wait to be let through."""
    held_for: float
    """Seconds until the gate opens again; 0 while it is open."""
    waited_for_slot: float
    """Seconds, summed over all requests, for others to end."""
    waited_for_rate: float
    """Seconds, summed likewise, for the rate."""
    waited_for_hold: float
    """Seconds, summed likewise, for the end of a pause that the service asked for."""
    held: float
    """Seconds that the gate was closed by such pauses in all, the present one so far included."""
