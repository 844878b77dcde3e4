"""What the first records of a plan would become: asked of the collection by one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from ximilar_async import bulk

from .screen import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ximilar_async._collection import Collection
    from ximilar_async._models import Record

_MOST_TEXT: Final = 24
_MOST_FIELDS: Final = 3


@frozen
class Change:
    """What an update would do to one field."""

    field: str
    before: Any
    after: Any
    """None where the field would be removed."""

    @property
    def words(self) -> str:
        """Return it as people write it.

        Example:
            >>> Change("price", 20, 25).words, Change("season", "winter", None).words
            ('price 20 → 25', 'season removed')
        """
        if self.after is None:
            return f"{plain(self.field)} removed"
        before = "" if self.before is None else f"{_short(self.before)} → "
        return f"{plain(self.field)} {before}{_short(self.after)}"


def changes_of(stored: Record, record: Record) -> list[Change]:
    """Return what an update would change.

    Args:
        stored: The stored record.
        record: What would be sent: null removes a field.

    Example:
        >>> [c.words for c in changes_of({"_id": "1", "a": 1}, {"_id": "1", "a": 1, "b": 2})]
        ['b 2']
    """
    return [
        Change(name, stored.get(name), value)
        for name, value in record.items()
        if name not in _NOT_METADATA and stored.get(name) != value
    ]


def words_of(changes: list[Change]) -> str:
    """Return the changes of one record as people write them, a few of many."""
    words = [change.words for change in changes[:_MOST_FIELDS]]
    more = len(changes) - len(words)
    return ", ".join([*words, f"{more} more"] if more else words)


@frozen
class Samples:
    """A few records of a plan, with what a person would ask about them."""

    changes: Mapping[str, list[Change]] = field(factory=dict)
    """What updates would change, by `_id`."""
    rejected: tuple[str, ...] = ()
    """What cannot be sent, and why."""


async def samples_of(collection: Collection, plan: bulk.SyncPlan) -> Samples:
    """Return what the first records of a plan would become.

    Args:
        collection: Whose records; it is asked once, if anything is to be updated.
        plan: The plan.
    """
    return Samples(await _changes(collection, plan), tuple(_rejected(plan)))


async def _changes(collection: Collection, plan: bulk.SyncPlan) -> Mapping[str, list[Change]]:
    sent = {str(record["_id"]): record for record in plan.records("update")}
    if not sent:
        return {}
    found: dict[str, list[Change]] = {}

    def take(result: bulk.Result) -> None:
        if result.id is not None and result.outcome is bulk.Outcome.FOUND:
            found[result.id] = changes_of(result.answer or {}, sent[result.id])

    options = bulk.Options(on_result=take)
    await bulk.get(collection, list(sent), fields_to_return=["*"], options=options)
    return found


def _rejected(plan: bulk.SyncPlan) -> Iterator[str]:
    for place, reason in plan.rejects:
        if reason.startswith(place):
            yield reason
        else:
            between = " " if reason.startswith(("is ", "has ")) else ": "
            yield f"{place}{between}{reason}"


def _short(value: Any) -> str:
    text = plain(value)
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


_NOT_METADATA: Final = frozenset({"_id", "_url", "_file", "_base64", "_image"})
