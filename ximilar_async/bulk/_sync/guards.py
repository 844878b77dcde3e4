"""What nobody can have meant: refused before anything is written. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from ximilar_async.errors import ConfigError, SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .difference import Mode

_MANY = 10
"""Records from which on most of those that are stored are worth a note."""

_EXAMPLE = 'a number of records (200), a share as text ("5%") or as a number (0.05)'


@frozen
class Ceiling:
    """How many records may be deleted without being asked for."""

    records: int | None = None
    share: float | None = None

    @classmethod
    def read(cls, value: float | str) -> Ceiling:
        """Return what a setting means.

        Args:
            value: A number of records, or a share: "5%" or 0.05.

        Raises:
            ConfigError: it is neither.

        Example:
            >>> Ceiling.read("5%").allows(5, of=100), Ceiling.read(4).allows(5, of=100)
            (True, False)
        """
        ceiling = None if isinstance(value, bool) else _ceiling(value)
        if ceiling is None:
            raise ConfigError(f"max_deletions must be {_EXAMPLE}, not {value!r:.40}")
        return ceiling

    def allows(self, deletions: int, *, of: int) -> bool:
        """Tell whether so many deletions are few enough.

        Args:
            deletions: How many.
            of: How many records are stored.
        """
        if self.share is not None:
            return deletions <= self.share * of
        return self.records is None or deletions <= self.records

    @property
    def words(self) -> str:
        """Return it as people say it."""
        return str(self.records) if self.share is None else f"{self.share * 100:g}%"


def _ceiling(value: float | str) -> Ceiling | None:
    text = str(value).strip()
    try:
        if isinstance(value, float) or text.endswith("%") or "." in text:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
            return Ceiling(share=share) if 0 <= share <= 1 else None
        return Ceiling(records=int(text)) if int(text) >= 0 else None
    except ValueError:
        return None


@frozen(kw_only=True)
class Findings:
    """What reading the source came to, as far as guards need it."""

    mode: Mode
    source: str
    """Its name."""
    read: int
    usable: int
    """Records with a readable `_id`."""
    common: int
    """How many of these `_id`s are stored, or known from before."""
    nameless: int
    """Entries without a readable `_id`."""
    stored: int
    """Records that are stored, or may be since an earlier run ended."""
    gone: int
    """How many of them the source does not have."""
    first_fault: str = ""
    """Why the first record was turned away that was."""
    broken: str = ""
    """Why the source broke off, if it did."""


def refuse(
    found: Findings, ceiling: Ceiling, *, allow_delete: bool, allow_new_catalog: bool
) -> None:
    """Refuse what nobody can have meant.

    Args:
        found: What reading the source came to.
        ceiling: How many deletions are few enough.
        allow_delete: Whether any number is meant.
        allow_new_catalog: Whether a source without any known `_id` is meant.

    Raises:
        SyncRefusedError: something is; the message has the numbers and says what to do.
    """
    if not found.usable and found.stored:
        raise SyncRefusedError(_without_records(found))
    if found.stored and not found.common and not allow_new_catalog:
        raise SyncRefusedError(
            f"none of the {found.usable:,} ids of {found.source} is among the {found.stored:,} "
            "stored ones: this is no catalog of this collection. Check source, `_id` and "
            "collection; if it is meant, allow it (allow_new_catalog)"
        )
    if found.mode != "mirror" or allow_delete or withheld(found, allow_delete=allow_delete):
        return
    if not ceiling.allows(found.gone, of=found.stored):
        raise SyncRefusedError(
            f"{found.gone:,} of {found.stored:,} stored records are not in {found.source} "
            f"({found.gone / found.stored:.1%}), more than the {ceiling.words} that may be "
            "deleted unasked (max_deletions): nothing was sent. Check the source; if they are "
            "to be deleted, allow it (allow_delete)"
        )


def _without_records(found: Findings) -> str:
    """Return what to say of a source without any record that can be used, its cause first."""
    if found.broken:
        return f"{found.broken}: no record of {found.source} can be used, and nothing was sent"
    if found.read:
        return (
            f"{found.first_fault or 'no record has an `_id`'}: none of the {found.read:,} records "
            f"of {found.source} can be used, and nothing was sent"
        )
    return (
        f"{found.source} has no usable record, and {found.stored:,} are stored: refused, for an "
        "empty catalog is mostly a broken export. Look at the source; to empty a collection, "
        "delete its records"
    )


def refuse_lost_fields(lost: Sequence[str], *, allow_lost_fields: bool) -> None:
    """Refuse to remove a field from most records, as a source would that has lost a column.

    Args:
        lost: What `lost_fields` says.
        allow_lost_fields: Whether it is meant.

    Raises:
        SyncRefusedError: it is not said to be meant.
    """
    if lost and not allow_lost_fields:
        raise SyncRefusedError(
            f"{'; '.join(lost)}: nothing was sent. Check the source; if fields are to go, allow it "
            "(allow_lost_fields)"
        )


def lost_fields(removed: Mapping[str, int], stored: int) -> list[str]:
    """Return a note for each field that goes away in most records: a column may have been lost.

    Args:
        removed: Records that lose a field, by its name.
        stored: Records that are stored.

    Example:
        >>> lost_fields({"name": 60, "season": 3}, 80)
        ["60 of 80 stored records lose the field 'name', as where a source has lost a column"]
    """
    return [
        f"{count:,} of {stored:,} stored records lose the field {name!r:.60}, as where a source "
        "has lost a column"
        for name, count in removed.items()
        if count >= _MANY and 2 * count > stored and not name.startswith(_OURS)
    ]


_OURS: Final = "ximilar_async_"
"""What the fields begin with that bulk runs and syncs add: no source has them."""


def repeated_ids(repeated: int, examples: Sequence[str]) -> list[str]:
    """Return a note about records whose `_id` came before: only the first of each counts.

    Args:
        repeated: How many these are.
        examples: The first of their ids.

    Example:
        >>> repeated_ids(2, ["7", "9"])
        ["2 records have an `_id` that came before, such as '7', '9': the first of each counts"]
    """
    if not repeated:
        return []
    names = ", ".join(f"{id_!r:.60}" for id_ in examples)
    words = "1 record has" if repeated == 1 else f"{repeated:,} records have"
    return [f"{words} an `_id` that came before, such as {names}: the first of each counts"]


def withheld(found: Findings, *, allow_delete: bool) -> str:
    """Return why no record may be deleted, although the rest may be done; empty if they may.

    Args:
        found: What reading the source came to.
        allow_delete: Whether deletions were asked for whatever the source's faults.
    """
    if found.mode != "mirror":
        return ""
    if found.broken:
        return f"the source broke off ({found.broken}); sync again with the whole source"
    if found.nameless and found.gone and not allow_delete:
        one = found.nameless == 1
        entries = f"{found.nameless:,} " + ("entry" if one else "entries")
        return (
            f"{entries} of {found.source} {'has' if one else 'have'} no readable `_id`, and "
            f"{'it' if one else 'each'} may be one of the records that seem gone; mend "
            f"{'it' if one else 'them'}, or allow the deletions (allow_delete)"
        )
    return ""
