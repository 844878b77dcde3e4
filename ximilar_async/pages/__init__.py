"""Pages that people look at: values in, one HTML text out that needs nothing else.

One style, one set of parts: the galleries of the command line and the reports of bulk runs are
made of these. A page loads nothing and runs nothing.
"""

from __future__ import annotations

from ._gallery import Fact, Pair, Section, Table, Tile, render_page, tiles_of
from ._images import Images, find_image, thumbnail, thumbnail_of
from ._words import counted, distance, seconds

__all__ = [
    "Fact",
    "Images",
    "Pair",
    "Section",
    "Table",
    "Tile",
    "counted",
    "distance",
    "find_image",
    "render_page",
    "seconds",
    "thumbnail",
    "thumbnail_of",
    "tiles_of",
]
