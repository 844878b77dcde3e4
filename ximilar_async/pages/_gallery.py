"""Images with what is to be said about them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ximilar_async.images import image_format

from ._html import section, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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

    def to_html(self) -> str:
        """Return it as HTML."""
        tiles = [tile for tile in self.tiles if isinstance(tile, Tile)]
        pairs = [pair for pair in self.tiles if isinstance(pair, Pair)]
        shown = _list("grid", map(_tile, tiles)) + _list("pairs", map(_pair, pairs))
        return section(self.title, self.intro, shown, self.empty)


def search(query: Tile, found: str) -> str:
    """Return what was searched with, beside what was found.

    Args:
        query: The one.
        found: The other, as HTML.
    """
    return (
        '<section class="search"><div class="query"><h2>Query</h2>'
        f'<div class="grid" style="grid-template-columns:1fr">{_tile(query)}</div></div>{found}'
        "</section>"
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
    mark = f'<div class="badge mark">{text(tile.mark)}</div>' if tile.mark else ""
    lines = "".join(f'<span dir="auto">{text(line)}</span>' for line in tile.lines)
    return (
        f'<figure><div class="well">{_picture(tile)}{badge}{mark}</div>'
        f'<figcaption><strong dir="auto">{text(tile.title)}</strong>{lines}</figcaption></figure>'
    )


def data_address(image: bytes | None) -> str:
    """Return an image file as an address that holds it; empty where no browser would show it.

    Args:
        image: The content of the file.
    """
    kind = _SHOWN.get(image_format(image) or "") if image else None
    if not image or kind is None:
        return ""
    return f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"


def link_to(address: str | None, words: str) -> str:
    """Return a link to a web address, to be followed by hand; empty for anything else.

    Args:
        address: The address.
        words: What is to be read.
    """
    if not address or not address.lower().startswith(_ADDRESSES):
        return ""
    return f'<a href="{text(address)}" rel="noreferrer noopener">{text(words)}</a>'


def _picture(tile: Tile) -> str:
    if address := data_address(tile.image):
        return f'<img alt="{text(tile.title)}" src="{address}">'
    if not tile.address:
        return '<div class="none"><b>no preview</b></div>'
    shown = text(tile.address)
    if tile.is_loaded:
        return f'<img alt="{text(tile.title)}" loading="lazy" src="{shown}">'
    if link := link_to(tile.address, tile.address):
        return f'<div class="none"><b>image by address</b>{link}</div>'
    return f'<div class="none"><b>no preview</b><span>{shown}</span></div>'


def _distance(name: str, distance: float | None) -> str:
    if distance is None:
        return ""
    return f'<div class="{name}" title="distance {distance:g}">{distance:.1f}</div>'
