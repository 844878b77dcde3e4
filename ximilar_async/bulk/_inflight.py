"""Of records with the same key only one is under way; the others wait for it to be decided."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._item import Item


def by_id(item: Item) -> str:
    """Return the key that keeps an `_id` from being under way twice."""
    return item.id or ""


@define
class InFlight:
    """The keys of all records between reading and outcome, and the records that wait for them.

    Answers are joined by `_id`, so one id may not be in two requests at once, nor twice in one.

    Args:
        key: Returns what two records must not share while they are under way.

    Example:
        >>> from ximilar_async.bulk._item import Item
        >>> from ximilar_async.sources import Entry
        >>> first, second = (Item.of(seq, Entry("", {"_id": "a"})) for seq in (1, 2))
        >>> guard = InFlight()
        >>> guard.enter(first), guard.enter(second)
        (True, False)
        >>> guard.leave_all([first.seq]) == [(0, second)]
        True
    """

    key: Callable[[Item], str] = by_id
    _held: dict[int, str] = field(factory=dict, init=False)
    """The key of each record under way, by its number."""
    _waiting: dict[str, deque[Item] | None] = field(factory=dict, init=False)

    def enter(self, item: Item) -> bool:
        """Tell whether the record may go on; if not, it is kept until its turn comes."""
        key = self.key(item)
        if key not in self._waiting:
            self._waiting[key] = None
            self._held[item.seq] = key
            return True
        queue = self._waiting[key]
        if queue is None:
            queue = self._waiting[key] = deque()
        queue.append(item)
        return False

    def enter_all(self, seqs: Sequence[int], keys: Sequence[str]) -> bool:
        """Let records enter if none of them shares its key with any other; else let none.

        Args:
            seqs: Their numbers.
            keys: Their keys.
        """
        alone = dict.fromkeys(keys)
        if len(alone) < len(keys) or not self._waiting.keys().isdisjoint(alone):
            return False
        self._waiting.update(alone)
        self._held.update(zip(seqs, keys, strict=True))
        return True

    def leave_all(self, seqs: Sequence[int]) -> list[tuple[int, Item]]:
        """Note that records are decided; return those that waited behind them, if any.

        Args:
            seqs: Their numbers.

        Returns:
            Pairs of a decided record's place in `seqs` and the record whose turn it is now.
        """
        held, waiting = self._held, self._waiting
        pairs = []
        for place, seq in enumerate(seqs):
            key = held.pop(seq, None)
            if key is None:
                continue
            queue = waiting.pop(key, None)
            if queue:
                waiting[key] = queue
                following = queue.popleft()
                held[following.seq] = key
                pairs.append((place, following))
        return pairs
