"""The gate that every request passes: a slot, the rate, and a hold that the service asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ._config import Limits

AUTO_CONCURRENCY: Final = 8
"""Requests under way at once when the user leaves the choice to the client."""


def slots(limits: Limits) -> int:
    """Return how many requests may be under way at once.

    Example:
        >>> from ximilar_async import Limits
        >>> slots(Limits(concurrency=3))
        3
    """
    return AUTO_CONCURRENCY if limits.concurrency == "auto" else limits.concurrency


def burst(rate: float) -> int:
    """Return the burst that keeps a steady rate exact without letting a flood through.

    `AsyncLimiter(100, 1)` lets 199 requests through in its first second and `AsyncLimiter(1,
    1/rate)` falls 3-15 % short at 100-1000 a second; a small burst does neither (docs/design.md,
    Rate).

    Args:
        rate: Requests a second.

    Example:
        >>> burst(5), burst(50), burst(1000)
        (1, 5, 10)
    """
    return max(1, min(10, int(rate / 10)))


class Gate:
    """Lets a request through when a slot is free, the rate allows it and nothing holds it.

    Args:
        limits: The client's quota.
        clock: Returns monotonic seconds.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._slots = asyncio.Semaphore(slots(limits))
        self._limiter = _limiter(limits)
        self._clock = clock
        self._sleep = sleep
        self._open_at = 0.0

    def hold(self, seconds: float) -> None:
        """Keep everybody back for that long: the service asked for it."""
        self._open_at = max(self._open_at, self._clock() + seconds)

    @property
    def held(self) -> float:
        """Return for how many more seconds everybody is kept back."""
        return max(0.0, self._open_at - self._clock())

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self._pass()
        except BaseException:
            self._slots.release()
            raise

    async def _pass(self) -> None:
        while True:
            while wait := self.held:
                await self._sleep(wait)
            if self._limiter is None:
                return
            await self._limiter.acquire()
            if not self.held:  # a hold that came while this one queued for the rate counts too
                return

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._slots.release()


def _limiter(limits: Limits) -> AsyncLimiter | None:
    if limits.rate is None:
        return None
    rate = limits.rate / limits.per
    size = burst(rate)
    return AsyncLimiter(size, size / rate)
