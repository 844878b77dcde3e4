"""Where records come from: streams in chunks, each record with its place in the source."""

from __future__ import annotations

from ._base import Chunk, Entry, Source
from ._iterables import AsyncIterableSource, IterableSource, SequenceSource
from ._paths import FolderSource, JsonlSource, open_path
from ._resolve import Ids, Records, as_source

__all__ = [
    "AsyncIterableSource",
    "Chunk",
    "Entry",
    "FolderSource",
    "Ids",
    "IterableSource",
    "JsonlSource",
    "Records",
    "SequenceSource",
    "Source",
    "as_source",
    "open_path",
]
