"""The page of near-duplicates: groups become sections of tiles. Blocking: images are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from ximilar_async.pages import Fact, Images, Pair, Section, counted, render_page, tiles_of

from .duplicates_view import LINKED
from .pages import FOOTER, Page, make_tile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ximilar_async._models import Record
    from ximilar_async.bulk._duplicate_groups import Duplicate, Group, Groups
    from ximilar_async.pages import Tile


MOST_TILES: Final = 60
"""Records of one group that are shown."""

_FIRST: Final = "first"
_PAIR: Final = 2


@frozen(kw_only=True)
class DuplicatesPage:
    """What a page of near-duplicates is made of."""

    place: str
    """The collection, in words."""
    groups: Groups
    """All groups."""
    shown: Sequence[Group]
    """Those that the page shows."""
    records: Mapping[str, Record]
    """Their records by id, as far as they are shown."""
    images: Path | None = None
    """Folder where images lie, or the file of JSON lines that was inserted."""
    fields: Sequence[str] | None = None
    """Names of the fields to show; None chooses a few."""
    remote: bool = False
    """Whether the page loads images from their addresses."""

    def render(self) -> Page:
        """Return the page, with the ids of the records that it shows no image of.

        Raises:
            OSError: `images` cannot be read.
        """
        lie = Images.of(self.images, self.records.keys())
        left = len(self.groups) - len(self.shown)
        cut = f"; the {len(self.shown):,} largest are shown" if left else ""
        sections = list(self._sections(lie))
        html = render_page(
            "Near-duplicates",
            subtitle=f"{counted(len(self.groups), 'group')} in {self.place}{cut}",
            facts=self._facts(),
            parts=sections or [_NOTHING],
            footer=_FOOTER,
        )
        tiles = (tile for section in sections for tile in tiles_of(section))
        missing = [tile.title for tile in tiles if tile.image is None and tile.address is None]
        return Page(html, tuple(missing))

    def _facts(self) -> list[Fact]:
        groups, records = len(self.groups), self.groups.records
        largest = len(self.groups[0].records) if groups else 0
        return [
            Fact("groups", groups),
            Fact("records in them", records, "warn" if records else ""),
            Fact("besides the first of each", records - groups, "bad" if records else ""),
            Fact("in the largest group", largest),
        ]

    def _sections(self, lie: Images) -> Iterator[Section]:
        large = [group for group in self.shown if len(group.records) > _PAIR]
        for number, group in enumerate(large, 1):
            yield self._section(number, group, lie)
        pairs = tuple(self._pair(group, lie) for group in self.shown[len(large) :])
        if pairs:
            title = "Pairs" if large else "All of them are pairs"
            yield Section(
                title, "To the left the first one, which --delete-list leaves out.", pairs
            )

    def _section(self, number: int, group: Group, lie: Images) -> Section:
        left = len(group.records) - MOST_TILES
        more = f"; {left:,} more are not shown" if left > 0 else ""
        linked = sum(record.distance is None for record in group.records)
        chain = f"; {linked:,} only through others of the group" if linked else ""
        return Section(
            f"Group {number}: {counted(len(group.records), 'record')}",
            f"By distance from the first{chain}{more}.",
            tuple(
                self._tile(record, lie, far=number > 0, mark="" if number else _FIRST)
                for number, record in enumerate(group.records[:MOST_TILES])
            ),
        )

    def _pair(self, group: Group, lie: Images) -> Pair:
        first, second = group.records
        return Pair(
            self._tile(first, lie),
            self._tile(second, lie),
            second.distance,
        )

    def _tile(self, record: Duplicate, lie: Images, *, far: bool = False, mark: str = "") -> Tile:
        return make_tile(
            self.records.get(record.id, {"_id": record.id}),
            lie,
            far=record.distance if far else None,
            fields=self.fields,
            mark=mark if record.distance is not None else LINKED,
            remote=self.remote,
        )


_NOTHING: Final = Section("Groups", empty="No two records are nearly the same.")

_FOOTER: Final = (
    f"{FOOTER} A group's first record is the one with the most near-duplicates in it; “linked” "
    "are those that are no near-duplicates of the first, only of others."
)
