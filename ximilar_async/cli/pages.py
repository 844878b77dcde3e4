"""What the pages show: records and results become tiles. Blocking: images are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import field, frozen

from ximilar_async.sources._paths import TAKEN

from .gallery import Fact, Pair, Section, Table, Tile, render_page, thumbnail
from .screen import plain
from .tables import counted, fields_to_show

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ximilar_async._models import Match, Record
    from ximilar_async.bulk import Report, Result
    from ximilar_async.demo import Catalog

_MOST_BYTES: Final = 64 * 2**20
"""Largest image file that is read for a page."""

_SAME: Final = 0.005
"""Distance below which two images are shown as the same."""


@frozen
class Images:
    """Where the images of records lie.

    Args:
        folder: Folder that they lie below.
        files: Their paths below it, by the records' ids, where a catalog names them.
    """

    folder: Path | None = None
    files: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, path: Path | None, ids: Collection[str]) -> Images:
        """Return the images below a folder, or those that a file of JSON lines names.

        Args:
            path: The folder or the file; a file's images lie below the folder that it is in.
            ids: Ids of the records whose images are wanted.

        Raises:
            OSError: the file cannot be read.
        """
        if path is None or path.is_dir():
            return cls(path)
        return cls(path.parent, dict(_files_of(path, ids)))

    def named(self, record: Record) -> Record:
        """Return a record with the `_file` that the catalog has for it; services keep none."""
        file = self.files.get(record.get("_id", ""))
        return record if file is None else {**record, "_file": file}


def _files_of(path: Path, ids: Collection[str]) -> Iterator[tuple[str, str]]:
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and record.get("_id") in ids and "_file" in record:
                yield record["_id"], str(record["_file"])


def find_image(record: Mapping[str, Any], folder: Path | None = None) -> Path | None:
    """Return the local image file of a record, or None.

    Args:
        record: A record; its `_file` or `_url` may be a local path.
        folder: Where images lie: then `_file` and `_id`, with or without the file's ending, are
            looked up below it, and nowhere else.
    """
    names = ("_file", "_id") if folder is not None else ("_file", "_url")
    for name in names:
        value = record.get(name)
        if not isinstance(value, str) or not value:
            continue
        for ending in ("", *TAKEN) if name == "_id" else ("",):
            if (path := _usable(value + ending, folder)) is not None:
                return path
    return None


def _usable(name: str, folder: Path | None) -> Path | None:
    try:
        path = Path(name).resolve() if folder is None else (folder / name).resolve()
        inside = folder is None or path.is_relative_to(folder.resolve())
        usable = inside and path.is_file() and path.stat().st_size <= _MOST_BYTES
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if usable else None


def make_tile(
    record: Mapping[str, Any],
    folder: Path | None = None,
    *,
    far: float | None = None,
    fields: Sequence[str] | None = None,
    mark: str = "",
    remote: bool = False,
) -> Tile:
    """Return a record's tile: its image where it can be found, its id, a few fields.

    Args:
        record: The record.
        folder: Where images lie.
        far: Its distance from the query.
        fields: Names of the fields to show; None chooses a few.
        mark: A word in the image's corner.
        remote: Whether the page loads the image from its `_url` where there is no file.
    """
    path = find_image(record, folder)
    url = record.get("_url")
    shown = [(name, record.get(name)) for name in fields_to_show([record], fields)]
    return Tile(
        image=None if path is None else _thumbnail(path),
        title=str(record.get("_id", "")),
        lines=tuple(f"{name}: {plain(value)}" for name, value in shown if value is not None),
        distance=far,
        address=url if isinstance(url, str) else None,
        mark=mark,
        remote=remote,
    )


def _thumbnail(path: Path) -> bytes | None:
    try:
        return thumbnail(path.read_bytes())
    except OSError:
        return None


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
        make_tile(lie.named(match.record), lie.folder, far=match.distance, fields=fields)
        for match in matches
    )
    html = render_page(
        "Search by image",
        subtitle=f"{counted(len(matches), 'record')} of {place}, nearest first",
        query=query_tile(lie.named(query), lie.folder),
        sections=[Section("Nearest", tiles=tiles, empty="Nothing was found.")],
        footer=FOOTER,
    )
    missing = [tile.title for tile in tiles if tile.image is None and tile.address is None]
    return Page(html, tuple(missing))


def query_tile(query: Record, folder: Path | None = None) -> Tile:
    """Return the tile of what was searched with."""
    path = find_image(query)
    if path is None and folder is not None:
        path = find_image(query, folder)
    url = query.get("_url")
    name = query.get("_id") or (path.name if path else url)
    return Tile(
        image=None if path is None else _thumbnail(path),
        title=str(name),
        address=url if isinstance(url, str) else None,
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
    records = read_records(catalog.records_path)
    near = [result for result in results if result.near_duplicates]
    refused = [result for result in results if not result.near_duplicates]
    nearest = tuple(
        make_tile(
            # The service does not keep `_file`: the catalog knows it.
            records.get(match.id or "", match.record),
            catalog.folder,
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
            image=_thumbnail(catalog.query_path),
            title=catalog.query_path.name,
            lines=("not in the catalog",),
        ),
        sections=[
            Section("Nearest", "What the collection holds that looks most like it.", nearest),
            Section(
                "Near-duplicates",
                "Left out, each because of a stored image that it is too like: the one left out "
                "stands to the left.",
                tuple(_pair(result, records, catalog.folder) for result in near),
                "None was found.",
            ),
        ],
        tables=[
            Table(
                "Refused",
                ("record", "where", "why"),
                tuple((result.id or "-", result.where, result.reason) for result in refused),
                "These never reached the service.",
                "No record was refused.",
            )
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


def _pair(result: Result, records: Mapping[str, Record], folder: Path) -> Pair:
    match = result.near_duplicates[0]
    stored = records.get(match.id or "", {"_id": match.id})
    mark = "same image" if match.distance < _SAME else ""
    left_out = result.record if isinstance(result.record, dict) else {"_id": result.id}
    return Pair(
        make_tile(left_out, folder, fields=()),
        make_tile(stored, folder, fields=(), mark=mark),
        match.distance,
    )
