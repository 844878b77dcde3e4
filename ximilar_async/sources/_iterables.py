"""Records from the program itself: lists, iterables, async iterables."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import SourceError

from ._base import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ._base import Chunk

CHUNK: Final = 100
"""Records handed on at once."""

_PATIENCE: Final = 0.02
"""Seconds after which a slow iterable's records are handed on, however few."""


_new_entry = tuple.__new__
_SOUND: Final = (repeat(None), repeat(None))
"""Neither fault nor id."""


class _InMemory:
    """What sources of the program's own records share."""

    name = "records"
    size: int | None = None
    position = 0
    path: Path | None = None
    files_root: Path | None = None

    def _entries(self, records: Sequence[Any]) -> Chunk:
        first = self.position + 1
        self.position += len(records)
        # Made without a call of Python's for each: it takes half as long.
        places = [f"record {number}" for number in range(first, first + len(records))]
        return list(map(_new_entry, repeat(Entry), zip(places, records, *_SOUND, strict=False)))


class SequenceSource(_InMemory):
    """Records of a list or another sequence; their number is known.

    Args:
        records: The records.
    """

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records
        self.size = len(records)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the records in chunks."""
        for start in range(0, len(self._records), CHUNK):
            yield self._entries(self._records[start : start + CHUNK])


class AsyncIterableSource(_InMemory):
    """Records of an async iterable, handed on one by one: waiting for more would hold them up.

    Args:
        records: The records.
    """

    def __init__(self, records: AsyncIterable[Any]) -> None:
        self._records = records

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield each record as it comes."""
        records = aiter(self._records)
        try:
            async for record in records:
                yield self._entries([record])
        finally:
            if isinstance(records, AsyncGenerator):
                await records.aclose()


class IterableSource(_InMemory):
    """Records of a generator, cursor or another blocking iterable, pumped off the event loop.

    All of the iterable runs in one thread of its own, which is not the caller's: what is bound to a
    thread (an SQLite connection) must be opened inside the generator. The thread never keeps the
    program alive.

    Args:
        records: The records.
    """

    def __init__(self, records: Iterable[Any]) -> None:
        self._records = records

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the records in chunks of what is there within 20 ms."""
        pump = _Pump(self._records)
        try:
            while records := await pump.next():
                yield self._entries(records)
        finally:
            pump.stop()


class _Pump:
    """Draws from a blocking iterable in a daemon thread, a chunk for each request.

    `asyncio.to_thread` would not do: an iterable that blocks for ever would keep the executor, and
    so the program, from ending.
    """

    def __init__(self, records: Iterable[Any]) -> None:
        self._records = records
        self._requests: queue.SimpleQueue[_Draw | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ximilar-source", daemon=True)
        self._stopped = threading.Event()
        self._draw: _Draw | None = None
        self._ended: BaseException | bool = False

    async def next(self) -> list[Any]:
        """Return the next records; an empty list at the end.

        While the iterable blocks, what it gave before is handed on after 20 ms.
        """
        while not self._ended:
            draw = self._draw or self._request()
            signs: set[asyncio.Future[Any]] = {draw.over, draw.first}
            await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
            if not draw.over.done():
                await asyncio.wait({draw.over}, timeout=_PATIENCE)
            if draw.over.done():
                self._draw, self._ended = None, draw.over.result()
            else:
                draw.first = asyncio.get_running_loop().create_future()
            # Signs may be late, of records that were taken with those before them: no end.
            if records := draw.take():
                return records
        return self._end()

    def _request(self) -> _Draw:
        if not self._thread.is_alive():
            self._thread.start()
        self._draw = _Draw()
        self._requests.put(self._draw)
        return self._draw

    def _end(self) -> list[Any]:
        if isinstance(self._ended, BaseException):
            raise self._ended
        return []

    def stop(self) -> None:
        """Let the thread end as soon as the iterable lets it."""
        self._stopped.set()
        self._requests.put(None)

    def _run(self) -> None:
        records: Iterator[Any] | None = None
        while (draw := self._requests.get()) is not None:
            try:
                records = iter(self._records) if records is None else records
                draw.tell_over(ended=self._fill(draw, records))
            except Exception as raised:  # noqa: BLE001 - it goes to whoever reads the source
                draw.tell_over(ended=raised)
            except BaseException as raised:  # noqa: BLE001 - nobody else would hear of it
                draw.tell_over(ended=SourceError(f"the iterable raised {raised!r}"))
        if isinstance(records, Generator):
            records.close()

    def _fill(self, draw: _Draw, records: Iterator[Any]) -> bool:
        """Draw a chunk, or what comes within 20 ms, and tell whether that was the end."""
        until = time.monotonic() + _PATIENCE
        for count, record in enumerate(records, 1):
            draw.add(record)
            if count == CHUNK or time.monotonic() >= until or self._stopped.is_set():
                return False
        return True


class _Draw:
    """What one request draws; the thread adds to it, the event loop takes from it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._drawn: deque[Any] = deque()
        self.first: asyncio.Future[None] = self._loop.create_future()
        """Done when there is a record to take."""
        self.over: asyncio.Future[BaseException | bool] = self._loop.create_future()
        """Done when no further record comes; with what ended the iterable, if that is so."""

    def add(self, record: Any) -> None:
        """Add a record, in the thread."""
        self._drawn.append(record)
        if len(self._drawn) == 1:
            self._tell(self._note_first)

    def tell_over(self, *, ended: BaseException | bool) -> None:
        """Tell that no further record comes, in the thread."""
        self._tell(lambda: self.over.set_result(ended))

    def take(self) -> list[Any]:
        """Take what there is, in the event loop."""
        taken = []
        while self._drawn:  # also what is added meanwhile: no sign will come for it
            taken.append(self._drawn.popleft())
        return taken

    def _note_first(self) -> None:
        if not self.first.done():
            self.first.set_result(None)

    def _tell(self, call: Callable[[], object]) -> None:
        # The loop may be gone when an iterable returns at last; then nobody listens any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)
