"""Adaptive concurrency: its rules one by one, and how it fares in simulated time.

The bands are what was measured over eight seeds, with some room; tests/simulation.py has the
services.
"""

from __future__ import annotations

import asyncio
from math import inf
from random import Random
from typing import TYPE_CHECKING

import pytest
from attrs import define
from fakes import clock, in_virtual_time
from hypothesis import given
from hypothesis import strategies as st
from simulation import (
    FIXED,
    LATENCIES,
    Boundless,
    HardLimit,
    Outage,
    Queue,
    Run,
    TokenBucket,
    even,
    mild,
    simulate,
    typical,
    wild,
)

from ximilar_async._concurrency import CEILING, START, Adaptive, Fixed, Signal
from ximilar_async._config import Limits
from ximilar_async._gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation import Latency, Service

SEEDS = (1, 2, 3)
SECONDS = 90.0


# --- the rules ----------------------------------------------------------------------------------


@define
class Driver:
    """Feeds a state machine round trips, with a clock of its own."""

    adaptive: Adaptive
    now: float = 0.0

    def round_trip(
        self, seconds: float = 1.0, *, reached: bool = True, pushed_back: int = 0
    ) -> int:
        """Let one attempt be answered, after others that were pushed back, and pause a while."""
        self.adaptive.sent(self.adaptive.limit if reached else self.adaptive.limit - 1)
        for _ in range(pushed_back):
            self.adaptive.ended(self.now, self.now, Signal.PUSHED_BACK)
        self.adaptive.ended(self.now, self.now + seconds, Signal.ANSWERED)
        self.now += 3 * seconds
        return self.adaptive.limit

    def round_trips(self, count: int, seconds: float = 1.0) -> list[int]:
        return [self.round_trip(seconds) for _ in range(count)]


def settled(limit: int = 20) -> Driver:
    """Return a machine that knows that answers take one second, and a little more or less."""
    driver = Driver(Adaptive(limit))
    for _ in range(10):
        driver.round_trip(1.05, reached=False)
        driver.round_trip(0.95, reached=False)
    return driver


def test_it_starts_small_and_grows_by_one() -> None:
    """From 4, one more after each round trip, up to the ceiling and never beyond."""
    driver = Driver(Adaptive())
    assert driver.adaptive.limit == START == 4
    limits = driver.round_trips(60)
    assert limits[:4] == [4, 5, 6, 7]
    assert max(limits) == limits[-1] == CEILING == 32
    assert Driver(Adaptive(ceiling=6)).round_trips(60)[-1] == 6


def test_it_does_not_grow_without_evidence() -> None:
    """As long as the limit is not reached, nothing says that more would do."""
    driver = settled()
    assert {driver.round_trip(reached=False) for _ in range(50)} == {20}


def test_it_does_not_grow_when_something_pushed_back() -> None:
    """A single push-back of many attempts is no reason to cut, but one to stay."""
    driver = settled()
    assert [driver.round_trip(pushed_back=1) for _ in range(10)] == [20] * 10


def test_it_does_not_grow_while_answers_get_slower() -> None:
    """Answers above the average, by less than is strange, leave the limit as it is."""
    driver = settled()
    assert driver.round_trip(1.06) == 20


def test_it_cuts_a_tenth_when_answers_get_slow() -> None:
    """Answers slower by far more than they ever differed mean that less would be as much."""
    driver = settled()
    assert driver.round_trip(2.0) == 18


def test_slow_answers_below_the_limit_are_no_reason() -> None:
    """One call after the other, at any pace: that is not the limit's doing, so it stays."""
    chance = Random(1)
    driver = Driver(Adaptive())
    assert {driver.round_trip(chance.paretovariate(1.5), reached=False) for _ in range(500)} == {4}


@pytest.mark.parametrize(("limit", "tolerated"), [(1, 0), (9, 0), (10, 1), (20, 2), (32, 3)])
def test_more_than_a_tenth_pushed_back_cuts_at_once(limit: int, tolerated: int) -> None:
    """A tenth of the limit may be pushed back in a round trip; one more cuts, and does not wait."""
    adaptive = settled(limit).adaptive
    for _ in range(tolerated):
        adaptive.ended(100.0, 100.1, Signal.PUSHED_BACK)
    assert adaptive.limit == limit
    adaptive.ended(100.0, 100.1, Signal.PUSHED_BACK)
    assert adaptive.limit == max(1, int(0.9 * limit))


