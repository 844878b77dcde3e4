"""What becomes of the tasks that a sync sends: counted, told, and written into the state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, evolve, field

from ximilar_async.bulk._outcomes import Outcome, Result
from ximilar_async.bulk._report_samples import NamedSamples

from .difference import Action, Phase, UnderWay
from .hashes import IMAGE_FIELDS, Mark, shape_key
from .state import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .planning import Prepared
    from .work import Task


@define(eq=False)
class Settling:
    """Keeps the tasks that a bulk run was handed until each has its result.

    Only `write` touches the disk; everything else belongs onto the event loop.

    Args:
        prepared: The plan and the state.
        tell: Called with each result of a record of the source, and of what is gone.
    """

    prepared: Prepared
    tell: Callable[[Result], None]
    tally: Counter[str] = field(factory=Counter, init=False)
    """What became of records, by the names in the report."""
    samples: NamedSamples = field(factory=NamedSamples, init=False)
    """The first records by each of these names that is not the wanted one."""
    again: bool = field(default=False, init=False)
    """Whether the collection said something else of any task than the state."""
    last_round: bool = field(default=False, init=False)
    """Whether nothing is treated once more."""
    waiting: int = field(default=0, init=False)
    """Near-duplicates of what is to be deleted: their tasks are tried again after that."""
    deletions: bool = field(init=False)
    """Whether there are deletions to be waited for."""
    open: dict[str, Task] = field(factory=dict, init=False)
    """Tasks that were handed out and are not decided."""
    _put: list[Row] = field(factory=list, init=False)
    _gone: list[str] = field(factory=list, init=False)
    _unmark: list[str] = field(factory=list, init=False)
    _later: list[Task] = field(factory=list, init=False)
    _sound: bool = field(default=True, init=False)
    """Whether every result was noted, so that what has none certainly never left."""

    def __attrs_post_init__(self) -> None:
        self.deletions = bool(self.prepared.tasks[Action.DELETE])

    def hand_out(
        self, tasks: Sequence[Task], phase: Phase, *, safe: bool = False
    ) -> Callable[[], None]:
        """Take tasks for under way; return what writes that down, and results until now.

        Args:
            tasks: The tasks; none may leave before it is written.
            phase: What is about to be done with them.
            safe: Whether that must outlast a power failure too.
        """
        self.open.update({task.id: task for task in tasks if task.id})
        settle, state = self.settled(), self.prepared.state

        def write() -> None:
            settle()
            if state.kept:
                state.mark([self._under_way(task, phase) for task in tasks], safe=safe)

        return write

    def close(self, *, keep: bool = False) -> Callable[[], None]:
        """Take what has no result for never sent; return what writes that and results down.

        Args:
            keep: Whether it stays in doubt all the same, for it was deleted before.
        """
        for task in self.open.values() if keep else ():
            if task.seq:  # what an earlier sync deleted is counted by nobody then
                lost = Outcome.NOT_ATTEMPTED
                self.samples.add(lost.value, Result(task.seq, task.spot, task.id, lost, _LOST))
        if self._sound and not keep:
            self._unmark += self.open
        self.open.clear()
        return self.settled()

    def settled(self) -> Callable[[], None]:
        """Take out the results until now; return what writes them down."""
        # What was in doubt before stays so until it is known to be stored or gone.
        unmark = [id_ for id_ in self._unmark if id_ not in self.prepared.doubts]
        put, gone, state = self._put, self._gone, self.prepared.state
        later, work = self._later, self.prepared.work
        again = [task.id for task in later if task.id and task.action is Action.LOOK]
        self._put, self._gone, self._unmark, self._later = [], [], [], []

        def write() -> None:
            state.settle(put=put, gone=gone, unmark=unmark)
            work.forget_stored(again)
            work.decide(later)

        return write

    def _look_again(self, task: Task) -> None:
        """Have a task looked at once more, for the collection says something else."""
        self.again = True
        self._later.append(evolve(task, action=Action.LOOK))
        under_way = self.prepared.under_way.get(task.id or "")
        if under_way is not None and under_way.phase is not Phase.REPLACING:
            # A look has settled this doubt, and what is stored now is somebody else's.
            del self.prepared.under_way[task.id or ""]

    def stays(self, task: Task) -> None:
        """Note that a task was certainly not begun."""
        assert task.id is not None  # what has no id is turned away
        self.open.pop(task.id)
        self._unmark.append(task.id)

    def noting(self, phase: Phase) -> Callable[[Result], None]:
        """Return what notes the results of a phase; once it fails, nothing counts as unsent."""
        settle = {
            Phase.INSERTING: self._inserted,
            Phase.REPLACING: self._replaced,
            Phase.UPDATING: self._updated,
            Phase.DELETING: self._deleted,
        }[phase]

        def note(result: Result) -> None:
            try:
                task = self.open.pop(result.id, None) if result.id is not None else None
                if task is not None:
                    settle(task, result)
            except BaseException:
                self._sound = False
                raise

        return note

    # --- what is sent, and what is then known ---------------------------------------------------

    def record(self, task: Task, phase: Phase) -> Any:
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

    def row(self, task: Task) -> Row:
        """Return what will be known of a record when its task is done."""
        assert task.id is not None  # what has no id is turned away
        assert task.meta is not None  # what is noted was hashed
        phase = Phase.SEEDED if task.action is Action.SEED else Phase.STORED
        shape = self.prepared.state.shape(task.names)
        if self.prepared.terms.remote:
            shape = self.prepared.state.shape_of(shape_key(task.names))
        return Row(task.id, task.meta, _image_after(task), shape, task.stamp, phase)

    def _under_way(self, task: Task, phase: Phase) -> tuple[str, UnderWay]:
        assert task.id is not None  # what has no id is turned away
        if task.meta is None:
            return task.id, UnderWay(phase)
        row = self.row(task)
        record = task.record if phase is Phase.REPLACING else None
        return task.id, UnderWay(phase, row.meta, row.image, row.shape, row.stamp, record)

    # --- what becomes of records ----------------------------------------------------------------

    def count(self, task: Task, name: str, result: Result) -> None:
        """Count a result, and tell of it."""
        told = evolve(result, seq=task.seq, where=task.spot)
        if task.seq or task.action is Action.DELETE:
            self.tally[name] += 1
            self.samples.add(name, told)
            self.tell(told)
        else:
            name = "restored" if name == "replaced" else "not_restored"
            self.tally[name] += 1
            self.samples.add(name, told)

    def _inserted(self, task: Task, result: Result) -> None:
        if result.outcome is Outcome.INSERTED:
            self._put.append(self.row(task))
        elif result.outcome is Outcome.NEAR_DUPLICATE:
            if self._put_off(task, result):
                return
            row = evolve(self.row(task), phase=Phase.NEAR_DUPLICATE, neighbours=_like(result))
            self._put.append(row)
        elif result.outcome is not Outcome.FAILED:
            self._unmark += [task.id] if task.id else []
        if result.outcome is Outcome.ALREADY_PRESENT and not self.last_round:
            self._look_again(task)
            return
        self.count(task, _NAMES[result.outcome], result)

    def _put_off(self, task: Task, result: Result) -> bool:
        """Keep a task for later if it is like nothing but what is yet to be deleted."""
        like = set(_like(result))
        if not self.deletions or self.prepared.work.of(like, Action.DELETE) != like:
            return False
        self._unmark += [task.id] if task.id else []
        self._later.append(evolve(task, action=Action.LATER))
        self.waiting += 1
        return True

    def _replaced(self, task: Task, result: Result) -> None:
        """Note what became of a record that was deleted before; it stays in doubt until stored."""
        if result.outcome is Outcome.INSERTED:
            self._put.append(self.row(task))
            self.count(task, "replaced", result)
        elif result.outcome is Outcome.ALREADY_PRESENT:
            reason = "it is stored although it was deleted; somebody else inserts, too"
            self.count(task, "failed", evolve(result, outcome=Outcome.FAILED, reason=reason))
        else:
            if result.outcome in (Outcome.FAILED, Outcome.NOT_ATTEMPTED):
                why = f": {result.reason}" if result.reason else ""
                result = evolve(result, reason=f"deleted, and not stored again{why}")
            self.count(task, _NAMES[result.outcome], result)

    def refused(self, task: Task, result: Result, *, back: bool) -> None:
        """Count a record that was deleted and whose new image is refused.

        Args:
            task: Its task.
            result: What the service said.
            back: Whether what was stored before is stored again; else it stays in doubt.
        """
        reason = f"deleted, and its new image was refused: {result.reason}"
        if back:
            reason = f"{result.reason}; it is stored as before"
            self._unmark += [task.id] if task.id else []
        result = evolve(result, reason=reason)
        if not back:
            self.tally["not_restored"] += 1
            self.samples.add("not_restored", evolve(result, seq=task.seq, where=task.spot))
        self.count(task, "rejected", result)

    def _updated(self, task: Task, result: Result) -> None:
        if result.outcome is Outcome.UPDATED:
            self._put.append(self.row(task))
        elif result.outcome is Outcome.NOT_FOUND:
            self._gone += [task.id] if task.id else []
            if not self.last_round:
                self._look_again(task)
                return
            reason = "it is not stored any more; somebody else deletes, too"
            result = evolve(result, outcome=Outcome.FAILED, reason=reason)
        elif result.outcome is not Outcome.FAILED:
            self._unmark += [task.id] if task.id else []
        self.count(task, _NAMES[result.outcome], result)

    def _deleted(self, task: Task, result: Result) -> None:
        ids = [task.id] if task.id else []
        if result.outcome in (Outcome.DELETED, Outcome.NOT_FOUND):
            self._gone += ids
            self.count(task, result.outcome.value, result)
        elif result.outcome is Outcome.NOT_ATTEMPTED:
            self._unmark += ids
        else:
            self.count(task, "deletions_failed", result)


_LOST: Final = "it was being replaced, and may be deleted by now; the next sync stores it"
"""Said of what was under way between its deletion and its insertion when all was given up."""


def _like(result: Result) -> tuple[str, ...]:
    """Return the ids of the stored records that a near-duplicate is like."""
    return tuple(match.id for match in result.near_duplicates if match.id is not None)


def _image_after(task: Task) -> bytes | None:
    """Return the hash of the image that is stored when a task is done."""
    if task.image is not None:
        return task.image
    _, _, image = task.was.partition(".")
    return bytes.fromhex(image) if image not in ("", "-") else None


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
