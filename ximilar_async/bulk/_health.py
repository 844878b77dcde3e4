"""What a run knows about the service: is it there, how much fails, how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async._retry import FailureClass, classify

from ._breaker import Breaker
from ._timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async._config import Retry
    from ximilar_async._retry import Trace
    from ximilar_async.errors import XimilarError


@define(eq=False)
class Health:
    """Counts requests, answers and failures, and keeps the outage breaker.

    Args:
        retry: Whose waits the breaker's probes follow.
        clock: Returns monotonic seconds.
    """

    retry: Retry
    clock: Callable[[], float]
    breaker: Breaker = field(init=False)
    timing: Timing = field(init=False)
    requests: int = field(default=0, init=False)
    """Requests that left."""
    retries: int = field(default=0, init=False)
    """Those among them that repeated an earlier one."""
    answered: int = field(default=0, init=False)
    """Requests that the service answered, whatever it said."""
    accepted: int = field(default=0, init=False)
    """Those among them that were not refused as a whole."""
    failed: int = field(default=0, init=False)
    """Requests that it did not answer, or with a failure of its own."""
    throttled_since: float | None = field(default=None, init=False)
    """Since when the service says nothing but that it wants less; None if it does not."""
    last_failure: str = field(default="", init=False)
    """What the last of them met."""

    def __attrs_post_init__(self) -> None:
        # With the usual settings probes come after 1, 2, 4 … 60 seconds.
        self.breaker = Breaker(first=2 * self.retry.base, last=3 * self.retry.cap)
        self.timing = Timing(self.clock)

    def outage(self, now: float) -> str:
        """Say since when the service does not answer, and why; empty while it does."""
        opened = self.breaker.opened_at
        return "" if opened is None else f"no answer for {now - opened:.0f} s: {self.last_failure}"

    def outage_seconds(self, now: float) -> float:
        """Return for how many seconds in all the service did not answer."""
        opened = self.breaker.opened_at
        return self.breaker.open_seconds + (0.0 if opened is None else now - opened)

    def sent(self, trace: Trace, *, again: int) -> None:
        """Note what a call took.

        Args:
            trace: The call's.
            again: How many of its requests repeated an earlier one.
        """
        self.requests += trace.requests
        self.retries += again
        if trace.requests:
            self.timing.exchanged(trace.network)

    def answer(self, *, accepted: bool) -> None:
        """Note that the service answered.

        Args:
            accepted: Whether it did not refuse the request as a whole.
        """
        self.answered += 1
        self.throttled_since = None
        self.accepted += accepted
        self.breaker.succeeded(self.clock())

    def failure(self, error: XimilarError, trace: Trace, *, counts: bool = True) -> bool:
        """Note that the service did not answer, and tell whether this opened the breaker.

        Args:
            error: What the request met.
            trace: The request's.
            counts: Whether it may mean an outage.
        """
        self.failed += 1
        self.last_failure = str(error)
        now, open_before = self.clock(), self.breaker.is_open
        if classify(error) is FailureClass.THROTTLED:
            self.breaker.succeeded(now)  # it says that it is there
            self.throttled_since = now if self.throttled_since is None else self.throttled_since
        elif (counts or open_before) and not self._left_before_outage(trace):
            self.breaker.failed(now)
        return self.breaker.is_open and not open_before

    def _left_before_outage(self, trace: Trace) -> bool:
        """Tell whether a request that fails now is no probe, but one that left before it opened."""
        opened, sent = self.breaker.opened_at, trace.sent_at
        return opened is not None and sent is not None and sent < opened

    @property
    def failure_rate(self) -> float:
        """Return which share of the requests failed, from 0 to 1."""
        return self.failed / max(1, self.failed + self.answered)
