"""How fast a run goes and how far it is: pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import define, field

if TYPE_CHECKING:
    from ximilar_async.bulk import Report

_WINDOW: Final = 10.0
"""Seconds that the shown rate looks back."""


@define
class Pace:
    """How fast something goes, over the last seconds.

    Args:
        window: Seconds to look back.

    Example:
        >>> pace = Pace()
        >>> pace.add(0.0, 0), pace.add(2.0, 300)
        (0.0, 150.0)
    """

    window: float = _WINDOW
    _seen: deque[tuple[float, float]] = field(factory=deque, init=False)

    def add(self, now: float, done: float) -> float:
        """Note how much is done by now and return how much is done in a second.

        Args:
            now: Seconds on any clock that does not go back.
            done: What is done since the beginning.
        """
        seen = self._seen
        seen.append((now, done))
        while len(seen) > 2 and now - seen[1][0] >= self.window:  # noqa: PLR2004 - a span has two ends
            seen.popleft()
        then, before = seen[0]
        return (done - before) / (now - then) if now > then else 0.0


def share_done(
    report: Report, position: tuple[int, int | None], max_records: int | None = None
) -> float | None:
    """Return which part of a run is done, from 0 to 1; None if nobody knows.

    What is read but not decided does not count as done.

    Args:
        report: The run's state.
        position: How much of the source is read, and how much there is.
        max_records: The run's bound on records, if it has one.
    """
    decided = sum(report.counts.values())
    read, size = position
    shares = []
    if size and report.read:
        shares.append(min(read / size, 1.0) * decided / report.read)
    if max_records:
        shares.append(decided / max_records)
    return min(max(shares), 1.0) if shares else None


def time_left(elapsed: float, done: float | None) -> float | None:
    """Return the seconds that are left if the rest goes as what is done; None if nobody knows.

    Example:
        >>> time_left(30.0, 0.75)
        10.0
    """
    return elapsed * (1 - done) / done if done else None


def clock(seconds: float) -> str:
    """Return a span of time as people write it.

    Example:
        >>> clock(7.4), clock(75), clock(3700)
        ('0:07', '1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
