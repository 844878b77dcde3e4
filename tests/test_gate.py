"""The gate, in virtual time: slots, rate and holds, with the real aiolimiter."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakes import clock, in_virtual_time

from ximilar_async._concurrency import CEILING, START, Signal
from ximilar_async._config import Limits
from ximilar_async._gate import Gate, burst, slots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

SECOND = 1.0


def make_gate(limits: Limits) -> Gate:
    return Gate(limits, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)


@asynccontextmanager
async def through(gate: Gate) -> AsyncIterator[None]:
    """Pass the gate as the session does, and leave it however the block ends."""
    await gate.enter()
    started = clock()
    try:
        yield
    finally:
        gate.leave(started, clock(), Signal.NEUTRAL)


@asynccontextmanager
async def inside(gate: Gate) -> AsyncIterator[None]:
    """Pass the gate and leave it again with nothing to tell."""
    await gate.enter()
    try:
        yield
    finally:
        gate.leave(0.0, 0.0, Signal.NEUTRAL)


async def grants(limits: Limits, count: int, *, takes: float = 0.0) -> list[float]:
    """Return when each of so many requests passed the gate, in seconds from the start."""
    gate = make_gate(limits)
    start = clock()
    passed: list[float] = []

    async def request() -> None:
        async with through(gate):
            passed.append(clock() - start)
            await asyncio.sleep(takes)

    await asyncio.gather(*(request() for _ in range(count)))
    return passed


def worst_window(passed: list[float]) -> int:
    """Return the most grants within any one second."""
    return max(bisect_left(passed, moment + SECOND) - i for i, moment in enumerate(passed))


# --- slots --------------------------------------------------------------------------------------


def test_the_client_chooses_a_modest_concurrency() -> None:
    """Left to the client, slots start few and have a ceiling; a number is itself."""
    assert slots(Limits()) == CEILING == 32
    assert START == 4
    assert slots(Limits(concurrency=300)) == 300


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_never_more_than_the_slots_are_inside(concurrency: int) -> None:
    """However many wait, just as many as there are slots are inside at once."""

    async def main() -> tuple[int, float]:
        gate = make_gate(Limits(concurrency=concurrency))
        inside = most = 0

        async def request() -> None:
            nonlocal inside, most
            async with through(gate):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(1)
                inside -= 1

        start = clock()
        await asyncio.gather(*(request() for _ in range(100)))
        return most, clock() - start

    most, took = in_virtual_time(main())
    assert most == concurrency
    assert took == pytest.approx(-(-100 // concurrency), abs=0.1)  # and they are all used


async def _raise_inside(gate: Gate) -> None:
    async with through(gate):
        raise RuntimeError


async def _cancel_inside(gate: Gate) -> None:
    async def request() -> None:
        async with through(gate):
            await asyncio.sleep(60)

    await _cancel_soon(request())


async def _cancel_while_held(gate: Gate) -> None:
    gate.hold(60)
    await _cancel_soon(_pass(gate))
    gate.hold(0)


async def _cancel_in_the_queue(gate: Gate) -> None:
    async with through(gate):
        await _cancel_soon(_pass(gate))


async def _pass(gate: Gate) -> None:
    async with through(gate):
        pass


async def _cancel_soon(request: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(request)
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "mishap", [_raise_inside, _cancel_inside, _cancel_while_held, _cancel_in_the_queue]
)
@pytest.mark.parametrize("rate", [None, 1000.0])
def test_no_mishap_loses_a_slot(
    mishap: Callable[[Gate], Coroutine[Any, Any, None]], rate: float
) -> None:
    """After an error or a cancellation, inside or while waiting, the only slot is free again."""

    async def main() -> None:
        gate = make_gate(Limits(concurrency=1, rate=rate))
        for _ in range(3):
            await asyncio.gather(mishap(gate), return_exceptions=True)
        await asyncio.wait_for(_pass(gate), 120)

    in_virtual_time(main())


# --- the rate -----------------------------------------------------------------------------------

RATES = [0.5, 1, 5, 10, 15, 40, 100, 250, 1000]


@pytest.mark.parametrize("rate", RATES)
def test_no_second_has_more_than_rate_and_burst(rate: float) -> None:
    """The worst one-second window of a crowd holds at most the rate and one small burst."""
    passed = in_virtual_time(grants(Limits(concurrency=10_000, rate=rate), int(5 * rate) + 20))
    assert passed == sorted(passed)
    assert worst_window(passed) <= rate + burst(rate)


@pytest.mark.parametrize("rate", RATES)
def test_the_steady_rate_is_held(rate: float) -> None:
    """Over the long run at least 98 % of the rate gets through, and no more than the rate."""
    count = int(20 * rate) + 20
    passed = in_virtual_time(grants(Limits(concurrency=10_000, rate=rate), count))
    steady = (count - burst(rate)) / passed[-1]
    assert 0.98 * rate <= steady <= 1.001 * rate


@pytest.mark.parametrize("rate", [5, 100])
def test_a_pause_saves_up_no_flood(rate: int) -> None:
    """After a quiet minute no more than the small burst goes out at once."""

    async def main() -> list[float]:
        gate = make_gate(Limits(concurrency=1000, rate=rate))
        passed: list[float] = []

        async def request() -> None:
            async with through(gate):
                passed.append(clock())

        for _ in range(3):
            await asyncio.gather(*(request() for _ in range(2 * rate)))
            await asyncio.sleep(60)
        return passed

    passed = in_virtual_time(main())
    assert worst_window(passed) <= rate + burst(rate)


def test_the_window_may_be_of_any_length() -> None:
    """30 requests a minute are one every two seconds, not 30 at once."""
    passed = in_virtual_time(grants(Limits(concurrency=100, rate=30, per=60), 10))
    assert passed == pytest.approx([2.0 * n for n in range(10)], abs=0.01)


def test_without_a_rate_only_slots_count() -> None:
    """No rate, no waiting."""
    passed = in_virtual_time(grants(Limits(concurrency=1000), 1000))
    assert passed[-1] < 0.1


def test_requests_pass_in_the_order_they_came() -> None:
    """Nobody is overtaken for ever: slots and rate are first come, first served."""

    async def main() -> list[int]:
        gate = make_gate(Limits(concurrency=2, rate=20))
        order: list[int] = []

        async def request(number: int) -> None:
            async with through(gate):
                order.append(number)
                await asyncio.sleep(0.2)

        await asyncio.gather(*(request(number) for number in range(50)))
        return order

    assert in_virtual_time(main()) == list(range(50))


@pytest.mark.parametrize(
    ("rate", "size"), [(0.1, 1), (1, 1), (10, 1), (19, 1), (20, 2), (50, 5), (100, 10), (5000, 10)]
)
def test_the_burst_is_small(rate: float, size: int) -> None:
    """One up to 10 a second, a tenth of the rate above, ten at most."""
    assert burst(rate) == size


# --- holds --------------------------------------------------------------------------------------


def test_a_hold_keeps_everybody_back() -> None:
    """While the service asked for a pause nobody passes; then all do."""

    async def main() -> list[float]:
        gate = make_gate(Limits(concurrency=5))
        gate.hold(30)
        start = clock()
        await asyncio.gather(*(_pass(gate) for _ in range(5)))
        return [gate.held, clock() - start]

    assert in_virtual_time(main()) == [0.0, pytest.approx(30, abs=0.01)]


def test_a_longer_hold_wins() -> None:
    """A second, shorter hold does not open the gate; one that comes while waiting prolongs it."""

    async def main() -> float:
        gate = make_gate(Limits(concurrency=5))
        start = clock()
        gate.hold(30)
        gate.hold(5)
        waiting = asyncio.create_task(_pass(gate))
        await asyncio.sleep(20)
        gate.hold(40)
        await waiting
        return clock() - start

    assert in_virtual_time(main()) == pytest.approx(60, abs=0.01)


def test_a_hold_counts_for_those_who_queue_for_the_rate() -> None:
    """A hold that comes while requests wait for their turn keeps them back too; the rate holds."""

    async def main() -> list[float]:
        gate = make_gate(Limits(concurrency=10, rate=2))
        start = clock()
        passed: list[float] = []

        async def request() -> None:
            async with through(gate):
                passed.append(clock() - start)

        requests = asyncio.gather(*(request() for _ in range(10)))
        await asyncio.sleep(1.2)
        gate.hold(20)
        await requests
        return passed

    passed = in_virtual_time(main())
    assert [moment for moment in passed if moment < 21.2] == pytest.approx([0, 0.5, 1.0], abs=0.01)
    assert len(passed) == 10
    assert worst_window(passed) <= 3
