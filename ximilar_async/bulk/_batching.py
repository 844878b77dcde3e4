"""Records to batches: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from ._item import Batch

if TYPE_CHECKING:
    from ._item import Item


@define
class Batcher:
    """Fills batches in the order of the records, bounded by number and bytes.

    An `_id` that is already in the batch opens the next one: results are joined by `_id`, so no
    request may hold one twice.

    Args:
        size: Most records in a batch.
        max_bytes: Most bytes of JSON in a batch.
    """

    size: int
    max_bytes: int
    _items: list[Item] = field(factory=list, init=False)
    _ids: set[str | None] = field(factory=set, init=False)
    _bytes: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> list[Batch]:
        """Add a record and return the batches that are ready now: none, one or two."""
        ready = []
        over = self._bytes + item.size > self.max_bytes
        if self._items and (over or item.id in self._ids):
            ready.append(self._cut())
        self._items.append(item)
        self._ids.add(item.id)
        self._bytes += item.size
        if len(self._items) == self.size:
            ready.append(self._cut())
        return ready

    def flush(self) -> list[Batch]:
        """Return what is left as a batch, if anything is."""
        return [self._cut()] if self._items else []

    def _cut(self) -> Batch:
        batch = Batch(tuple(self._items))
        self._items.clear()
        self._ids.clear()
        self._bytes = 0
        return batch
