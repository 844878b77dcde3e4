"""Sends batches and settles their records: the part of a run that meets failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from ximilar_async._config import Retry
from ximilar_async._endpoints import GET
from ximilar_async._retry import FailureClass, Trace, classify
from ximilar_async.errors import AnswerError, ApiError, CapacityError, XimilarError

from ._outcomes import Outcome
from ._reconcile import Verdict
from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ximilar_async._collection import Collection

    from ._batching import Batch
    from ._ledger import Item, Ledger
    from ._operations import Operation
    from ._reconcile import Reconciled

OUTAGE_AFTER: Final = 5
"""Batches that fail in a row, each after its retries, before the service counts as unreachable."""

_FATAL: Final[Mapping[FailureClass, Stop]] = {
    FailureClass.AUTH: Stop.AUTH,
    FailureClass.CONFIGURATION: Stop.CONFIGURATION,
}

_FULL = 412


@define(eq=False)
class Sender:
    """Turns batches into outcomes.

    Args:
        operation: What to do with the records.
        collection: Where.
        ledger: What is told of each record.
        on_stop: Called when the run had better end, with why.
    """

    operation: Operation
    collection: Collection
    ledger: Ledger
    on_stop: Callable[[Stop, str], None]
    requests: int = field(default=0, init=False)
    retries: int = field(default=0, init=False)
    _failures_in_row: int = field(default=0, init=False)

    async def send(self, batch: Batch) -> None:
        """Send a batch and settle every record in it."""
        trace = Trace()
        for item in batch.items:
            item.sent = True
        try:
            raw = (await self._call(batch, trace)).raw
        except AnswerError as error:
            trace.doubtful = True
            if error.raw is None:
                await self._unanswered(batch, error, trace)
                return
            raw = error.raw
        except XimilarError as error:
            await self._refused(batch, error, trace)
            return
        finally:
            self.requests += trace.requests
            self.retries += trace.retries
        self._failures_in_row = 0
        await self._decide(batch.items, self._reconcile(batch.items, raw, doubtful=trace.doubtful))
        if _is_full(raw):
            self.on_stop(Stop.CAPACITY, "the collection is full (412)")

    async def _call(self, batch: Batch, trace: Trace) -> Any:
        fields = self.operation.body(batch.items)
        return await self.collection.call(self.operation.endpoint, fields, trace=trace)

    # --- what answers say -----------------------------------------------------------------------

    def _reconcile(self, items: Sequence[Item], raw: object, *, doubtful: bool) -> Reconciled:
        ids = [item.id or "" for item in items]
        found = self.operation.reconcile(ids, raw, doubtful=doubtful)
        self.ledger.anomalies.update(found.anomalies)
        return found

    async def _decide(self, items: Sequence[Item], found: Reconciled) -> None:
        open_: list[Item] = []
        for item in items:
            verdict = found.verdicts[item.id or ""]
            if verdict.outcome is None:
                open_.append(item)
            else:
                self.ledger.settle(item, verdict)
        if open_:
            await self._verify(open_, found.verdicts, self.collection)

    async def _verify(
        self, items: Sequence[Item], doubts: Mapping[str, Verdict], collection: Collection
    ) -> None:
        """Look into the collection for records that no answer told about."""
        trace = Trace()
        records = [{"_id": item.id} for item in items]
        try:
            answer = await collection.call(
                GET, {"records": records, "fields_to_return": ["*"]}, trace=trace
            )
        except XimilarError as error:
            for item in items:
                reason = f"unconfirmed: {doubts[item.id or ''].reason}; the look-up failed: {error}"
                self.ledger.settle(item, Verdict(Outcome.FAILED, reason))
            return
        finally:
            self.requests += trace.requests
            self.retries += trace.retries
        stored = {record.get("_id"): record for record in answer.records}
        for item in items:
            doubt = doubts[item.id or ""]
            sent = item.entry.record if isinstance(item.entry.record, dict) else {}
            self.ledger.settle(item, self.operation.attribute(sent, stored.get(item.id), doubt))

    # --- what failures mean ---------------------------------------------------------------------

    async def _refused(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        failure = classify(error)
        if failure is FailureClass.RECORD_FAULT:
            await self._isolate(batch, error)
        elif failure is FailureClass.CAPACITY:
            await self._full(batch, error, trace)
        elif failure in _FATAL:
            self.on_stop(_FATAL[failure], str(error))
            await self._give_up(batch, error, trace, Outcome.NOT_ATTEMPTED)
        else:
            await self._unanswered(batch, error, trace)

    async def _isolate(self, batch: Batch, error: XimilarError) -> None:
        """Find the record for which the whole request is refused: the others are fine."""
        self._failures_in_row = 0
        if len(batch.items) > 1:
            for half in batch.halves():
                await self.send(half)
            return
        code = error.code if isinstance(error, ApiError) else None
        self.ledger.settle(batch.items[0], Verdict(Outcome.REJECTED, str(error), code))

    async def _full(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        self.on_stop(Stop.CAPACITY, str(error))
        raw = error.raw if isinstance(error, CapacityError) else None
        if isinstance(raw, dict) and raw.get("skipped_records"):
            await self._decide(
                batch.items, self._reconcile(batch.items, raw, doubtful=trace.doubtful)
            )
        else:
            await self._give_up(batch, error, trace, Outcome.REJECTED)

    async def _unanswered(self, batch: Batch, error: XimilarError, trace: Trace) -> None:
        self._failures_in_row += 1
        if self._failures_in_row >= OUTAGE_AFTER:
            self.on_stop(Stop.OUTAGE, str(error))
        await self._give_up(batch, error, trace, Outcome.FAILED)

    async def _give_up(
        self, batch: Batch, error: XimilarError, trace: Trace, outcome: Outcome
    ) -> None:
        """Settle what was refused; what may have been applied is looked up once."""
        code = error.code if isinstance(error, ApiError) else None
        if not trace.doubtful or not self.operation.endpoint.writes:
            for item in batch.items:
                self.ledger.settle(item, Verdict(outcome, str(error), code))
            return
        doubts = {item.id or "": Verdict(None, str(error), code) for item in batch.items}
        once = self.collection.with_options(retry=Retry(attempts=1))
        await self._verify(batch.items, doubts, once)


def _is_full(raw: object) -> bool:
    status = raw.get("status") if isinstance(raw, dict) else None
    return isinstance(status, dict) and status.get("code") == _FULL
