"""From a path or an address to the source that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async.errors import SourceError

from ._files import Place
from ._jsonl import JsonlSource
from ._paths import FolderSource

if TYPE_CHECKING:
    import os

    from ._base import Source

FORMATS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl"}


def open_source(path: str | os.PathLike[str]) -> Source:
    """Return the source for a path: a folder of images, or a file of JSON lines.

    Raises:
        SourceError: there is no such path, or it is of no kind that is read here.

    Example:
        >>> open_source("no-such.jsonl")
        Traceback (most recent call last):
        ximilar_async.errors.SourceError: no such file or folder: 'no-such.jsonl'
    """
    place = Place.of(path)
    if place.path is not None and place.path.is_dir():
        return FolderSource(place.path)
    if place.path is not None and not place.path.exists():
        raise SourceError(f"no such file or folder: {place.shown!r}")
    if place.ending in FORMATS or (place.path is not None and not place.path.is_file()):
        return JsonlSource(path)
    raise SourceError(
        f"{place.shown!r} is neither a folder of images nor a file of JSON lines (.jsonl, .ndjson)"
    )
