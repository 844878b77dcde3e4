"""Records that come one by one, as a service meets them, sent in batches all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ximilar_async.errors import BulkAborted, ConfigError, XimilarError

from . import _operations
from ._engine import Engine
from ._job import Job
from ._listeners import Listeners
from ._operations import Writing  # noqa: TC001 - shown by help()
from ._options import Options
from ._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from ximilar_async._collection import Collection
    from ximilar_async._models import Record

    from ._outcomes import Result
    from ._report import Report, Stop

_INSERT: Writing = "insert"

_MAX_PENDING: Final = 1000


class Writer(Job):
    """A bulk run that is fed record by record, for services where items trickle in.

    Records leave in batches: as soon as one is full, by number or bytes, or the oldest record in it
    has waited `flush_after` seconds. Leaving the block waits until everything is decided. A block
    that raises stops instead: requests under way are finished, the other records are not attempted.
    Either way every future has its result then. A writer belongs to one event loop.

    Args:
        collection: Where to.
        operation: What to do with the records: "insert", "near_dups_insert", "update", "delete".
        radius: Largest distance of a near-duplicate, for near_dups_insert; None for the service's
            default (5.0).
        flush_after: Seconds after which records are sent although their batch is not full; None
            for the options' (1.0).
        max_pending: Records that may be undecided; adding waits above it, as it does above
            `max_pending_bytes` of the options.
        options: How the records are cut up and sent. `journal` and `max_records` are refused: what
            trickles in cannot be read again, and has no first so many.

    Raises:
        ConfigError: a value is out of range, or an option makes no sense here.

    Example:
        async with bulk.Writer(shoes, flush_after=0.5) as writer:
            future = await writer.add({"_id": "w1", "_url": "https://example.com/w1.jpg"})
            result = await future
            print(result.id, result.outcome)
        print(writer.report.summary())
    """

    def __init__(
        self,
        collection: Collection,
        *,
        operation: Writing = _INSERT,
        radius: float | None = None,
        flush_after: float | None = None,
        max_pending: int = _MAX_PENDING,
        options: Options | None = None,
    ) -> None:
        chosen = _operations.writing(operation, radius)
        options = _checked(options or Options(), max_pending)
        self._stream = Stream(max_pending, options.batch_size, self._hurry)
        # The user's function is called from here: if it raises, that must not silence the futures.
        self._told = Listeners(options.on_result, None, self._halt)
        options = evolve(
            options,
            flush_after=options.flush_after if flush_after is None else flush_after,
            on_result=self._decide,
        )
        super().__init__(Engine(chosen, collection, self._stream, options))

    def __repr__(self) -> str:
        return f"<Writer {self.stats.summary()}>"

    @property
    def report(self) -> Report:
        """Return what became of every record, once the writer has ended.

        Raises:
            ConfigError: it has not; `stats` tells how far it is.
        """
        if self._task is None or not self._task.done():
            raise ConfigError("this writer has not ended yet; `stats` tells how far it is")
        return self.stats

    async def add(self, record: Record | str) -> asyncio.Future[Result]:
        """Hand over a record; waiting here is the back-pressure.

        A call that is cancelled while it waits hands over nothing; in the very moment of being
        taken it may be too late, and then the report counts the record.

        Args:
            record: The record; for "delete" its id will do. It must not be changed afterwards.

        Returns:
            A future that always gets a `Result`, never an exception, whatever ends the writer. It
            need not be awaited, and cancelling it changes nothing for the record.

        Raises:
            BulkAborted: nothing more is sent: the token is refused, the collection is full, or the
                like; it carries the report.
            ConfigError: the writer is closed, or belongs to another event loop.

        Example:
            async with bulk.Writer(shoes, operation="update") as writer:
                future = await writer.add({"_id": "1", "price": 75})
                await writer.flush()
                print(future.result().outcome)
        """
        self._start()
        decided = await self._stream.offer(record)
        if decided is None:
            raise self._refusal() from self._told.failure or self._engine.listeners.failure
        # Shielded: a caller that loses patience cancels its own copy only.
        return asyncio.shield(decided)

    async def flush(self) -> Report:
        """Return when everything that was added so far is decided, whatever that takes.

        Batches leave half-filled then; what failed is sent again and waited for.

        Raises:
            BulkAborted: the run had to stop; it carries the report.
            ConfigError: the writer belongs to another event loop.

        Example:
            async with bulk.Writer(shoes, operation="delete", flush_after=60) as writer:
                await writer.add("1")
                report = await writer.flush()
                print(report.deleted)
        """
        task = self._start()
        if undecided := self._stream.undecided:
            self._hurry()
            await asyncio.wait(undecided)
        report = self.stats
        # Where nothing more will be sent, the end of the run says why.
        return await self._wait() if report.stop or task.done() else report

    def close(self) -> None:
        """Take no more records; what was added is sent in the background."""
        if not self._stream.closed and self._task is not None:
            self._start()
        self._stream.close()

    async def aclose(self) -> Report:
        """Take no more records and wait until everything is decided; `async with` does it.

        Raises:
            BulkAborted: the run had to stop; it carries the report.
            ConfigError: the writer belongs to another event loop.

        Example:
            writer = bulk.Writer(shoes)
            await writer.add({"_id": "w2", "_url": "https://example.com/w2.jpg"})
            report = await writer.aclose()
            print(report.summary())
        """
        return await self

    def __await__(self) -> Generator[object, None, Report]:
        self.close()
        return super().__await__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        try:
            await super().__aexit__(kind, error, traceback)
        except asyncio.CancelledError:
            # Cancelled once more while requests under way were waited for.
            self.abort("cancelled")
            raise

    def _start(self) -> asyncio.Task[Report]:
        fresh = self._task is None
        task = super()._start()
        if fresh:
            task.add_done_callback(self._end)
        if task.get_loop() is not asyncio.get_running_loop():
            raise ConfigError("this writer belongs to another event loop; open one per loop")
        return task

    async def _wait(self) -> Report:
        try:
            return await super()._wait()
        except BulkAborted as aborted:
            raise aborted from (self._told.failure or aborted.__cause__)

    def _end(self, _: asyncio.Task[Report]) -> None:
        self._stream.end()
        self._stream.give_up()

    def _refusal(self) -> XimilarError:
        """Return why nothing more can be added."""
        if self._stream.closed:
            return ConfigError("this writer is closed; open a new one to add records")
        task = self._task
        if task is not None and task.done() and not task.cancelled():
            error = task.exception()
            if isinstance(error, XimilarError):
                return error
        report = self.stats
        return BulkAborted(report.summary(), report)

    def _hurry(self) -> None:
        self._engine.flush(self._stream.position)

    def _halt(self, stop: Stop, reason: str) -> None:
        self._engine.halt(stop, reason)

    def _decide(self, result: Result) -> None:
        self._stream.decide(result)
        self._told.notify(result)


def _checked(options: object, max_pending: object) -> Options:
    """Return the options if they make sense for what trickles in.

    Raises:
        ConfigError: one does not.
    """
    if isinstance(max_pending, bool) or not isinstance(max_pending, int) or max_pending < 1:
        raise ConfigError(f"max_pending must be a whole number from 1 on, not {max_pending!r}")
    if not isinstance(options, Options):
        raise ConfigError(f"options takes bulk.Options(…), not {options!r:.80}")
    if options.journal is not None:
        raise ConfigError(
            "a Writer takes no journal: a run is resumed by reading its records again, "
            "and what trickles in cannot be; `rejects` keeps what failed"
        )
    if options.max_records is not None:
        raise ConfigError("a Writer takes no max_records: add as many records as you want")
    return options
