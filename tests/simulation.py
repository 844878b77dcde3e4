"""Services, and workers that press them through a concurrency limit, in simulated time.

A discrete-event simulation without an event loop: each attempt's end is drawn when it starts, and
a heap keeps what happens next. A worker whose attempt was pushed back waits with full jitter, its
slot free for others, and tries again; all others have always something to send.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeAlias

from attrs import define, field, frozen

from ximilar_async._concurrency import Signal

if TYPE_CHECKING:
    from ximilar_async._concurrency import Concurrency

REFUSED_AFTER = 0.01
"""Seconds until a service that does not want a request says so."""

# --- how long answers take ----------------------------------------------------------------------

Latency: TypeAlias = Callable[[Random], float]
"""Draws the seconds that a service works on one request."""


def even(_: Random) -> float:
    """0.1 s, always."""
    return 0.1


def mild(chance: Random) -> float:
    """0.1 s and a little more: deviation 9 % of the mean."""
    return 0.1 * (1 + 0.1 * chance.expovariate(1))


def wild(chance: Random) -> float:
    """From 0.05 s: deviation 67 % of the mean."""
    return 0.1 * (0.5 + chance.expovariate(1))


def tailed(chance: Random) -> float:
    """One answer in 20 takes ten times as long."""
    return 1.0 if chance.random() < 0.05 else 0.1


def heavy_tailed(chance: Random) -> float:
    """Some answers take fifty times as long, and the variance has hardly a bound."""
    return 0.1 * min(50.0, chance.paretovariate(1.5))


LATENCIES: dict[str, Latency] = {
    function.__name__: function for function in (even, mild, wild, tailed, heavy_tailed)
}


def typical(latency: Latency) -> float:
    """Return the mean of a latency, in seconds: a round trip without waiting."""
    chance = Random(1)
    return sum(latency(chance) for _ in range(10_000)) / 10_000


# --- services -----------------------------------------------------------------------------------


class Service(Protocol):
    """What attempts meet."""

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        """Return how many seconds an attempt takes that starts now, and how it ends.

        Args:
            now: Seconds since the start.
            under_way: Attempts under way, this one included.
            chance: Source of chance.
        """
        ...


@frozen
class Boundless:
    """Takes any number at once; a share of attempts is pushed back for no reason."""

    latency: Latency
    unlucky: float = 0.0

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        unlucky = chance.random() < self.unlucky
        return self.latency(chance), Signal.PUSHED_BACK if unlucky else Signal.ANSWERED


@frozen
class HardLimit:
    """Takes so many at once, which may change with time, and refuses the others quickly."""

    latency: Latency
    most: Callable[[float], int]

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        if under_way > self.most(now):
            return REFUSED_AFTER, Signal.PUSHED_BACK
        return self.latency(chance), Signal.ANSWERED


@define
class TokenBucket:
    """Takes so many a second, with a second's worth at once, and refuses the others quickly."""

    latency: Latency
    rate: float
    tokens: float = 0.0
    since: float = 0.0

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        self.tokens = min(self.rate, self.tokens + (now - self.since) * self.rate)
        self.since = now
        if self.tokens < 1:
            return REFUSED_AFTER, Signal.PUSHED_BACK
        self.tokens -= 1
        return self.latency(chance), Signal.ANSWERED


