"""One lane a collection: its work is done in a thread, one piece at a time, in order of arrival."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

T = TypeVar("T")

_Job: TypeAlias = "tuple[Callable[[], Any], asyncio.Future[Any]]"
_Outcome: TypeAlias = "tuple[asyncio.Future[Any], Any, BaseException | None]"

_HAND_OVER_AFTER: Final = 0.002
"""Seconds after which finished work is handed back although more of the turn is to be done."""


@define(eq=False)
class Lanes:
    """Runs jobs in threads: one after the other in one lane, side by side in different lanes.

    A lane takes all jobs that wait as one turn: going to a thread and back costs as much as
    storing ten small records.
    """

    executor: Executor
    _waiting: dict[str, list[_Job]] = field(factory=dict, init=False)
    """The jobs that wait, by lane; a lane is here as long as it has a turn under way."""

    def submit(self, lane: str, job: Callable[[], T]) -> asyncio.Future[T]:
        """Have a job run after those that came before it in the same lane.

        Args:
            lane: Name of the lane.
            job: The work. It is done even when nobody waits for its outcome any more.

        Returns:
            What the job will return or raise.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if lane in self._waiting:
            self._waiting[lane].append((job, future))
        else:
            self._waiting[lane] = []
            self._turn(lane, [(job, future)])
        return future

    def is_busy(self, lane: str) -> bool:
        """Tell whether a lane has jobs under way."""
        return lane in self._waiting

    def _turn(self, lane: str, jobs: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        self.executor.submit(self._work, loop, lane, jobs)

    def _work(self, loop: asyncio.AbstractEventLoop, lane: str, jobs: list[_Job]) -> None:
        """Do the jobs of one turn, in a thread."""
        done: list[_Outcome] = []
        handed_over = time.perf_counter()
        for job, future in jobs:
            try:
                done.append((future, job(), None))
            except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is awaited
                done.append((future, None, error))
            now = time.perf_counter()
            if now - handed_over > _HAND_OVER_AFTER:
                loop.call_soon_threadsafe(_hand_over, done)
                done, handed_over = [], now
        loop.call_soon_threadsafe(self._end_turn, lane, done)

    def _end_turn(self, lane: str, done: list[_Outcome]) -> None:
        _hand_over(done)
        jobs = self._waiting[lane]
        if jobs:
            self._waiting[lane] = []
            self._turn(lane, jobs)
        else:
            del self._waiting[lane]


def _hand_over(done: list[_Outcome]) -> None:
    for future, result, error in done:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
