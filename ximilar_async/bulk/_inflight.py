"""No `_id` is ever under way twice: a repeated one waits for the first to be decided."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from ._item import Item


@define
class InFlight:
    """The ids of all records between reading and outcome, and the records that wait for them.

    Answers are joined by `_id`, so one id may not be in two requests at once, nor twice in one.

    Example:
        >>> from ximilar_async.bulk._item import Item
        >>> from ximilar_async.sources import Entry
        >>> first, second = (Item.of(seq, Entry("", {"_id": "a"})) for seq in (1, 2))
        >>> guard = InFlight()
        >>> guard.enter(first), guard.enter(second)
        (True, False)
        >>> guard.leave(first) is second
        True
    """

    _waiting: dict[str, deque[Item] | None] = field(factory=dict)

    def enter(self, item: Item) -> bool:
        """Tell whether the record may go on; if not, it is kept until its turn comes."""
        id_ = item.id or ""
        item.guarded = True
        if id_ not in self._waiting:
            self._waiting[id_] = None
            return True
        queue = self._waiting[id_]
        if queue is None:
            queue = self._waiting[id_] = deque()
        queue.append(item)
        return False

    def leave(self, item: Item) -> Item | None:
        """Note that a record is decided, and return the one whose turn it is now, if any."""
        id_ = item.id or ""
        if not item.guarded:
            return None
        queue = self._waiting.get(id_)
        if queue:
            return queue.popleft()
        self._waiting.pop(id_, None)
        return None
