"""Whether and when to send again: pure rules, without clock and network."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import TYPE_CHECKING

import backoff
from attrs import define

from .errors import (
    ApiError,
    AuthError,
    CapacityError,
    ConfigError,
    ConnectError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TLSError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ._config import Retry
    from .errors import (
        XimilarError,
    )

_SERVICE_UNAVAILABLE = 503
_WRONG_WAY = frozenset({405, 407, 410})
"""Codes about the way to the service (verb, proxy, address), whatever the request holds."""
_NUMBER = re.compile(r"[ \t]*[0-9]{1,300}(\.[0-9]*)?[ \t]*")  # more digits may be infinite


class FailureClass(Enum):
    """The classes of failure that drive everything (docs/design.md, Failures)."""

    NOT_SENT = auto()
    """The request never left: send again, free of budget."""
    CONFIGURATION = auto()
    """No repetition can help: stop."""
    DOUBTFUL = auto()
    """It may have been applied: send again, and verify what it reports."""
    THROTTLED = auto()
    """Too fast: send again, after a longer wait."""
    AUTH = auto()
    """Ask the token provider once, then stop."""
    CAPACITY = auto()
    """Credits or room are used up: stop feeding."""
    RECORD_FAULT = auto()
    """This very request is refused; other records may be fine."""


_CLASSES: Mapping[type[XimilarError], FailureClass] = {
    ConnectError: FailureClass.NOT_SENT,
    RateLimitError: FailureClass.THROTTLED,
    AuthError: FailureClass.AUTH,
    CapacityError: FailureClass.CAPACITY,
    ConfigError: FailureClass.CONFIGURATION,
    TLSError: FailureClass.CONFIGURATION,
    NotFoundError: FailureClass.CONFIGURATION,
}


def classify(error: XimilarError) -> FailureClass:
    """Return the class of a failure; every error of this package has one.

    Example:
        >>> classify(RateLimitError(429, 429, "slow down")).name
        'THROTTLED'
    """
    for kind, failure in _CLASSES.items():
        if isinstance(error, kind):
            return failure
    if isinstance(error, ApiError) and error.code in _WRONG_WAY:
        return FailureClass.CONFIGURATION
    unavailable = isinstance(error, ServerError) and error.code == _SERVICE_UNAVAILABLE
    if unavailable and error.retry_after is not None:
        return FailureClass.THROTTLED
    return FailureClass.DOUBTFUL if error.doubtful else FailureClass.RECORD_FAULT


@define
class Trace:
    """What one call took; filled in as it goes, for whoever must account for it."""

    requests: int = 0
    """Requests that were handed to the transport."""
    doubtful: bool = False
    """Whether one of them may have been applied without a usable answer."""
    sent_at: float | None = None
    """When the last of them was sent, in seconds of the session's clock."""
    network: float = 0.0
    """Seconds between sending and answer, over all attempts."""
    waited: float = 0.0
    """Seconds between attempts."""

    @property
    def retries(self) -> int:
        """Return how many requests repeated an earlier one."""
        return max(0, self.requests - 1)


def parse_retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return how many seconds the service asks to wait, or None for no hint or a junk one.

    Reads `retry-after-ms`, then `retry-after` as seconds, then as a date, which is measured against
    the response's own `date` so that the two clocks need not agree.

    Args:
        headers: Response headers, looked up by lower-case name.
        now: Seconds since the epoch, used when the response has no date; the system's clock if
            None.

    Example:
        >>> parse_retry_after({"retry-after": "20"}), parse_retry_after({"retry-after": "soon"})
        (20.0, None)
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    hint = headers.get("retry-after")
    if hint is None:
        return None
    seconds = _seconds(hint)
    if seconds is not None:
        return seconds
    until = _epoch(hint)
    if until is None:
        return None
    since = _epoch(headers.get("date"))
    if since is None:
        since = time.time() if now is None else now
    return max(0.0, until - since)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def _epoch(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    # Dates of HTTP are always in GMT (RFC 9110, 5.6.7); one without a zone is not in ours.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def waits(retry: Retry, jitter: Callable[[float], float] = backoff.full_jitter) -> Waits:
    """Return the series of waits of one call.

    Args:
        retry: The settings.
        jitter: Draws a wait between 0 and its argument.

    Example:
        >>> from ximilar_async._config import Retry
        >>> waits(Retry(base=1, cap=3), jitter=lambda ceiling: ceiling).after(None, throttled=False)
        1.0
    """
    return Waits(
        _ceilings(retry.base, retry.cap), _ceilings(retry.throttled_base, retry.cap), jitter
    )


def _ceilings(base: float, cap: float) -> Iterator[float]:
    """Yield base, 2 base, 4 base … up to the cap, for ever."""
    expo = backoff.expo(factor=base, max_value=cap)
    next(expo)  # the generator's priming value, no wait
    for ceiling in expo:
        yield min(float(ceiling or 0.0), cap)


@define
class Waits:
    """How long to wait after each failure of one call."""

    _plain: Iterator[float]
    _throttled: Iterator[float]
    _jitter: Callable[[float], float]

    def after(self, hint: float | None, *, throttled: bool) -> float:
        """Return the seconds to wait: jitter below the next ceiling, on top of the hint."""
        ceiling = next(self._plain)
        slower = next(self._throttled)
        return (hint or 0.0) + self._jitter(slower if throttled else ceiling)


@define
class RetryBudget:
    """A shared allowance that keeps a total outage from being multiplied by retries.

    Every retry costs, every success refunds, and one after a retry refunds that retry: while most
    calls succeed in the end retries are free, and when nothing succeeds the budget is soon empty
    and calls fail at once.

    Args:
        tokens: What is left.
        most: What there is at most.
        cost: What a retry takes.
        refund: What a success at the first attempt gives back.

    Example:
        >>> budget = RetryBudget(tokens=5)
        >>> budget.take(), budget.take()
        (True, False)
    """

    tokens: float = 500
    most: float = 500
    cost: float = 5
    refund: float = 1

    def take(self) -> bool:
        """Take the price of one retry; False when too little is left."""
        if self.tokens < self.cost:
            return False
        self.tokens -= self.cost
        return True

    def succeed(self, *, retried: bool = False) -> None:
        """Give back a success's refund.

        Args:
            retried: Whether the call has taken from the budget.
        """
        self.tokens = min(self.most, self.tokens + (self.cost if retried else self.refund))
