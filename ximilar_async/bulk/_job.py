"""A bulk run as the user holds it: awaitable, observable, stoppable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import TracebackType

    from ._engine import Engine
    from ._outcomes import Result
    from ._report import Report


class Job:
    """A bulk run: `await` it for its `Report`.

    It starts when it is first awaited or entered; until then nothing is read.

    Example:
        job = bulk.insert(shoes, [{"_id": "j1", "_url": "https://example.com/j1.jpg"}])
        report = await job
        print(report.summary())
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._task: asyncio.Task[Report] | None = None

    def __repr__(self) -> str:
        return f"<Job {self.stats.summary()}>"

    @property
    def stats(self) -> Report:
        """Return the report as it stands; `pending` tells how many records are under way."""
        return self._engine.report()

    @property
    def position(self) -> tuple[int, int | None]:
        """Return how much of the source was read, and how much there is, in records or bytes."""
        return self._engine.source.position, self._engine.source.size

    async def results(self, *, buffer: int = 1000) -> AsyncGenerator[Result, None]:
        """Yield what became of each record, in the order in which it was decided.

        The run pauses while `buffer` results wait to be fetched, and goes on without them when the
        iteration is left. Call it before anything else is awaited: results are not kept for later.

        Args:
            buffer: Results that may wait, roughly: what is under way comes on top.

        Example:
            records = [{"_id": "r1", "_url": "https://example.com/r1.jpg"}, {"_id": "r2"}]
            async with bulk.insert(shoes, records) as job:
                async for result in job.results():
                    print(result.id, result.outcome)
            report = await job
        """
        if self._task is not None and self._task.done():
            return
        waiting = self._engine.listeners.open_buffer(buffer)
        self._start()
        try:
            while (result := await waiting.next()) is not None:
                yield result
        finally:
            waiting.leave()

    def stop(self, reason: str = "asked to stop", *, grace: float | None = None) -> None:
        """End early: requests under way or in line are finished, the other records are reported.

        Args:
            reason: What the report says.
            grace: Seconds after which requests under way are given up, as by `abort`; None to wait
                for them, which their time-outs bound.
        """
        self._engine.halt(Stop.ASKED, reason)
        if grace is not None and self._task is not None and not self._task.done():
            timer = asyncio.get_running_loop().call_later(grace, self._engine.abort, reason)
            self._task.add_done_callback(lambda _: timer.cancel())

    def abort(self, reason: str = "aborted") -> None:
        """End at once: requests under way are cancelled, their records reported as unconfirmed.

        The service may have applied them all the same.

        Args:
            reason: What the report says.
        """
        self._engine.abort(reason)

    def __await__(self) -> Generator[object, None, Report]:
        return self._wait().__await__()

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._engine.listeners.close_buffer()
        if error is not None:
            self.stop(f"left by {type(error).__name__}")
            try:
                await asyncio.wait({self._start()})
            except asyncio.CancelledError:
                self.abort("cancelled")  # cancelled once more: nobody waits any longer
                raise
        else:
            await self

    def _start(self) -> asyncio.Task[Report]:
        if self._task is None:
            self._task = asyncio.create_task(self._engine.run(), name="ximilar-bulk")
            self._task.add_done_callback(note_retrieved)
        return self._task

    async def _wait(self) -> Report:
        task = self._start()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # A cancelled request may have been applied all the same: drain, then cancel.
            self.stop("cancelled")
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                self.abort("cancelled")
                await asyncio.wait({task})  # only ledger and files are closed now
                raise
            raise


def note_retrieved(task: asyncio.Task[Any]) -> None:
    """Have asyncio print no traceback when whoever awaited a task was cancelled."""
    if not task.cancelled():
        task.exception()
