"""Results on their way to whoever iterates over them: a bounded buffer with back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from ._outcomes import Result


@define(eq=False)
class ResultBuffer:
    """Keeps results until they are fetched; the run pauses while it is full.

    Args:
        limit: Results from which on the run pauses.
    """

    limit: int
    _results: deque[Result] = field(factory=deque, init=False)
    _arrived: asyncio.Event = field(factory=asyncio.Event, init=False)
    _room: asyncio.Event = field(factory=asyncio.Event, init=False)
    _ended: bool = field(default=False, init=False)
    _left: bool = field(default=False, init=False)
    _lifted: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._room.set()

    def put(self, result: Result) -> None:
        """Add a result; what comes after the reader has left is dropped."""
        if self._left:
            return
        self._results.append(result)
        self._arrived.set()
        if len(self._results) >= self.limit and not self._lifted:
            self._room.clear()

    async def wait_for_room(self) -> None:
        """Return when further results may come."""
        await self._room.wait()

    async def next(self) -> Result | None:
        """Return the next result, or None when the run has ended."""
        while not self._results and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._results:
            return None
        result = self._results.popleft()
        if len(self._results) < self.limit:
            self._room.set()
        return result

    def lift(self) -> None:
        """Hold the run back no more: it is to end, whether anybody fetches or not."""
        self._lifted = True
        self._room.set()

    def end(self) -> None:
        """Note that no further result will come."""
        self._ended = True
        self._arrived.set()

    def leave(self) -> None:
        """Note that nobody fetches any more: the run goes on without."""
        self._left = True
        self._results.clear()
        self._room.set()
