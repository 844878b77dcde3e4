"""What is stored of records that are about to be replaced, for where the new image is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from ximilar_async.bulk import _operations
from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.sources import SequenceSource

from .difference import Phase
from .tasks import TaskSource
from .work import by_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ximilar_async.bulk._outcomes import Result

    from .course import Course
    from .planning import Prepared
    from .settling import Settling
    from .work import Task


@define(eq=False)
class Copies:
    """Copies of the stored records of one slice.

    An image in a file is read and checked before anything is deleted; only the service can tell of
    an address that there is no image. What it refuses then is put back as it was.

    Args:
        prepared: The plan and the state.
        course: What runs the bulk runs.
        settling: What results are counted by.
    """

    prepared: Prepared
    course: Course
    settling: Settling
    _copies: dict[str, dict[str, Any]] = field(factory=dict, init=False)
    _refused: list[tuple[Task, Result]] = field(factory=list, init=False)

    async def take(self, tasks: Sequence[Task]) -> list[Task]:
        """Copy what is stored; return the tasks that may be begun: others could not be looked up.

        Args:
            tasks: What is to be replaced.
        """
        ids = [task.id for task in tasks if task.id and by_address(task)]
        if not ids:
            return list(tasks)
        seen: dict[str | None, Result] = {}

        def note(result: Result) -> None:
            seen[result.id] = result

        operation, source = _operations.get(["*"]), SequenceSource(ids)
        await self.course.run("replace: look-up", operation, source, note, rejects=False)
        if self.course.over:
            return []
        await asyncio.to_thread(self._keep, seen)
        return [task for task in tasks if self._may_begin(task, seen.get(task.id))]

    def _keep(self, seen: dict[str | None, Result]) -> None:
        state = self.prepared.state
        found = {i: r.answer for i, r in seen.items() if i and r.outcome is Outcome.FOUND}
        known = state.find(list(found))
        for id_, stored in found.items():
            row = known.get(id_)
            sent = row is not None and row.phase is Phase.STORED
            ours = state.names(row.shape) if row is not None and sent else frozenset()
            copy = {n: v for n, v in (stored or {}).items() if n in ours or _is_sent(n)}
            if copy.get("_url"):
                self._copies[id_] = copy

    def _may_begin(self, task: Task, result: Result | None) -> bool:
        if result is None or result.outcome in (Outcome.FOUND, Outcome.NOT_FOUND):
            return True
        self.settling.count(task, "failed", evolve(result, outcome=Outcome.FAILED))
        return False

    def noting(self, note: Callable[[Result], None]) -> Callable[[Result], None]:
        """Return what notes the results of inserting; what is refused waits for `put_back`.

        Args:
            note: What notes all others.
        """

        def noted(result: Result) -> None:
            task = self.settling.open.get(result.id or "")
            if task is None or result.outcome is not Outcome.REJECTED:
                note(result)
                return
            del self.settling.open[result.id or ""]
            self._refused.append((task, result))

        return noted

    async def put_back(self) -> None:
        """Insert again, as it was, what was deleted and whose new image is refused."""
        back: set[str | None] = set()

        def note(result: Result) -> None:
            if result.outcome in (Outcome.INSERTED, Outcome.ALREADY_PRESENT):
                back.add(result.id)

        copies = [(task, self._copies.get(task.id or "")) for task, _ in self._refused]
        entries = [task.entry(copy) for task, copy in copies if copy is not None]
        if entries and not self.course.aborted:
            source, insert = TaskSource.of(self.prepared.source, entries), _operations.insert()
            name = "replace: put back"
            await self.course.run(name, insert, source, note, must_end=False, rejects=False)
        for task, result in self._refused:
            self.settling.refused(task, result, back=task.id in back)


def _is_sent(name: str) -> bool:
    """Tell whether a stored field can have been sent: others with an underscore are the service's.

    Example:
        >>> [name for name in ("_id", "_url", "price", "_dominant_colors") if _is_sent(name)]
        ['_id', '_url', 'price']
    """
    return name in ("_id", "_url") or not name.startswith("_")
