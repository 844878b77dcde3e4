"""Where the time of a run goes, and how long its requests take: pure, in bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import floor, log
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ximilar_async._concurrency import GateStatistics

_STEP: Final = log(1.04)
"""Buckets are 4 % wide, so a percentile is right to 2 %."""

_SHORTEST: Final = 1e-6

PERCENTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
"""The percentiles of a report, by their names."""


def percentile(buckets: Mapping[int, int], share: float) -> float:
    """Return the seconds that this share of some durations does not exceed; 0 without any.

    Args:
        buckets: How many durations each bucket of a `Histogram` holds.
        share: From 0 to 1.
    """
    left, middle = share * sum(buckets.values()), 0.0
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        middle = 1.04 ** (bucket + 0.5)
        if left <= 0:
            break
    return middle


Reading: TypeAlias = Literal["source", "images", "retry", ""]
"""What idle workers wait for: records, work on their images, the time to send again, or nothing."""


@define
class Histogram:
    """Percentiles of any number of durations, right to 2 %, in memory that does not grow.

    Example:
        >>> seen = Histogram()
        >>> for milliseconds in range(1, 101):
        ...     seen.add(milliseconds / 1000)
        >>> round(seen.percentile(0.5), 2), seen.longest
        (0.05, 0.1)
    """

    longest: float = 0.0
    """The longest duration, in seconds."""
    _count: int = field(default=0, init=False)
    _buckets: Counter[int] = field(factory=Counter, init=False)

    def add(self, seconds: float) -> None:
        """Note one duration, in seconds."""
        self._count += 1
        self._buckets[floor(log(max(_SHORTEST, seconds)) / _STEP)] += 1
        self.longest = max(self.longest, seconds)

    def percentile(self, share: float) -> float:
        """Return the seconds that this share of the durations does not exceed; 0 without any.

        Args:
            share: From 0 to 1.
        """
        return min(percentile(self._buckets, share), self.longest)

    @property
    def buckets(self) -> dict[int, int]:
        """Return how many durations each bucket holds, for `percentile`."""
        return dict(self._buckets)

    def to_dict(self) -> dict[str, float]:
        """Return the percentiles and the longest duration by name; nothing without durations."""
        if not self._count:
            return {}
        named = {name: self.percentile(share) for name, share in PERCENTILES.items()}
        return {**named, "max": self.longest}


@define(eq=False)
class Timing:
    """What the workers of a run wait for, in seconds summed over all of them.

    Args:
        clock: Returns monotonic seconds.
    """

    clock: Callable[[], float]
    latency: Histogram = field(factory=Histogram, init=False)
    """From sending a request to its answer."""
    _seconds: defaultdict[str, float] = field(factory=lambda: defaultdict(float), init=False)
    _reading: Reading = field(default="", init=False)
    _idle: int = field(default=0, init=False)
    _parked: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)

    def idle(self, by: int) -> None:
        """Note that so many more workers have nothing to do; fewer if negative."""
        self._add()
        self._idle += by

    def parked(self, by: int) -> None:
        """Note that so many more workers wait for the end of an outage; fewer if negative."""
        self._add()
        self._parked += by

    def reading(self, what: Reading) -> None:
        """Note what the reader waits for from now on."""
        self._add()
        self._reading = what

    def exchanged(self, seconds: float) -> None:
        """Note a request that left, and how long it took to its answer or failure."""
        self._seconds["network"] += seconds
        self.latency.add(seconds)

    def shares(self, before: GateStatistics, now: GateStatistics) -> dict[str, float]:
        """Return which share of the waiting was for what; nothing while nobody has waited.

        Args:
            before: What the gate told when the run began.
            now: What it tells now; another run's share in it cannot be told apart.
        """
        self._add()
        rate = now.waited_for_rate - before.waited_for_rate
        slot = now.waited_for_slot - before.waited_for_slot
        hold = now.waited_for_hold - before.waited_for_hold
        seconds = {
            "source": self._seconds["source"],
            "images": self._seconds["images"],
            "retry": self._seconds["retry"],
            "rate": rate,
            "gate": slot + hold + self._seconds["parked"],
            "network": self._seconds["network"],
        }
        total = sum(seconds.values())
        return {name: part / total for name, part in seconds.items()} if total > 0 else {}

    def _add(self) -> None:
        """Add what was waited since the last time; before each change of what is waited for."""
        now = self.clock()
        passed, self._until = now - self._until, now
        if self._reading:
            self._seconds[self._reading] += passed * self._idle
        self._seconds["parked"] += passed * self._parked
