"""Where records go: files of JSON lines, CSV and Parquet, told by their endings.

Records are first gathered in a `Spool`, a file of JSON lines that survives a killed process; a
`Conversion` turns it into what the ending asks for. Nothing here knows collections or networks.
"""

from ._base import Sink, replaced, sync_folder
from ._convert import Conversion
from ._formats import Format, format_of
from ._spool import Mark, Spool, Terms
from ._text import CsvSink, JsonlSink

__all__ = [
    "Conversion",
    "CsvSink",
    "Format",
    "JsonlSink",
    "Mark",
    "Sink",
    "Spool",
    "Terms",
    "format_of",
    "replaced",
    "sync_folder",
]
