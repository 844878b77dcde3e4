"""Where a sync is, and how it is ended from outside."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, evolve, field

from ximilar_async._logging import SYNC_STAGE
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._job import Job
from ximilar_async.bulk._report import Stop
from ximilar_async.errors import BulkAborted, StateError

from .report import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from ximilar_async._collection import Collection
    from ximilar_async.bulk._operations import Operation
    from ximilar_async.bulk._options import Options
    from ximilar_async.bulk._outcomes import Result
    from ximilar_async.bulk._report import Report
    from ximilar_async.sources import Source


T = TypeVar("T")


class StoppedError(Exception):
    """The sync was asked to end while it was planning."""


def _tell_stage(course: Course, _: Any, stage: str) -> str:
    """Tell loggers of a stage: one that comes back with each slice of records only in detail."""
    level = logging.DEBUG if stage in course.stages else logging.INFO
    course.stages.add(stage)
    SYNC_STAGE.tell(level, collection=course.collection.id, stage=stage)
    return stage


@define(eq=False)
class Course:
    """Runs the bulk runs that a sync consists of, and ends it when that is asked for.

    Args:
        collection: Where they run.
        options: How.
        root: Folder that `_file` must not leave; None for anywhere.
    """

    collection: Collection
    options: Options
    root: Path | None = None
    stage: str = field(default="", init=False, on_setattr=_tell_stage)
    """What is done now: "reading the source", "insert", …"""
    stages: set[str] = field(factory=set, init=False)
    """What has been done at any time."""
    position: Callable[[], tuple[int, int | None]] = field(default=lambda: (0, None), init=False)
    reports: dict[str, Report] = field(factory=dict, init=False)
    """What the bulk runs did, by what they were for."""
    stop: Stop | None = field(default=None, init=False)
    stop_reason: str = field(default="", init=False)
    failure: BulkAborted | None = field(default=None, init=False)
    """What a bulk run raised that had to end."""
    aborted: bool = field(default=False, init=False)
    requests: int = field(default=0, init=False)
    """Requests of our own, beside those of the bulk runs."""
    _job: Job | None = field(default=None, init=False)
    _reading: asyncio.Task[Any] | None = field(default=None, init=False)
    """What may wait for ever, and changes nothing: it is cancelled when the sync is to end."""
    _started: float = field(factory=time.monotonic, init=False)

    @property
    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        """Tell whether nothing further is to be begun."""
        return self.stop is not None

    def end(self, stop: Stop, reason: str) -> None:
        """Note that the sync is to end; have the run under way drain, and leave what is read."""
        if self.stop is None:
            self.stop, self.stop_reason = stop, reason
            self._leave()
        if self._job is not None:
            self._job.stop(reason)

    def abort(self, reason: str) -> None:
        """Give up what is under way."""
        self.aborted = True
        self.end(Stop.ASKED, reason)
        self._leave()
        if self._job is not None:
            self._job.abort(reason)

    def _leave(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _time_out(self) -> None:
        self.end(Stop.DEADLINE, self._out_of_time)

    @property
    def _out_of_time(self) -> str:
        return f"{self.options.deadline:g} s have passed (deadline)"

    def check(self) -> None:
        """Raise if the sync is to end before anything was sent.

        Raises:
            StoppedError: it is.
        """
        deadline = self.options.deadline
        if deadline is not None and self.elapsed >= deadline and not self.over:
            # Whoever asks leaves by itself, and is not to be cancelled while it does.
            self.stop, self.stop_reason = Stop.DEADLINE, self._out_of_time
        if self.over:
            raise StoppedError

    async def count(self) -> int:
        """Ask the collection how many records it has.

        Raises:
            StoppedError: the sync is to end.
        """
        there = (await self.collection.get_record_count()).count or 0
        self.requests += 1
        self.check()
        return there

    async def read(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what reads and may wait for ever; the end of the sync or its deadline cancels it.

        It is all done in one task: a source may hold what belongs to the task that opened it.

        Args:
            work: What is done; it changes nothing of the collection.

        Raises:
            StoppedError: the sync is to end.
        """
        try:
            self.check()
        except StoppedError:
            work.close()
            raise
        self._reading = task = asyncio.create_task(work, name="ximilar-sync-reading")
        loop, left = asyncio.get_running_loop(), self._left()
        timer = None if left is None else loop.call_later(left, self._time_out)
        try:
            await _ended(task)
        finally:
            self._reading = None
            if timer is not None:
                timer.cancel()
        if task.cancelled():
            self.check()
        return task.result()

    async def run(
        self,
        name: str,
        operation: Operation,
        source: Source,
        on_result: Callable[[Result], object],
        *,
        must_end: bool = True,
        rejects: bool = True,
    ) -> None:
        """Run one bulk run to its end; what ends it early ends the sync, and is kept.

        Args:
            name: What it is for.
            operation: What it does.
            source: The records.
            on_result: Called with each result.
            must_end: Whether the sync's deadline holds.
            rejects: Whether what is turned away goes to the rejects file.

        Raises:
            StateError: the state cannot be read or kept any more.
        """
        options = evolve(
            self.options,
            on_result=on_result,
            deadline=self._left() if must_end else None,
            rejects=self.options.rejects if rejects else None,
            files_root=self.root,
            fields=None,
        )
        self.stage = name
        job = self._job = Job(Engine(operation, self.collection, source, options))
        self.position = lambda: job.position
        try:
            report = await job
        except BulkAborted as error:
            report = error.report
            self.failure = self.failure or error
        finally:
            self._job = None
        self.reports[name] = merged(self.reports.get(name), report)
        if self.failure is not None and isinstance(self.failure.__cause__, StateError):
            raise self.failure.__cause__  # its source, or what notes its results, is the state
        if report.stop is Stop.DEADLINE:
            self._time_out()  # it had what was left: nobody gave that figure
        elif report.stop is not None:
            self.end(report.stop, report.stop_reason)

    @property
    def present(self) -> tuple[str, Report] | None:
        """Return the run under way as it stands."""
        return None if self._job is None else (self.stage, self._job.stats)

    def _left(self) -> float | None:
        """Return the seconds that are left; a little, where none are, so that a run ends itself."""
        deadline = self.options.deadline
        return None if deadline is None else max(0.01, deadline - self.elapsed)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended; cancelled, cancel it first, as often as it takes."""
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
