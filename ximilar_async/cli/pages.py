"""What the pages show: records and results become tiles. Blocking: images are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import frozen

from ximilar_async.pages import (
    Fact,
    Images,
    Pair,
    Section,
    Table,
    Tile,
    counted,
    find_image,
    render_page,
    thumbnail_of,
)

from .again import without_secrets
from .screen import plain
from .tables import fields_to_show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ximilar_async._models import Match, Record
    from ximilar_async.bulk import Report, Result
    from ximilar_async.demo import Catalog

_NOWHERE: Final = Images()

_SAME: Final = 0.005
"""Distance below which two images are shown as the same."""


def make_tile(
    record: Mapping[str, Any],
    lie: Images = _NOWHERE,
    *,
    far: float | None = None,
    fields: Sequence[str] | None = None,
    mark: str = "",
    remote: bool = False,
) -> Tile:
    """Return a record's tile: its image where it can be found, its id, a few fields.

    Args:
        record: The record.
        lie: Where images lie.
        far: Its distance from the query.
        fields: Names of the fields to show; None chooses a few.
        mark: A word in the image's corner.
        remote: Whether the page loads the image from its `_url` where there is no file.
    """
    url = record.get("_url")
    shown = [(name, record.get(name)) for name in fields_to_show([record], fields)]
    return Tile(
        image=thumbnail_of(lie.find(record)),
        title=str(record.get("_id", "")),
        lines=tuple(f"{name}: {plain(value)}" for name, value in shown if value is not None),
        distance=far,
        address=url if isinstance(url, str) else None,
        mark=mark,
        remote=remote,
    )


@frozen
class Page:
    """A page, and what it lacks."""

    html: str
    missing: tuple[str, ...]
    """Ids of the records that it shows no image of, and no address."""


def search_page(
    query: Record,
    matches: Sequence[Match],
    *,
    place: str,
    images: Path | None = None,
    fields: Sequence[str] | None = None,
) -> Page:
    """Return the page of a search.

    Args:
        query: What was searched with.
        matches: What was found, nearest first.
        place: The collection, in words.
        images: Folder where images lie, or the file of JSON lines that was inserted.
        fields: Names of the fields to show; None chooses a few.

    Raises:
        OSError: `images` cannot be read.
    """
    lie = Images.of(images, {match.id or "" for match in matches} | {query.get("_id", "")})
    tiles = tuple(
        make_tile(match.record, lie, far=match.distance, fields=fields) for match in matches
    )
    html = render_page(
        "Search by image",
        subtitle=f"{counted(len(matches), 'record')} of {place}, nearest first",
        query=query_tile(query, lie),
        parts=[Section("Nearest", tiles=tiles, empty="Nothing was found.")],
        footer=FOOTER,
    )
    missing = [tile.title for tile in tiles if tile.image is None and tile.address is None]
    return Page(html, tuple(missing))


def query_tile(query: Record, lie: Images = _NOWHERE) -> Tile:
    """Return the tile of what was searched with: a file that the user named, or a record."""
    path, url = find_image(query) or lie.find(query), str(query.get("_url", ""))
    shown = without_secrets(url)  # as it was typed, it may hold a password or a signature
    name = query.get("_id") or (path.name if path else shown)
    return Tile(
        image=thumbnail_of(path),
        title=str(name),
        address=url if url and shown == url else None,
    )


FOOTER: Final = "Distances are the service's own: smaller is more alike, 0 is the same image."


# --- the demo -----------------------------------------------------------------------------------


def demo_page(
    catalog: Catalog,
    report: Report,
    results: Sequence[Result],
    matches: Sequence[Match],
) -> str:
    """Return the demo's page.

    Args:
        catalog: The catalog that was inserted.
        report: What became of it.
        results: The near-duplicates and the rejected records.
        matches: What the search found, nearest first.
    """
    records, lie = read_records(catalog.records_path), Images(catalog.folder)
    near = [result for result in results if result.near_duplicates]
    refused = [result for result in results if not result.near_duplicates]
    nearest = tuple(
        make_tile(
            # The service does not keep `_file`: the catalog knows it.
            records.get(match.id or "", match.record),
            lie,
            far=match.distance,
            fields=("name", "price"),
        )
        for match in matches
    )
    return render_page(
        "A catalog, inserted and searched",
        subtitle=(
            f"{counted(report.read, 'record')} of rendered product images went through the HTTP "
            f"client into a local emulator in {report.elapsed:.1f} s. All of them were made by "
            "this program."
        ),
        facts=_facts(report),
        query=Tile(
            image=thumbnail_of(catalog.query_path),
            title=catalog.query_path.name,
            lines=("not in the catalog",),
        ),
        parts=[
            Section("Nearest", "What the collection holds that looks most like it.", nearest),
            Section(
                "Near-duplicates",
                "Left out, each because of a stored image that it is too like: the one left out "
                "stands to the left.",
                tuple(_pair(result, records, lie) for result in near),
                "None was found.",
            ),
            Table(
                "Refused",
                ("record", "where", "why"),
                tuple((result.id or "-", result.where, result.reason) for result in refused),
                "These never reached the service.",
                "No record was refused.",
            ),
        ],
        footer=FOOTER,
    )


def read_records(path: Path) -> dict[str, Record]:
    """Return the records of a file of JSON lines by their ids."""
    lines = path.read_bytes().splitlines()
    return {record["_id"]: record for record in map(orjson.loads, lines)}


def _facts(report: Report) -> list[Fact]:
    return [
        Fact("read", report.read),
        Fact("inserted", report.inserted, "good"),
        Fact("near-duplicates", report.near_duplicate, "warn"),
        Fact("refused", report.rejected, "bad" if report.rejected else ""),
        Fact("requests", report.requests),
        Fact("a second", round(report.records_per_second)),
    ]


def _pair(result: Result, records: Mapping[str, Record], lie: Images) -> Pair:
    match = result.near_duplicates[0]
    stored = records.get(match.id or "", {"_id": match.id})
    mark = "same image" if match.distance < _SAME else ""
    left_out = result.record if isinstance(result.record, dict) else {"_id": result.id}
    return Pair(
        make_tile(left_out, lie, fields=()),
        make_tile(stored, lie, fields=(), mark=mark),
        match.distance,
    )
