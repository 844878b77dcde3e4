"""The reading side of a run: source → entries → prepared records → batches → queue."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async.errors import ConfigError, RecordError

from ._admission import admission, order_of
from ._batching import Batcher
from ._item import Batch
from ._outcomes import Outcome
from ._reconcile import Verdict
from ._usual import encode_usual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ximilar_async._encoding import Wire
    from ximilar_async.sources import Chunk, Source

    from ._admission import Admission
    from ._books import Books
    from ._health import Health
    from ._item import Item, Work
    from ._ledger import Ledger
    from ._listeners import Listeners
    from ._options import Options
    from ._prepare import Preparer

_PREPARED_AHEAD = 3
"""Parts whose images are read at once; more would only queue for the same cores."""

_Prepared = tuple["list[Item]", "list[Wire | RecordError]"]


@define(eq=False)
class Intake:
    """Reads a source into the queue of batches, in order, in bounded memory.

    Args:
        source: The records.
        options: Bounds of batches and of what may be pending.
        preparer: Checks records and turns them into JSON.
        ledger: What is told of each record.
        books: What earlier runs decided, and where outcomes are written down.
        queue: Where batches go.
        health: What is told of what the reader waits for.
        listeners: Whose full buffer holds the reading back: rejections are results too.
    """

    source: Source
    options: Options
    preparer: Preparer
    ledger: Ledger
    books: Books
    queue: asyncio.Queue[Work | None]
    health: Health
    listeners: Listeners
    source_failed: bool = field(default=False, init=False)
    """Whether it was the source that raised, and not what is done with its records."""
    admission: Admission = field(init=False)
    """Which records may leave now."""
    in_order: bool = field(init=False)
    """Whether a batch leaves only when all before it are decided."""
    room: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set when something was decided: there may be room to read on."""
    _batcher: Batcher = field(init=False)
    _size: int = field(init=False)
    _last: Sequence[Item] = field(default=(), init=False)
    """The records of the last batch that left, where that matters."""
    _dispatching: bool = field(default=False, init=False)
    """Whether a full batch waits for its turn: what is behind it must not overtake it."""
    _hurry: int = field(default=0, init=False)
    _paused: bool = field(default=False, init=False)
    """Whether reading waits for room: then nothing will fill a batch."""
    _began: float = field(default=0.0, init=False)
    _ahead: deque[asyncio.Task[_Prepared]] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        options, operation = self.options, self.preparer.operation
        self._size = 1 if operation.one_query else options.batch_size
        self._batcher = Batcher(self._size, options.max_batch_bytes)
        self.in_order = order_of(options, operation) == "strict"
        self.admission = admission(options, operation, self.books.on_stop)

    @property
    def _takes_batches(self) -> bool:
        """Tell whether the usual records of this run are sent as they are, ten at a time."""
        return self.preparer.plain and self.admission.only_ids

    @property
    def writes(self) -> bool:
        """Tell whether a lost answer leaves it open if something was changed."""
        return self.preparer.operation.endpoint.writes

    async def read(self) -> None:
        """Read the source to its end, or to `max_records`.

        Whatever ends the reading early, what was read before is handed on; only cancelling loses
        nothing but leaves it to the ledger.
        """
        try:
            await self._read_chunks()
        except asyncio.CancelledError:
            for task in self._ahead:
                task.cancel()
            raise
        except ConfigError:
            # No record can be prepared; the ledger closes what was read.
            await asyncio.gather(*self._ahead, return_exceptions=True)
            raise
        except Exception:
            if self.source_failed:
                await self._finish()
            raise
        await self._finish()

    async def _finish(self) -> None:
        while self._ahead:
            await self._pack(await self._next_prepared())
        await self.flush()

    async def _read_chunks(self) -> None:
        left = self.options.max_records
        async with aclosing(self.source.chunks()) as chunks:
            async for chunk in self._timed(chunks):
                part = chunk if left is None else chunk[:left]
                await self._take(part)
                if left is not None:
                    left -= len(part)
                    if left <= 0:
                        return

    async def _timed(self, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        """Yield the chunks, noting when the source is waited for."""
        timing = self.health.timing
        while True:
            timing.reading("source")
            try:
                chunk = await self._next_chunk(chunks)
            finally:
                timing.reading("")
            if chunk is None:
                return
            yield chunk

    async def _next_chunk(self, chunks: AsyncIterator[Chunk]) -> Chunk | None:
        """Return the next chunk; while the source is slow, what was prepared before goes on."""
        if not self._ahead:
            return await self._fetch(chunks)
        coming = asyncio.create_task(self._fetch(chunks))
        try:
            while self._ahead and not coming.done():
                first = self._ahead[0]
                await asyncio.wait({coming, first}, return_when=asyncio.FIRST_COMPLETED)
                if first.done():
                    await self._pack(await self._ahead.popleft())
            return await coming
        except BaseException:
            # A generator can only be closed when nobody waits for its next value.
            while not coming.done():
                coming.cancel()
                with suppress(asyncio.CancelledError):  # an abort cancels a second time
                    await asyncio.wait({coming})
            if (
                not coming.cancelled()
                and not coming.exception()
                and self.options.max_records is None
            ):
                self._admit(coming.result() or [])  # it was read: the ledger closes it
            raise

    async def _fetch(self, chunks: AsyncIterator[Chunk]) -> Chunk | None:
        try:
            return await anext(chunks, None)
        except Exception:
            self.source_failed = True
            raise

    async def _next_prepared(self) -> _Prepared:
        timing = self.health.timing
        timing.reading("images")
        try:
            return await self._ahead.popleft()
        finally:
            timing.reading("")

    async def _take(self, chunk: Chunk) -> None:
        """Admit a chunk's records and have them prepared, in order, a batch's worth at a time."""
        # Single queries are read in tens too: a turn of the reader for each would cost more.
        size = self.options.batch_size
        for start in range(0, len(chunk), size):
            entries = chunk[start : start + size]
            if (batch := self._usual_batch(entries)) is not None:
                await self._dispatch((batch,))
                await self._after_part()
                continue
            part = self._admit(entries)
            if not self._ahead and not self.preparer.has_work(part):
                await self._pack((part, self.preparer.prepare_now(part)))
                continue
            self._ahead.append(asyncio.create_task(self._prepare(part)))
            if len(self._ahead) > _PREPARED_AHEAD:
                await self._pack(await self._next_prepared())

    def _usual_batch(self, entries: Chunk) -> Batch | None:
        """Return entries as a batch, where they make one just as they were read.

        It is the usual case, and costs a third of filling a batch record by record.
        """
        full = len(entries) == self._size and not len(self._batcher)
        if not (full and self._takes_batches) or self._ahead or self.books.resumes:
            return None
        need_url = self.preparer.operation.endpoint.needs_image
        usual = encode_usual(self.ledger.read + 1, entries, need_url=need_url)
        if usual is None or len(usual.joined) >= self.options.max_batch_bytes:
            return None
        if not self.admission.enter_all(usual.seqs, usual.ids):
            return None
        batch = Batch(None, usual=usual)
        self.ledger.admit_batch(batch)
        return batch

    def _admit(self, entries: Chunk) -> list[Item]:
        """Open the records that no earlier run decided."""
        if not self.books.resumes:
            return self.ledger.admit_all(entries)
        items = []
        for entry in entries:
            if self.books.is_decided(self.ledger.read + 1):
                self.ledger.skip()
                continue
            item = self.ledger.admit(entry)
            item.doubtful = self.writes and self.books.is_doubtful(item.seq)
            items.append(item)
        return items

    async def _prepare(self, items: list[Item]) -> _Prepared:
        return items, await self.preparer.prepare(items)

    async def _pack(self, prepared: _Prepared) -> None:
        """Put prepared records into batches and settle those that cannot be sent."""
        ready = []
        for item, wire in zip(*prepared, strict=True):
            if isinstance(wire, RecordError):
                self.ledger.settle(item, Verdict(Outcome.REJECTED, str(wire)))
            else:
                self.ledger.prepared(item, wire)
                ready.append(item)
        for item in ready:
            if self.admission.enter(item):
                await self.add(item)
        await self._after_part()

    async def _after_part(self) -> None:
        """Hold the reading back while there is no room for more."""
        if self._hurry and self.is_hurried():
            await self.flush()
        while self.ledger.pending_bytes > self.options.max_pending_bytes:
            self._paused = True
            await self.flush()
            self.room.clear()
            await self.room.wait()
        self._paused = False
        if self.books.resumable:
            await self.books.after()
        if self.listeners.buffers:
            await self.listeners.wait_for_room()

    def decided(self, seqs: Sequence[int], ids: Sequence[str], outcome: Outcome) -> list[Item]:
        """Return the records that may leave now because others are decided.

        Args:
            seqs: The others' numbers.
            ids: Their ids.
            outcome: What became of them.
        """
        self.room.set()
        return self.admission.decided(seqs, ids, outcome)

    def close(self) -> None:
        """Forget what was read."""
        self.admission.close()

    # --- batches --------------------------------------------------------------------------------

    async def add(self, item: Item) -> None:
        """Put a record into the batch that is being filled, unless its `_id` is there already."""
        if self.admission.is_repeated(item):
            reason = "input_duplicate: an earlier record of this input has this `_id`"
            self.ledger.settle(item, Verdict(Outcome.ALREADY_PRESENT, reason))
            return
        ready = self._batcher.add(item)
        if ready or len(self._batcher) == 1:
            self._began = self.health.clock()
        await self._dispatch(ready)

    async def flush(self) -> None:
        """Send the batch that is being filled, however small."""
        if self._may_follow():
            await self._dispatch(self._batcher.flush())

    def hurry(self, up_to: int) -> None:
        """Have records up to this number sent without waiting for fuller batches."""
        self._hurry = max(self._hurry, up_to)

    def is_hurried(self) -> bool:
        """Tell whether a record is open that nothing else is to be waited for."""
        return self.ledger.oldest <= self._hurry

    def flush_old(self, now: float) -> None:
        """Send the batch that is being filled if it has waited long enough for a slow source."""
        old = now - self._began >= self.options.flush_after or self._paused or self.is_hurried()
        # A full queue is a backlog: then a fuller batch costs no time.
        if len(self._batcher) and old and not self.queue.full() and self._may_follow():
            for batch in self._batcher.flush():
                self._note_last(batch)
                self.queue.put_nowait(batch)

    def take_half_filled(self) -> Sequence[Item]:
        """Take out the records of the batch that is being filled."""
        return [item for batch in self._batcher.flush() for item in batch.items]

    def _may_follow(self) -> bool:
        """Tell whether a further batch may leave now."""
        if not self.in_order:
            return True
        return not self._dispatching and not any(map(self.ledger.is_open, self._last))

    async def _dispatch(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            if self.in_order:
                await self._await_turn()
            self._note_last(batch)
            await self.queue.put(batch)

    def _note_last(self, batch: Batch) -> None:
        if self.in_order:
            self._last = batch.items

    async def _await_turn(self) -> None:
        """Wait until all records that left before are decided; meanwhile nobody else may send."""
        self._dispatching = True
        try:
            while any(map(self.ledger.is_open, self._last)):
                self.room.clear()
                await self.room.wait()
        finally:
            self._dispatching = False
