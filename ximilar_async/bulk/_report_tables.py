"""Tables of the records that were not brought in, with their images. Blocking: images are read."""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from attrs import define

from ximilar_async.pages import Table, counted

from ._report_parts import short
from ._report_pictures import Pictures, stored_images
from ._report_samples import FEW, OTHER_REASONS, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ximilar_async.pages import Cell, Part

    from ._report_records import Group, Shown

_MOST_REASONS: Final = 12
"""Reasons that are counted by name."""

_WORDS: Final = 1_000_000
"""Characters of all records of a page, as HTML."""

_MARKUP: Final = 200
"""Characters around the words of a row."""

_TOLD: Final[Mapping[str, str]] = {
    "rejected": "They cannot be accepted as they are.",
    "failed": "They were tried in vain; sending them again may help.",
    "not_attempted": "The run ended before they were sent.",
    "ready_to_be_sent": "A dry run sends nothing.",
    "near_duplicate": "Left out, each because of a stored image that it is too like.",
    "not_found": "No record of that id is stored.",
    "already_present": "A record of that id is stored already.",
    "deletions_failed": "They could not be deleted; the next sync tries again.",
    "deletions_not_attempted": "The sync ended before they were deleted.",
    "not_restored": "They are not stored at the moment; the next sync tries again.",
}


_WITH_REASONS: Final = frozenset({"rejected", "failed", "deletions_failed", "not_restored"})
"""Outcomes that can have one reason or another."""


@define(eq=False)
class _Room:
    """What is left of a page's words."""

    left: int = _WORDS
    allowed: int = _WORDS

    def share(self, tables: int) -> None:
        """Leave something for other tables: how many still come, this one included."""
        self.allowed = self.left // tables

    def takes(self, shown: Shown) -> bool:
        """Take the room that a record needs, and tell whether it was there."""
        words = (*_row(shown), _likeness(shown)[0])
        needed = _MARKUP + sum(len(escape(part)) for part in words)
        self.allowed -= needed
        self.left -= needed
        return self.allowed >= 0


def record_parts(groups: Sequence[Group]) -> Iterator[Part]:
    """Yield what a page shows of records that were not brought in.

    Args:
        groups: The records, by what became of them.
    """
    pictures, room = Pictures(), _Room()
    for place, group in enumerate(groups):
        pictures.share(len(groups) - place)
        room.share(len(groups) - place)
        records = list(takewhile(room.takes, group.records))
        if by_reason := _reasons(group):
            yield by_reason
        yield _table(group, records, pictures)


def title_of(group: Group) -> str:
    """Return the heading of an outcome's records."""
    words = f"{group.name.replace('_', ' ')}: {group.total:,}"
    return words[:1].upper() + words[1:]


def _table(group: Group, records: Sequence[Shown], pictures: Pictures) -> Table:
    intro = _TOLD.get(group.name, "")
    if group.total > len(records):
        rest = group.total - len(records)
        intro = f"{intro} {len(records):,} are shown, {rest:,} not: {group.rest}".strip()
    if group.name == "near_duplicate":
        return _compared(title_of(group), intro, group, records, pictures)
    images = [pictures.of_record(record) for record in records]
    columns: tuple[str, ...] = ("record", "where", "why")
    rows: list[tuple[Cell, ...]] = [_row(record) for record in records]
    if any(image.image or image.address for image in images):
        columns = ("image", *columns)
        rows = [(image, *row) for image, row in zip(images, rows, strict=True)]
    return Table(title_of(group), columns, tuple(rows), intro, stacked=True)


def _row(shown: Shown) -> tuple[str, str, str]:
    return short(shown.id or "-"), short(shown.where), short(shown.why)


def _compared(
    title: str, intro: str, group: Group, records: Sequence[Shown], pictures: Pictures
) -> Table:
    """Return the table of near-duplicates: each beside the stored record that it is most like."""
    lie = stored_images(group.catalog, records)
    rows = [
        (
            pictures.of_record(shown),
            pictures.of_stored(shown, lie),
            *_row(shown)[:2],
            *_likeness(shown),
        )
        for shown in records
    ]
    columns = ("left out", "stored", "record", "where", "is like", "distance")
    return Table(title, columns, tuple(rows), intro, stacked=True)


def _likeness(shown: Shown) -> tuple[str, float | str]:
    """Return what a near-duplicate is like, and how far the nearest is from it."""
    if not shown.near_duplicates:
        return short(shown.why), ""
    nearest, *others = shown.near_duplicates
    words = nearest[0] or "a stored record"
    if others:
        words += f", also {', '.join(id_ for id_, _, _ in others)}"
    return short(words), float(nearest[1])


def _reasons(group: Group) -> Table | None:
    """Return how often each reason was met, where it is worth counting."""
    if group.name not in _WITH_REASONS:
        return None
    counts = dict(group.reasons)
    if sum(counts.values()) < len(group.records):  # those of earlier runs were not counted
        counts = Counter(kind_of(record.why) for record in group.records)
    total = sum(counts.values())
    rest = counts.pop(OTHER_REASONS, 0)
    if total <= FEW or not counts or max(counts.values()) == 1:
        return None
    most = sorted(counts.items(), key=lambda pair: -pair[1])[:_MOST_REASONS]
    rest += sum(counts.values()) - sum(number for _, number in most)
    rows = [*most, *([(OTHER_REASONS, rest)] if rest else [])]
    intro = "" if total >= group.total else f"Among {counted(total, 'record')} of them."
    return Table(f"{title_of(group)}, by reason", ("why", "records"), tuple(rows), intro)
