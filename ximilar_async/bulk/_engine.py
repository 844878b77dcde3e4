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
from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from ximilar_async.errors import (
    AccountingError,
    BulkAborted,
    ConfigError,
    JournalError,
    SourceError,
    XimilarError,
)

from ._admission import order_of
from ._books import Books
from ._calls import Calls
from ._dispatch import Dispatcher, Ending
from ._doubts import Doubts
from ._events import Events
from ._health import Health
from ._intake import Intake
from ._item import Batch
from ._ledger import Ledger
from ._listeners import Listeners
from ._options import check_call
from ._outcomes import Outcome
from ._picture import moment_of, origin_of, report_of, with_gate
from ._poison import PoisonGuard
from ._prepare import Preparer, run_mark
from ._replay import RejectsSource
from ._report import Stop
from ._schedule import Schedule
from ._sender import Sender
from ._series import Series
from ._verify import marked
from ._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ximilar_async._collection import Collection
    from ximilar_async._concurrency import GateStatistics
    from ximilar_async.sources import Source

    from ._item import Work
    from ._operations import Operation
    from ._options import Options
    from ._report import Report
    from ._series import Moment

_PROGRESS_EVERY: Final = 0.25
"""Seconds between two calls of `progress`."""

_GENTLE: Final = frozenset({None, Stop.ASKED, Stop.DEADLINE})
"""Ends that return a report; all others raise `BulkAborted`."""


