"""Who is told what: the user's callbacks and the buffer of results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import define, field

from ._report import Stop
from ._results import ResultBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._outcomes import Result
    from ._report import Report

ANYTHING: Final = (Exception, asyncio.CancelledError)
"""What a user's callback may raise without ending the program; the second by asking a cancelled
future, and not because anybody cancels us: a callback does not await."""


@define(eq=False)
class Listeners:
    """Calls the user's functions; one that raises is not called again, and stops the run.

    Args:
        on_result: Called with each result.
        progress: Called with the state of the run.
        on_stop: Called when one of them raised, with why.
    """

    on_result: Callable[[Result], object] | None
    progress: Callable[[Report], object] | None
    on_stop: Callable[[Stop, str], None]
    failure: BaseException | None = field(default=None, init=False)
    """What a callback raised."""
    _lifted: bool = field(default=False, init=False)
    _buffer: ResultBuffer | None = field(default=None, init=False)

    @property
    def wants_results(self) -> bool:
        """Tell whether anybody is told of single results."""
        return self.on_result is not None or self._buffer is not None

    @property
    def buffers(self) -> bool:
        """Tell whether results may have to wait until somebody fetches them."""
        return self._buffer is not None

    def open_buffer(self, limit: int) -> ResultBuffer:
        """Return the buffer that every further result goes into."""
        self._buffer = ResultBuffer(limit)
        if self._lifted:
            self._buffer.lift()
        return self._buffer

    def close_buffer(self) -> None:
        """Let the run go on without anybody who fetches its results."""
        if self._buffer is not None:
            self._buffer.leave()

    async def wait_for_room(self) -> None:
        """Pause while results wait to be fetched."""
        if self._buffer is not None:
            await self._buffer.wait_for_room()

    def notify(self, result: Result) -> None:
        """Tell of one result."""
        if self._buffer is not None:
            self._buffer.put(result)
        if self.on_result is None:
            return
        try:
            self.on_result(result)
        except ANYTHING as error:
            self.on_result = None
            self._failed("on_result", error)

    def tell_progress(self, report: Callable[[], Report]) -> None:
        """Tell how far the run is."""
        if self.progress is None:
            return
        try:
            self.progress(report())
        except ANYTHING as error:
            self.progress = None
            self._failed("progress", error)

    def lift(self) -> None:
        """Hold the run back no more; what is pending bounds what can still come."""
        self._lifted = True
        if self._buffer is not None:
            self._buffer.lift()

    def end(self) -> None:
        """Note that nothing more will be told."""
        if self._buffer is not None:
            self._buffer.end()

    def _failed(self, name: str, error: BaseException) -> None:
        self.failure = self.failure or error
        self.on_stop(Stop.CALLBACK, f"{name} raised {error!r}")
