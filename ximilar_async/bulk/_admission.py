"""Which records may leave: none that must wait for another, none that is known to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from ximilar_async.errors import JournalError

from ._groups import by_field, by_image
from ._inflight import InFlight
from ._outcomes import Outcome
from ._report import Stop
from ._seen import SeenIds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._item import Item
    from ._operations import Operation
    from ._options import NearDupOrder, Options


def order_of(options: Options, operation: Operation) -> NearDupOrder:
    """Return the order in effect: it is for operations that compare records with each other."""
    return options.near_dup_order if operation.finds_near_dups else "any"


def admission(
    options: Options, operation: Operation, on_stop: Callable[[Stop, str], None]
) -> Admission:
    """Return what a run with these options needs.

    Args:
        options: Whether ids are remembered, and in which order near-duplicates are sent.
        operation: What is done with the records.
        on_stop: Called when ids cannot be remembered, with why.
    """
    order = order_of(options, operation)
    # In strict order one batch is under way at a time, and no batch holds an id twice.
    guards = [] if order == "strict" or operation.one_query else [InFlight()]
    if order == "grouped":
        name = options.near_dup_group
        guards.append(InFlight(by_image if name is None else by_field(name)))
    remembers = options.remember_ids and operation.success is Outcome.INSERTED
    return Admission(guards, SeenIds() if remembers else None, on_stop)


@define(eq=False)
class Admission:
    """Keeps records apart that must not be under way at once, and remembers what is there.

    Args:
        guards: Each is passed in turn.
        seen: The ids that this run brought in, where they are remembered.
        on_stop: Called when ids cannot be remembered, with why.
    """

    guards: list[InFlight]
    seen: SeenIds | None
    on_stop: Callable[[Stop, str], None]

    def enter(self, item: Item, first: int = 0) -> bool:
        """Tell whether a record may leave; if not, it comes back from `decided` of another.

        Args:
            item: The record.
            first: The first guard that it has not passed yet.
        """
        return all(guard.enter(item) for guard in self.guards[first:])

    def enter_all(self, seqs: Sequence[int], ids: Sequence[str]) -> bool:
        """Let all records enter at once, if there is nothing to see about any; else let none.

        Args:
            seqs: Their numbers.
            ids: Their ids.
        """
        return self.only_ids and self.guards[0].enter_all(seqs, ids)

    @property
    def only_ids(self) -> bool:
        """Tell whether all that keeps records apart are the ids that are under way."""
        return self.seen is None and len(self.guards) == 1

    def decided(self, seqs: Sequence[int], ids: Sequence[str], outcome: Outcome) -> list[Item]:
        """Return the records that may leave now because others are decided.

        Args:
            seqs: The others' numbers.
            ids: Their ids.
            outcome: What became of them.
        """
        there = outcome in (Outcome.INSERTED, Outcome.ALREADY_PRESENT)
        if self.seen is not None and there:
            self._remember(self.seen, ids)
        ready = []
        for position, guard in enumerate(self.guards, 1):
            for place, following in guard.leave_all(seqs):
                following.repeats = following.repeats or (there and following.id == ids[place])
                if self.enter(following, position):
                    ready.append(following)
        return ready

    def is_repeated(self, item: Item) -> bool:
        """Tell whether an earlier record of this run is known to have brought the `_id` in."""
        if self.seen is None or item.id is None or item.doubtful:
            return False
        try:
            return item.id in self.seen
        except JournalError as error:
            self._forget_all(error)
            return False

    def close(self) -> None:
        """Forget what was read."""
        if self.seen is not None:
            self.seen.close()

    def _remember(self, seen: SeenIds, ids: Sequence[str]) -> None:
        try:
            for id_ in ids:
                seen.add(id_)
        except JournalError as error:
            self._forget_all(error)

    def _forget_all(self, error: JournalError) -> None:
        """End the run: what cannot be remembered cannot be told from what is new."""
        self.close()
        self.seen = None
        self.on_stop(Stop.JOURNAL, str(error))
