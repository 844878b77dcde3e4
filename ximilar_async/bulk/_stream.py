"""Records on their way from the tasks that add them to the reader of a run."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from ximilar_async.sources import Entry

from ._outcomes import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from ximilar_async._models import Record
    from ximilar_async.sources import Chunk

Decided: TypeAlias = "asyncio.Future[Result]"
"""What a record's result will be in."""


@define(eq=False)
class Stream:
    """The source of a writer: takes what is offered while few enough records are undecided.

    A record is offered until the reader takes it; taking it and opening it in the ledger are one
    step of the event loop. So nothing is ever accepted that the run does not account for.

    Args:
        most: Records that may be undecided.
        at_once: Records that are taken together.
        on_full: Called when records are offered and only decisions can make room for them.
    """

    most: int
    at_once: int
    on_full: Callable[[], None]
    name: str = field(default="writer", init=False)
    size: int | None = field(default=None, init=False)
    position: int = field(default=0, init=False)
    path: Path | None = field(default=None, init=False)
    files_root: Path | None = field(default=None, init=False)
    closed: bool = field(default=False, init=False)
    """Whether no more records may be offered."""
    ended: bool = field(default=False, init=False)
    """Whether no more records are taken."""
    _offers: deque[tuple[Record | str, asyncio.Future[Decided | None]]] = field(
        factory=deque, init=False
    )
    _undecided: dict[int, Decided] = field(factory=dict, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)

    # --- for those who add ----------------------------------------------------------------------

    async def offer(self, record: Record | str) -> Decided | None:
        """Return what the record's result will be in once it is taken; None if it never will be."""
        if self.closed or self.ended:
            return None
        taken: asyncio.Future[Decided | None] = asyncio.get_running_loop().create_future()
        self._offers.append((record, taken))
        self._changed.set()
        return await taken

    @property
    def undecided(self) -> list[Decided]:
        """Return what the results of records will be in that were taken and are not decided."""
        return list(self._undecided.values())

    def close(self) -> None:
        """Let the reader come to its end."""
        self.closed = True
        self._refuse_offers()

    # --- for the run ----------------------------------------------------------------------------

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield what is offered as it comes."""
        try:
            while chunk := await self._next():
                yield chunk
        finally:
            self.end()

    def decide(self, result: Result) -> None:
        """Hand out a record's result."""
        self._undecided.pop(result.seq).set_result(result)
        self._changed.set()

    def end(self) -> None:
        """Note that nobody reads any longer."""
        self.ended = True
        self._refuse_offers()

    def give_up(self) -> None:
        """Hand out what is known of records that the run lost: by its promise there is none."""
        for seq in list(self._undecided):
            lost = Result(seq, _where(seq), None, Outcome.FAILED, "unconfirmed: the run broke off")
            self.decide(lost)

    async def _next(self) -> Chunk:
        while not (chunk := self._take()) and not self.closed:
            if self._offers:
                self.on_full()
            self._changed.clear()
            await self._changed.wait()
        return chunk

    def _take(self) -> Chunk:
        chunk: Chunk = []
        while self._offers and len(chunk) < self.at_once and len(self._undecided) < self.most:
            record, taken = self._offers.popleft()
            if taken.done():  # whoever offered it was cancelled
                continue
            self.position += 1
            decided = self._undecided[self.position] = taken.get_loop().create_future()
            taken.set_result(decided)
            chunk.append(Entry(_where(self.position), record))
        return chunk

    def _refuse_offers(self) -> None:
        for _, taken in self._offers:
            if not taken.done():
                taken.set_result(None)
        self._offers.clear()
        self._changed.set()


def _where(seq: int) -> str:
    return f"record {seq}"
