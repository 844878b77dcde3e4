"""A sync as the user holds it: awaitable, observable, stoppable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from ximilar_async.bulk._job import note_retrieved
from ximilar_async.bulk._report import Stop
from ximilar_async.bulk._results import ResultBuffer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import TracebackType

    from ximilar_async.bulk._outcomes import Result

    from .report import SyncReport
    from .running import Sync


class SyncJob:
    """A catalog sync: `await` it for its `SyncReport`.

    It starts when it is first awaited or entered; until then nothing is read.

    Example:
        job = bulk.sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
        report = await job
        print(report.summary())
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._task: asyncio.Task[SyncReport] | None = None

    def __repr__(self) -> str:
        return f"<SyncJob {self.stats.summary()}>"

    @property
    def stats(self) -> SyncReport:
        """Return the report as it stands; `stage` tells what is done now."""
        return self._sync.report()

    @property
    def position(self) -> tuple[int, int | None]:
        """Return how far the present stage is, and how far it goes: records, or a file's bytes."""
        return self._sync.course.position()

    async def results(self, *, buffer: int = 1000) -> AsyncGenerator[Result, None]:
        """Yield what became of each record that was not simply unchanged, as it was decided.

        The sync pauses while `buffer` results wait to be fetched, and goes on without them when the
        iteration is left. Call it before anything else is awaited.

        Args:
            buffer: Results that may wait, roughly.

        Example:
            job = bulk.sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            async for result in job.results():
                print(result.id, result.outcome)
            report = await job
        """
        if self._task is not None and self._task.done():
            return
        waiting = self._sync.buffer = ResultBuffer(buffer)
        self._start()
        try:
            while (result := await waiting.next()) is not None:
                yield result
        finally:
            waiting.leave()

    def stop(self, reason: str = "asked to stop", *, grace: float | None = None) -> None:
        """End early: requests under way are finished, and what was deleted to be replaced inserted.

        A source that is being read, and pages of the collection, are left at once.

        Args:
            reason: What the report says.
            grace: Seconds after which what is under way is given up, as by `abort`; None to wait.
        """
        self._sync.course.end(Stop.ASKED, reason)
        if self._sync.buffer is not None:
            self._sync.buffer.lift()
        if grace is not None and self._task is not None and not self._task.done():
            timer = asyncio.get_running_loop().call_later(grace, self.abort, reason)
            self._task.add_done_callback(lambda _: timer.cancel())

    def abort(self, reason: str = "aborted") -> None:
        """End at once; what was under way is in doubt, and the next sync takes it up.

        Args:
            reason: What the report says.
        """
        self._sync.course.abort(reason)
        if self._sync.buffer is not None:
            self._sync.buffer.lift()

    def __await__(self) -> Generator[object, None, SyncReport]:
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
        if self._sync.buffer is not None:
            self._sync.buffer.leave()
        if error is None:
            await self
            return
        self.stop(f"left by {type(error).__name__}")
        await self._drain(self._start())

    def _start(self) -> asyncio.Task[SyncReport]:
        if self._task is None:
            self._task = asyncio.create_task(self._sync.run(), name="ximilar-sync")
            self._task.add_done_callback(note_retrieved)
        return self._task

    async def _wait(self) -> SyncReport:
        task = self._start()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # A cancelled request may have been applied all the same: drain, then cancel.
            self.stop("cancelled")
            await self._drain(task)
            raise

    async def _drain(self, task: asyncio.Task[SyncReport]) -> None:
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            self.abort("cancelled")
            await asyncio.wait({task})  # threads end what they do, and files are closed
            raise
