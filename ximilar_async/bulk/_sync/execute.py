"""The tasks of a sync, carried out by bulk runs; what is about to leave is written down first."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, evolve, field

from ximilar_async.bulk import _operations
from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.errors import ConfigError, RecordError
from ximilar_async.images import needs_preparing, prepare_record

from .difference import Action, Phase, UnderWay
from .hashes import IMAGE_FIELDS, Mark, shape_key
from .planning import look
from .state import Row
from .tasks import TaskSource, in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ximilar_async.bulk._operations import Operation
    from ximilar_async.bulk._outcomes import Result
    from ximilar_async.sources import Entry

    from .course import Course
    from .planning import Prepared
    from .state import State
    from .work import Task

_LARGEST_SLICE: Final = 500
"""Records that may be deleted and not yet inserted at any time."""

_SENT: Final = (Action.INSERT, Action.RESTORE, Action.UPDATE, Action.REPLACE)


@define(eq=False)
class Executor:
    """Carries out the tasks of a planned sync.

    Args:
        prepared: The plan and the state.
        course: What runs the bulk runs.
        tell: Called with each result of a record of the source, and of what is gone.
        wait_for_room: Returns when further results may come.
    """

    prepared: Prepared
    course: Course
    tell: Callable[[Result], None]
    wait_for_room: Callable[[], Awaitable[None]]
    tally: Counter[str] = field(factory=Counter, init=False)
    """What became of records, by the names in the report."""
    finished: bool = field(default=False, init=False)
    _open: dict[str, Task] = field(factory=dict, init=False)
    """Tasks that were handed to the run under way and are not decided."""
    _put: list[Row] = field(factory=list, init=False)
    _gone: list[str] = field(factory=list, init=False)
    _unmark: list[str] = field(factory=list, init=False)
    _again: list[Task] = field(factory=list, init=False)
    """Tasks of which the collection says something else than the state."""
    _round: int = field(default=1, init=False)
    _sound: bool = field(default=True, init=False)
    """Whether every result was noted, so that what has none certainly never left."""

    @property
    def _state(self) -> State:
        return self.prepared.state

    async def run(self) -> None:
        """Carry out all tasks, deletions last, and only if nothing ended early before them."""
        await asyncio.to_thread(self._state.move_on)
        await self._change()
        if self._again and not self.course.over:
            self._round = 2
            await look(self.prepared, {}, self.course)
            await self._change()
        self.tally["failed"] += await asyncio.to_thread(self.prepared.work.undecided)
        if not self.course.over:
            await self._phase("delete", _operations.delete(), (Action.DELETE,), Phase.DELETING)
        self.finished = True

    async def _change(self) -> None:
        terms = self.prepared.terms
        await self._note_locally()
        await self._reject_all()
        await self._replace_all()
        plain, near = _operations.insert(), _operations.near_dups_insert(terms.radius)
        await self._phase("restore", plain, (Action.RESTORE,), Phase.REPLACING)
        chosen = near if terms.near_dups else plain
        await self._phase("insert", chosen, (Action.INSERT,), Phase.INSERTING)
        await self._phase("update", _operations.update(), (Action.UPDATE,), Phase.UPDATING)
        if not self.course.over:
            await asyncio.to_thread(self.prepared.work.done, *_SENT)
        if self._again and self._round == 1:
            await asyncio.to_thread(self._send_back)

    def _send_back(self) -> None:
        """Have those looked at, as though nothing were known, that the collection has otherwise."""
        work, again = self.prepared.work, self._again
        work.forget_stored(task.id for task in again if task.id)
        work.decide(evolve(task, action=Action.LOOK) for task in again)

    # --- what needs no request ------------------------------------------------------------------

    async def _note_locally(self) -> None:
        """Note what is stored, or is not, where the collection is just as it should be."""
        self.course.stage = "noting what is stored"
        work = self.prepared.work
        for tasks in work.tasks(Action.ADOPT, Action.SEED, Action.FORGET, limit=1000):
            put = [self._row(task) for task in tasks if task.action is not Action.FORGET]
            gone = [task.id for task in tasks if task.action is Action.FORGET and task.id]
            await asyncio.to_thread(self._state.settle, put=put, gone=gone)
            for task in tasks:
                if task.seq:
                    seeded = task.action is Action.SEED
                    self.tally["already_present" if seeded else "unchanged"] += 1
        await asyncio.to_thread(work.done, Action.ADOPT, Action.SEED, Action.FORGET)

    async def _reject_all(self) -> None:
        """Turn away what cannot be sent, by a run that sends nothing: results, samples, rejects."""
        if self.course.over or not self.prepared.tasks[Action.REJECT]:
            return

        handed: list[int] = []

        async def hand_out(tasks: Sequence[Task]) -> list[Entry]:
            await self.wait_for_room()
            handed.extend(task.seq for task in tasks)
            return [task.fault() for task in tasks]

        await self._turn_away(self._source((Action.REJECT,), hand_out), handed)
        await asyncio.to_thread(self.prepared.work.done, Action.REJECT)

    async def _turn_away(self, source: TaskSource, seqs: Sequence[int]) -> None:
        """Have a run reject entries.

        Args:
            source: The entries.
            seqs: Their numbers in the catalog.
        """

        def note(result: Result) -> None:
            if result.outcome is not Outcome.NOT_ATTEMPTED:
                self.tally["rejected"] += 1
                self.tell(evolve(result, seq=seqs[result.seq - 1]))

        await self.course.run("reject", _operations.insert(), source, note)

    # --- one phase ------------------------------------------------------------------------------

    async def _phase(
        self, name: str, operation: Operation, actions: tuple[Action, ...], phase: Phase
    ) -> None:
        """Treat all tasks of a kind by one bulk run."""
        if self.course.over or not sum(self.prepared.tasks[action] for action in actions):
            return

        async def hand_out(tasks: Sequence[Task]) -> list[Entry]:
            await self.wait_for_room()
            await self._mark(tasks, phase)
            return [task.entry(self._record(task, phase)) for task in tasks]

        source, settle = self._source(actions, hand_out), self._noting(_SETTLE[phase])
        await self.course.run(name, operation, source, settle)
        await self._close_phase()

    def _noting(self, settle: Callable[[Executor, Result], None]) -> Callable[[Result], None]:
        """Return what notes a result; once that fails, nothing is believed to be undone."""

        def note(result: Result) -> None:
            try:
                settle(self, result)
            except BaseException:
                self._sound = False
                raise

        return note

    def _source(
        self,
        actions: tuple[Action, ...],
        hand_out: Callable[[Sequence[Task]], Awaitable[list[Entry]]],
    ) -> TaskSource:
        prepared = self.prepared
        count = sum(prepared.tasks[action] for action in actions)
        return TaskSource(
            prepared.source, count, prepared.root, prepared.work.tasks(*actions), hand_out
        )

    async def _mark(self, tasks: Sequence[Task], phase: Phase, *, safe: bool = False) -> None:
        """Write down results, and that tasks are under way, before any of these may leave."""
        self._open.update({task.id: task for task in tasks if task.id})
        settled = self._settled()

        def write() -> None:
            self._state.settle(**settled)
            if self._state.kept:
                self._state.mark([self._under_way(task, phase) for task in tasks], safe=safe)

        await in_thread(write)

    def _under_way(self, task: Task, phase: Phase) -> tuple[str, UnderWay]:
        assert task.id is not None  # what has no id is turned away
        if task.meta is None:
            return task.id, UnderWay(phase)
        row = self._row(task)
        record = task.record if phase is Phase.REPLACING else None
        return task.id, UnderWay(phase, row.meta, row.image, row.shape, row.stamp, record)

    async def _close_phase(self) -> None:
        """Write down the last results; what was never handed on did not leave."""
        if self._sound:
            self._unmark += self._open
        self._open.clear()
        settled = self._settled()
        await in_thread(lambda: self._state.settle(**settled))

    def _settled(self) -> dict[str, Any]:
        """Take out what is to be written down."""
        settled = {"put": self._put, "gone": self._gone, "unmark": self._unmark}
        self._put, self._gone, self._unmark = [], [], []
        return settled

    def _record(self, task: Task, phase: Phase) -> Any:
        """Return what is sent for a task."""
        if phase is Phase.DELETING:
            return {"_id": task.id}
        record = orjson.loads(task.record or b"{}")
        if phase is Phase.UPDATING:
            record = {name: value for name, value in record.items() if name not in IMAGE_FIELDS}
            record |= dict.fromkeys(task.removed)
        terms = self.prepared.terms
        if terms.remote and task.meta is not None:
            mark = Mark(task.meta, _image_after(task), shape_key(task.names))
            record[terms.remote_field] = str(mark)
        return record

    def _row(self, task: Task) -> Row:
        """Return what will be known of a record when its task is done."""
        assert task.id is not None  # as above
        assert task.meta is not None  # what is noted was hashed
        phase = Phase.SEEDED if task.action is Action.SEED else Phase.STORED
        shape = self._state.shape(task.names)
        if self.prepared.terms.remote:
            shape = self._state.shape_of(shape_key(task.names))
        return Row(task.id, task.meta, _image_after(task), shape, task.stamp, phase)

    # --- what becomes of records ----------------------------------------------------------------

    def _take(self, result: Result) -> Task | None:
        return self._open.pop(result.id, None) if result.id is not None else None

    def _count(self, task: Task, name: str, result: Result) -> None:
        if task.seq or task.action is Action.DELETE:
            self.tally[name] += 1
            self.tell(evolve(result, seq=task.seq, where=task.spot))
        else:
            self.tally["restored" if name == "inserted" else "not_restored"] += 1

    def _send_again(self, task: Task) -> bool:
        """Have a task treated once more, after a look; tell whether it is."""
        if self._round == 1:
            self._again.append(task)
        return self._round == 1

    def settle_insert(self, result: Result) -> None:
        """Note what became of a record that was to be inserted."""
        task = self._take(result)
        if task is None or task.id is None:
            return
        if result.outcome is Outcome.INSERTED:
            self._put.append(self._row(task))
        elif result.outcome is Outcome.NEAR_DUPLICATE:
            self._put.append(evolve(self._row(task), phase=Phase.NEAR_DUPLICATE))
        elif result.outcome is Outcome.ALREADY_PRESENT and self._send_again(task):
            return
        elif result.outcome is not Outcome.FAILED:
            self._unmark.append(task.id)
        self._count(task, _NAMES[result.outcome], result)

    def settle_replace(self, result: Result) -> None:
        """Note what became of a record that was deleted before; it stays in doubt until stored."""
        task = self._take(result)
        if task is None or task.id is None:
            return
        if result.outcome is Outcome.INSERTED:
            self._put.append(self._row(task))
            self._count(task, "replaced" if task.seq else "inserted", result)
        elif result.outcome is Outcome.ALREADY_PRESENT:
            reason = "it is stored although it was deleted; somebody else inserts, too"
            self._count(task, "failed", evolve(result, outcome=Outcome.FAILED, reason=reason))
        else:
            self._count(task, _NAMES[result.outcome], result)

    def settle_update(self, result: Result) -> None:
        """Note what became of a record that was to be changed."""
        task = self._take(result)
        if task is None or task.id is None:
            return
        if result.outcome is Outcome.UPDATED:
            self._put.append(self._row(task))
        elif result.outcome is Outcome.NOT_FOUND:
            self._gone.append(task.id)
            if self._send_again(task):
                return
            reason = "it is not stored any more; somebody else deletes, too"
            result = evolve(result, outcome=Outcome.FAILED, reason=reason)
        elif result.outcome is not Outcome.FAILED:
            self._unmark.append(task.id)
        self._count(task, _NAMES[result.outcome], result)

    def settle_delete(self, result: Result) -> None:
        """Note what became of a record that was to be deleted."""
        task = self._take(result)
        if task is None or task.id is None:
            return
        if result.outcome in (Outcome.DELETED, Outcome.NOT_FOUND):
            self._gone.append(task.id)
            self._count(task, result.outcome.value, result)
        elif result.outcome is Outcome.NOT_ATTEMPTED:
            self._unmark.append(task.id)
        else:
            self._count(task, "deletions_failed", result)

    # --- replacing ------------------------------------------------------------------------------

    async def _replace_all(self) -> None:
        """Delete and insert records with another image, a slice after the other."""
        if not self.prepared.tasks[Action.REPLACE]:
            return
        options = self.prepared.terms.options
        size = slice_size(options.batch_size, self.course.collection.slots)
        for tasks in self.prepared.work.tasks(Action.REPLACE, limit=size):
            if self.course.over:
                return
            await self._replace(tasks)

    async def _replace(self, tasks: Sequence[Task]) -> None:
        """Delete and insert a slice; each record is in the state from before to after."""
        ready = await self._checked(tasks)
        if not ready:
            return
        await self._mark(ready, Phase.REPLACING, safe=True)
        deleted: dict[str, Result] = {}

        def note(result: Result) -> None:
            if result.id is not None:
                deleted[result.id] = result

        ids = [{"_id": task.id} for task in ready]
        entries = [task.entry(id_) for task, id_ in zip(ready, ids, strict=True)]
        source = TaskSource.of(self.prepared.source, entries)
        await self.course.run("replace: delete", _operations.delete(), source, note, rejects=False)
        left = [t for t in ready if t.id and _stays(deleted.get(t.id))]
        for task in left:
            self._open.pop(task.id or "")
            self._unmark.append(task.id or "")
            if (result := deleted.get(task.id or "")) and result.outcome is Outcome.REJECTED:
                self._count(task, "failed", evolve(result, outcome=Outcome.FAILED))
        # Whatever else ends early, what was deleted is inserted.
        again = [t.entry(self._record(t, Phase.REPLACING)) for t in ready if t.id in self._open]
        if again and not self.course.aborted:
            source = TaskSource.of(self.prepared.source, again, self.prepared.root)
            settle = self._noting(Executor.settle_replace)
            insert = _operations.insert()
            await self.course.run("replace: insert", insert, source, settle, must_end=False)
        self._open.clear()  # what is not stored by now stays under way
        settled = self._settled()
        await in_thread(lambda: self._state.settle(**settled))

    async def _checked(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks whose image can be sent, read by now: the others are not deleted."""
        checked = await asyncio.to_thread(lambda: [self._check(task) for task in tasks])
        if bad := [task for task in checked if task.reason]:
            source = TaskSource.of(self.prepared.source, [task.fault() for task in bad])
            await self._turn_away(source, [task.seq for task in bad])
        return [task for task in checked if not task.reason]

    def _check(self, task: Task) -> Task:
        record = orjson.loads(task.record or b"{}")
        if not needs_preparing(record):
            return task
        images = self.prepared.terms.options.images or self.course.collection.images
        try:
            record = prepare_record(record, images, self.prepared.root)
        except ConfigError:
            raise
        except RecordError as error:
            wrapped = orjson.dumps({"record": record})
            return evolve(task, reason=str(error), record=wrapped)
        return evolve(task, record=orjson.dumps(record))


