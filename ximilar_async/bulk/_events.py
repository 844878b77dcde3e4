"""What a run tells loggers and whoever watches the client; see docs/logging.md."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async._logging import (
    BATCH_RETRY,
    BREAKER_CLOSE,
    BREAKER_OPEN,
    RUN_END,
    RUN_START,
    RUN_STOP,
    plain,
    told,
)

from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ximilar_async._collection import Collection
    from ximilar_async._observer import RunObserver
    from ximilar_async.errors import XimilarError

    from ._health import Health
    from ._ledger import Ledger
    from ._outcomes import Outcome
    from ._report import Report


@define(eq=False)
class Events:
    """Tells of one run.

    Args:
        operation: What it does.
        collection: Where.
        ledger: Knows what became of the records.
        health: Knows what the service said last.
    """

    operation: str
    collection: Collection
    ledger: Ledger
    health: Health
    observed: RunObserver | None = field(default=None, init=False)
    """Who watches the run; None for nobody."""
    _before: Mapping[Outcome, int] = field(factory=dict, init=False)
    """What earlier runs of the same journal decided."""
    _started: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.health.breaker.on_change = self._breaker_changed

    @contextmanager
    def watching(self, report: Callable[[], Report]) -> Iterator[None]:
        """Have the run watched, and tell of its end.

        Args:
            report: Returns the run's report.
        """
        collection, observer = self.collection, self.collection.observer
        if observer is None:
            try:
                yield
            finally:
                self._ended(report)
            return
        with observer.run(self.operation, collection.service, collection.id) as self.observed:
            try:
                yield
            finally:
                self._ended(report)

    def started(self, source: str, workers: int) -> None:
        """Tell that records are read from now on.

        Args:
            source: The records' name.
            workers: How many batches may be under way at once.
        """
        self._started, self._before = True, dict(self.ledger.counts)
        RUN_START.tell(
            **self._run, source=plain(source), workers=workers, resumed=self.ledger.resumed
        )

    def stopped(self, stop: Stop, reason: str) -> None:
        """Tell that the run ends early."""
        level = logging.INFO if stop is Stop.ASKED else logging.WARNING
        RUN_STOP.tell(level, **self._run, stop=stop.value, reason=plain(reason))
        if self.observed is not None:
            self.observed.event("run.stop", {"stop": stop.value, "reason": plain(reason)})

    def retries(self, error: XimilarError, wait: float, records: int) -> None:
        """Tell that a failed batch is sent again.

        Args:
            error: What it met.
            wait: Seconds until then.
            records: How many these are.
        """
        if BATCH_RETRY.is_wanted():
            BATCH_RETRY.tell(**self._run, records=records, wait=wait, **told(error))
        if self.observed is not None:
            self.observed.again(error)

    def look(self) -> None:
        """Tell how far the run is; called a few times a second."""
        if self.observed is None or not self._started:
            return
        counts = {
            outcome.value: count - self._before.get(outcome, 0)
            for outcome, count in self.ledger.counts.items()
        }
        self.observed.counted(counts, self.ledger.open)

    @property
    def _run(self) -> dict[str, str]:
        return {"operation": self.operation, "collection": self.collection.id}

    def _breaker_changed(self, seconds: float | None) -> None:
        """Tell that the service does not answer, or answers again after so many seconds."""
        if seconds is None:
            reason = plain(self.health.last_failure)
            BREAKER_OPEN.tell(**self._run, reason=reason)
            if self.observed is not None:
                self.observed.event("breaker.open", {"reason": reason})
        else:
            BREAKER_CLOSE.tell(**self._run, seconds=seconds)
            if self.observed is not None:
                self.observed.event("breaker.close", {"seconds": seconds})

    def _ended(self, final: Callable[[], Report]) -> None:
        if not self._started:
            return  # journal or rejects file could not be opened; that is raised
        self.look()
        report = final()
        level = logging.INFO if _is_good(report) else logging.WARNING
        RUN_END.tell(
            level,
            **self._run,
            summary=plain(report.summary()),
            read=report.read,
            counts={outcome.value: count for outcome, count in report.counts.items()},
            requests=report.requests,
            retries=report.retries,
            seconds=report.elapsed,
            stop=None if report.stop is None else report.stop.value,
        )
        if self.observed is not None:
            facts: dict[str, str | int | float] = {
                "read": report.read,
                "resumed": report.resumed,
                "requests": report.requests,
                "retries": report.retries,
            }
            self.observed.ended(facts, stop="" if report.stop is None else report.stop.value)


def _is_good(report: Report) -> bool:
    """Tell whether nobody has to look at a report: all is decided, or the run was asked to end."""
    return report.ok or report.dry_run or report.stop is Stop.ASKED
