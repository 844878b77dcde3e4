"""The ledger of a run: every record read is opened once and settled once."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async.errors import AccountingError

from ._item import Item
from ._outcomes import GOOD, Outcome, Result
from ._reconcile import Verdict
from ._report_samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ximilar_async._encoding import Wire
    from ximilar_async.sources import Entry

    from ._books import Books
    from ._item import Batch
    from ._listeners import Listeners


@define(eq=False)
class Ledger:
    """Counts what was read and what became of it; the two are equal at the end, or it says so.

    Args:
        listeners: Who is told of single results.
        books: Where outcomes are written down.
        on_settled: Called with the numbers and ids of records as they are decided.
    """

    listeners: Listeners
    books: Books
    on_settled: Callable[[Sequence[int], Sequence[str], Outcome], object]
    read: int = field(default=0, init=False)
    pending_bytes: int = field(default=0, init=False)
    counts: Counter[Outcome] = field(factory=Counter, init=False)
    anomalies: Counter[str] = field(factory=Counter, init=False)
    samples: Samples = field(factory=Samples, init=False)
    _open: dict[int, Item | Batch] = field(factory=dict, init=False)
    """Records by their number; those of a usual batch stand for themselves in the batch."""
    inferred: int = field(default=0, init=False)
    """Records that count as this run's work although another answer was lost."""
    resumed: int = field(default=0, init=False)
    """Records that earlier runs decided."""
    _elsewhere: int = field(default=0, init=False)
    """Records that earlier runs decided and this one has not come to yet."""

    def take_over(self, counts: Mapping[Outcome, int]) -> None:
        """Count what earlier runs of the same journal decided."""
        self.counts.update(counts)
        self.resumed = self._elsewhere = sum(counts.values())

    def skip(self) -> None:
        """Note that a record was read which an earlier run decided."""
        self.read += 1
        self._elsewhere -= 1

    @property
    def read_in_all(self) -> int:
        """Return how many records this run and earlier ones read."""
        return self.read + self._elsewhere

    @property
    def open(self) -> int:
        """Return how many records are not settled yet."""
        return len(self._open)

    @property
    def oldest(self) -> float:
        """Return the number of the first record that is not settled; infinity if all are."""
        return next(iter(self._open), inf)

    def is_open(self, item: Item) -> bool:
        """Tell whether a record is not settled yet."""
        return item.seq in self._open

    def admit(self, entry: Entry) -> Item:
        """Open a record that was read."""
        item = Item.of(self.read + 1, entry)
        self._open[item.seq] = item
        self.read += 1
        return item

    def admit_all(self, entries: Sequence[Entry]) -> list[Item]:
        """Open records that were read, all of them for the first time."""
        items = [Item.of(seq, entry) for seq, entry in enumerate(entries, self.read + 1)]
        self._open.update({item.seq: item for item in items})
        self.read += len(items)
        return items

    def admit_batch(self, batch: Batch) -> None:
        """Open the records of a batch that was made as they were read."""
        assert batch.usual is not None
        self._open.update(dict.fromkeys(batch.usual.seqs, batch))
        self.read += len(batch.usual.ids)
        self.pending_bytes += len(batch.usual.joined) + 1

    def prepared(self, item: Item, wire: Wire) -> None:
        """Note a record's JSON form, and what it weighs."""
        item.wire = wire
        self.pending_bytes += item.size

    def settle_all(self, batch: Batch, outcome: Outcome) -> None:
        """Close records that all ended in the wanted way, with nothing to say of any.

        Costs a third of closing each by itself, which matters because it is the usual case.

        Raises:
            AccountingError: one was closed before.
        """
        seqs, usual, pop = batch.seqs, batch.usual, self._open.pop
        for seq in seqs:
            if pop(seq, None) is None:
                raise AccountingError(f"record {seq} was settled twice")
        size = len(usual.joined) + 1 if usual else sum(item.size for item in batch.items)
        self.pending_bytes -= size
        self.counts[outcome] += len(seqs)
        self.books.decided_all(seqs, outcome)
        self.on_settled(seqs, batch.ids, outcome)

    def settle(self, item: Item, verdict: Verdict) -> None:
        """Close a record with its verdict; one without an outcome counts as failed.

        Raises:
            AccountingError: it was closed before.
        """
        if self._open.pop(item.seq, None) is None:
            raise AccountingError(f"record {item.seq} was settled twice")
        if item.wire:
            self.pending_bytes -= item.size
        outcome = verdict.outcome or Outcome.FAILED
        self.counts[outcome] += 1
        self.inferred += verdict.inferred
        told = self.listeners.wants_results
        result = None if outcome in GOOD and not told else _result(item, outcome, verdict)
        if verdict.final or not self.books.resumable:
            self.books.decided(item, outcome, result)
        if result is not None:
            self.samples.add(result)
            if told:
                self.listeners.notify(result)
        self.on_settled((item.seq,), (item.id or "",), outcome)

    def close(self, reason: str) -> None:
        """Close what is still open: it was not attempted, or sent without a usable answer.

        Raises:
            AccountingError: the outcomes do not sum to the records read.
        """
        for seq, opened in list(self._open.items()):
            item = opened if isinstance(opened, Item) else opened.items[seq - opened.seqs[0]]
            if item.doubtful:
                self.settle(item, Verdict(Outcome.FAILED, f"unconfirmed: {reason}", final=False))
            else:
                self.settle(item, Verdict(Outcome.NOT_ATTEMPTED, reason))
        total, read = sum(self.counts.values()), self.read_in_all
        if total != read:
            raise AccountingError(f"{read} records were read, but {total} are accounted for")


def _result(item: Item, outcome: Outcome, verdict: Verdict) -> Result:
    return Result(
        item.seq,
        item.entry.where,
        item.id,
        outcome,
        verdict.reason,
        verdict.code,
        verdict.near_duplicates,
        item.entry.record,
        verdict.answer,
    )
