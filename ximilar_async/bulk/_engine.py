"""The engine: one reader, a bounded queue, a few workers, a scheduler, one ledger.

    source → prepare → batch → gate, session, transport → reconcile → ledger → report
                         ↑                                     |
                         └──── schedule: what is sent again ───┘

What fails leaves its worker's hands: it waits in the schedule and joins fresh records when it is
due. Reading pauses while too many bytes are pending. Whatever happens, the ledger is closed at the
end: every record that was read has one outcome.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from ximilar_async.errors import BulkAborted, ConfigError, SourceError, XimilarError

from ._books import Books
from ._intake import Intake
from ._item import Batch, LookUp
from ._ledger import Ledger
from ._listeners import Listeners
from ._outcomes import Outcome
from ._prepare import Preparer, run_mark
from ._reconcile import Verdict
from ._report import Report, Stop
from ._sender import Sender, unconfirmed
from ._verify import marked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._collection import Collection
    from ximilar_async.sources import Source

    from ._item import Item, Work
    from ._operations import Operation
    from ._options import Options

_PROGRESS_EVERY: Final = 0.25
"""Seconds between two calls of `progress`."""

_LOOK_UP: Final = 10
"""Records in doubt that are looked up at once ("max 10 records per request")."""

_QUIET: Final = 0.25
"""Longest time between two looks of the scheduler, in seconds."""

_KEEPS_DOUBTS: Final = frozenset({Stop.ASKED, Stop.CAPACITY, Stop.CALLBACK, Stop.JOURNAL})
"""Stops after which the service can still be asked what became of records in doubt."""


@define(eq=False)
class Engine:
    """One bulk run.

    Args:
        operation: What to do with the records.
        collection: Where.
        source: The records.
        options: How.
    """

    operation: Operation
    collection: Collection
    source: Source
    options: Options
    listeners: Listeners = field(init=False)
    """Who is told what."""
    _books: Books = field(init=False)
    _ledger: Ledger = field(init=False)
    _sender: Sender = field(init=False)
    _intake: Intake = field(init=False)
    _queue: asyncio.Queue[Work | None] = field(init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)
    _reader: asyncio.Task[None] | None = field(default=None, init=False)
    _started: float = field(factory=time.monotonic, init=False)
    _ended: float | None = field(default=None, init=False)
    _stop: Stop | None = field(default=None, init=False)
    _stop_reason: str = field(default="", init=False)
    _halted: bool = field(default=False, init=False)
    _busy: int = field(default=0, init=False)
    _running: asyncio.Task[None] | None = field(default=None, init=False)
    _cause: Exception | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        options = self.options
        self.listeners = Listeners(options.on_result, options.progress, self.halt)
        self._books = Books(options, self.halt)
        self._ledger = Ledger(self.listeners, self._books, self._on_settled)
        self._queue = asyncio.Queue(self.workers)
        self._sender = Sender(
            self.operation,
            self.collection,
            self._ledger,
            options.retry,
            time.monotonic,
            self.halt,
        )
        preparer = Preparer(
            options.images or self.collection.images,
            options.files_root or self.collection.files_root or self.source.files_root,
            self.operation,
            options.max_batch_bytes,
        )
        self._intake = Intake(
            self.source,
            options,
            preparer,
            self._ledger,
            self._books,
            self._queue,
            time.monotonic,
            self.listeners.wait_for_room,
        )

    @property
    def workers(self) -> int:
        """Return how many batches may be under way at once."""
        return self.options.workers or self.collection.slots

    async def run(self) -> Report:
        """Treat every record of the source and return the report.

        Raises:
            BulkAborted: the run had to stop; it carries the report.
        """
        try:
            await self._open_books()
        except BaseException:
            self.listeners.end()
            raise
        self._started = time.monotonic()
        self._running = asyncio.create_task(self._pipeline())
        try:
            await asyncio.wait({self._running})
        except asyncio.CancelledError:
            self._running.cancel()
            await asyncio.wait({self._running})
            raise
        finally:
            await self._end()
        report = self.report()
        if not self._running.cancelled():
            _raise_single(self._running.exception(), report)
        if self._stop not in (None, Stop.ASKED):
            raise BulkAborted(report.summary(), report) from self._cause or self.listeners.failure
        return report

    async def _open_books(self) -> None:
        options, collection = self.options, self.collection
        settings = {
            "collection": collection.id,
            "service": collection.service,
            "fields": dict(self.operation.fields),
            "attribution": options.attribution,
        }
        await self._books.open(self.operation.name, self.source, settings)
        self._ledger.take_over(self._books.counts)
        if options.attribution == "exact" and self.operation.success is Outcome.INSERTED:
            mark = run_mark(options.marker, self._books.run)
            rule = marked(options.marker)
            self._sender.operation = evolve(self.operation, attribute=rule)
            self._intake.preparer = evolve(self._intake.preparer, mark=mark)

    async def _end(self) -> None:
        """Close ledger and books, and tell for the last time."""
        self._ledger.close(self._stop_reason or "the run was cancelled")
        self._ended = time.monotonic()
        good = self._running is not None and not self._running.cancelled() and not self._cause
        await self._books.close(self.report() if good and self._stop is not Stop.JOURNAL else None)
        self.listeners.tell_progress(self.report)
        self.listeners.end()

    def abort(self, reason: str) -> None:
        """End the run at once: requests under way are cancelled, and count as unconfirmed."""
        self.halt(Stop.ASKED, reason)
        if self._running is not None:
            self._running.cancel()

    def halt(self, stop: Stop, reason: str) -> None:
        """End the run early: what is under way is finished, nothing new is sent."""
        if self._ended is not None:
            return
        self._note_stop(stop, reason)
        self._halted = True
        self._wake.set()
        if self._reader is not None:
            self._reader.cancel()

    def report(self) -> Report:
        """Return the state of the run as it is now."""
        ledger, sender = self._ledger, self._sender
        return Report(
            operation=self.operation.name,
            read=ledger.read_in_all,
            counts=dict(ledger.counts),
            requests=sender.requests,
            retries=sender.retries,
            elapsed=(self._ended or time.monotonic()) - self._started,
            anomalies=dict(ledger.anomalies),
            samples={outcome: tuple(kept) for outcome, kept in ledger.samples.items()},
            outage="" if self._ended else sender.outage(time.monotonic()),
            stop=self._stop,
            stop_reason=self._stop_reason,
            dry_run=self.options.dry_run,
        )

    async def _pipeline(self) -> None:
        async with asyncio.TaskGroup() as helpers:
            ticker = helpers.create_task(self._tick())
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.workers):
                        group.create_task(self._work())
                    self._reader = reader = group.create_task(self._read())
                    if self._halted:
                        reader.cancel()
                    await self._schedule(reader)
                    for _ in range(self.workers):
                        await self._queue.put(None)
            finally:
                ticker.cancel()

    async def _read(self) -> None:
        try:
            await self._intake.read()
        except SourceError as error:
            self._note_stop(Stop.SOURCE, str(error))
        except ConfigError as error:
            self.halt(Stop.CONFIGURATION, str(error))
        except asyncio.CancelledError:
            if not self._halted:
                self.halt(Stop.SOURCE, f"{self.source.name} was cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - a user's iterable may raise anything
            self._cause = error
            self._note_stop(Stop.SOURCE, f"{self.source.name} raised {error!r}")
        finally:
            self._wake.set()

    # --- the scheduler --------------------------------------------------------------------------

    async def _schedule(self, reader: asyncio.Task[None]) -> None:
        """Bring back what is due, look up what is in doubt, and see when everything is decided."""
        while not self._is_finished(reader):
            now = time.monotonic()
            if self._halted:
                await asyncio.wait({reader})
                await self._release_all()
            else:
                await self._bring_back(self._sender.schedule.due(now))
                await self._settle_down(reader, now)
            if not self._is_finished(reader):
                await self._sleep(self._sender.schedule.wait(now))

    def _is_finished(self, reader: asyncio.Task[None]) -> bool:
        """Tell whether nothing is left to do; after a stop the ledger closes what is open."""
        if not self._halted:
            return reader.done() and not self._ledger.open
        waiting = self._sender.schedule or self._sender.doubts or self._busy
        return reader.done() and self._queue.empty() and not waiting

    async def _sleep(self, seconds: float | None) -> None:
        limit = min(_QUIET, self.options.flush_after, _QUIET if seconds is None else seconds)
        if limit > 0 and not self._wake.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._wake.wait()
        self._wake.clear()

    async def _bring_back(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            if batch.isolated:
                await self._queue.put(batch)
            else:
                for item in batch.items:
                    await self._intake.add(item)

    async def _settle_down(self, reader: asyncio.Task[None], now: float) -> None:
        """Send half-filled batches that nothing will fill, and look up what is left in doubt."""
        sender = self._sender
        if reader.done():
            await self._intake.flush()
        else:
            self._intake.flush_old(now)
        # What is still open then is in doubt, or repeats the id of a record in doubt.
        under_way = sender.schedule or self._busy or not self._queue.empty()
        at_end = reader.done() and not under_way
        old = now - sender.doubted_at >= self.options.flush_after
        while len(sender.doubts) >= _LOOK_UP or ((at_end or old) and sender.doubts):
            await self._queue.put(LookUp(tuple(sender.doubts[:_LOOK_UP])))
            del sender.doubts[:_LOOK_UP]

    # --- the workers ----------------------------------------------------------------------------

    async def _work(self) -> None:
        while (work := await self._queue.get()) is not None:
            self._busy += 1
            try:
                await self._treat(work)
            finally:
                self._busy -= 1
            self._intake.room.set()
            sender = self._sender
            if self._halted or sender.schedule or sender.doubts or not self._ledger.open:
                self._wake.set()
            await self.listeners.wait_for_room()

    async def _treat(self, work: Work) -> None:
        if isinstance(work, LookUp):
            await self._sender.look_up(work)
        elif self.options.dry_run:
            self._release(work.items, "dry run")
        elif await self._may_send() and await self._books.before(work.items):
            await self._sender.attempt(work)
        else:
            self._release(work.items, self._stop_reason)
        await self._books.after()

    async def _may_send(self) -> bool:
        """Wait while the service is unreachable; False when the run was stopped."""
        while not self._halted:
            wait = self._sender.breaker.wait(time.monotonic())
            if wait == 0:
                return True
            await asyncio.sleep(_QUIET if wait is None else min(wait, _QUIET))
        return False

    def _release(self, items: Sequence[Item], reason: str) -> None:
        """Settle records that will not be sent, or not again."""
        for item in items:
            if not item.doubtful:
                self._ledger.settle(item, Verdict(Outcome.NOT_ATTEMPTED, reason))
            elif self._stop in _KEEPS_DOUBTS:
                item.doubt = item.doubt or Verdict(None, reason)
                self._sender.doubts.append(item)
            else:
                self._ledger.settle(item, unconfirmed(item, reason))

    async def _release_all(self) -> None:
        """After a stop: settle what waits, look up what is in doubt, wait for what is under way."""
        sender = self._sender
        for batch in sender.schedule.clear():
            self._release(batch.items, self._stop_reason)
        await self._intake.flush()
        if self._stop not in _KEEPS_DOUBTS:
            for item in sender.doubts:
                self._ledger.settle(item, unconfirmed(item, self._stop_reason))
            sender.doubts.clear()
        while sender.doubts:
            await self._queue.put(LookUp(tuple(sender.doubts[:_LOOK_UP])))
            del sender.doubts[:_LOOK_UP]

    # --- telling --------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            self.listeners.tell_progress(self.report)
            now, opened = time.monotonic(), self._sender.breaker.opened_at
            if opened is not None and now - opened > self.options.retry.deadline:
                self.halt(Stop.OUTAGE, self._sender.outage(now))

    def _on_settled(self, item: Item, _: Outcome) -> None:
        following = self._intake.in_flight.leave(item)
        if following is not None:
            self._sender.schedule.add(time.monotonic(), Batch((following,)))

    def _note_stop(self, stop: Stop, reason: str) -> None:
        if self._stop is None:
            self._stop, self._stop_reason = stop, reason


def _raise_single(error: BaseException | None, report: Report) -> None:
    """Raise what broke the pipeline, without the groups that task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, Exception) and not isinstance(error, XimilarError):
        raise BulkAborted(f"{report.summary()}; {error!r}", report) from error
    if error is not None:
        raise error