def test_it_cuts_once_in_a_round_trip() -> None:
    """However many are pushed back, the next cut is for attempts sent after the last one, and not
    before a round trip has passed.
    """
    adaptive = settled().adaptive
    for _ in range(20):
        adaptive.ended(100.0, 100.2, Signal.PUSHED_BACK)  # they were all under way
    for _ in range(20):
        adaptive.ended(100.3, 100.4, Signal.PUSHED_BACK)  # repeated, and refused at once
    assert adaptive.limit == 18
    for _ in range(20):
        adaptive.ended(100.1, 101.9, Signal.PUSHED_BACK)  # sent before the cut, refused late
    assert adaptive.limit == 18
    adaptive.ended(101.3, 101.9, Signal.PUSHED_BACK)
    assert adaptive.limit == 16


def test_it_cuts_before_anything_was_ever_answered() -> None:
    """A service that is down from the start is not pressed by four at a time."""
    adaptive = Adaptive()
    for second in range(10):
        adaptive.ended(second, second + 0.01, Signal.PUSHED_BACK)
    assert adaptive.limit == 1


def test_neutral_ends_change_nothing() -> None:
    """Cancelled and refused attempts neither count as answers nor as push-backs."""
    adaptive = settled().adaptive
    adaptive.sent(20)
    for second in range(100, 200):
        adaptive.ended(0.0, second, Signal.NEUTRAL)
    assert adaptive.limit == 20


def test_the_first_answer_is_no_measure() -> None:
    """The quickest of the first answers comes first; those that follow are not slow for that."""
    adaptive = Adaptive()
    for seconds in (0.5, 0.9, 1.0, 1.1):
        adaptive.sent(4)
        adaptive.ended(0.0, seconds, Signal.ANSWERED)
    assert adaptive.limit == 4


def test_rounding_is_no_slowness() -> None:
    """A service that always takes the same time is not slow by the last digit of a sum."""
    driver = Driver(Adaptive())
    assert driver.round_trips(1 + CEILING - START, 0.1)[-1] == CEILING


def test_a_fixed_limit_learns_nothing() -> None:
    """A number that was told stays, whatever happens."""
    fixed = Fixed(5)
    fixed.sent(5)
    for signal in Signal:
        fixed.ended(0.0, 1.0, signal)
    assert fixed.limit == 5


@given(
    st.integers(1, 32),
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.floats(0, 90),
            st.sampled_from(Signal),
            st.integers(1, 40),
        ),
        max_size=200,
    ),
)
def test_whatever_happens_it_moves_by_its_steps(
    limit: int, attempts: list[tuple[float, float, Signal, int]]
) -> None:
    """Between 1 and the ceiling, by one more or a tenth less, and never twice for one cause."""
    adaptive, now, cut_at = Adaptive(limit), 0.0, -inf
    for pause, seconds, signal, under_way in attempts:
        adaptive.sent(under_way)
        before, now = adaptive.limit, now + pause
        adaptive.ended(now - seconds, now, signal)
        assert 1 <= adaptive.limit <= CEILING
        assert adaptive.limit in {before, before + 1, max(1, int(0.9 * before))}
        if adaptive.limit < before:
            assert signal is not Signal.PUSHED_BACK or now - seconds >= cut_at
            cut_at = now
        assert adaptive.limit == before or signal is not Signal.NEUTRAL
        assert adaptive.limit <= before or signal is Signal.ANSWERED


# --- how it fares -------------------------------------------------------------------------------


def runs(service: Callable[[], Service], seconds: float = SECONDS) -> list[Run]:
    return [simulate(Adaptive(), service(), seconds=seconds, seed=seed) for seed in SEEDS]


def best_of_fixed(service: Callable[[], Service]) -> float:
    """Return the throughput of the best of some fixed limits."""
    return max(simulate(Fixed(limit), service(), seconds=SECONDS).throughput for limit in FIXED)


