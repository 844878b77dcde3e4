"""Sends batches and settles their records: the part of a run that meets failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field

from ximilar_async._models import Answer
from ximilar_async._retry import FailureClass, Trace, classify, waits
from ximilar_async.errors import (
    AnswerError,
    AnswerTooLargeError,
    ApiError,
    CapacityError,
    NotFoundError,
    XimilarError,
)

from ._calls import WithdrawnError
from ._doubts import FATAL, FREE, knows_none
from ._item import Batch
from ._outcomes import Outcome
from ._reconcile import Verdict, is_all_done
from ._report import Stop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from ximilar_async._collection import Collection
    from ximilar_async._config import Retry
    from ximilar_async._endpoints import Endpoint

    from ._calls import Calls
    from ._doubts import Doubts
    from ._events import Events
    from ._health import Health
    from ._item import Item
    from ._ledger import Ledger
    from ._operations import Operation
    from ._poison import PoisonGuard
    from ._schedule import Schedule

_FULL: Final = 412

_SYSTEMATIC: Final = 50
"""Records that may be refused one by one, none accepted, before the run itself must be wrong."""


@define(eq=False)
class Sender:
    """Makes one attempt at a time and turns it into outcomes, or into something to do later.

    Args:
        operation: What to do with the records.
        collection: Where; its calls are made once, for sending again is the schedule's.
        ledger: What is told of each record.
        health: What is told of each request.
        doubts: Where records go that only a look into the collection can tell about.
        calls: Through which requests leave.
        poison: Tells a batch that breaks its request from an outage.
        schedule: Where batches wait that are to be sent again.
        retry: When and how long to wait before that.
        on_stop: Called when the run had better end, with why.
        events: What loggers are told, and whoever watches the run.
    """

    operation: Operation
    collection: Collection
    ledger: Ledger
    health: Health
    doubts: Doubts
    calls: Calls
    poison: PoisonGuard
    schedule: Schedule
    retry: Retry
    on_stop: Callable[[Stop, str], None]
    events: Events
    _endpoint: Endpoint[Any] = field(init=False)
    _refused_alone: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._endpoint = self.operation.endpoint
        if not self.operation.one_query:
            # Reconciling reads the decoded answer; building typed records would cost 8 µs more.
            self._endpoint = evolve(self._endpoint, answer=Answer)

    async def attempt(self, batch: Batch, task: asyncio.Task[Any]) -> None:
        """Send a batch once; every record in it is settled, scheduled again, or in doubt.

        Args:
            batch: The records.
            task: The worker's.
        """
        trace = Trace()
        try:
            await self._attempt(batch, trace, task)
        except WithdrawnError:
            self._note_sent(batch, trace)
            self.schedule.add(self.health.clock(), batch)
        except BaseException:
            self._note_sent(batch, trace)
            raise

    async def _attempt(self, batch: Batch, trace: Trace, task: asyncio.Task[Any]) -> None:
        again = not batch.is_fresh
        body = self.operation.body(batch)
        if self.events.observed is not None:
            self.events.observed.batch(len(batch.ids))
        try:
            try:
                answer = await self.calls.call(
                    self.collection, self._endpoint, body, trace=trace, task=task
                )
            finally:
                self.health.sent(trace, again=trace.requests if again else trace.retries)
        except AnswerError as error:
            if error.raw is None or self.operation.one_query:
                await self._unanswered(batch, error, trace)
            else:
                self._answered(batch, error.raw)
        except XimilarError as error:
            await self._refused(batch, error, trace)
        else:
            self._answered(batch, answer.raw, answer)

    def _note_sent(self, batch: Batch, trace: Trace) -> None:
        """Note that a request which did not end as requests do may have been applied."""
        if trace.requests and self.operation.endpoint.writes:
            for item in batch.items:
                item.doubtful = True

    # --- what answers say -----------------------------------------------------------------------

    def _answered(self, batch: Batch, raw: object, answer: Answer | None = None) -> None:
        self.health.answer(accepted=True)
        if self.operation.one_query and answer is not None:
            found = Verdict(self.operation.success, answer=answer)
            self.ledger.settle(batch.items[0], found)
            return
        self._decide(batch, raw)
        if _is_full(raw):
            self.on_stop(Stop.CAPACITY, "the collection is full (412)")

    def _decide(self, batch: Batch, raw: object) -> None:
        """Settle the records of an answer, or keep them in doubt."""
        ids = batch.ids
        if not self.ledger.listeners.wants_results and is_all_done(ids, raw):
            self.ledger.settle_all(batch, self.operation.success)
            return
        items = batch.items
        doubtful = {item.id for item in items if item.doubtful and not item.repeats}
        found = self.operation.reconcile(ids, raw, doubtful=doubtful)
        if found.anomalies:
            self.ledger.anomalies.update(found.anomalies)
        for item in items:
            verdict = found.verdicts[item.id or ""]
            if verdict.outcome is None:
                self.doubts.add(item, verdict)
            else:
                self.ledger.settle(item, verdict)

    # --- what failures mean ---------------------------------------------------------------------

    async def _refused(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        failure = classify(error)
        if isinstance(error, NotFoundError) and self._is_about_records(error):
            self.health.answer(accepted=True)
            self._missing(batch, error)
        elif failure is FailureClass.RECORD_FAULT:
            self.health.answer(accepted=False)
            self._isolate(batch, error)
        elif failure is FailureClass.CAPACITY:
            self._full(batch, error)
        elif failure in FATAL:
            self.on_stop(FATAL[failure], "; ".join([str(error), *getattr(error, "__notes__", ())]))
            self._give_up(batch.items, error, Outcome.NOT_ATTEMPTED)
        elif isinstance(error, AnswerTooLargeError):
            self._too_large(batch, error, trace)
        else:
            await self._unanswered(batch, error, trace)

    def _too_large(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        """Ask for less at once: the same answer would be as large again."""
        self.health.answer(accepted=False)
        self._note_sent(batch, trace)
        self._isolate(batch, error)

    def _is_about_records(self, error: NotFoundError) -> bool:
        endpoint = self.operation.endpoint
        if self.operation.one_query:
            endpoint = evolve(endpoint, answer_codes=frozenset({error.code}))
        return knows_none(error, endpoint)

    def _missing(self, batch: Batch, error: NotFoundError) -> None:
        if self.operation.one_query:
            self._give_up(batch.items, error, Outcome.NOT_FOUND)
        else:
            self._decide(batch, error.raw)

    def _isolate(self, batch: Batch, error: XimilarError) -> None:
        """Find the record for which the whole request is refused: the others are fine."""
        if len(batch.items) > 1:
            # Where nothing was ever accepted, the fault may be the run's: single records tell soon.
            parts = batch.halves() if self.health.accepted else batch.singles()
            for part in parts:
                self.schedule.add(self.health.clock(), part)
            return
        self._give_up(batch.items, error, Outcome.REJECTED)
        self._refused_alone += 1
        if self._refused_alone >= _SYSTEMATIC and not self.health.accepted:
            self.on_stop(
                Stop.CONFIGURATION,
                f"{self._refused_alone} records were each refused and none accepted: {error}",
            )

    def _full(self, batch: Batch, error: XimilarError) -> None:
        self.on_stop(Stop.CAPACITY, str(error))
        raw = error.raw if isinstance(error, CapacityError) else None
        if isinstance(raw, dict) and raw.get("skipped_records"):
            self.health.answer(accepted=True)
            self._decide(batch, raw)
        elif isinstance(error, CapacityError) and error.code == _FULL:
            # "refused because of storage capacity exceeded", and no word whether all of them were.
            for item in batch.items:
                self.doubts.add(item, Verdict(None, str(error), _FULL))
        else:
            self._give_up(batch.items, error, Outcome.REJECTED)

    async def _unanswered(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        """Send again later what may still succeed, and give up what was tried long enough."""
        failure, now = classify(error), self.health.clock()
        outage = self.health.breaker.is_open
        # In an outage records wait for the service, they do not use up their attempts.
        free = failure in FREE or (outage and not batch.isolated)
        for item in batch.items:
            self._note_failure(item, error, now)
            item.attempts += not free
        # A record that breaks its request is no outage; in one, it may have been the probe.
        if self.health.failure(error, trace, counts=not batch.isolated):
            self.calls.withdraw()
        if (error.retry_after or 0.0) > self.retry.longest_hint:
            self.on_stop(Stop.OUTAGE, f"{error}: asked to wait {error.retry_after:.0f} s")
        # A batch that is being bisected is given up record by record, never as a whole.
        whole = not batch.isolated or len(batch.items) == 1
        over = [i for i in batch.items if whole and failure not in FREE and self._is_over(i, now)]
        rest = tuple(item for item in batch.items if item not in over)
        self._give_up(over, error, Outcome.FAILED)
        if rest:
            await self._again(Batch(rest, batch.isolated), error, failure)

    def _note_failure(self, item: Item, error: XimilarError, now: float) -> None:
        item.doubtful = item.doubtful or (error.doubtful and self.operation.endpoint.writes)
        if item.failed_at is None:
            item.failed_at, item.answered_then = now, self.health.answered
            item.open_then = self.health.breaker.open_seconds

    def _is_over(self, item: Item, now: float) -> bool:
        # Time in which nothing could succeed does not count.
        breaker = self.health.breaker
        outages = breaker.open_seconds - item.open_then
        passed = now - (item.failed_at or now) - outages
        late = passed > self.retry.deadline and not breaker.is_open
        return item.attempts >= self.retry.attempts or late

    async def _again(self, batch: Batch, error: XimilarError, failure: FailureClass) -> None:
        first = batch.items[0]
        series = first.waits or waits(self.retry)
        for item in batch.items:
            item.waits = series
        throttled = failure is FailureClass.THROTTLED
        wait = series.after(error.retry_after, throttled=throttled)
        self.events.retries(error, wait, len(batch.items))
        poison = failure is FailureClass.DOUBTFUL and (
            batch.isolated or await self.poison.suspects(first)
        )
        parts = batch.halves() if poison and len(batch.items) > 1 else (batch,)
        for part in parts:
            self.schedule.add(self.health.clock() + wait, part.apart() if poison else part)

    def _give_up(self, items: Sequence[Item], error: XimilarError, outcome: Outcome) -> None:
        """Settle what will not be sent again; what may have been applied is looked up."""
        code = error.code if isinstance(error, ApiError) else None
        for item in items:
            item.doubtful = item.doubtful or (error.doubtful and self.operation.endpoint.writes)
            if item.doubtful:
                self.doubts.add(item, Verdict(None, str(error), code))
            else:
                self.ledger.settle(item, Verdict(outcome, str(error), code))


def _is_full(raw: object) -> bool:
    status = raw.get("status") if isinstance(raw, dict) else None
    return isinstance(status, dict) and status.get("code") == _FULL