@define(eq=False)
class Engine:
    """One bulk run.

    Args:
        operation: What to do with the records.
        collection: Where.
        source: The records.
        options: How.
        clock: Returns monotonic seconds; the client's session has the same.
    """

    operation: Operation
    collection: Collection
    source: Source
    options: Options
    clock: Callable[[], float] = time.monotonic
    listeners: Listeners = field(init=False)
    """Who is told what."""
    _health: Health = field(init=False)
    _books: Books = field(init=False)
    _ledger: Ledger = field(init=False)
    _doubts: Doubts = field(init=False)
    _sender: Sender = field(init=False)
    _intake: Intake = field(init=False)
    _dispatcher: Dispatcher = field(init=False)
    _watch: Watch = field(init=False)
    _calls: Calls = field(factory=Calls, init=False)
    _schedule: Schedule = field(factory=Schedule, init=False)
    _ending: Ending = field(factory=Ending, init=False)
    _events: Events = field(init=False)
    _series: Series = field(factory=lambda: Series(_PROGRESS_EVERY), init=False)
    _queue: asyncio.Queue[Work | None] = field(init=False)
    _reader: asyncio.Task[None] | None = field(default=None, init=False)
    _running: asyncio.Task[None] | None = field(default=None, init=False)
    _started: float = field(init=False)
    _ended: float | None = field(default=None, init=False)
    _gate_before: GateStatistics | None = field(default=None, init=False)
    _cause: Exception | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        check_call(self.collection, self.options)
        options, collection, halt = self.options, self.collection, self.halt
        retry = options.retry
        self._started = self.clock()
        self._health = Health(retry, self.clock)
        self.listeners = Listeners(options.on_result, options.progress, halt)
        self._books = Books(options, halt)
        ledger = self._ledger = Ledger(self.listeners, self._books, self._on_settled)
        self._queue = asyncio.Queue(self.workers)
        health, schedule, attribute = self._health, self._schedule, self.operation.attribute
        calls = self._calls
        events = self._events = Events(self.operation.name, collection, ledger, health)
        self._doubts = Doubts(collection, ledger, health, calls, retry, schedule, attribute, halt)
        once = collection.with_options(retry=evolve(retry, attempts=1))
        self._sender = Sender(
            self.operation,
            once,
            ledger,
            health,
            self._doubts,
            calls,
            PoisonGuard(once, ledger, health, calls),
            schedule,
            retry,
            halt,
            events,
        )
        self._watch = Watch(options, health, calls, halt)
        self._intake = Intake(
            self.source,
            options,
            self._preparer(),
            ledger,
            self._books,
            self._queue,
            health,
            self.listeners,
        )
        self._dispatcher = Dispatcher(
            options,
            self._queue,
            self._intake,
            self._sender,
            self._doubts,
            schedule,
            ledger,
            self._books,
            self.listeners,
            health,
            self._ending,
            self._note_defect,
        )

    def _preparer(self) -> Preparer:
        options, collection = self.options, self.collection
        return Preparer(
            options.images or collection.images,
            options.files_root or collection.files_root or self.source.files_root,
            self.operation,
            options.max_batch_bytes,
            None if options.fields is None else frozenset(options.fields),
        )

    @property
    def workers(self) -> int:
        """Return how many batches may be under way at once."""
        if order_of(self.options, self.operation) == "strict":
            return 1
        return self.options.workers or self.collection.slots

    # --- the life of a run ----------------------------------------------------------------------

    async def run(self) -> Report:
        """Treat every record of the source and return the report.

        Raises:
            BulkAborted: the run had to stop; it carries the report.
        """
        with self._events.watching(self.report):
            return await self._run()

    async def _run(self) -> Report:
        try:
            await self._open_books()
        except BaseException:
            self.listeners.end()
            raise
        self._started = self.clock()
        self._watch.began, self._watch.before = self._started, Counter(self._ledger.counts)
        self._gate_before = self.collection.statistics()
        self._events.started(self.source.name, self.workers)
        self._series.begin(self._moment())
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
        if isinstance(self._cause, AccountingError):
            raise self._cause
        if self._ending.stop not in _GENTLE:
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
            self._doubts.attribute = marked(options.marker)
            self._intake.preparer = evolve(self._intake.preparer, mark=mark)

    async def _pipeline(self) -> None:
        async with asyncio.TaskGroup() as helpers:
            ticker = helpers.create_task(self._tick())
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.workers):
                        group.create_task(self._dispatcher.work())
                    self._reader = reader = group.create_task(self._read())
                    if self._ending.halted:
                        reader.cancel()
                    await self._dispatcher.schedule_all(reader)
                    for _ in range(self.workers):
                        await self._queue.put(None)
            finally:
                ticker.cancel()

    async def _read(self) -> None:
        try:
            await self._intake.read()
        except SourceError as error:
            self._note(Stop.SOURCE, str(error))
        except ConfigError as error:
            self.halt(Stop.CONFIGURATION, str(error))
        except asyncio.CancelledError:
            if not self._ending.halted:
                self.halt(Stop.SOURCE, f"{self.source.name} was cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - a user's iterable may raise anything
            if not self._intake.source_failed:
                self._note_defect(error)
                return
            self._cause = error
            self._note(Stop.SOURCE, f"{self.source.name} raised {error!r}")
        finally:
            self._dispatcher.wake.set()

    async def _end(self) -> None:
        """Close ledger and books, and tell for the last time."""
        try:
            self._ledger.close(self._ending.reason or "the run was cancelled")
            for name in self._intake.preparer.unseen:
                self._ledger.anomalies[f"a field that no record has: {name!r} (fields)"] += 1
        finally:
            self._ended = self.clock()
            if self._gate_before is not None:
                self._series.look(self._moment())
            self._intake.close()
            try:
                await self._close_books()
            finally:
                self.listeners.tell_progress(self.report)
                self.listeners.end()

    async def _close_books(self) -> None:
        running, stop = self._running, self._ending.stop
        good = running is not None and not running.cancelled() and not self._cause
        try:
            await self._books.close(self.report() if good and stop is not Stop.JOURNAL else None)
        except JournalError as error:
            self._note(Stop.JOURNAL, str(error))
            self._cause = self._cause or error

    # --- from outside ---------------------------------------------------------------------------

    def abort(self, reason: str) -> None:
        """End the run at once: requests under way are cancelled, and count as unconfirmed."""
        self.halt(Stop.ASKED, reason)
        if self._running is not None:
            self._running.cancel()

    def halt(self, stop: Stop, reason: str) -> None:
        """End the run early: what has left is waited for, nothing further leaves."""
        if self._ended is not None and stop is not Stop.CALLBACK:
            return  # only the last call of `progress` comes later
        self._note(stop, reason)
        if self._ending.halted:
            return
        self._ending.halted = True
        self.listeners.lift()
        self._calls.withdraw()
        self._dispatcher.wake.set()
        if self._reader is not None:
            self._reader.cancel()

    def _note(self, stop: Stop, reason: str) -> None:
        if self._ending.stop is None:
            self._events.stopped(stop, reason)
        self._ending.note(stop, reason)

    def _note_defect(self, error: Exception) -> None:
        self._cause = self._cause or error
        self.halt(Stop.DEFECT, repr(error))

    def flush(self, up_to: int) -> None:
        """Send records up to this number without waiting for fuller batches.

        Args:
            up_to: The last record's number in the source, from 1; it need not be read yet.
        """
        self._intake.hurry(up_to)
        self._dispatcher.wake.set()

    def report(self) -> Report:
        """Return the state of the run as it is now."""
        now, over = self._ended or self.clock(), self._ended is not None
        report = report_of(self._ledger, self._health, self._ending, now, over=over)
        report = evolve(
            report,
            operation=self.operation.name,
            elapsed=now - self._started,
            left_out=self.source.left_out if isinstance(self.source, RejectsSource) else 0,
            dry_run=self.options.dry_run,
            origin=origin_of(self.options, self.collection, self.source, self._books),
            timeline=self._series.timeline,
        )
        before = self._gate_before
        if before is None:
            return report
        gate, timing = self.collection.statistics(), self._health.timing
        return with_gate(report, timing, before, gate, over=over)

    # --- what goes on beside --------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            self._series.look(self._moment())
            self.listeners.tell_progress(self.report)
            self._events.look()
            self._watch.look(self.clock())

    def _moment(self) -> Moment:
        now, gate = self.clock(), self.collection.statistics()
        return moment_of(self._ledger, self._health, gate, now, now - self._started)

    def _on_settled(self, seqs: Sequence[int], ids: Sequence[str], outcome: Outcome) -> None:
        for following in self._intake.decided(seqs, ids, outcome):
            self._schedule.add(self.clock(), Batch((following,)))
        self._watch.count(self._ledger.counts)


def _raise_single(error: BaseException | None, report: Report) -> None:
    """Raise what broke the pipeline, without the groups that task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, Exception) and not isinstance(error, XimilarError):
        raise BulkAborted(f"{report.summary()}; {error!r}", report) from error
    if error is not None:
        raise error