@pytest.mark.parametrize(
    ("latency", "share", "lowest"),
    [
        ("even", 0.95, 32),
        ("mild", 0.95, 24),
        ("wild", 0.88, 16),
        ("tailed", 0.86, 14),
        ("heavy_tailed", 0.8, 8),
    ],
)
def test_jitter_alone_does_not_lower_the_limit(latency: str, share: float, lowest: int) -> None:
    """A service that takes any number is used to the ceiling, however much its answers vary."""
    make = lambda: Boundless(LATENCIES[latency])  # noqa: E731 - one line, used twice
    best = best_of_fixed(make)
    for run in runs(make):
        assert run.throughput > share * best
        assert run.lowest(since=25) >= lowest
        assert run.mean_limit(since=25) > 28


@pytest.mark.parametrize(("latency", "most"), [(even, 32), (mild, 65), (wild, 105)])
def test_the_ceiling_is_reached_soon(latency: Latency, most: int) -> None:
    """From 4 at once to 31 in a bounded number of round trips."""
    for run in runs(lambda: Boundless(latency), 30):
        assert run.reaches(31) < most * typical(latency)


@pytest.mark.parametrize("latency", [even, mild, wild])
@pytest.mark.parametrize(
    ("most", "share", "pushed_back"),
    [(2, 0.9, 0.2), (8, 0.95, 0.13), (16, 0.9, 0.13), (24, 0.85, 0.08)],
)
def test_a_hard_limit_is_found(
    latency: Latency, most: int, share: float, pushed_back: float
) -> None:
    """Where more than so many at once are refused, nearly so many are under way."""
    make = lambda: HardLimit(latency, lambda _: most)  # noqa: E731
    best = best_of_fixed(make)
    for run in runs(make):
        assert run.throughput > share * best
        assert run.pushed_back_share < pushed_back
        assert 0.85 * most < run.mean_limit(since=15) <= 1.15 * most
        assert run.highest(since=15) <= most + 3


@pytest.mark.parametrize("latency", [even, mild, wild])
@pytest.mark.parametrize("rate", [40, 100])
def test_a_token_bucket_is_emptied_without_a_storm(latency: Latency, rate: int) -> None:
    """A quota by the second is used up, with a fraction of the refusals that 32 at once meet."""
    most = simulate(Fixed(32), TokenBucket(latency, rate), seconds=SECONDS)
    for run in runs(lambda: TokenBucket(latency, rate)):
        assert run.throughput > 0.94 * rate
        assert run.pushed_back_share < max(0.1, 0.66 * most.pushed_back_share)


@pytest.mark.parametrize("latency", [even, mild, wild])
def test_a_queueing_service_is_kept_busy(latency: Latency) -> None:
    """Past the knee, where more at once only wait, nothing is lost and latency stays bounded."""
    make = lambda: Queue(latency, servers=8)  # noqa: E731
    best, crowd = best_of_fixed(make), simulate(Fixed(32), make(), seconds=SECONDS)
    for run in runs(make):
        assert run.throughput > 0.97 * best
        assert run.percentile(0.95) <= 1.05 * crowd.percentile(0.95)


def test_the_knee_is_felt_where_nothing_blurs_it() -> None:
    """With even answers the limit stays well below the ceiling, and answers are quicker for it."""
    crowd = simulate(Fixed(32), Queue(even, servers=8), seconds=SECONDS)
    for run in runs(lambda: Queue(even, servers=8)):
        assert run.highest() < 26
        assert run.percentile(0.95) < 0.8 * crowd.percentile(0.95)


def test_time_outs_keep_the_queue_short() -> None:
    """Where who waits too long gives up, few do, while of 32 at once a third gave up in vain."""
    crowd = simulate(Fixed(32), Queue(mild, servers=2, patience=0.6), seconds=SECONDS)
    assert crowd.pushed_back_share > 0.3
    for run in runs(lambda: Queue(mild, servers=2, patience=0.6)):
        assert run.throughput > 0.95 * crowd.throughput
        assert run.pushed_back_share < 0.1


