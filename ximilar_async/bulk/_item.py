"""A record on its way through a run, and the units of work that it travels in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from attrs import define, field, frozen

from ximilar_async._encoding import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._encoding import Wire
    from ximilar_async._retry import Waits
    from ximilar_async.sources import Entry

    from ._reconcile import Verdict
    from ._usual import Usual


@define(eq=False)
class Item:
    """A record on its way through the run."""

    seq: int
    entry: Entry
    id: str | None
    """The record's `_id`, or what was read in its place where plain ids will do."""
    wire: Wire = b""
    """The record as JSON, once it is checked and its image is prepared."""
    attempts: int = 0
    """Requests with it that failed, those of an outage left aside."""
    failed_at: float | None = None
    """When the first of them failed, on the run's clock."""
    answered_then: int = 0
    """How many requests of the run had been answered by then."""
    waits: Waits | None = None
    """Its series of waits, once it failed."""
    open_then: float = 0.0
    """Seconds of outages before it first failed."""
    repeats: bool = False
    """Whether an earlier record of the same input is known to have brought the `_id` in."""
    doubt: Verdict | None = None
    """Why only a look into the collection can tell what became of it, once it is so."""
    doubtful: bool = False
    """Whether an earlier request may have been applied although no usable answer came."""

    @classmethod
    def of(cls, seq: int, entry: Entry) -> Item:
        """Return the item for a record as it was read."""
        record = entry.record
        id_ = record.get("_id") if isinstance(record, dict) else record
        return cls(seq, entry, id_ if isinstance(id_, str) else None)

    def sent(self) -> dict[str, Any]:
        """Return the record as it was sent; nothing before it is prepared."""
        fields: dict[str, Any] = orjson.loads(joined(self.wire) or b"{}")
        return fields

    @property
    def size(self) -> int:
        """Return the bytes of JSON that it takes in a request, its comma included."""
        return len(self.wire) + 1


@define
class Batch:
    """Records that travel in one request; no two have the same `_id`."""

    _items: tuple[Item, ...] | None = field(alias="items")
    isolated: bool = False
    """Whether it must not be filled up with other records: one of its own may be poison."""
    usual: Usual | None = None
    """Its records as they were encoded together; items of their own are made when needed."""

    @property
    def items(self) -> tuple[Item, ...]:
        """Return its records; most batches succeed, and nobody ever asks."""
        if self._items is None:
            assert self.usual is not None
            self._items = self.usual.items()
        return self._items

    @property
    def seqs(self) -> Sequence[int]:
        """Return the numbers of its records."""
        return self.usual.seqs if self.usual else [item.seq for item in self.items]

    @property
    def ids(self) -> Sequence[str]:
        """Return the ids of its records."""
        return self.usual.ids if self.usual else [item.id or "" for item in self.items]

    @property
    def is_fresh(self) -> bool:
        """Tell whether no request with its first record has failed."""
        return self._items is None or self._items[0].failed_at is None

    def apart(self) -> Batch:
        """Return the same batch, kept from other records: one of its own may be poison."""
        return Batch(self.items, isolated=True)

    def singles(self) -> tuple[Batch, ...]:
        """Return each record as a batch of its own."""
        return tuple(Batch((item,), isolated=True) for item in self.items)

    def halves(self) -> tuple[Batch, ...]:
        """Return the batch cut in two, to find the record that a whole request fails for."""
        middle = len(self.items) // 2
        return Batch(self.items[:middle], isolated=True), Batch(self.items[middle:], isolated=True)


@frozen
class LookUp:
    """Records of which only a look into the collection can tell what became of them."""

    items: tuple[Item, ...]
    attempts: int = 0
    """Requests for it that failed, those of an outage left aside."""
    waits: Waits | None = None
    """Its series of waits, once one failed."""

    def halves(self) -> tuple[LookUp, ...]:
        """Return the look-up cut in two; each half is tried a few times more."""
        middle = len(self.items) // 2
        tried = self.attempts // 2
        return LookUp(self.items[:middle], tried), LookUp(self.items[middle:], tried)


Work: TypeAlias = Batch | LookUp
"""What a worker takes from the queue."""
