"""A bulk run as the user holds it: awaitable, observable, stoppable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from ._engine import Engine
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

    def stop(self, reason: str = "asked to stop") -> None:
        """End early: requests under way are finished, records read and not sent are reported.

        Args:
            reason: What the report says.
        """
        self._engine.halt(Stop.ASKED, reason)

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
        if error is not None:
            self.stop(f"left by {type(error).__name__}")
        await asyncio.wait({self._start()})

    def _start(self) -> asyncio.Task[Report]:
        if self._task is None:
            self._task = asyncio.create_task(self._engine.run(), name="ximilar-bulk")
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
                task.cancel()
                raise
            if task.done() and not task.cancelled():
                task.exception()
            raise
