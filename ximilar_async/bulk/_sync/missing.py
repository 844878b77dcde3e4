"""Rows of records that the collection has no more: told by its ids, where their number tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async.bulk._reconcile import read_id
from ximilar_async.bulk._threads import in_thread

from .difference import Phase
from .looking import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .course import Course
    from .planning import Prepared
    from .state import State

_AT_ONCE: Final = 1000


async def forget_missing(prepared: Prepared, course: Course) -> None:
    """Forget records that others deleted, so that the sync stores them again.

    The ids are read only if fewer records are stored than are known of, by more than are in doubt.

    Args:
        prepared: An open state.
        course: Where the sync is.

    Raises:
        StoppedError: the sync is to end.
    """
    state = prepared.state
    doubts = frozenset(await in_thread(state.under_way))
    if prepared.seeded or prepared.stored - prepared.there <= len(doubts):
        return
    seen = bytearray(state.highest // 8 + 1)
    if await _read_ids(state, seen, course, prepared.there) != prepared.there:
        return  # others write just now: a record that was not seen may be there all the same
    await in_thread(lambda: _forget(state, seen, doubts))
    before, prepared.stored = prepared.stored, await in_thread(state.count)
    prepared.notes.append(
        f"{before - prepared.stored:,} of them are not in the collection any more, and count as new"
    )


async def _read_ids(state: State, seen: bytearray, course: Course, there: int) -> int:
    """Tick off the rows of all stored ids; return how many records there are."""
    course.stage, read = "reading the collection's ids", 0
    course.position = lambda: (read, there)
    page: list[str] = []

    async def take() -> None:
        course.requests += 1
        course.check()
        known = await in_thread(lambda: state.find(page))
        for row in known.values():
            seen[row.n >> 3] |= 1 << (row.n & 7)
        page.clear()

    async for record in course.collection.iter_records(page_size=PAGE, fields_to_return=["_id"]):
        read += 1
        page.append(read_id(record) or "")
        if len(page) == PAGE:
            await take()
    await take()
    return read


def _forget(state: State, seen: Sequence[int], doubts: frozenset[str]) -> None:
    batch: list[str] = []
    for id_ in _unseen(state, seen, doubts):
        batch.append(id_)
        if len(batch) == _AT_ONCE:
            state.settle(gone=batch)
            batch = []
    state.settle(gone=batch)


def _unseen(state: State, seen: Sequence[int], doubts: frozenset[str]) -> Iterator[str]:
    for id_, n, phase in state.every():
        known = seen[n >> 3] & (1 << (n & 7))
        if not known and phase is not Phase.NEAR_DUPLICATE and id_ not in doubts:
            yield id_
