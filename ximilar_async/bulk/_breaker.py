"""The outage breaker: when request after request fails, one probe at a time: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES: Final = 5
"""Failures in a row that open the breaker."""

FIRST_PROBE: Final = 1.0
"""Seconds until the first probe; each further one waits twice as long."""

LAST_PROBE: Final = 60.0
"""Longest time between two probes, in seconds."""


@define
class Breaker:
    """Closed, everything passes; open, a single probe passes after 1, 2, 4 … 60 seconds.

    Times are seconds of one monotonic clock, handed in by the caller.

    Args:
        failures: Failures in a row that open it.
        first: Seconds until the first probe; each further one waits twice as long.
        last: Longest time between two probes, in seconds.

    Example:
        >>> breaker = Breaker(failures=2)
        >>> breaker.failed(10.0), breaker.failed(10.5), breaker.is_open
        (None, None, True)
        >>> breaker.wait(10.5), breaker.wait(11.5), breaker.wait(11.6)
        (1.0, 0.0, None)
    """

    failures: int = FAILURES
    first: float = FIRST_PROBE
    last: float = LAST_PROBE
    on_change: Callable[[float | None], object] | None = field(default=None, init=False)
    """Told None when it opens, and for how many seconds it was open when it closes."""
    opened_at: float | None = field(default=None, init=False)
    """When it opened; None while it is closed."""
    open_seconds: float = field(default=0.0, init=False)
    """Seconds that it was open in all, up to the last time it closed."""
    _in_row: int = field(default=0, init=False)
    _delay: float = field(init=False)
    _probe_at: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._delay = self.first

    @property
    def probes_failed(self) -> bool:
        """Tell whether it is open and a probe has failed since it opened."""
        return self.is_open and self._delay > self.first

    @property
    def is_open(self) -> bool:
        """Tell whether only probes pass."""
        return self.opened_at is not None

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next request may pass; None while a probe is under way.

        0 lets the caller pass; while the breaker is open that makes it the probe.
        """
        if not self.is_open:
            return 0.0
        if self._probing:
            return None
        if now < self._probe_at:
            return self._probe_at - now
        self._probing = True
        return 0.0

    def succeeded(self, now: float) -> None:
        """Note that the service answered: whatever it said, it is there."""
        if self.opened_at is not None:
            lasted = now - self.opened_at
            self.open_seconds += lasted
            if self.on_change is not None:
                self.on_change(lasted)
        self.opened_at = None
        self._in_row = 0
        self._delay = self.first
        self._probing = False

    def failed(self, now: float) -> None:
        """Note a request that the service did not answer, or answered with a failure of its own."""
        self._in_row += 1
        if self.is_open and self._probing:
            self._probing = False
            self._delay = min(self.last, self._delay * 2)
            self._probe_at = now + self._delay
        elif not self.is_open and self._in_row >= self.failures:
            self.opened_at = now
            self._probe_at = now + self._delay
            if self.on_change is not None:
                self.on_change(None)
