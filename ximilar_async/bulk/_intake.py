"""The reading side of a run: source → entries → prepared records → batches → queue."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async.errors import ConfigError, RecordError

from ._batching import Batcher
from ._inflight import InFlight
from ._outcomes import Outcome
from ._reconcile import Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ximilar_async._encoding import EncodedRecord
    from ximilar_async.sources import Chunk, Source

    from ._books import Books
    from ._item import Batch, Item, Work
    from ._ledger import Ledger
    from ._options import Options
    from ._prepare import Preparer

_PREPARED_AHEAD = 3
"""Parts whose images are read at once; more would only queue for the same cores."""

_Prepared = tuple["list[Item]", "list[EncodedRecord | RecordError]"]


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
        clock: Returns monotonic seconds.
        wait_for_room: Returns when results may come that only reading has: rejections.
    """

    source: Source
    options: Options
    preparer: Preparer
    ledger: Ledger
    books: Books
    queue: asyncio.Queue[Work | None]
    clock: Callable[[], float]
    wait_for_room: Callable[[], Awaitable[None]]
    in_flight: InFlight = field(factory=InFlight, init=False)
    room: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set when something was decided: there may be room to read on."""
    _batcher: Batcher = field(init=False)
    _began: float = field(default=0.0, init=False)
    _ahead: deque[asyncio.Task[_Prepared]] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self._batcher = Batcher(self.options.batch_size, self.options.max_batch_bytes)

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
            await self._finish()
            raise
        await self._finish()

    async def _finish(self) -> None:
        while self._ahead:
            await self._pack(await self._ahead.popleft())
        await self.flush()

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
        size = self.options.batch_size
        for start in range(0, len(chunk), size):
            part = self._admit(chunk[start : start + size])
            if not self._ahead and not self.preparer.has_work(part):
                await self._pack((part, self.preparer.prepare_now(part)))
                continue
            self._ahead.append(asyncio.create_task(self._prepare(part)))
            if len(self._ahead) > _PREPARED_AHEAD:
                await self._pack(await self._ahead.popleft())

    def _admit(self, entries: Chunk) -> list[Item]:
        """Open the records that no earlier run decided."""
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
        for item, encoded in zip(*prepared, strict=True):
            if isinstance(encoded, RecordError):
                self.ledger.settle(item, Verdict(Outcome.REJECTED, str(encoded)))
                continue
            self.ledger.prepared(item, encoded)
            if self.in_flight.enter(item):
                await self.add(item)
        while self.ledger.pending_bytes > self.options.max_pending_bytes:
            await self.flush()
            self.room.clear()
            await self.room.wait()
        await self.books.after()
        await self.wait_for_room()

    # --- batches --------------------------------------------------------------------------------

    async def add(self, item: Item) -> None:
        """Put a record into the batch that is being filled."""
        if not len(self._batcher):
            self._began = self.clock()
        await self._dispatch(self._batcher.add(item))

    async def flush(self) -> None:
        """Send the batch that is being filled, however small."""
        await self._dispatch(self._batcher.flush())

    def flush_old(self, now: float) -> None:
        """Send the batch that is being filled if it has waited long enough for a slow source."""
        old = now - self._began >= self.options.flush_after
        # A full queue is a backlog: then a fuller batch costs no time.
        if len(self._batcher) and old and not self.queue.full():
            for batch in self._batcher.flush():
                self.queue.put_nowait(batch)

    async def _dispatch(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            await self.queue.put(batch)
