"""Sends batches and settles their records: the part of a run that meets failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

import orjson
from attrs import define, evolve, field

from ximilar_async._endpoints import GET
from ximilar_async._retry import FailureClass, Trace, classify, waits
from ximilar_async.errors import AnswerError, ApiError, CapacityError, NotFoundError, XimilarError

from ._breaker import Breaker
from ._item import Batch
from ._outcomes import Outcome
from ._reconcile import Verdict
from ._report import Stop
from ._schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from ximilar_async._collection import Collection
    from ximilar_async._config import Retry
    from ximilar_async._endpoints import Endpoint

    from ._item import Item, LookUp
    from ._ledger import Ledger
    from ._operations import Operation
    from ._reconcile import Reconciled

_FATAL: Final[Mapping[FailureClass, Stop]] = {
    FailureClass.AUTH: Stop.AUTH,
    FailureClass.CONFIGURATION: Stop.CONFIGURATION,
}

_FREE: Final = frozenset({FailureClass.NOT_SENT, FailureClass.THROTTLED})
"""Failures that say nothing about a record: they cost time, and no attempt."""

_NOT_FOUND: Final = 404
_FULL: Final = 412

_POISON: Final = 2
"""Failures after which a batch may be bisected instead of repeated."""

_CHANCE: Final = 0.02
"""Probability below which so many failures of one batch are no bad luck."""


@define(eq=False)
class Sender:
    """Makes one attempt at a time and turns it into outcomes, or into something to do later.

    Args:
        operation: What to do with the records.
        collection: Where.
        ledger: What is told of each record.
        retry: When and how long to wait before a batch is sent again.
        clock: Returns monotonic seconds.
        on_stop: Called when the run had better end, with why.
    """

    operation: Operation
    collection: Collection
    ledger: Ledger
    retry: Retry
    clock: Callable[[], float]
    on_stop: Callable[[Stop, str], None]
    schedule: Schedule = field(factory=Schedule, init=False)
    """Batches to be sent again."""
    doubts: list[Item] = field(factory=list, init=False)
    """Records that only a look into the collection can tell about."""
    doubted_at: float = field(default=0.0, init=False)
    """Since when the first of them waits."""
    breaker: Breaker = field(init=False)
    requests: int = field(default=0, init=False)
    retries: int = field(default=0, init=False)
    last_failure: str = field(default="", init=False)
    """What the last request met that was not answered."""
    _answered: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)
    _once: Collection = field(init=False)

    def __attrs_post_init__(self) -> None:
        retry = self.retry
        # With the usual settings probes come after 1, 2, 4 … 60 seconds.
        self.breaker = Breaker(first=2 * retry.base, last=3 * retry.cap)
        self._once = self.collection.with_options(retry=evolve(retry, attempts=1))

    def outage(self, now: float) -> str:
        """Say since when the service does not answer, and why; empty while it does."""
        opened = self.breaker.opened_at
        return "" if opened is None else f"no answer for {now - opened:.0f} s: {self.last_failure}"

    async def attempt(self, batch: Batch) -> None:
        """Send a batch once; every record in it is settled, scheduled again, or in doubt."""
        trace = Trace()
        again = batch.items[0].failed_at is not None
        for item in batch.items:
            item.under_way = trace
        try:
            raw = (await self._call(batch, trace)).raw
        except AnswerError as error:
            if error.raw is None:
                self._unanswered(batch, error)
                return
            raw = error.raw
        except XimilarError as error:
            self._refused(batch, error)
            return
        finally:
            self.requests += trace.requests
            self.retries += again
        self._answer(batch)
        self._decide(batch.items, self._reconcile(batch.items, raw))
        if _is_full(raw):
            self.on_stop(Stop.CAPACITY, "the collection is full (412)")

    async def _call(self, batch: Batch, trace: Trace) -> Any:
        fields = self.operation.body(batch.items)
        return await self._once.call(self.operation.endpoint, fields, trace=trace)

    # --- what answers say -----------------------------------------------------------------------

    def _answer(self, batch: Batch) -> None:
        """Note that the service answered, whatever it said."""
        self._answered += 1
        self.breaker.succeeded(self.clock())
        for item in batch.items:
            item.under_way = None

    def _reconcile(self, items: Sequence[Item], raw: object) -> Reconciled:
        ids = [item.id or "" for item in items]
        doubtful = {item.id for item in items if item.doubtful}
        found = self.operation.reconcile(ids, raw, doubtful=doubtful)
        if found.anomalies:
            self.ledger.anomalies.update(found.anomalies)
        return found

    def _decide(self, items: Sequence[Item], found: Reconciled) -> None:
        for item in items:
            verdict = found.verdicts[item.id or ""]
            if verdict.outcome is None:
                self._doubt(item, verdict)
            else:
                self.ledger.settle(item, verdict)

    def _doubt(self, item: Item, verdict: Verdict) -> None:
        item.doubtful = True
        item.doubt = verdict
        if not self.doubts:
            self.doubted_at = self.clock()
        self.doubts.append(item)

    async def look_up(self, work: LookUp) -> None:
        """Ask the collection about records in doubt, and settle them."""
        trace = Trace()
        fields = {"records": [{"_id": item.id} for item in work.items], "fields_to_return": ["*"]}
        try:
            answer = await self.collection.call(GET, fields, trace=trace)
        except XimilarError as error:
            self._not_found(work, error)
            return
        finally:
            self.requests += trace.requests
            self.retries += trace.retries
        stored = {_id_of(record): record for record in answer.records}
        absent = {skip.id for skip in answer.skipped if skip.code == _NOT_FOUND}
        for item in work.items:
            self.ledger.settle(item, self._attribute(item, stored, absent))

    def _not_found(self, work: LookUp, error: XimilarError) -> None:
        """Settle records whose look-up was no answer, or a 404 about all of them."""
        none_there = self._knows_none(error, GET)
        absent = {item.id for item in work.items}
        for item in work.items:
            failed = unconfirmed(item, f"the look-up failed: {error}")
            self.ledger.settle(item, self._attribute(item, {}, absent) if none_there else failed)

    def _attribute(
        self, item: Item, stored: Mapping[str | None, Any], absent: AbstractSet[str | None]
    ) -> Verdict:
        """Return the verdict on a record in doubt; what no list mentions stays unconfirmed."""
        if item.id not in stored and item.id not in absent:
            return unconfirmed(item, "the look-up does not mention it")
        sent = {} if item.encoded is None else orjson.loads(item.encoded.wire)
        return self.operation.attribute(sent, stored.get(item.id), item.doubt or Verdict(None))

    # --- what failures mean ---------------------------------------------------------------------

    def _refused(self, batch: Batch, error: XimilarError) -> None:
        failure = classify(error)
        if self._knows_none(error, self.operation.endpoint):
            self._answer(batch)
            self._decide(batch.items, self._reconcile(batch.items, error.raw))
        elif failure is FailureClass.RECORD_FAULT:
            self._answer(batch)
            self._isolate(batch, error)
        elif failure is FailureClass.CAPACITY:
            self._full(batch, error)
        elif failure in _FATAL:
            self.on_stop(_FATAL[failure], str(error))
            self._give_up(batch.items, error, Outcome.NOT_ATTEMPTED)
        else:
            self._unanswered(batch, error)

    @staticmethod
    def _knows_none(error: XimilarError, endpoint: Endpoint[Any]) -> TypeGuard[NotFoundError]:
        """Tell a 404 about the records ("none of the requested records were found") from others."""
        of_records = _NOT_FOUND in endpoint.answer_codes
        raw = error.raw if isinstance(error, NotFoundError) and of_records else None
        return isinstance(raw, dict) and isinstance(raw.get("status"), dict)

    def _isolate(self, batch: Batch, error: XimilarError) -> None:
        """Find the record for which the whole request is refused: the others are fine."""
        if len(batch.items) == 1:
            self._give_up(batch.items, error, Outcome.REJECTED)
            return
        for half in batch.halves():
            self.schedule.add(self.clock(), half)

    def _full(self, batch: Batch, error: XimilarError) -> None:
        self.on_stop(Stop.CAPACITY, str(error))
        raw = error.raw if isinstance(error, CapacityError) else None
        if isinstance(raw, dict) and raw.get("skipped_records"):
            self._answer(batch)
            self._decide(batch.items, self._reconcile(batch.items, raw))
        else:
            self._give_up(batch.items, error, Outcome.REJECTED)

    def _unanswered(self, batch: Batch, error: XimilarError) -> None:
        """Send again later what may still succeed, and give up what was tried long enough."""
        failure, now = classify(error), self.clock()
        outage = self.breaker.is_open
        self.last_failure = str(error)
        self._failed += 1
        if failure is FailureClass.THROTTLED:
            self.breaker.succeeded(now)
        elif outage or not batch.isolated:
            # A record that breaks its request is no outage; in one, it may have been the probe.
            self.breaker.failed(now)
        for item in batch.items:
            self._note_failure(item, error, now)
            # In an outage records wait for the service, they do not use up their attempts.
            patient = outage and not batch.isolated
            item.attempts += 0 if patient or failure in _FREE else 1
        if (error.retry_after or 0.0) > self.retry.longest_hint:
            self.on_stop(Stop.OUTAGE, f"{error}: asked to wait {error.retry_after:.0f} s")
        # A batch that is being bisected is given up record by record, never as a whole.
        whole = not batch.isolated or len(batch.items) == 1
        over = [item for item in batch.items if whole and self._is_over(item, now)]
        rest = [item for item in batch.items if item not in over]
        self._give_up(over, error, Outcome.FAILED)
        if rest:
            self._again(Batch(tuple(rest), batch.isolated), error, failure, now)

    def _note_failure(self, item: Item, error: XimilarError, now: float) -> None:
        item.under_way = None
        item.doubtful = item.doubtful or (error.doubtful and self.operation.endpoint.writes)
        if item.failed_at is None:
            item.failed_at, item.answered_then = now, self._answered
            item.open_then = self.breaker.open_seconds

    def _is_over(self, item: Item, now: float) -> bool:
        # Time in which nothing could succeed does not count.
        outages = self.breaker.open_seconds - item.open_then
        passed = now - (item.failed_at or now) - outages
        late = passed > self.retry.deadline and not self.breaker.is_open
        return item.attempts >= self.retry.attempts or late

    def _again(self, batch: Batch, error: XimilarError, failure: FailureClass, now: float) -> None:
        first = batch.items[0]
        series = first.waits or waits(self.retry)
        for item in batch.items:
            item.waits = series
        throttled = failure is FailureClass.THROTTLED
        due = now + series.after(error.retry_after, throttled=throttled)
        poison = failure is FailureClass.DOUBTFUL and (batch.isolated or self._is_poison(first))
        for part in batch.halves() if poison and len(batch.items) > 1 else (batch,):
            self.schedule.add(due, part)

    def _is_poison(self, item: Item) -> bool:
        """Tell whether a record fails too often, while others succeed, for it to be bad luck.

        Where 1 % of all requests fail, two failures say so; where 30 % fail, it takes four.
        """
        rate = self._failed / (self._failed + self._answered)
        others_succeed = self._answered > item.answered_then
        return item.attempts >= _POISON and others_succeed and rate**item.attempts < _CHANCE

    def _give_up(self, items: Sequence[Item], error: XimilarError, outcome: Outcome) -> None:
        """Settle what will not be sent again; what may have been applied is looked up."""
        code = error.code if isinstance(error, ApiError) else None
        for item in items:
            item.under_way = None
            item.doubtful = item.doubtful or (error.doubtful and self.operation.endpoint.writes)
            if item.doubtful:
                self._doubt(item, Verdict(None, str(error), code))
            else:
                self.ledger.settle(item, Verdict(outcome, str(error), code))


def unconfirmed(item: Item, why: str) -> Verdict:
    """Return the verdict on a record of which nothing more can be found out.

    Args:
        item: The record.
        why: Why not.
    """
    reason = f"{item.doubt.reason}; " if item.doubt is not None and item.doubt.reason else ""
    return Verdict(Outcome.FAILED, f"unconfirmed: {reason}{why}")


def _is_full(raw: object) -> bool:
    status = raw.get("status") if isinstance(raw, dict) else None
    return isinstance(status, dict) and status.get("code") == _FULL


def _id_of(record: Mapping[str, Any]) -> str | None:
    id_ = record.get("_id")
    return str(id_) if isinstance(id_, (str, int)) else None
