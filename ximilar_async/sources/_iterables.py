"""Records from the program itself: lists, iterables, async iterables."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import SourceError

from ._base import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ._base import Chunk

CHUNK: Final = 100
"""Records handed on at once."""

_PATIENCE: Final = 0.02
"""Seconds after which a slow iterable's records are handed on, however few."""


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
        return [Entry(f"record {number}", record) for number, record in enumerate(records, first)]


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
        self._requests: queue.SimpleQueue[asyncio.Future[list[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ximilar-source", daemon=True)
        self._stopped = threading.Event()

    async def next(self) -> list[Any]:
        """Return the next records; an empty list at the end."""
        if not self._thread.is_alive():
            self._thread.start()
        wish: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._requests.put(wish)
        return await wish

    def stop(self) -> None:
        """Let the thread end as soon as the iterable lets it."""
        self._stopped.set()
        self._requests.put(None)

    def _run(self) -> None:
        records: Iterator[Any] | None = None
        error: Exception | None = None
        while error is None and (wish := self._requests.get()) is not None:
            drawn: list[Any] = []
            try:
                records = iter(self._records) if records is None else records
                self._draw(records, drawn)
            except Exception as raised:  # noqa: BLE001 - it goes to whoever reads the source
                error = raised
            except BaseException as raised:  # noqa: BLE001 - nobody else would hear of it
                error = SourceError(f"the iterable raised {raised!r}")
            if drawn or error is None:
                _settle(wish, drawn)
                wish = None if error is None else self._requests.get()  # what was drawn comes first
            if error is not None and wish is not None:
                _settle(wish, error)
        if isinstance(records, Generator):
            records.close()

    def _draw(self, records: Iterator[Any], drawn: list[Any]) -> None:
        until = time.monotonic() + _PATIENCE
        for record in records:
            drawn.append(record)
            if len(drawn) == CHUNK or time.monotonic() >= until or self._stopped.is_set():
                break


def _settle(wish: asyncio.Future[list[Any]], result: list[Any] | Exception) -> None:
    def settle() -> None:
        if wish.done():
            return
        if isinstance(result, Exception):
            wish.set_exception(result)
        else:
            wish.set_result(result)

    loop = wish.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
