"""What is to be done with a record, from what it is and what is stored. Pure."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from attrs import frozen

from .hashes import UNKNOWABLE, is_another_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

Mode: TypeAlias = Literal["insert", "upsert", "mirror"]
"""How far a sync goes: only new records; changed ones too; and delete what is gone."""


class Action(StrEnum):
    """What a sync does with one record; the words stand in plan files."""

    INSERT = "insert"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RESTORE = "restore"
    """Insert what an interrupted replacement deleted, whether the source still has it or not."""
    ADOPT = "adopt"
    """Note what is stored; nothing is sent."""
    SEED = "seed"
    """Note what the collection returned, to be compared when there is a record; nothing is sent."""
    FORGET = "forget"
    """Note that nothing is stored; nothing is sent."""
    LATER = "later"
    """Insert once more when deletions are done: it is like what is to be deleted."""
    LOOK = "look"
    """Only a look into the collection can tell."""
    REJECT = "reject"
    DONE = "done"
    UNCHANGED = "unchanged"
    KEPT = "already_present"
    """Stored, perhaps otherwise, and to be left alone."""
    NEAR_DUPLICATE = "near_duplicate"
    """Turned away as a near-duplicate before, and the same since."""


class Phase(IntEnum):
    """What the state knows of a record."""

    STORED = 0
    """The hashes are those of what this sync stored."""
    SEEDED = 1
    """The hashes are those of what the collection returned, the service's own fields included."""
    NEAR_DUPLICATE = 2
    """Not stored: turned away as a near-duplicate."""
    INSERTING = 10
    UPDATING = 11
    REPLACING = 12
    DELETING = 13


class Known(NamedTuple):
    """A row of the state; a tuple, for one is made for every record of a catalog."""

    n: int
    """Its number, unlike all others'."""
    meta: bytes
    image: bytes | None
    """None where nobody knows which image is stored."""
    shape: int
    stamp: bytes | None
    phase: Phase

    @property
    def was(self) -> str:
        """Return the row as a text, to be held against a later one."""
        image = "-" if self.image is None else self.image.hex()
        return f"{self.meta.hex()}.{image}"


@frozen
class UnderWay:
    """A record that was on its way when a run ended, with what was to become of it."""

    phase: Phase
    meta: bytes | None = None
    image: bytes | None = None
    shape: int = 0
    stamp: bytes | None = None
    record: bytes | None = None
    """The record as JSON, while it may be deleted and not inserted."""


@frozen
class Resolved:
    """What is to be done after a look into the collection."""

    action: Action
    removed: tuple[str, ...] = ()
    """Stored fields that the record does not have."""


def decide(
    mode: Mode, meta: bytes, image: bytes | None, known: Known | None, *, same_names: bool = True
) -> Action:
    """Return what to do with a record of the source that is not in doubt.

    Args:
        mode: How far the sync goes.
        meta: Hash of its metadata.
        image: Hash of its image; None if it brings none.
        known: What the state knows of its `_id`.
        same_names: Whether fields that went away could be told, or none went.

    Example:
        >>> decide("upsert", b"new", b"image", None)
        <Action.INSERT: 'insert'>
    """
    same_meta = known is not None and meta == known.meta
    if known is None or known.phase is Phase.NEAR_DUPLICATE:
        if known is not None and same_meta and image in (None, known.image):
            return Action.NEAR_DUPLICATE
        return Action.REJECT if image is None else Action.INSERT
    moved = _moved(image, known.image)
    if mode == "insert":
        return Action.KEPT if moved or not same_meta else Action.UNCHANGED
    if moved:
        return Action.REPLACE
    if same_meta:
        unseen = image is not None and image != known.image
        return Action.ADOPT if unseen else Action.UNCHANGED
    told = known.phase is Phase.STORED and same_names
    return Action.UPDATE if told else Action.LOOK


def compare(
    mode: Mode,
    fields: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
    *,
    image: bytes | None,
    stored_image: bytes | None,
    ours: AbstractSet[str] = frozenset(),
    marked: bool = True,
) -> Resolved:
    """Return what to do with a record of the source, now that it is known what is stored.

    Fields that begin with an underscore and were not sent before are the service's own.

    Args:
        mode: How far the sync goes.
        fields: The record's metadata.
        stored: The stored record's metadata; None if it is not stored.
        image: Hash of the record's image; None if it brings none.
        stored_image: Hash of the stored one; None if nobody knows.
        ours: Fields that are known to have been sent before.
        marked: Whether the stored record carries the mark that it should.

    Example:
        >>> compare("upsert", {"a": 1}, {"a": 1, "b": 2}, image=None, stored_image=None).removed
        ('b',)
    """
    if stored is None:
        return Resolved(Action.REJECT if image is None else Action.INSERT)
    if mode == "insert":
        return Resolved(Action.SEED)
    removed = tuple(
        name for name in stored if name not in fields and (name in ours or not name.startswith("_"))
    )
    if _moved(image, stored_image):
        return Resolved(Action.REPLACE, removed)
    same = all(name in stored and _same(stored[name], value) for name, value in fields.items())
    if same and not removed and marked:
        return Resolved(Action.ADOPT)
    return Resolved(Action.UPDATE, removed)


def _moved(image: bytes | None, stored: bytes | None) -> bool:
    return image is not None and stored is not None and is_another_image(image, stored)


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are one in JSON, where 1 is 1.0 and not true.

    Example:
        >>> _same([1, {"a": 2.0}], [1.0, {"a": 2}]), _same([1], [True])
        (True, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def image_in_doubt(
    told: bytes | None, known: Known | None, under_way: UnderWay | None
) -> bytes | None:
    """Return the hash of the image that is stored under an `_id`; None if nobody knows.

    Args:
        told: What the stored record itself tells.
        known: What the state confirmed last.
        under_way: What was on its way since.
    """
    if told is not None:
        sent = under_way.image if under_way and under_way.phase is Phase.REPLACING else None
        either = sent is not None and told != sent and not is_another_image(told, sent)
        return UNKNOWABLE if either else told  # which version, the address does not tell
    if known is not None and (under_way is None or under_way.phase in _IMAGE_STAYS):
        return known.image
    if under_way is None:
        return None
    if under_way.phase is Phase.REPLACING:
        return UNKNOWABLE  # the old one or the new one
    return under_way.image


_IMAGE_STAYS: Final = frozenset({Phase.UPDATING, Phase.DELETING})


def settle_absent(mode: Mode, under_way: UnderWay, *, stored: bool) -> Action:
    """Return what to do with a record in doubt that the source does not have.

    Args:
        mode: How far the sync goes; not "mirror" if nothing may be deleted.
        under_way: What was on its way.
        stored: Whether it is stored.

    Example:
        >>> settle_absent("upsert", UnderWay(Phase.REPLACING, record=b"{}"), stored=False)
        <Action.RESTORE: 'restore'>
    """
    if mode == "mirror":
        return Action.DELETE if stored else Action.FORGET
    if stored:
        return Action.SEED
    lost = under_way.phase is Phase.REPLACING and under_way.record is not None
    return Action.RESTORE if lost else Action.FORGET
