"""What is stored, asked of the collection itself: page by page, or by ids for what is in doubt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import evolve

from ximilar_async.bulk import _operations
from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.bulk._reconcile import read_id
from ximilar_async.bulk._threads import in_thread
from ximilar_async.sources import SequenceSource

from .difference import Action, Phase, compare, image_in_doubt, settle_absent
from .hashes import UNKNOWABLE, Mark, metadata_hash, metadata_of, stored_image_hash
from .state import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ximilar_async._collection import Collection
    from ximilar_async.bulk._outcomes import Result

    from .course import Course
    from .difference import Known, Mode, UnderWay
    from .state import State
    from .terms import Terms
    from .work import Task, Work

PAGE: Final = 500
"""Records asked for at once: with 60 kB of fields each an answer is still below its size cap."""

SEEDED: Final = "seeded"
"""Name of the fact that a state has read its collection."""

_LOOKED_UP_AT_ONCE: Final = 2000


def row_of(stored: Mapping[str, Any], id: str, terms: Terms, state: State) -> Row:
    """Return what a stored record itself tells.

    Args:
        stored: The record; with state="remote" its mark is enough.
        id: Its `_id`.
        terms: What is asked for.
        state: Where shapes are numbered.
    """
    if terms.remote:
        mark = Mark.read(stored.get(terms.remote_field))
        if mark is None:
            return Row(id, UNKNOWABLE, None, state.shape(()), phase=Phase.SEEDED)
        return Row(id, mark.meta, mark.image, state.shape_of(mark.shape))
    fields = terms.metadata(stored)
    image = stored_image_hash(stored, terms.version_field)
    return Row(id, metadata_hash(fields), image, state.shape(fields), phase=Phase.SEEDED)


async def read_collection(
    collection: Collection,
    terms: Terms,
    state: State,
    work: Work,
    on_page: Callable[[int], None],
) -> None:
    """Read a collection page by page into a state.

    Args:
        collection: Whose records.
        terms: What is asked for.
        state: Where rows go; what it knew before is forgotten.
        work: Where records are kept for being compared in this run.
        on_page: Called with the number of records of each page; may raise to end the reading.
    """
    await in_thread(state.clear)
    fields = ["_id", terms.remote_field] if terms.remote else ["*"]
    page: list[dict[str, Any]] = []

    async def take() -> None:
        await in_thread(lambda: _take_page(page, terms, state, work))
        on_page(len(page))
        page.clear()

    async for record in collection.iter_records(page_size=PAGE, fields_to_return=fields):
        page.append(dict(record))
        if len(page) == PAGE:
            await take()
    await take()
    state.note(**{SEEDED: "1"})


def _take_page(page: list[dict[str, Any]], terms: Terms, state: State, work: Work) -> None:
    named = [(id_, record) for record in page if (id_ := read_id(record)) is not None]
    state.put(row_of(record, id_, terms, state) for id_, record in named)
    if not terms.remote:
        work.keep_stored(named)


async def look_up(work: Work, course: Course) -> None:
    """Fetch the stored records of all tasks that wait for a look and were not looked at yet.

    What could not be fetched waits on.

    Args:
        work: The tasks.
        course: What runs the look-ups.

    Raises:
        BulkAborted: a run had to stop.
    """
    for ids in _unseen(work):
        found: dict[str, dict[str, Any] | None] = {}

        def note(result: Result, found: dict[str, dict[str, Any] | None] = found) -> None:
            if result.id is not None and result.outcome in (Outcome.FOUND, Outcome.NOT_FOUND):
                found[result.id] = result.answer if result.outcome is Outcome.FOUND else None

        operation, source = _operations.get(["*"]), SequenceSource(ids)
        await course.run("look-up", operation, source, note, rejects=False)
        await asyncio.to_thread(work.keep_stored, list(found.items()))
        if course.failure is not None:
            raise course.failure


def _unseen(work: Work) -> Iterator[list[str]]:
    ids: list[str] = []
    for tasks in work.tasks(Action.LOOK):
        ids += [task.id for task in tasks if task.id and not work.stored(task.id)[0]]
        if len(ids) >= _LOOKED_UP_AT_ONCE:
            yield ids
            ids = []
    if ids:
        yield ids


def resolve(
    terms: Terms, state: State, work: Work, doubts: Mapping[str, UnderWay], mode: Mode
) -> int:
    """Decide what to do about the tasks that waited for a look; blocking.

    Args:
        terms: What is asked for.
        state: What is known.
        work: The tasks, and what was seen.
        doubts: What was under way when the last run ended.
        mode: How far the sync goes with what the source does not have.

    Returns:
        How many stored images nobody knows, and were left as they are.
    """
    unknown = 0
    for tasks in work.tasks(Action.LOOK):
        known = state.find([task.id for task in tasks if task.id])
        decided = []
        for task in tasks:
            assert task.id is not None  # what has no id is turned away, and not looked for
            looked, stored = work.stored(task.id)
            if looked:
                one = _Doubt(terms, state, known.get(task.id), doubts.get(task.id), stored)
                done, is_unknown = one.resolved(task, mode)
                unknown += is_unknown
                decided.append(done)
        work.decide(decided)
    return unknown


class _Doubt:
    """A task with all that is known about its record, looked at."""

    def __init__(
        self,
        terms: Terms,
        state: State,
        known: Known | None,
        under_way: UnderWay | None,
        stored: Mapping[str, Any] | None,
    ) -> None:
        self._terms, self._state = terms, state
        stored_once = known is not None and known.phase is not Phase.NEAR_DUPLICATE
        self._known = known if stored_once else None
        self._under_way, self._stored = under_way, stored

    def resolved(self, task: Task, mode: Mode) -> tuple[Task, bool]:
        """Return what is to be done, and whether an image stays unknown."""
        if task.record is None and self._under_way is not None:
            return self._absent(task, self._under_way, mode), False
        fields = self._terms.metadata(orjson.loads(task.record or b"{}"))
        stored_image, stored = self._stored_image(), self._stored
        found = compare(
            self._terms.mode,
            fields,
            None if stored is None else self._terms.metadata(stored),
            image=task.image,
            stored_image=stored_image,
            ours=self._ours(),
            marked=self._is_marked(task),
        )
        done = evolve(task, action=found.action, removed=found.removed)
        if found.action is Action.INSERT and self._is_half_replaced():
            done = evolve(done, action=Action.RESTORE)
        if done.action in (Action.REPLACE, Action.RESTORE):
            return self._completed(done), False
        if found.action is Action.SEED:
            done = self._seeded(done)
        kept = found.action in (Action.ADOPT, Action.UPDATE)
        if found.action is Action.REJECT:
            record = orjson.dumps({"record": orjson.loads(task.record or b"null")})
            return evolve(done, record=record, reason="is not stored, and has no image"), False
        return done, kept and task.image is not None and stored_image is None

    def _completed(self, task: Task) -> Task:
        """Return a task that inserts again, with the fields that do not count and are to stay."""
        counted, sent = self._terms.counted, self._under_way and self._under_way.record
        before = self._stored or (orjson.loads(sent) if sent else {})
        if counted is None or not before:
            return task
        stay = {
            name: value
            for name, value in metadata_of(before, self._terms.left_out | counted).items()
            if not name.startswith("_")  # the service's own
        }
        return evolve(task, record=orjson.dumps(stay | orjson.loads(task.record or b"{}")))

    def _is_half_replaced(self) -> bool:
        under_way = self._under_way
        return under_way is not None and under_way.phase is Phase.REPLACING

    def _absent(self, task: Task, under_way: UnderWay, mode: Mode) -> Task:
        """Return what is to be done about a record that the source does not have."""
        action = settle_absent(mode, under_way, stored=self._stored is not None)
        done = evolve(task, action=action)
        if action is Action.SEED:
            return self._seeded(done)
        if action is Action.RESTORE:
            shape = self._state.names(under_way.shape)
            return evolve(
                done,
                meta=under_way.meta,
                image=under_way.image,
                names=tuple(sorted(shape)),
                stamp=under_way.stamp,
                record=under_way.record,
                spot=f"the interrupted replacement of {task.id!r}",
            )
        return done

    def _seeded(self, task: Task) -> Task:
        """Return the task with what the stored record itself tells."""
        fields = self._terms.metadata(self._stored or {})
        return evolve(
            task,
            meta=metadata_hash(fields),
            image=self._stored_image(),
            names=tuple(sorted(fields)),
            stamp=None,
        )

    def _stored_image(self) -> bytes | None:
        known, stored = self._known, self._stored or {}
        mark = Mark.read(stored.get(self._terms.remote_field)) if self._terms.remote else None
        if mark is not None:
            return mark.image
        if self._under_way is None and known is not None and not self._terms.remote:
            return known.image
        told = stored_image_hash(stored, self._terms.version_field)
        return image_in_doubt(told, known, self._under_way)

    def _ours(self) -> frozenset[str]:
        """Return the fields that are known to be ours, and not the service's own."""
        known = self._known
        if known is None or known.phase is not Phase.STORED:
            return frozenset()
        return self._state.names(known.shape)

    def _is_marked(self, task: Task) -> bool:
        if not self._terms.remote:
            return True
        mark = Mark.read((self._stored or {}).get(self._terms.remote_field))
        return mark is not None and mark.meta == task.meta
