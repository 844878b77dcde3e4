"""The sending side of a run: workers that take batches from the queue, and a scheduler.

The scheduler brings back what is due, sends half-filled batches that nothing will fill, has
records in doubt looked up, and sees when everything is decided.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from ._doubts import unconfirmed
from ._item import LookUp
from ._outcomes import Outcome
from ._reconcile import Verdict
from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._books import Books
    from ._doubts import Doubts
    from ._health import Health
    from ._intake import Intake
    from ._item import Batch, Item, Work
    from ._ledger import Ledger
    from ._listeners import Listeners
    from ._options import Options
    from ._schedule import Schedule
    from ._sender import Sender

_QUIET: Final = 0.25
"""Longest time between two looks of the scheduler, in seconds."""

_KEEPS_DOUBTS: Final = frozenset(
    {Stop.ASKED, Stop.CAPACITY, Stop.CALLBACK, Stop.JOURNAL, Stop.ERRORS, Stop.DEADLINE}
)
"""Stops after which the service can still be asked what became of records in doubt."""


@define(eq=False)
class Ending:
    """Whether, why and how a run ends before its source."""

    stop: Stop | None = None
    reason: str = ""
    halted: bool = False
    """Whether nothing further may be sent."""

    def note(self, stop: Stop, reason: str) -> None:
        """Keep the first reason there is."""
        if self.stop is None:
            self.stop, self.reason = stop, reason


@define(eq=False)
class Dispatcher:
    """Runs workers and scheduler until every record is decided or the run is stopped.

    Args:
        options: How often to look, and whether anything is sent at all.
        queue: Where the intake puts batches.
        intake: The reading side.
        sender: Makes the attempts.
        doubts: Records that only a look into the collection can tell about.
        schedule: What is to be sent again.
        ledger: What is told of each record.
        books: What is told before and after each batch.
        listeners: Whose full buffer holds the workers back.
        health: Whether the service is there.
        ending: Whether the run is stopped.
        on_defect: Called with what nothing here should raise.
    """

    options: Options
    queue: asyncio.Queue[Work | None]
    intake: Intake
    sender: Sender
    doubts: Doubts
    schedule: Schedule
    ledger: Ledger
    books: Books
    listeners: Listeners
    health: Health
    ending: Ending
    on_defect: Callable[[Exception], None]
    wake: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set when the scheduler had better look at once."""
    _busy: int = field(default=0, init=False)
    _in_turn: list[Batch] = field(factory=list, init=False)
    """Batches that are due, where each has to wait for all records before it."""

    # --- the scheduler --------------------------------------------------------------------------

    async def schedule_all(self, reader: asyncio.Task[None]) -> None:
        """Return when everything that was read is decided, or nothing more can be after a stop.

        Args:
            reader: The task that reads the source.
        """
        while not self._is_finished(reader):
            now = self.health.clock()
            if self.ending.halted:
                await asyncio.wait({reader})
                await self._release_all()
            else:
                await self.books.after()
                await self._bring_back(self.schedule.due(now))
                await self._settle_down(reader, now)
            if reader.done():
                self.health.timing.reading("retry" if self.schedule else "")
            if not self._is_finished(reader):
                await self._sleep(self.schedule.wait(now))

    def _is_finished(self, reader: asyncio.Task[None]) -> bool:
        """Tell whether nothing is left to do; after a stop the ledger closes what is open."""
        if not self.ending.halted:
            return reader.done() and not self.ledger.open
        waiting = self.schedule or self.doubts or self._busy
        return reader.done() and self.queue.empty() and not waiting

    async def _sleep(self, seconds: float | None) -> None:
        limit = min(_QUIET, self.options.flush_after, _QUIET if seconds is None else seconds)
        if limit > 0 and not self.wake.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self.wake.wait()
        self.wake.clear()

    async def _bring_back(self, due: Sequence[Work]) -> None:
        for work in due:
            if isinstance(work, LookUp):
                await self.queue.put(work)
            elif self.intake.in_order:
                self._in_turn.append(work)
            elif work.isolated:
                await self.queue.put(work)
            else:
                for item in work.items:
                    await self.intake.add(item)
        self._in_turn.sort(key=lambda batch: batch.items[0].seq)
        while self._in_turn and self._in_turn[0].items[0].seq <= self.ledger.oldest:
            await self.queue.put(self._in_turn.pop(0))

    async def _settle_down(self, reader: asyncio.Task[None], now: float) -> None:
        """Send half-filled batches that nothing will fill, and look up what is left in doubt."""
        if reader.done():
            await self.intake.flush()
        else:
            self.intake.flush_old(now)
        # What is still open then is in doubt, or repeats the id of a record in doubt.
        under_way = self.schedule or self._busy or not self.queue.empty()
        at_end = reader.done() and not under_way
        old = now - self.doubts.since >= self.options.flush_after or self.intake.is_hurried()
        while look_up := self.doubts.take(everything=at_end or old):
            await self.queue.put(look_up)

    # --- the workers ----------------------------------------------------------------------------

    async def work(self) -> None:
        """Treat what the queue holds until it holds None."""
        timing, task = self.health.timing, asyncio.current_task()
        assert task is not None  # workers are tasks
        while True:
            if self.queue.empty():
                timing.idle(1)
                try:
                    work = await self.queue.get()
                finally:
                    timing.idle(-1)
            else:
                work = self.queue.get_nowait()
            if work is None:
                return
            self._busy += 1
            try:
                await self._treat(work, task)
            except Exception as error:  # noqa: BLE001 - a transport of the user's may raise anything
                self.on_defect(error)
            finally:
                self._busy -= 1
            self.intake.room.set()
            if self.ending.halted or self.schedule or self.doubts or not self.ledger.open:
                self.wake.set()
            if self.listeners.buffers:
                await self.listeners.wait_for_room()

    async def _treat(self, work: Work, task: asyncio.Task[None]) -> None:
        if isinstance(work, LookUp):
            may_send = await self._may_send()
            await self.doubts.look_up(work, last=not may_send)
        elif self.options.dry_run:
            self._release(work.items, "dry run")
        elif await self._may_leave(work) if self._is_guarded else not self.ending.halted:
            await self.sender.attempt(work, task)
        else:
            self._release(work.items, self.ending.reason)
        # What is decided is written down together with a batch that leaves soon, or now.
        if self.books.resumable and (self.queue.empty() or self.ending.halted):
            await self.books.after()

    @property
    def _is_guarded(self) -> bool:
        """Tell whether a batch has to wait for anything before it leaves."""
        return self.books.resumable or self.health.breaker.is_open

    async def _may_leave(self, batch: Batch) -> bool:
        """Wait while the service is unreachable, and write down that a batch leaves."""
        return await self._may_send() and await self.books.before(batch.seqs)

    async def _may_send(self) -> bool:
        """Wait while the service is unreachable; False when the run was stopped."""
        breaker, timing = self.health.breaker, self.health.timing
        if not breaker.is_open:
            return not self.ending.halted
        timing.parked(1)
        try:
            while not self.ending.halted:
                wait = breaker.wait(self.health.clock())
                if wait == 0 and await self._may_probe():
                    return True
                await asyncio.sleep(_QUIET if wait is None else min(wait, _QUIET))
        finally:
            timing.parked(-1)
        return False

    async def _may_probe(self) -> bool:
        """Tell whether a batch may be the probe of an outage.

        Where few records are left, a second batch that fails would not tell an outage from a bad
        batch, but would put more records in doubt: a sign of life has to come first.
        """
        poison = self.sender.poison
        if self.health.breaker.probes_failed and poison.few_are_left:
            return await poison.is_service_there()
        return True

    # --- after a stop ---------------------------------------------------------------------------

    def _release(self, items: Sequence[Item], reason: str) -> None:
        """Settle records that will not be sent, or not again."""
        for item in items:
            if not item.doubtful:
                self.ledger.settle(item, Verdict(Outcome.NOT_ATTEMPTED, reason))
            elif self.ending.stop in _KEEPS_DOUBTS:
                self.doubts.add(item, item.doubt or Verdict(None, reason))
            else:
                self.ledger.settle(item, evolve(unconfirmed(item, reason), final=False))

    async def _release_all(self) -> None:
        """Settle what waits, look up what is in doubt, wait for what is under way."""
        for work in self.schedule.clear():
            if isinstance(work, LookUp) and self.ending.stop in _KEEPS_DOUBTS:
                await self.queue.put(work)
            else:
                self._release(work.items, self.ending.reason)
        for batch in self._in_turn:
            self._release(batch.items, self.ending.reason)
        self._in_turn.clear()
        self._release(self.intake.take_half_filled(), self.ending.reason)
        if self.ending.stop not in _KEEPS_DOUBTS:
            self.doubts.drop(self.ending.reason)
        while look_up := self.doubts.take(everything=True):
            await self.queue.put(look_up)
