"""A sync from its first question to its report."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from ximilar_async.bulk._report import Stop
from ximilar_async.errors import AccountingError, BulkAborted, StateError

from . import events
from .course import StoppedError
from .difference import Action
from .execute import Executor
from .plan import PAID
from .planning import opened
from .report import OF_SOURCE, SyncReport, merged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ximilar_async.bulk._outcomes import Result
    from ximilar_async.bulk._results import ResultBuffer

    from .course import Course
    from .planning import Prepared
    from .terms import Terms

_GENTLE = frozenset({None, Stop.ASKED, Stop.DEADLINE})
"""Ends that return a report; all others raise `BulkAborted`."""


@define(eq=False)
class Sync:
    """One sync.

    Args:
        terms: What is asked for.
        course: What runs bulk runs.
        fill: Makes the tasks, from a source or a plan.
    """

    terms: Terms
    course: Course
    fill: Callable[[Prepared, Course], Awaitable[None]]
    buffer: ResultBuffer | None = field(default=None, init=False)
    _prepared: Prepared | None = field(default=None, init=False)
    _executor: Executor | None = field(default=None, init=False)
    _final: SyncReport | None = field(default=None, init=False)
    _planned: Counter[Action] | None = field(default=None, init=False)
    _unkept: StateError | None = field(default=None, init=False)
    """Why the state could not be kept any more, once something was sent."""

    async def run(self) -> SyncReport:
        """Plan and carry out, and return the report.

        Raises:
            SyncRefusedError: nobody can have meant it; nothing was sent.
            BulkAborted: it had to stop; it carries the report.
        """
        try:
            with events.watching(self.course.collection, self.terms.mode, self.report):
                await self._plan_and_execute()
        finally:
            if self.buffer is not None:
                self.buffer.end()
        assert self._final is not None  # set where nothing was raised
        report = self._final
        if self.course.failure is not None or report.stop not in _GENTLE:
            cause = self._unkept or self.course.failure
            raise BulkAborted(report.summary(), report) from cause
        return report

    async def _plan_and_execute(self) -> None:
        prepared = None
        try:
            prepared = self._prepared = await opened(self.terms, self.course, dry_run=False)
            await self.fill(prepared, self.course)
            self._planned = prepared.tasks
            events.planned(self.course.collection.id, prepared)
            self._executor = Executor(prepared, self.course, self._tell, self._wait_for_room)
            await self._executor.run()
            if prepared.broken and not self.course.over:
                self.course.end(Stop.SOURCE, prepared.broken)
        except StoppedError:
            pass
        except BulkAborted as error:
            if error is not self.course.failure:
                raise
        except StateError as error:
            if self._executor is None:
                raise  # nothing was sent, so there is nothing to report
            self._unkept = error
            self.course.end(Stop.JOURNAL, str(error))
        finally:
            self._final = self.report(over=True)
            if prepared is not None:
                await asyncio.to_thread(prepared.close)

    def report(self, *, over: bool = False) -> SyncReport:
        """Return the sync as it stands.

        Args:
            over: Whether it has ended, so that nothing may be open.

        Raises:
            AccountingError: it has ended, and the sums differ.
        """
        if self._final is not None:
            return self._final
        report, prepared = sent_so_far(self.terms, self.course), self._prepared
        return report if prepared is None else self._filled(report, prepared, over=over)

    def _filled(self, report: SyncReport, prepared: Prepared, *, over: bool) -> SyncReport:
        """Return a report with what became of the records."""
        tally: Counter[str] = Counter() if self._executor is None else self._executor.tally
        planned: Counter[Action] = self._planned or Counter()
        counts: dict[str, Any] = {name: tally.get(name, 0) for name in OF_SOURCE}
        counts["unchanged"] += prepared.unchanged
        counts["already_present"] += prepared.already_present
        counts["near_duplicate"] += prepared.near_duplicate
        deletions: dict[str, Any] = {
            n: tally.get(n, 0) for n in ("deleted", "not_found", "deletions_failed")
        }
        to_delete = planned.get(Action.DELETE, 0)
        withheld = prepared.gone if prepared.withheld else 0
        left, still = prepared.read - sum(counts.values()), to_delete - sum(deletions.values())
        if over:
            self._check(report, left, still)
            counts["not_attempted"] += left
            deletions["deletions_not_attempted"] = still
        samples = None if self._executor is None else self._executor.samples
        return evolve(
            report,
            kept={} if samples is None else samples.kept,
            reasons={} if samples is None else samples.reasons,
            read=prepared.read,
            gone=withheld or to_delete,
            deletions_withheld=withheld,
            withheld=prepared.withheld,
            restored=tally.get("restored", 0),
            not_restored=tally.get("not_restored", 0),
            images_unknown=prepared.images_unknown,
            seeded=prepared.seeded,
            notes=tuple(prepared.notes),
            planned={name: n for name in PAID if (n := planned.get(Action(name), 0))},
            **counts,
            **deletions,
        )

    def _check(self, report: SyncReport, left: int, still: int) -> None:
        ended = self.course.over or self._planned is None or self.course.failure is not None
        finished = self._executor is not None and self._executor.finished
        if left < 0 or still < 0 or (finished and not ended and (left or still)):
            raise AccountingError(
                f"{report.summary()}: {left} records and {still} deletions have no outcome"
            )

    async def _wait_for_room(self) -> None:
        if self.buffer is not None and not self.course.over:
            await self.buffer.wait_for_room()

    def _tell(self, result: Result) -> None:
        if self.buffer is not None:
            self.buffer.put(result)
        on_result = self.terms.options.on_result
        if on_result is None or self.course.stop is Stop.CALLBACK:
            return
        try:
            on_result(result)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is the user's
            self.course.end(Stop.CALLBACK, f"on_result raised {error!r}")


def sent_so_far(terms: Terms, course: Course) -> SyncReport:
    """Return what was asked of the collection, and nothing of records.

    Args:
        terms: What is asked for.
        course: Where the sync is.
    """
    phases = dict(course.reports)
    if course.present is not None:
        name, present = course.present
        phases[name] = merged(phases.get(name), present)
    return SyncReport(
        mode=terms.mode,
        requests=course.requests + sum(phase.requests for phase in phases.values()),
        retries=sum(phase.retries for phase in phases.values()),
        elapsed=course.elapsed,
        stage=course.stage,
        phases=phases,
        stop=course.stop,
        stop_reason=course.stop_reason,
    )