def slice_size(batch_size: int, slots: int) -> int:
    """Return how many records are replaced at once: enough to use all slots, and few.

    Args:
        batch_size: Records of a request.
        slots: Requests that may be under way at once.
    """
    return min(_LARGEST_SLICE, 4 * batch_size * slots)


def _stays(result: Result | None) -> bool:
    """Tell whether a record was certainly not deleted."""
    return result is None or result.outcome in (Outcome.NOT_ATTEMPTED, Outcome.REJECTED)


def _image_after(task: Task) -> bytes | None:
    """Return the hash of the image that is stored when a task is done."""
    if task.image is not None:
        return task.image
    _, _, image = task.was.partition(".")
    return bytes.fromhex(image) if image not in ("", "-") else None


_SETTLE: Final = {
    Phase.INSERTING: Executor.settle_insert,
    Phase.REPLACING: Executor.settle_replace,
    Phase.UPDATING: Executor.settle_update,
    Phase.DELETING: Executor.settle_delete,
}
_NAMES: Final = {
    Outcome.INSERTED: "inserted",
    Outcome.UPDATED: "updated",
    Outcome.ALREADY_PRESENT: "already_present",
    Outcome.NEAR_DUPLICATE: "near_duplicate",
    Outcome.REJECTED: "rejected",
    Outcome.FAILED: "failed",
    Outcome.NOT_ATTEMPTED: "not_attempted",
    Outcome.NOT_FOUND: "failed",
}
