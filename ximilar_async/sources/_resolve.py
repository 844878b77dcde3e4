"""From whatever a user hands over to a source."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ximilar_async.errors import ConfigError

from ._base import Source
from ._iterables import AsyncIterableSource, IterableSource, SequenceSource
from ._paths import open_path

Records: TypeAlias = (
    Source | str | os.PathLike[str] | Iterable[dict[str, Any]] | AsyncIterable[dict[str, Any]]
)
"""What a bulk run takes: a list, an iterable, an async iterable, or the path of a file or
folder."""


Ids: TypeAlias = (
    Source | os.PathLike[str] | Iterable[str | dict[str, Any]] | AsyncIterable[str | dict[str, Any]]
)
"""What a bulk run takes that needs no more of a record than its `_id`."""


def as_source(records: Records | Ids) -> Source:
    """Return the source for what a user handed over; nothing is read yet.

    Args:
        records: Records in a list, iterable or async iterable; the path of a JSONL file or of a
            folder of images; or a source.

    Raises:
        ConfigError: it is none of these; a single record is named as what it is.
        SourceError: there is no such path.

    Example:
        >>> as_source([{"_id": "1"}]).size
        1
    """
    if isinstance(records, Mapping):
        raise ConfigError("a bulk run takes many records: put the single record into a list")
    if isinstance(records, (str, os.PathLike)):
        return open_path(records)
    if isinstance(records, Source):
        return records
    if isinstance(records, AsyncIterable):
        return AsyncIterableSource(records)
    if isinstance(records, Sequence):
        return SequenceSource(records)
    if isinstance(records, Iterable):
        return IterableSource(records)
    raise ConfigError(
        "a bulk run takes a list, an iterable, an async iterable or a path, "
        f"not {type(records).__name__}"
    )
