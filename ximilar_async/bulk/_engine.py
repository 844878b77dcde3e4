"""The engine: one reader, a bounded queue of batches, a few workers, one ledger.

    source → prepare → batch → gate, session, transport → reconcile → ledger → report

Reading pauses while too many bytes are pending. Whatever happens, the ledger is closed at the end:
every record that was read has one outcome.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async.errors import BulkAborted, RecordError, SourceError

from ._batching import Batcher
from ._ledger import Ledger
from ._outcomes import Outcome
from ._prepare import Preparer
from ._reconcile import Verdict
from ._report import Report, Stop
from ._sender import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._collection import Collection
    from ximilar_async._encoding import EncodedRecord
    from ximilar_async.sources import Chunk, Source

    from ._batching import Batch
    from ._ledger import Item
    from ._operations import Operation
    from ._options import Options
    from ._outcomes import Result

_PREPARED_AHEAD = 3
"""Parts whose images are read at once; more would only queue for the same cores."""

_PROGRESS_EVERY = 0.25
"""Seconds between two calls of `progress`."""

_Prepared = tuple["list[Item]", "list[EncodedRecord | RecordError]"]


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
    _ledger: Ledger = field(init=False)
    _sender: Sender = field(init=False)
    _preparer: Preparer = field(init=False)
    _batcher: Batcher = field(init=False)
    _queue: asyncio.Queue[Batch | None] = field(init=False)
    _ahead: deque[asyncio.Task[_Prepared]] = field(factory=deque, init=False)
    _room: asyncio.Event = field(factory=asyncio.Event, init=False)
    _reader: asyncio.Task[None] | None = field(default=None, init=False)
    _batch_began: float = field(default=0.0, init=False)
    _started: float = field(factory=time.monotonic, init=False)
    _ended: float | None = field(default=None, init=False)
    _stop: Stop | None = field(default=None, init=False)
    _stop_reason: str = field(default="", init=False)
    _halted: bool = field(default=False, init=False)
    _cause: Exception | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        options = self.options
        self._ledger = Ledger(None if options.on_result is None else self._notify)
        self._sender = Sender(self.operation, self.collection, self._ledger, self.halt)
        self._preparer = Preparer(
            options.images,
            options.files_root or self.source.files_root,
            self.operation,
            options.max_batch_bytes,
        )
        self._batcher = Batcher(options.batch_size, options.max_batch_bytes)
        self._queue = asyncio.Queue(self.workers)

    @property
    def workers(self) -> int:
        """Return how many batches may be under way at once."""
        return self.options.workers or self.collection.slots

    async def run(self) -> Report:
        """Treat every record of the source and return the report.

        Raises:
            BulkAborted: the run had to stop; it carries the report.
        """
        self._started = time.monotonic()
        try:
            await self._pipeline()
        finally:
            self._ledger.close(self._stop_reason or "the run was cancelled")
            self._ended = time.monotonic()
        self._tell_progress()
        report = self.report()
        if self._stop not in (None, Stop.ASKED):
            raise BulkAborted(report.summary(), report) from self._cause
        return report

    def halt(self, stop: Stop, reason: str) -> None:
        """End the run early: what is under way is finished, nothing new is sent."""
        self._note_stop(stop, reason)
        self._halted = True
        self._room.set()
        if self._reader is not None:
            self._reader.cancel()

    def report(self) -> Report:
        """Return the state of the run as it is now."""
        ledger, sender = self._ledger, self._sender
        return Report(
            operation=self.operation.name,
            read=ledger.read,
            counts=dict(ledger.counts),
            requests=sender.requests,
            retries=sender.retries,
            elapsed=(self._ended or time.monotonic()) - self._started,
            anomalies=dict(ledger.anomalies),
            samples={outcome: tuple(kept) for outcome, kept in ledger.samples.items()},
            stop=self._stop,
            stop_reason=self._stop_reason,
            dry_run=self.options.dry_run,
        )

    async def _pipeline(self) -> None:
        async with asyncio.TaskGroup() as helpers:
            running = [helpers.create_task(self._flush_by_age())]
            if self.options.progress is not None:
                running.append(helpers.create_task(self._tick()))
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.workers):
                        group.create_task(self._work())
                    self._reader = group.create_task(self._read())
                    await asyncio.wait({self._reader})  # cancelled, it is a stop and no failure
                    for _ in range(self.workers):
                        await self._queue.put(None)
            finally:
                for helper in running:
                    helper.cancel()

    # --- reading --------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            await self._read_chunks()
        except SourceError as error:
            self._note_stop(Stop.SOURCE, str(error))
        except Exception as error:  # noqa: BLE001 - a user's iterable may raise anything
            self._cause = error
            self._note_stop(Stop.SOURCE, f"{self.source.name} raised {error!r}")
        finally:
            if self._halted:
                for task in self._ahead:
                    task.cancel()
        while self._ahead:
            await self._pack(await self._ahead.popleft())
        await self._dispatch(self._batcher.flush())

    async def _read_chunks(self) -> None:
        left = self.options.max_records
        async with aclosing(self.source.chunks()) as chunks:
            async for chunk in chunks:
                part = chunk if left is None else chunk[:left]
                await self._take(part)
                if left is not None:
                    left -= len(part)
                    if left <= 0:
                        return

    async def _take(self, chunk: Chunk) -> None:
        """Admit a chunk's records and have them prepared, in order, a batch's worth at a time."""
        items = [self._ledger.admit(entry) for entry in chunk]
        size = self.options.batch_size
        for start in range(0, len(items), size):
            part = items[start : start + size]
            if not self._ahead and not self._preparer.has_work(part):
                await self._pack((part, self._preparer.prepare_now(part)))
                continue
            self._ahead.append(asyncio.create_task(self._prepare(part)))
            if len(self._ahead) > _PREPARED_AHEAD:
                await self._pack(await self._ahead.popleft())

    async def _prepare(self, items: list[Item]) -> _Prepared:
        return items, await self._preparer.prepare(items)

    async def _pack(self, prepared: _Prepared) -> None:
        """Put prepared records into batches and settle those that cannot be sent."""
        for item, encoded in zip(*prepared, strict=True):
            if isinstance(encoded, RecordError):
                self._ledger.settle(item, Verdict(Outcome.REJECTED, str(encoded)))
                continue
            self._ledger.prepared(item, encoded)
            if not len(self._batcher):
                self._batch_began = time.monotonic()
            await self._dispatch(self._batcher.add(item))
        while self._ledger.pending_bytes > self.options.max_pending_bytes and not self._halted:
            await self._dispatch(self._batcher.flush())
            self._room.clear()
            await self._room.wait()

    async def _dispatch(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            await self._queue.put(batch)

    # --- sending --------------------------------------------------------------------------------

    async def _work(self) -> None:
        while (batch := await self._queue.get()) is not None:
            if self._halted or self.options.dry_run:
                reason = self._stop_reason or "dry run"
                for item in batch.items:
                    self._ledger.settle(item, Verdict(Outcome.NOT_ATTEMPTED, reason))
            else:
                await self._sender.send(batch)
            self._room.set()

    async def _flush_by_age(self) -> None:
        """Send what a slow source has left waiting in a batch that does not fill."""
        age = self.options.flush_after
        while True:
            await asyncio.sleep(age / 2)
            waited = time.monotonic() - self._batch_began
            if len(self._batcher) and waited >= age and not self._queue.full():
                for batch in self._batcher.flush():
                    self._queue.put_nowait(batch)

    # --- telling --------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            self._tell_progress()

    def _tell_progress(self) -> None:
        if self.options.progress is None or self._stop is Stop.CALLBACK:
            return
        try:
            self.options.progress(self.report())
        except Exception as error:  # noqa: BLE001 - a user's callback may raise anything
            self._callback_failed("progress", error)

    def _notify(self, result: Result) -> None:
        if self.options.on_result is None or self._stop is Stop.CALLBACK:
            return
        try:
            self.options.on_result(result)
        except Exception as error:  # noqa: BLE001 - a user's callback may raise anything
            self._callback_failed("on_result", error)

    def _callback_failed(self, name: str, error: Exception) -> None:
        self._cause = error
        self.halt(Stop.CALLBACK, f"{name} raised {error!r}")

    def _note_stop(self, stop: Stop, reason: str) -> None:
        if self._stop is None:
            self._stop, self._stop_reason = stop, reason
