"""Pages that people look at: values in, one HTML text out that needs nothing else.

One style, one set of parts: the galleries of the command line and the reports of bulk runs are
made of these. A page loads nothing and runs nothing.
"""

from __future__ import annotations

from ._charts import Bar, Bars, Chart, Charts, Line, Shade, Stretch
from ._gallery import Pair, Section, Tile, tiles_of
from ._html import Tone
from ._images import Images, find_image, thumbnail, thumbnail_of
from ._page import Part, Verdict, render_page
from ._tables import Cell, Fact, Picture, Step, Steps, Table
from ._words import counted, distance, seconds

__all__ = [
    "Bar",
    "Bars",
    "Cell",
    "Chart",
    "Charts",
    "Fact",
    "Images",
    "Line",
    "Pair",
    "Part",
    "Picture",
    "Section",
    "Shade",
    "Step",
    "Steps",
    "Stretch",
    "Table",
    "Tile",
    "Tone",
    "Verdict",
    "counted",
    "distance",
    "find_image",
    "render_page",
    "seconds",
    "thumbnail",
    "thumbnail_of",
    "tiles_of",
]