@define
class Queue:
    """Works on so many at once and lets the others wait; whoever waits too long gives up."""

    latency: Latency
    servers: int
    patience: float = 30.0
    free_at: list[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.free_at = [0.0] * self.servers

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        server = min(range(self.servers), key=self.free_at.__getitem__)
        done = max(now, self.free_at[server]) + self.latency(chance)
        if done - now > self.patience:
            return self.patience, Signal.PUSHED_BACK
        self.free_at[server] = done
        return done - now, Signal.ANSWERED


@frozen
class Outage:
    """Another service that fails whatever is sent to it for a while."""

    service: Service
    begins: float
    ends: float
    fails_after: float = REFUSED_AFTER

    def meet(self, now: float, under_way: int, chance: Random) -> tuple[float, Signal]:
        if self.begins <= now < self.ends:
            return self.fails_after, Signal.PUSHED_BACK
        return self.service.meet(now, under_way, chance)


# --- the simulation -----------------------------------------------------------------------------


@define
class Run:
    """What came of pressing a service for a while."""

    seconds: float
    pushed_back: int = 0
    latencies: list[float] = field(factory=list)
    changed_at: list[float] = field(factory=lambda: [0.0])
    limits: list[int] = field(factory=list)
    """The limit from each of these moments on."""

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def pushed_back_share(self) -> float:
        """Push-backs by attempts."""
        return self.pushed_back / (self.pushed_back + len(self.latencies))

    def percentile(self, share: float) -> float:
        """Latency in seconds that this share of the answers did not exceed."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))]

    def limit_at(self, moment: float) -> int:
        return self.limits[bisect_right(self.changed_at, moment) - 1]

    def lowest(self, since: float = 0.0, until: float | None = None) -> int:
        """Lowest limit between two moments."""
        return min(self._between(since, self.seconds if until is None else until))

    def highest(self, since: float = 0.0, until: float | None = None) -> int:
        """Highest limit between two moments."""
        return max(self._between(since, self.seconds if until is None else until))

    def _between(self, since: float, until: float) -> list[int]:
        first = bisect_right(self.changed_at, since) - 1
        return self.limits[first : bisect_right(self.changed_at, until)]

    def mean_limit(self, since: float = 0.0) -> float:
        """Mean limit over time, from a moment to the end."""
        ends = [*self.changed_at[1:], self.seconds]
        spans = zip(self.changed_at, ends, self.limits, strict=True)
        weighed = sum(max(0.0, end - max(start, since)) * limit for start, end, limit in spans)
        return weighed / (self.seconds - since)

    def reaches(self, limit: int, since: float = 0.0) -> float:
        """Seconds from a moment until the limit is at least so high; fails if it never is."""
        moments = zip(self.changed_at, self.limits, strict=True)
        return next(at for at, now in moments if at >= since and now >= limit) - since

    def note(self, now: float, limit: int) -> None:
        if limit != self.limits[-1]:
            self.changed_at.append(now)
            self.limits.append(limit)


def simulate(
    concurrency: Concurrency,
    service: Service,
    *,
    seconds: float = 120.0,
    workers: int = 32,
    seed: int = 1,
) -> Run:
    """Press a service with so many workers for so long.

    Args:
        concurrency: What decides how many attempts may be under way.
        service: What they meet.
        seconds: How long, in simulated seconds.
        workers: Requests that may be wanted at once.
        seed: Of chance.
    """
    chance, order = Random(seed), count()
    run = Run(seconds, limits=[concurrency.limit])
    idle = [0] * workers  # how often in a row each idle worker was pushed back
    events: list[tuple[float, int, float | None, Signal, int]] = []
    under_way, now = 0, 0.0
    while True:
        while idle and under_way < concurrency.limit:
            failures = idle.pop()
            under_way += 1
            concurrency.sent(under_way)
            takes, signal = service.meet(now, under_way, chance)
            heapq.heappush(events, (now + takes, next(order), now, signal, failures))
        now, _, started, signal, failures = heapq.heappop(events)
        if now > seconds:
            return run
        if started is None:
            idle.append(failures)
            continue
        under_way -= 1
        concurrency.ended(started, now, signal)
        run.note(now, concurrency.limit)
        if signal is Signal.ANSWERED:
            run.latencies.append(now - started)
            idle.append(0)
        else:
            run.pushed_back += 1
            rested = now + chance.uniform(0, min(20.0, 2.0**failures))
            heapq.heappush(events, (rested, next(order), None, signal, failures + 1))


FIXED = (1, 2, 4, 8, 12, 16, 24, 32)
"""Limits of which the best stands for what can be had."""
