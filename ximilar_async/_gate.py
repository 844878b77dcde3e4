"""The gate that every request passes: a slot, the rate, and a hold that the service asked for."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from aiolimiter import AsyncLimiter
from attrs import define, field

from ._concurrency import CEILING, Adaptive, Fixed, GateStatistics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._concurrency import Concurrency, Signal
    from ._config import Limits


_TICKS: Final = 500
"""How often in a second a limiter can be sure to see the time go on."""


class Levels(NamedTuple):
    """What a gate does at a moment."""

    limit: int
    """Requests that may be under way at once."""
    under_way: int
    waiting: int


def slots(limits: Limits) -> int:
    """Return how many requests may be under way at once, at most.

    Example:
        >>> from ximilar_async import Limits
        >>> slots(Limits(concurrency=3)), slots(Limits(concurrency="auto"))
        (3, 32)
    """
    return CEILING if limits.concurrency == "auto" else limits.concurrency


def burst(rate: float) -> int:
    """Return the burst that keeps a steady rate exact without letting a flood through.

    `AsyncLimiter(100, 1)` lets 199 requests through in its first second and `AsyncLimiter(1,
    1/rate)` falls 3-15 % short at 100-1000 a second; a small burst does neither (docs/design.md,
    Rate). Clocks of event loops may tick in milliseconds, so that above 5,000 a second it takes two
    milliseconds' worth.

    Args:
        rate: Requests a second.

    Example:
        >>> burst(5), burst(50), burst(1000), burst(100_000)
        (1, 5, 10, 200)
    """
    return max(1, min(10, int(rate / 10)), math.ceil(rate / _TICKS))


@define
class _Waits:
    """Seconds that requests have waited, by what for; those who still wait included."""

    slot: float = 0.0
    rate: float = 0.0
    hold: float = 0.0
    _until: float = field(default=0.0, init=False)

    def add(self, now: float, open_at: float, in_line: int, pacing: int, taken: int) -> None:
        """Add what so many have waited since the last time; before each change of a number.

        Who waits for a slot waits for what its holders wait for: the rate, or their answers.
        """
        held = max(0.0, min(now, open_at) - self._until)
        free = now - self._until - held
        for_rate = pacing / taken if taken else 0.0
        self.slot += free * in_line * (1 - for_rate)
        self.rate += free * (pacing + in_line * for_rate)
        self.hold += held * (in_line + pacing)
        self._until = now


class Gate:
    """Lets a request through when a slot is free, the rate allows it and nothing holds it.

    Requests pass in the order they came. How many may be under way is decided by a `Concurrency`,
    which is told how each attempt ended and may change its mind at any time: nobody is called back,
    and nobody new is let through until there is room.

    Args:
        limits: The client's quota.
        clock: Returns monotonic seconds.
        sleep: Waits for seconds.

    Example:
        >>> from ximilar_async import Limits
        >>> from ximilar_async._concurrency import Signal
        >>> async def request(gate: Gate) -> None:
        ...     await gate.enter()
        ...     gate.leave(0.0, 0.2, Signal.ANSWERED)
        >>> gate = Gate(Limits(), clock=lambda: 0.2, sleep=asyncio.sleep)
        >>> asyncio.run(request(gate))
        >>> gate.statistics().limit, gate.statistics().under_way
        (4, 0)
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._concurrency = _concurrency(limits)
        self._limiter = _limiter(limits)
        self._clock = clock
        self._sleep = sleep
        self._open_at = 0.0
        self._holds = 0.0  # seconds of all holds, the present one to its end
        self._taken = 0  # slots
        self._pacing = 0  # requests that have a slot and wait for the rate
        self._line: deque[asyncio.Future[None]] = deque()  # requests that wait for a slot
        self._alarm: asyncio.Task[None] | None = None  # while both a hold and a line are there
        self._waits = _Waits()

    # --- through the gate and back --------------------------------------------------------------

    def enter_now(self) -> bool:
        """Pass if that takes no waiting; False if it does."""
        if self._limiter is not None or not self._take():
            return False
        self._concurrency.sent(self._taken)
        return True

    async def enter(self) -> None:
        """Wait until a request may be sent; whoever passed must `leave`.

        If the waiting is cancelled, nothing is kept.
        """
        if not self._take():
            await self._stand_in_line()
        if self._limiter is not None:
            await self._keep_pace(self._limiter)
        self._concurrency.sent(self._taken - self._pacing)

    def leave(self, started: float, ended: float, signal: Signal) -> None:
        """Give the slot back and tell how the attempt went.

        Args:
            started: When it was sent, in seconds of the gate's clock.
            ended: When its answer was whole or its failure known, likewise.
            signal: What it says about the service's load.
        """
        self._taken -= 1
        self._concurrency.ended(started, ended, signal)
        if self._line:
            self._let_in()

    # --- the hold -------------------------------------------------------------------------------

    def hold(self, seconds: float) -> None:
        """Keep everybody back for that long: the service asked for it."""
        self._add_waits()
        closed_until = max(self._open_at, self._clock())
        self._open_at = max(self._open_at, self._clock() + seconds)
        self._holds += max(0.0, self._open_at - closed_until)
        self._set_alarm()

    @property
    def held(self) -> float:
        """Return for how many more seconds everybody is kept back."""
        return max(0.0, self._open_at - self._clock()) if self._open_at else 0.0

    def _set_alarm(self) -> None:
        if self._line and self._alarm is None and self.held:
            self._alarm = asyncio.get_running_loop().create_task(self._open_again())

    def _clear_alarm(self) -> None:
        if not self._line and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def _open_again(self) -> None:
        await self._sit_out_hold()
        self._alarm = None
        self._let_in()

    async def _sit_out_hold(self) -> None:
        while wait := self.held:
            await self._sleep(wait)

    # --- slots ----------------------------------------------------------------------------------

    def _take(self) -> bool:
        if self._line or self._taken >= self._concurrency.limit or self.held:
            return False
        self._taken += 1
        return True

    async def _stand_in_line(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add_waits()
        self._line.append(place)
        self._set_alarm()
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._give_back()  # let in and cancelled in the same turn of the loop
            else:
                self._step_out(place)
            raise

    def _step_out(self, place: asyncio.Future[None]) -> None:
        if place in self._line:
            self._add_waits()
            self._line.remove(place)
            self._clear_alarm()

    def _let_in(self) -> None:
        """Let in as many of those in line as there is room for, the first first."""
        if self.held:
            return
        self._add_waits()
        while self._line and self._taken < self._concurrency.limit:
            place = self._line.popleft()
            if not place.done():  # it may be cancelled, its task not yet told
                self._taken += 1
                place.set_result(None)
        self._clear_alarm()

    def _give_back(self) -> None:
        self._taken -= 1
        self._let_in()

    # --- the rate -------------------------------------------------------------------------------

    async def _keep_pace(self, limiter: AsyncLimiter) -> None:
        if not self._pacing and not self.held and limiter.has_capacity():
            await limiter.acquire()  # which waits for nothing
            return
        self._change_pacing(1)
        try:
            while True:
                await self._sit_out_hold()
                await limiter.acquire()
                if not self.held:  # a hold that came while this one queued for the rate counts too
                    break
        except BaseException:
            self._change_pacing(-1)
            self._give_back()
            raise
        self._change_pacing(-1)

    def _change_pacing(self, by: int) -> None:
        self._add_waits()
        self._pacing += by

    # --- what is told ---------------------------------------------------------------------------

    def _add_waits(self) -> None:
        self._waits.add(self._clock(), self._open_at, len(self._line), self._pacing, self._taken)

    @property
    def levels(self) -> Levels:
        """Return what the gate does now; changes nothing, so that any thread may ask."""
        pacing = self._pacing
        return Levels(self._concurrency.limit, self._taken - pacing, len(self._line) + pacing)

    def statistics(self) -> GateStatistics:
        """Return what the gate does now and what has been waited for so far."""
        self._add_waits()
        waits = self._waits
        return GateStatistics(
            limit=self._concurrency.limit,
            under_way=self._taken - self._pacing,
            waiting=len(self._line) + self._pacing,
            held_for=self.held,
            waited_for_slot=waits.slot,
            waited_for_rate=waits.rate,
            waited_for_hold=waits.hold,
            held=self._holds - self.held,
        )


def _concurrency(limits: Limits) -> Concurrency:
    return Adaptive() if limits.concurrency == "auto" else Fixed(limits.concurrency)


def _limiter(limits: Limits) -> AsyncLimiter | None:
    if limits.rate is None:
        return None
    rate = limits.rate / limits.per
    size = burst(rate)
    return AsyncLimiter(size, size / rate)
