"""Tables and images of the records that were not brought in. Blocking: images are read."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.pages import Pair, Picture, Section, Table, Tile, counted

from ._outcomes import Outcome
from ._report_parts import short, words_of
from ._report_records import Pictures, own_image, shown_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ximilar_async.pages import Part

    from ._report import Report
    from ._report_records import Shown

_MOST_REASONS: Final = 12
"""Reasons that are counted by name."""

_FEW: Final = 10
"""Records among which reasons are not counted."""

_TOLD: Final[Mapping[Outcome, str]] = {
    Outcome.REJECTED: "They cannot be accepted as they are.",
    Outcome.FAILED: "They were tried in vain; sending them again may help.",
    Outcome.NOT_ATTEMPTED: "The run ended first.",
    Outcome.NOT_FOUND: "No record of that id is stored.",
    Outcome.ALREADY_PRESENT: "A record of that id is stored already.",
}


def record_parts(reports: Mapping[str, Report], pictures: Pictures | None = None) -> Iterator[Part]:
    """Yield what a page shows of records that were not brought in.

    Args:
        reports: Reports of runs, by what they were for.
        pictures: Where their images come from.
    """
    pictures = Pictures() if pictures is None else pictures
    for name, report in reports.items():
        shown = shown_records(report)
        prefix = f"{name}: " if name else ""
        if near := shown.get(Outcome.NEAR_DUPLICATE, []):
            yield _pairs(prefix, near, report, pictures)
        for outcome in _TOLD:
            if not (records := shown.get(outcome, [])):
                continue
            table = _table(prefix, outcome, records, report, pictures)
            if by_reason := _reasons(table.title, records):
                yield by_reason
            yield table


def _heading(prefix: str, outcome: Outcome, shown: int, report: Report) -> tuple[str, str]:
    total, words = report.counts.get(outcome, 0), words_of(outcome)
    told = _TOLD.get(outcome, "")
    if outcome is Outcome.NOT_ATTEMPTED and report.dry_run:
        words, told = "ready to be sent", "A dry run sends nothing."
    title = f"{prefix}{words}: {total:,}"
    if total <= shown:
        return title[:1].upper() + title[1:], told
    in_file = outcome in (Outcome.REJECTED, Outcome.FAILED)
    where = "Options.on_result gets each of them."
    if in_file and report.origin.rejects:
        where = f"all of them are in {report.origin.rejects}."
    elif in_file:
        where = "a rejects file (--rejects, Options.rejects) would have kept all of them."
    more = f"{shown:,} are shown, {total - shown:,} not: {where}"
    return title[:1].upper() + title[1:], f"{told} {more}".strip()


def _table(
    prefix: str, outcome: Outcome, records: Sequence[Shown], report: Report, pictures: Pictures
) -> Table:
    title, intro = _heading(prefix, outcome, len(records), report)
    images = [pictures.of(own_image(record.record), record.root) for record in records]
    rows = [_row(record) for record in records]
    columns: tuple[str, ...] = ("record", "where", "why")
    if not any(images):
        return Table(title, columns, tuple(rows), intro, stacked=True)
    with_images = [(Picture(image, row[0]), *row) for image, row in zip(images, rows, strict=True)]
    return Table(title, ("image", *columns), tuple(with_images), intro, stacked=True)


_QUOTED: Final = re.compile(r"'[^']*'")


def _row(shown: Shown) -> tuple[str, str, str]:
    return short(shown.id or "-"), short(shown.where), short(shown.why)


def _reasons(title: str, records: Sequence[Shown]) -> Table | None:
    """Return how often each reason is among some records, where it is worth counting."""
    # What is quoted is one record's own: a name, a value.
    counts = Counter(short(_QUOTED.sub("'…'", record.why)) for record in records)
    if len(records) <= _FEW or len(counts) == len(records):
        return None
    most = counts.most_common(_MOST_REASONS)
    rest = len(records) - sum(number for _, number in most)
    rows: list[tuple[str, int]] = [*most, *([("other reasons", rest)] if rest else [])]
    intro = f"Among the {counted(len(records), 'record')} shown below."
    return Table(f"{title}, by reason", ("why", "records"), tuple(rows), intro)


def _pairs(prefix: str, near: Sequence[Shown], report: Report, pictures: Pictures) -> Section:
    title, intro = _heading(prefix, Outcome.NEAR_DUPLICATE, len(near), report)
    said = "Left out, each because of a stored image that it is too like, to its right."
    return Section(title, f"{said} {intro}", tuple(_pair(shown, pictures) for shown in near))


def _pair(shown: Shown, pictures: Pictures) -> Pair:
    left_out = _tile(shown.id or "-", shown.where, own_image(shown.record), shown.root, pictures)
    if not shown.near_duplicates:
        return Pair(left_out, Tile(None, "a stored record"))
    id_, distance, record = shown.near_duplicates[0]
    more = len(shown.near_duplicates) - 1
    line = f"and {more:,} more" if more else "stored"
    # Of the stored one only the id is believed: its paths are somebody else's.
    known: dict[str, Any] = {"_id": id_, "_url": record.get("_url")}
    stored = _tile(id_, line, known, shown.root, pictures)
    return Pair(left_out, stored, distance)


def _tile(
    title: str, line: str, record: Mapping[str, Any], root: str | None, pictures: Pictures
) -> Tile:
    url = record.get("_url")
    image = pictures.of(record, root)
    lines = () if line == title else (short(line),)
    return Tile(image, short(title), lines, address=url if isinstance(url, str) else None)
