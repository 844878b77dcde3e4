"""From a source and a state to the tasks of a sync; nothing is written to the collection."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import define, evolve, field

from ximilar_async.bulk._threads import in_thread
from ximilar_async.errors import SourceError, SyncRefusedError

from .absent import note_absent, unlisted
from .difference import Action
from .guards import Findings, lost_fields, refuse, refuse_lost_fields, repeated_ids, withheld
from .looking import SEEDED, look_up, read_collection, resolve
from .reading import Reader
from .refused import ANY
from .state import State
from .usual import count_for_new
from .work import Work

if TYPE_CHECKING:
    from collections import Counter

    from ximilar_async._collection import Collection
    from ximilar_async.sources import Entry, Source

    from .course import Course
    from .difference import UnderWay
    from .terms import Terms

_READINGS: Final = 3
"""How often a collection is read whole if others write to it meanwhile."""

_AT_ONCE: Final = 500
"""Records that are held against the state in one turn."""


@define(eq=False)
class Prepared:
    """A sync that is planned: its tasks, and what it found."""

    terms: Terms
    state: State
    work: Work
    source: str = ""
    fingerprint: str | None = None
    root: Path | None = None
    read: int = 0
    unchanged: int = 0
    already_present: int = 0
    near_duplicate: int = 0
    gone: int = 0
    """Stored records that the source does not have, those in doubt included."""
    withheld: str = ""
    """Why none of them may be deleted."""
    stored: int = 0
    there: int = 0
    """Records that the collection says it has."""
    unlisted: frozenset[str] = frozenset()
    """Ids in doubt that may be stored although no row says so: guards count them as stored."""
    seeded: int = 0
    images_unknown: int = 0
    doubts: frozenset[str] = frozenset()
    """Ids of what was under way when an earlier run ended."""
    under_way: dict[str, UnderWay] = field(factory=dict)
    """What it was, for looks into the collection; few, for a run bounds what is pending."""
    in_doubt: int = 0
    """How many these are."""
    broken: str = ""
    generation: str = ""
    """What tells the state from one before or after a change."""
    notes: list[str] = field(factory=list)
    tasks: Counter[Action] = field(init=False)

    def count(self) -> None:
        """Count the tasks, when all of them are there."""
        self.tasks = self.work.count()

    def close(self) -> None:
        """Give state and tasks free."""
        self.work.close()
        self.state.close()


async def opened(terms: Terms, course: Course, *, dry_run: bool) -> Prepared:
    """Open the state and bring it to know what is stored.

    Args:
        terms: What is asked for.
        course: Where the sync is.
        dry_run: Whether a state that is not there yet must not be made.

    Raises:
        StateError: it cannot be used.
        SyncRefusedError: it does not fit the collection.
        StoppedError: the sync is to end.
    """
    there = await course.read(count_for_new(terms, course))
    course.stage = "opening the state"
    state = await asyncio.to_thread(_open_state, course.collection, terms, dry_run=dry_run)
    try:
        prepared = Prepared(terms, state, await asyncio.to_thread(Work.passing, terms.folder))
    except BaseException:
        state.close()
        raise
    try:
        await course.read(_seed(prepared, course, there))
    except BaseException:
        prepared.close()
        raise
    return prepared


def _open_state(collection: Collection, terms: Terms, *, dry_run: bool) -> State:
    path = terms.state
    if not isinstance(path, Path) or (dry_run and not path.exists()):
        return State.passing(terms.folder)
    host = urlsplit(collection.base_url).hostname or ""
    state = State.open(path, collection=collection.id, service=collection.service, host=host)
    new = state.fact(SEEDED) is None
    if dry_run and new:
        state.close()
        return State.passing(terms.folder)
    try:
        state.hold_fields(terms.options.fields, new=new)
    except BaseException:
        state.close()
        raise
    return state


async def _seed(prepared: Prepared, course: Course, there: int | None) -> None:
    """Read the collection where the state does not know it, and see that it fits where it does."""
    state, terms = prepared.state, prepared.terms
    if there is None:
        course.stage = "asking the collection"
        there = await course.count()
    prepared.there = there
    if state.fact(SEEDED) is None:
        if there:
            course.stage = "reading the collection"
            there = prepared.there = await _read_collection(prepared, course, there)
        else:
            await in_thread(state.clear)
            state.note(**{SEEDED: "1"})
    prepared.stored = known = await in_thread(state.count)
    if known and not there:
        raise SyncRefusedError(
            f"the state {terms.state} knows {known:,} stored records, and the collection has none: "
            "nothing was sent. Check the collection; if it was emptied, move the state away"
        )
    if abs(known - there) > len(await in_thread(state.under_way)):
        prepared.notes.append(f"the collection has {there:,} records, and {known:,} are known of")


async def _read_collection(prepared: Prepared, course: Course, there: int) -> int:
    """Read the whole collection, again if its size changes meanwhile; return its size.

    A record that is deleted behind the page that is read moves another one onto it, which is then
    never seen.
    """
    for _ in range(_READINGS):
        prepared.seeded = 0
        await _read_pages(prepared, course, there)
        if prepared.seeded == there:
            return there
        there = await course.count()
    prepared.notes.append(
        "the collection changed each time it was read: records may have been missed"
    )
    return there


async def _read_pages(prepared: Prepared, course: Course, there: int) -> None:
    def on_page(count: int) -> None:
        prepared.seeded += count
        course.requests += 1
        course.check()

    course.position = lambda: (prepared.seeded, there)
    state, work = prepared.state, prepared.work
    await read_collection(course.collection, prepared.terms, state, work, on_page)


async def plan(source: Source, prepared: Prepared, course: Course) -> None:
    """Read the source and find out what is to be done.

    Args:
        source: The catalog.
        prepared: An open state; the tasks go into it.
        course: Where the sync is.

    Raises:
        SourceError: nothing of the source can be read.
        SyncRefusedError: nobody can have meant it.
        BulkAborted: a look into the collection had to stop.
        StoppedError: the sync is to end.
    """
    terms, state, options = prepared.terms, prepared.state, prepared.terms.options
    doubts = await asyncio.to_thread(state.under_way)
    images = options.images or course.collection.images
    prepared.doubts, prepared.under_way = frozenset(doubts), dict(doubts)
    reader = Reader(terms, state, prepared.work, doubts, images, course.root)
    prepared.generation = state.generation
    prepared.source, prepared.root, prepared.in_doubt = source.name, course.root, len(doubts)
    prepared.broken = await course.read(_read(source, reader, course))
    prepared.read, prepared.unchanged = reader.read, reader.counts[Action.UNCHANGED]
    prepared.notes += repeated_ids(reader.repeated, reader.twice)
    prepared.already_present = reader.repeated + reader.counts[Action.KEPT]
    course.stage = "comparing"
    prepared.unlisted = await asyncio.to_thread(unlisted, prepared)
    prepared.gone = await asyncio.to_thread(note_absent, prepared, reader, doubts)
    found = _findings(prepared, reader)
    refuse(
        found,
        terms.ceiling,
        allow_delete=terms.allow_delete,
        allow_new_catalog=terms.allow_new_catalog,
    )
    prepared.withheld = withheld(found, allow_delete=terms.allow_delete)
    if prepared.withheld:
        await asyncio.to_thread(prepared.work.remove, Action.DELETE)
    course.check()
    await look(prepared, course)
    course.check()
    lost = await asyncio.to_thread(prepared.work.removed)
    notes = lost_fields(lost, prepared.stored)
    refuse_lost_fields(notes, allow_lost_fields=terms.allow_lost_fields)
    prepared.notes += notes
    await asyncio.to_thread(_take_up_refused, prepared)
    prepared.images_unknown += reader.images_unknown


async def look(prepared: Prepared, course: Course) -> None:
    """Look up what only the collection can tell, and decide what is to be done about it.

    Args:
        prepared: The tasks.
        course: Where the sync is.

    Raises:
        BulkAborted: it had to stop.
    """
    terms, state, work = prepared.terms, prepared.state, prepared.work
    await look_up(work, course)
    mode = "upsert" if terms.mode == "mirror" and prepared.withheld else terms.mode
    doubts = prepared.under_way
    prepared.images_unknown += await asyncio.to_thread(resolve, terms, state, work, doubts, mode)
    await asyncio.to_thread(prepared.count)


async def _read(source: Source, reader: Reader, course: Course) -> str:
    """Read the source to its end; return why it broke off, if it did.

    Raises:
        SourceError: nothing could be read.
    """
    course.stage = "reading the source"
    course.position = lambda: (source.position, source.size)
    entries: list[Entry] = []
    broken = ""
    async with aclosing(source.chunks()) as chunks:
        while True:
            try:
                chunk = await anext(chunks, None)
            except SourceError as error:
                if not reader.read and not entries:
                    raise
                broken = str(error)
                break
            except (Exception, asyncio.CancelledError) as error:
                if _is_cancelled():
                    raise
                broken = f"{source.name} raised {error!r}"
                if not reader.read and not entries:
                    raise SourceError(broken) from error
                break
            course.check()  # a source need not heed that it was cancelled
            if chunk is None:
                break
            entries += chunk
            if len(entries) >= _AT_ONCE:
                await in_thread(partial(reader.take, entries))
                entries = []
    await in_thread(lambda: reader.take(entries))
    course.check()
    return broken


def _is_cancelled() -> bool:
    """Tell whether it is the present task that is cancelled, and not something it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _take_up_refused(prepared: Prepared) -> None:
    """Try again what was turned away for nothing but records that will be deleted or replaced."""
    state, work, tasks = prepared.state, prepared.work, prepared.tasks
    moves = {ANY} if tasks[Action.DELETE] or tasks[Action.REPLACE] else set()
    for refused in work.tasks(Action.NEAR_DUPLICATE):
        neighbours = state.neighbours(task.id for task in refused if task.id)
        named = {id_ for ids in neighbours.values() for id_ in ids}
        moves |= work.of(named, Action.DELETE, Action.REPLACE)
        work.decide(
            evolve(task, action=Action.INSERT)
            for task in refused
            if neighbours[task.id or ""] <= moves
        )
        moves &= {ANY}
    prepared.count()
    prepared.near_duplicate = prepared.tasks[Action.NEAR_DUPLICATE]


def _findings(prepared: Prepared, reader: Reader) -> Findings:
    return Findings(
        mode=prepared.terms.mode,
        source=prepared.source,
        read=reader.read,
        usable=reader.usable,
        common=reader.common,
        nameless=reader.nameless,
        stored=prepared.stored + len(prepared.unlisted),
        gone=prepared.gone,
        first_fault=reader.first_fault,
        broken=prepared.broken,
    )
