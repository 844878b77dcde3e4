"""What waits for its time, off the workers' hands: batches and look-ups to be sent again: pure."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from ._item import Work


@define
class Schedule:
    """A heap of batches and look-ups by the time at which they are due.

    Times are seconds of one monotonic clock, handed in by the caller.

    Example:
        >>> from ximilar_async.bulk._item import Batch
        >>> schedule = Schedule()
        >>> schedule.add(12.0, Batch(()))
        >>> schedule.due(11.0), schedule.wait(11.0), len(schedule.due(12.0))
        ([], 1.0, 1)
    """

    _heap: list[tuple[float, int, Work]] = field(factory=list, init=False)
    _added: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, work: Work) -> None:
        """Keep a batch or look-up until it is due."""
        self._added += 1
        heapq.heappush(self._heap, (due, self._added, work))

    def due(self, now: float) -> list[Work]:
        """Take out what is due, the longest due first."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next one is due; None when there is none."""
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def clear(self) -> list[Work]:
        """Take out everything, due or not."""
        return self.due(float("inf"))
