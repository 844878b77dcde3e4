"""A page of images: values in, one self-contained HTML text out.

The page loads nothing and runs nothing: its images are part of it, and its own security policy
forbids everything but them and its style. Only where a tile is to be loaded from its address
(`Tile.remote`) does the policy let images come from elsewhere.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from ximilar_async.images import image_format

from ._style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Cell: TypeAlias = str | int | float

_POLICY: Final = (
    "default-src 'none'; img-src {sources}; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
_ADDRESSES: Final = ("https://", "http://")
_SHOWN: Final[Mapping[str, str]] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}
"""Formats that every browser shows, with their media types."""


@frozen
class Tile:
    """One image with what is to be said about it."""

    image: bytes | None
    """A small image file, as `thumbnail` makes them; None where there is nothing to show."""
    title: str
    lines: tuple[str, ...] = ()
    """What stands below the title."""
    distance: float | None = None
    """How far it is from the query."""
    address: str | None = None
    """Where the image is, shown in its place where there is none."""
    mark: str = ""
    """A word in the image's corner."""
    remote: bool = False
    """Whether the page loads the image from its address, where it has none of its own."""

    @property
    def is_loaded(self) -> bool:
        """Tell whether a browser fetches the image when the page is opened."""
        has_address = (self.address or "").lower().startswith(_ADDRESSES)
        return self.remote and not self.image and has_address


@frozen
class Pair:
    """Two images that belong together."""

    first: Tile
    second: Tile
    distance: float | None = None
    """How far they are from each other."""


@frozen
class Section:
    """A heading with images below it."""

    title: str
    intro: str = ""
    tiles: tuple[Tile | Pair, ...] = ()
    empty: str = "Nothing here."
    """What to say where there are no images."""


@frozen
class Table:
    """A heading with a table below it; numbers stand to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    intro: str = ""
    empty: str = "Nothing here."


@frozen
class Fact:
    """A figure at the head of the page."""

    label: str
    value: Cell
    tone: Literal["", "good", "warn", "bad"] = ""


def render_page(
    title: str,
    *,
    subtitle: str = "",
    facts: Sequence[Fact] = (),
    query: Tile | None = None,
    sections: Sequence[Section] = (),
    tables: Sequence[Table] = (),
    footer: str = "",
) -> str:
    """Return a page of images as one HTML text that needs nothing else.

    Args:
        title: Its heading.
        subtitle: A sentence below it.
        facts: Figures below that.
        query: What was searched with; it stands beside the first section.
        sections: Images, by headings.
        tables: Tables, after the images.
        footer: A sentence at the end.

    Example:
        >>> page = render_page("Boots & shoes", sections=[Section("Nearest")])
        >>> "<h1>Boots &amp; shoes</h1>" in page
        True
    """
    shown = [_section(section) for section in sections]
    is_loading = any(tile.is_loaded for section in sections for tile in tiles_of(section))
    sources = "data: https: http:" if is_loading else "data:"
    policy = escape(_POLICY.format(sources=sources))
    if query is not None:
        shown[:1] = [_search(query, shown[0] if shown else "")]
    body = [
        f"<header><h1>{_text(title)}</h1>{_paragraph(subtitle)}{_facts(facts)}</header>",
        f"<main>{''.join(shown)}{''.join(map(_table, tables))}</main>",
        f"<footer>{_text(footer)}</footer>" if footer else "",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )


def _search(query: Tile, found: str) -> str:
    return (
        '<section class="search"><div class="query"><h2>Query</h2>'
        f'<div class="grid" style="grid-template-columns:1fr">{_tile(query)}</div></div>{found}'
        "</section>"
    )


def _section(section: Section) -> str:
    tiles = [tile for tile in section.tiles if isinstance(tile, Tile)]
    pairs = [pair for pair in section.tiles if isinstance(pair, Pair)]
    shown = _list("grid", map(_tile, tiles)) + _list("pairs", map(_pair, pairs))
    return (
        f"<section><h2>{_text(section.title)}</h2>{_paragraph(section.intro)}"
        f"{shown or _empty(section.empty)}</section>"
    )


def tiles_of(section: Section) -> Iterator[Tile]:
    """Yield the tiles of a section, those of pairs among them."""
    for tile in section.tiles:
        yield from (tile,) if isinstance(tile, Tile) else (tile.first, tile.second)


def _list(name: str, parts: Iterable[str]) -> str:
    inside = "".join(parts)
    return f'<div class="{name}">{inside}</div>' if inside else ""


def _pair(pair: Pair) -> str:
    apart = _distance("apart", pair.distance)
    return f'<div class="pair">{apart}{_tile(pair.first)}{_tile(pair.second)}</div>'


def _tile(tile: Tile) -> str:
    badge = _distance("badge", tile.distance)
    mark = f'<div class="badge mark">{_text(tile.mark)}</div>' if tile.mark else ""
    lines = "".join(f'<span dir="auto">{_text(line)}</span>' for line in tile.lines)
    return (
        f'<figure><div class="well">{_picture(tile)}{badge}{mark}</div>'
        f'<figcaption><strong dir="auto">{_text(tile.title)}</strong>{lines}</figcaption></figure>'
    )


def _picture(tile: Tile) -> str:
    kind = _SHOWN.get(image_format(tile.image) or "") if tile.image else None
    if tile.image and kind:
        data = base64.b64encode(tile.image).decode("ascii")
        return f'<img alt="{_text(tile.title)}" src="data:{kind};base64,{data}">'
    if not tile.address:
        return '<div class="none"><b>no preview</b></div>'
    shown = _text(tile.address)
    if tile.is_loaded:
        return f'<img alt="{_text(tile.title)}" loading="lazy" src="{shown}">'
    if tile.address.lower().startswith(_ADDRESSES):
        link = f'<a href="{shown}" rel="noreferrer noopener">{shown}</a>'
        return f'<div class="none"><b>image by address</b>{link}</div>'
    return f'<div class="none"><b>no preview</b><span>{shown}</span></div>'


def _facts(facts: Sequence[Fact]) -> str:
    shown = "".join(
        f'<div class="fact {_text(fact.tone)}"><dt>{_text(fact.label)}</dt>'
        f"<dd>{_text(_cell(fact.value))}</dd></div>"
        for fact in facts
    )
    return f'<dl class="facts">{shown}</dl>' if shown else ""


def _table(table: Table) -> str:
    names = [_numeric([row[place] for row in table.rows]) for place in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{name}>{_text(column)}</th>'
        for name, column in zip(names, table.columns, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{name}>{_text(_cell(cell))}</td>" for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    shown = (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else _empty(table.empty)
    )
    return f"<section><h2>{_text(table.title)}</h2>{_paragraph(table.intro)}{shown}</section>"


def _numeric(cells: Sequence[Cell]) -> str:
    return "" if any(isinstance(cell, str) for cell in cells) else ' class="number"'


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"


def _distance(name: str, distance: float | None) -> str:
    if distance is None:
        return ""
    return f'<div class="{name}" title="distance {distance:g}">{distance:.1f}</div>'


def _empty(words: str) -> str:
    return f'<p class="empty">{_text(words)}</p>'


def _paragraph(words: str) -> str:
    return f"<p>{_text(words)}</p>" if words else ""


def _text(words: str) -> str:
    """Return a text as HTML; what UTF-8 or HTML cannot hold becomes a question mark."""
    known = words.encode("utf-8", "replace").decode("utf-8")
    return escape("".join(char if char.isprintable() or char.isspace() else "?" for char in known))
