"""A limit on requests per second, for 429."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Throttle:
    """Lets through so many requests in any window of time, and no burst beyond.

    Args:
        rate: Requests per second; below 1, one request in `1 / rate` seconds.
        clock: Seconds, from any start.

    Example:
        >>> now = iter([0.0, 0.1, 0.2, 1.0])
        >>> throttle = Throttle(2, clock=lambda: next(now))
        >>> [throttle.wait() for _ in range(4)]
        [0, 0, 1, 0]
    """

    def __init__(self, rate: float, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._passed: deque[float] = deque(maxlen=max(1, math.floor(rate)))
        self._window = max(1, math.floor(rate)) / rate

    def wait(self) -> int:
        """Take a request: return 0 when it may pass, else the whole seconds to wait."""
        now = self._clock()
        if len(self._passed) == self._passed.maxlen:
            left = self._passed[0] + self._window - now
            if left > 0:
                return max(1, math.ceil(left))
        self._passed.append(now)
        return 0
