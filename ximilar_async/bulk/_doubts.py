"""Records that no answer told about: looked up in the collection, then decided."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard, cast

from attrs import define, evolve, field

from ximilar_async._endpoints import GET
from ximilar_async._retry import FailureClass, Trace, classify, waits
from ximilar_async.errors import NotFoundError, TimedOutError, XimilarError

from ._calls import WithdrawnError
from ._item import LookUp
from ._outcomes import Outcome
from ._reconcile import Verdict, read_id
from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from ximilar_async._collection import Collection
    from ximilar_async._config import Retry
    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import RecordsAnswer

    from ._calls import Calls
    from ._health import Health
    from ._item import Item
    from ._ledger import Ledger
    from ._schedule import Schedule
    from ._verify import Attribute

_NOT_FOUND: Final = 404

_NO_COLLECTION: Final = re.compile(
    r"\b(no such|unknown|missing) collection\b"
    r"|\bcollection\b.*\b(not found|does not exist|not exist|unknown|missing)\b",
    re.IGNORECASE | re.DOTALL,
)
"""What the text of a 404 says where the collection itself is missing."""

_AT_ONCE: Final = 10
"""Records that are looked up at once ("max 10 records per request")."""

_LAST: Final = 60.0
"""Seconds that a look-up may take, the wait at the gate included, when there is no later."""

_BRIEF: Final = 5.0
"""Seconds of a pause that the end of a run still waits out."""

FATAL: Final[Mapping[FailureClass, Stop]] = {
    FailureClass.AUTH: Stop.AUTH,
    FailureClass.CONFIGURATION: Stop.CONFIGURATION,
}
"""Failures that no repetition helps against, and what they stop the run for."""

FREE: Final = frozenset({FailureClass.NOT_SENT, FailureClass.THROTTLED})
"""Failures that say nothing about a record: they cost time, and no attempt."""


@define(eq=False)
class Doubts:
    """Keeps records in doubt until the collection is asked about them.

    Args:
        collection: Whom to ask.
        ledger: What is told of each record.
        health: What is told of each request.
        calls: Through which requests leave.
        retry: When a look-up that failed is sent again.
        schedule: Where it waits until then.
        attribute: The verdict on a record from what was sent and what is stored.
        on_stop: Called when the run had better end, with why.
    """

    collection: Collection
    ledger: Ledger
    health: Health
    calls: Calls
    retry: Retry
    schedule: Schedule
    attribute: Attribute
    on_stop: Callable[[Stop, str], None]
    since: float = field(default=0.0, init=False)
    """Since when the first of them waits."""
    _items: list[Item] = field(factory=list, init=False)
    _once: Collection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._once = self.collection.with_options(retry=evolve(self.retry, attempts=1))

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item, verdict: Verdict) -> None:
        """Keep a record, with the reason why one has to look."""
        item.doubtful = True
        item.doubt = verdict
        if not self._items:
            self.since = self.health.clock()
        self._items.append(item)

    def take(self, *, everything: bool) -> LookUp | None:
        """Take out as many as are looked up at once, fewer only if everything is to go."""
        if not self._items or (len(self._items) < _AT_ONCE and not everything):
            return None
        taken, self._items = self._items[:_AT_ONCE], self._items[_AT_ONCE:]
        return LookUp(tuple(taken))

    def drop(self, reason: str) -> None:
        """Settle all of them as unconfirmed: nobody will be asked any more."""
        items, self._items = self._items, []
        for item in items:
            self.ledger.settle(item, evolve(unconfirmed(item, reason), final=False))

    async def look_up(self, work: LookUp, *, last: bool) -> None:
        """Ask the collection about records in doubt, and settle them or keep them for later.

        Args:
            work: The records.
            last: Whether there is no later: then the collection's own retry has to do.
        """
        trace = Trace()
        try:
            answer = await self._get(work, trace, last=last)
        except WithdrawnError:
            self.schedule.add(self.health.clock(), work)
            return
        except XimilarError as error:
            self._refused(work, error, trace, last=last)
            return
        # That a look-up is answered says nothing about what is done to records.
        self.health.answer(accepted=False)
        stored = {read_id(record): record for record in answer.records}
        absent = {skip.id for skip in answer.skipped if skip.code == _NOT_FOUND}
        for item in work.items:
            verdict = self._verdict(item, stored, absent)
            # What the end of the run keeps from being sent again is left to the next one.
            final = not last or verdict.outcome is not Outcome.FAILED
            self.ledger.settle(item, evolve(verdict, final=final))

    async def _get(self, work: LookUp, trace: Trace, *, last: bool) -> RecordsAnswer:
        collection = self.collection if last else self._once
        if last and (pause := collection.statistics().held_for) > _BRIEF:
            raise TimedOutError(f"the service asked for a pause of {pause:.0f} s")
        fields = {"records": [{"_id": item.id} for item in work.items], "fields_to_return": ["*"]}
        try:
            async with asyncio.timeout(_LAST if last else None):
                answer = await self.calls.call(collection, GET, fields, trace=trace)
        except TimeoutError:
            raise TimedOutError("the look-up had no answer in time") from None
        finally:
            self.health.sent(trace, again=trace.retries + bool(trace.requests and work.attempts))
        return cast("RecordsAnswer", answer)

    def _verdict(
        self, item: Item, stored: Mapping[str | None, Any], absent: AbstractSet[str | None]
    ) -> Verdict:
        """Return the verdict on a record in doubt; no answer is no evidence either way."""
        if (item.id in stored) == (item.id in absent):
            both = item.id in stored
            says = "contradicts itself about it" if both else "does not mention it"
            return unconfirmed(item, f"the look-up {says}")
        if item.repeats and item.id in stored:
            reason = "an earlier record of this input has this `_id`"
            return Verdict(Outcome.ALREADY_PRESENT, reason)
        return self.attribute(item.sent(), stored.get(item.id), item.doubt or Verdict(None))

    def _refused(self, work: LookUp, error: XimilarError, trace: Trace, *, last: bool) -> None:
        """Settle records whose look-up got no answer, or have it repeated."""
        failure = classify(error)
        if knows_none(error, GET):
            self.health.answer(accepted=False)
            absent = {item.id for item in work.items}
            for item in work.items:
                self.ledger.settle(item, self._verdict(item, {}, absent))
        elif failure in FATAL:
            self.on_stop(FATAL[failure], str(error))
            self._unconfirmed(work, error, final=False)
        elif failure is FailureClass.RECORD_FAULT:
            self.health.answer(accepted=False)
            self._part(work, error, final=not last)
        elif failure is FailureClass.CAPACITY:
            self.health.answer(accepted=False)
            self.on_stop(Stop.CAPACITY, str(error))
            self._unconfirmed(work, error, final=False)
        elif last:
            self._unconfirmed(work, error, final=False)
        else:
            self._again(work, error, failure, trace)

    def _part(self, work: LookUp, error: XimilarError, *, final: bool) -> None:
        """Look up the halves, for one record may spoil it for nine; a single one is given up."""
        if len(work.items) == 1:
            self._unconfirmed(work, error, final=final)
            return
        for half in work.halves():
            self.schedule.add(self.health.clock(), half)

    def _again(
        self, work: LookUp, error: XimilarError, failure: FailureClass, trace: Trace
    ) -> None:
        now = self.health.clock()
        patient = self.health.breaker.is_open or failure in FREE
        if self.health.failure(error, trace):
            self.calls.withdraw()
        attempts = work.attempts + (not patient)
        if (error.retry_after or 0.0) > self.retry.longest_hint:
            self.on_stop(Stop.OUTAGE, f"{error}: asked to wait {error.retry_after:.0f} s")
        if attempts >= self.retry.attempts:
            self._part(work, error, final=True)
            return
        series = work.waits or waits(self.retry)
        throttled = failure is FailureClass.THROTTLED
        due = now + series.after(error.retry_after, throttled=throttled)
        self.schedule.add(due, evolve(work, attempts=attempts, waits=series))

    def _unconfirmed(self, work: LookUp, error: XimilarError, *, final: bool) -> None:
        for item in work.items:
            verdict = unconfirmed(item, f"the look-up failed: {error}")
            self.ledger.settle(item, evolve(verdict, final=final))


def unconfirmed(item: Item, why: str) -> Verdict:
    """Return the verdict on a record of which nothing more can be found out.

    Args:
        item: The record.
        why: Why not.
    """
    reason = f"{item.doubt.reason}; " if item.doubt is not None and item.doubt.reason else ""
    return Verdict(Outcome.FAILED, f"unconfirmed: {reason}{why}")


def knows_none(error: XimilarError, endpoint: Endpoint[Any]) -> TypeGuard[NotFoundError]:
    """Tell a 404 about the records ("none of the requested records were found") from others.

    Others are about the address or the collection; where the collection is missing, the service
    says so in its text, and no record of it is "not found".
    """
    of_records = _NOT_FOUND in endpoint.answer_codes
    raw = error.raw if isinstance(error, NotFoundError) and of_records else None
    told = (
        isinstance(raw, dict)
        and isinstance(raw.get("status"), dict)
        and not raw.get("answer_records")
    )
    return told and not _NO_COLLECTION.search(str(getattr(error, "text", "")))
