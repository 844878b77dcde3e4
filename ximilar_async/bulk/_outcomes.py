"""What can become of a record."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from ximilar_async._models import Match


class Outcome(StrEnum):
    """The one thing that became of a record; every record read ends in exactly one of these."""

    INSERTED = "inserted"
    """Stored by this run."""
    UPDATED = "updated"
    """Changed by this run."""
    DELETED = "deleted"
    """Deleted by this run."""
    FOUND = "found"
    """Fetched by this run."""
    ALREADY_PRESENT = "already_present"
    """Its `_id` was stored before."""
    NEAR_DUPLICATE = "near_duplicate"
    """Not stored: an image like it is there already."""
    NOT_FOUND = "not_found"
    """No record of that `_id` is stored."""
    REJECTED = "rejected"
    """It cannot be accepted as it is: invalid, unreadable image, refused, too large, no room."""
    FAILED = "failed"
    """Tried in vain; sending it again later may help."""
    NOT_ATTEMPTED = "not_attempted"
    """The run stopped first; send it again later."""

    @property
    def send_again(self) -> bool:
        """Tell whether sending the record again later makes sense."""
        return self in (Outcome.FAILED, Outcome.NOT_ATTEMPTED)


GOOD = frozenset({Outcome.INSERTED, Outcome.UPDATED, Outcome.DELETED, Outcome.FOUND})
"""Outcomes that are what the run was for."""

TROUBLE = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.NOT_ATTEMPTED})
"""Outcomes that leave something to do."""


@frozen
class Result:
    """What became of one record.

    Args:
        seq: Its number in the source, from 1.
        where: Its place in the source, for people: "line 7", "record 12", a file's name.
        id: Its `_id`, where it had a usable one.
        outcome: What became of it.
        reason: Why, in words; empty where there is nothing to say.
        code: The code that the service gave for this record or its request.
        near_duplicates: The stored records that it is too like, with their distances.
        record: The record as it was read.
        answer: What the service returned for it, such as a fetched record.
    """

    seq: int
    where: str
    id: str | None
    outcome: Outcome
    reason: str = ""
    code: int | None = None
    near_duplicates: tuple[Match, ...] = ()
    record: Any = field(default=None, repr=False, eq=False)
    answer: Any = field(default=None, repr=False, eq=False)