@pytest.mark.parametrize("latency", [even, mild, wild])
def test_a_change_of_capacity_is_followed(latency: Latency) -> None:
    """From 16 down to 4 within 25 round trips, and up again within 70."""
    make = lambda: HardLimit(latency, lambda now: 4 if 30 <= now < 60 else 16)  # noqa: E731
    round_trip = typical(latency)
    best = best_of_fixed(make)
    for run in runs(make):
        assert run.lowest(30, 30 + 25 * round_trip) <= 4
        assert run.highest(40, 60) <= 8
        assert run.reaches(15, since=60) < 70 * round_trip
        assert run.throughput > 0.85 * best


@pytest.mark.parametrize("latency", [even, mild, wild])
@pytest.mark.parametrize("fails_after", [0.01, 3.0])
def test_an_outage_is_survived(latency: Latency, fails_after: float) -> None:
    """During a total outage hardly anything is sent; after it, once workers are back from their
    waits of up to 20 s, the limit is as before within 80 round trips.
    """
    make = lambda: Outage(Boundless(latency), 30, 50, fails_after)  # noqa: E731
    round_trip = typical(latency)
    for run in runs(make):
        assert run.limit_at(29.9) >= 20
        assert run.limit_at(50) <= (2 if fails_after < 1 else 28)
        assert run.pushed_back < 8 * 32
        assert run.reaches(28, since=50) < 20 + 80 * round_trip


def test_a_service_that_was_never_there_is_hardly_asked() -> None:
    """Down from the first request: one at a time."""
    run = simulate(Adaptive(), Outage(Boundless(even), 0, 1000), seconds=SECONDS)
    assert run.highest(since=5) == 1


@pytest.mark.parametrize(("unlucky", "share"), [(0.001, 0.95), (0.01, 0.95), (0.03, 0.75)])
def test_single_failures_do_not_lower_the_limit(unlucky: float, share: float) -> None:
    """One failure in a hundred, or three, says nothing about how much the service can take."""
    make = lambda: Boundless(mild, unlucky)  # noqa: E731
    best = best_of_fixed(make)
    for run in runs(make):
        assert run.throughput > share * best


# --- the real gate ------------------------------------------------------------------------------


async def press(gate: Gate, service: Service, seconds: float) -> Run:
    """Do what `simulate` does, with tasks and the real gate."""
    chance, run, start = Random(1), Run(seconds, limits=[gate.statistics().limit]), clock()
    under_way = 0

    async def work() -> None:
        nonlocal under_way
        failures = 0
        while True:
            await gate.enter()
            sent, under_way = clock(), under_way + 1
            takes, signal = service.meet(sent - start, under_way, chance)
            await asyncio.sleep(takes)
            under_way -= 1
            gate.leave(sent, clock(), signal)
            run.note(clock() - start, gate.statistics().limit)
            if signal is Signal.ANSWERED:
                failures = 0
                run.latencies.append(clock() - sent)
            else:
                run.pushed_back += 1
                await asyncio.sleep(chance.uniform(0, min(20.0, 2.0**failures)))
                failures += 1

    workers = [asyncio.create_task(work()) for _ in range(32)]
    await asyncio.sleep(seconds)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return run


@pytest.mark.parametrize(
    ("service", "fixed"),
    [
        (lambda: HardLimit(mild, lambda _: 8), 8),
        (lambda: Boundless(wild), 32),
        (lambda: Queue(mild, servers=8), 8),
    ],
)
def test_the_gate_does_as_the_simulation(service: Callable[[], Service], fixed: int) -> None:
    """Line, slots and signals of the real gate come to what was simulated without them."""

    async def main(concurrency: Limits) -> Run:
        gate = Gate(concurrency, clock=clock, sleep=asyncio.sleep)
        return await press(gate, service(), 40.0)

    simulated = simulate(Adaptive(), service(), seconds=40.0)
    real = in_virtual_time(main(Limits()))
    assert real.throughput == pytest.approx(simulated.throughput, rel=0.08)
    assert real.pushed_back_share == pytest.approx(simulated.pushed_back_share, abs=0.03)
    best = in_virtual_time(main(Limits(concurrency=fixed)))
    assert real.throughput > 0.8 * best.throughput
