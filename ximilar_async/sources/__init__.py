"""Where records come from: streams in chunks, each record with its place in the source."""

from __future__ import annotations

from ._arrow import ArrowFileSource, ArrowStreamSource, ParquetSource
from ._base import Chunk, Entry, Source
from ._csv import CsvSource
from ._cursors import CursorSource
from ._fingerprint import fingerprint_of
from ._iterables import AsyncIterableSource, IterableSource, SequenceSource
from ._json import JsonSource
from ._jsonl import JsonlSource
from ._mapped import MappedSource
from ._mapping import RecordMapping
from ._mapping_file import load_mapping
from ._mapping_notation import parse_mapping
from ._open import open_source
from ._paths import FolderSource
from ._resolve import Ids, Records, as_source

__all__ = [
    "ArrowFileSource",
    "ArrowStreamSource",
    "AsyncIterableSource",
    "Chunk",
    "CsvSource",
    "CursorSource",
    "Entry",
    "FolderSource",
    "Ids",
    "IterableSource",
    "JsonSource",
    "JsonlSource",
    "MappedSource",
    "ParquetSource",
    "RecordMapping",
    "Records",
    "SequenceSource",
    "Source",
    "as_source",
    "fingerprint_of",
    "load_mapping",
    "open_source",
    "parse_mapping",
]
