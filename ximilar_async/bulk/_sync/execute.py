"""The tasks of a sync, carried out by bulk runs; what is about to leave is written down first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from attrs import define, evolve, field

from ximilar_async.bulk import _operations
from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.bulk._threads import in_thread
from ximilar_async.errors import ConfigError, RecordError
from ximilar_async.images import needs_preparing, prepare_record

from .copies import Copies
from .difference import Action, Phase
from .planning import look
from .settling import Settling
from .tasks import TaskSource

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Sequence

    from ximilar_async.bulk._operations import Operation
    from ximilar_async.bulk._outcomes import Result
    from ximilar_async.bulk._report_samples import NamedSamples
    from ximilar_async.sources import Entry

    from .course import Course
    from .planning import Prepared
    from .state import State
    from .work import Task

_LARGEST_SLICE: Final = 500
"""Records that may be deleted and not yet inserted at any time."""

_STAYS: Final = frozenset({Outcome.NOT_ATTEMPTED, Outcome.REJECTED})
"""What a delete ends as that certainly was not carried out."""

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
    finished: bool = field(default=False, init=False)
    """Whether nothing ended it early."""
    _settling: Settling = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._settling = Settling(self.prepared, self.tell)

    @property
    def tally(self) -> Counter[str]:
        """Return what became of records, by the names in the report."""
        return self._settling.tally

    @property
    def samples(self) -> NamedSamples:
        """Return the first records by these names."""
        return self._settling.samples

    @property
    def _state(self) -> State:
        return self.prepared.state

    async def run(self) -> None:
        """Carry out all tasks, deletions last, and only if nothing ended early before them."""
        await asyncio.to_thread(self._state.move_on)
        await asyncio.to_thread(self._state.hold_alike, self.prepared.terms.alike)
        await self._change()
        if self._settling.again and not self.course.over:
            self._settling.last_round = True
            await look(self.prepared, self.course)
            await self._change()
        self.tally["failed"] += await asyncio.to_thread(self.prepared.work.undecided)
        if not self.course.over:
            await self._phase("delete", _operations.delete(), (Action.DELETE,), Phase.DELETING)
        await self._insert_later()
        self.finished = True

    async def _insert_later(self) -> None:
        """Insert what is like records that are deleted by now."""
        if self.course.over or not self._settling.waiting:
            return
        self._settling.last_round, self._settling.waiting = True, 0
        self._settling.deletions = False
        await asyncio.to_thread(self.prepared.work.turn, Action.LATER, Action.INSERT)
        await asyncio.to_thread(self.prepared.count)
        await self._insert()

    async def _insert(self) -> None:
        terms = self.prepared.terms
        plain, near = _operations.insert(), _operations.near_dups_insert(terms.radius)
        chosen = near if terms.near_dups else plain
        await self._phase("insert", chosen, (Action.INSERT,), Phase.INSERTING)

    async def _change(self) -> None:
        await self._note_locally()
        await self._reject_all()
        await self._replace_all()
        await self._phase("restore", _operations.insert(), (Action.RESTORE,), Phase.REPLACING)
        await self._insert()
        await self._phase("update", _operations.update(), (Action.UPDATE,), Phase.UPDATING)
        if not self.course.over:
            await asyncio.to_thread(self.prepared.work.done, *_SENT)

    # --- what needs no request ------------------------------------------------------------------

    async def _note_locally(self) -> None:
        """Note what is stored, or is not, where the collection is just as it should be."""
        self.course.stage = "noting what is stored"
        work = self.prepared.work
        for tasks in work.tasks(Action.ADOPT, Action.SEED, Action.FORGET, limit=1000):
            put = [self._settling.row(task) for task in tasks if task.action is not Action.FORGET]
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
            await in_thread(settling.hand_out(tasks, phase))
            return [task.entry(settling.record(task, phase)) for task in tasks]

        settling = self._settling
        source = self._source(actions, hand_out)
        await self.course.run(name, operation, source, settling.noting(phase))
        await in_thread(settling.close(keep=phase is Phase.REPLACING))

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

    # --- replacing ------------------------------------------------------------------------------

    async def _replace_all(self) -> None:
        """Delete and insert records with another image, a slice after the other."""
        if not self.prepared.tasks[Action.REPLACE]:
            return
        options = self.prepared.terms.options
        size = slice_size(options.batch_size, self.course.collection.slots)
        for tasks in self.prepared.work.tasks(Action.REPLACE, limit=size):
            await self.wait_for_room()
            if self.course.over:
                return
            await self._replace(tasks)

    async def _replace(self, tasks: Sequence[Task]) -> None:
        """Delete and insert a slice; each record is in the state from before to after."""
        settling = self._settling
        copies = Copies(self.prepared, self.course, settling)
        ready = await copies.take(await self._checked(tasks))
        if not ready:
            return
        await in_thread(settling.hand_out(ready, Phase.REPLACING, safe=True))
        gone = await self._delete(ready)
        # Whatever else ends early, what was deleted is inserted.
        if gone and not self.course.aborted:
            again = [task.entry(settling.record(task, Phase.REPLACING)) for task in gone]
            source = TaskSource.of(self.prepared.source, again, self.prepared.root)
            note = copies.noting(settling.noting(Phase.REPLACING))
            insert = _operations.insert()
            await self.course.run("replace: insert", insert, source, note, must_end=False)
            await copies.put_back()
        await in_thread(settling.close(keep=True))

    async def _delete(self, tasks: Sequence[Task]) -> list[Task]:
        """Delete what is to be replaced; return all that may be gone by now."""
        deleted: dict[str | None, Result] = {}

        def note(result: Result) -> None:
            deleted[result.id] = result

        entries = [task.entry({"_id": task.id}) for task in tasks]
        source = TaskSource.of(self.prepared.source, entries)
        await self.course.run("replace: delete", _operations.delete(), source, note, rejects=False)
        gone = []
        for task in tasks:
            result = deleted.get(task.id)
            if result is not None and result.outcome not in _STAYS:
                gone.append(task)
                continue
            self._settling.stays(task)
            if result is not None and result.outcome is Outcome.REJECTED:
                self._settling.count(task, "failed", evolve(result, outcome=Outcome.FAILED))
        return gone

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
