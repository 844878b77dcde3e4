"""Where the images of records lie. Blocking: files are looked up and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import frozen

from ximilar_async.errors import ConfigError, ImageError
from ximilar_async.images import make_thumbnail
from ximilar_async.sources._paths import TAKEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ximilar_async._models import Record

_MOST_BYTES: Final = 64 * 2**20
"""Largest image file that is read for a page."""


def thumbnail(data: bytes, side: int = 256) -> bytes | None:
    """Return a small image for a page, or None for what cannot be decoded; blocking.

    Args:
        data: The content of an image file.
        side: Its longest side, in pixels.

    Example:
        >>> thumbnail(b"no image") is None
        True
    """
    try:
        return make_thumbnail(data, max_side=side)
    except (ImageError, ConfigError):
        return None


def thumbnail_of(path: Path | None, side: int = 256) -> bytes | None:
    """Return a small image of a file, or None where there is none that can be read.

    Args:
        path: The file.
        side: Its longest side, in pixels.
    """
    try:
        return None if path is None else thumbnail(path.read_bytes(), side)
    except OSError:
        return None


@frozen
class Images:
    """Where the images of records lie.

    Args:
        folder: Folder that they lie below; None for nowhere.
        files: Their paths below it, by the records' ids, where a catalog names them; None where
            the records' own names tell.
    """

    folder: Path | None = None
    files: Mapping[str, str] | None = None

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
        files: dict[str, str] = {}
        for id_, file in _files_of(path, ids):
            files.setdefault(id_, file)  # of an id that comes twice the first was stored
        return cls(path.parent, files)

    def named(self, record: Record) -> Record:
        """Return a record with the `_file` that the catalog has for it; services keep none."""
        file = self._file(record)
        return record if file is None else {**record, "_file": file}

    def find(self, record: Mapping[str, Any]) -> Path | None:
        """Return the image file of a stored record, or None.

        What a stored record says may come from anybody: without a folder, or with a catalog that
        does not know the record, none of it is taken for a path.
        """
        if self.folder is None:
            return None
        if self.files is None:
            return find_image(record, self.folder)
        file = self._file(record)
        return None if file is None else _usable(file, self.folder)

    def _file(self, record: Mapping[str, Any]) -> str | None:
        id_ = record.get("_id")
        return (self.files or {}).get(id_) if isinstance(id_, str) else None


def _files_of(path: Path, ids: Collection[str]) -> Iterator[tuple[str, str]]:
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            id_ = record.get("_id") if isinstance(record, dict) else None
            if isinstance(id_, str) and id_ in ids and "_file" in record:
                yield id_, str(record["_file"])


def find_image(record: Mapping[str, Any], folder: Path | None = None) -> Path | None:
    """Return the local image file of a record, or None.

    Args:
        record: A record; without a folder one of the user's own, whose `_file` is any path.
        folder: Where images lie: then `_file` and `_id`, with or without the file's ending, are
            looked up below it, and nowhere else.
    """
    names = ("_file", "_id") if folder is not None else ("_file",)
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
