"""Ids as `delete` takes them: one a line, or whatever records can be read from."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING, Final

from ximilar_async.errors import SourceError
from ximilar_async.sources import Entry, open_source
from ximilar_async.sources._places import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from ximilar_async.sources import Chunk, Source
    from ximilar_async.sources._open import Format

_PART: Final = 500
"""Lines read at once."""

_LONGEST: Final = 64 * 2**10
"""Longest line that can be an id, in bytes."""


def local_path(place: str) -> Path | None:
    """Return the path that a command line names; None for an address.

    Example:
        >>> local_path("s3://shop/catalog.csv") is None
        True
    """
    return Place.of(place).path


def open_ids(
    place: str,
    *,
    format: Format | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Source:
    """Return the ids in a file that ends in `.txt`, one a line; else what `open_source` returns.

    The ending alone decides, unless the format is named: a line of JSON could be an id.

    Args:
        place: A path or an address.
        format: As for `open_source`.
        encoding: As for `open_source`.
        delimiter: As for `open_source`.

    Raises:
        SourceError: there is no such path, or it is of no kind that is read here.

    Example:
        >>> open_ids("no-such.txt")
        Traceback (most recent call last):
        ximilar_async.errors.SourceError: no such file or folder: 'no-such.txt'
    """
    path = local_path(place)
    plain = (format, encoding, delimiter) == (None, None, None)
    if plain and path is not None and path.suffix.lower() == ".txt" and path.is_file():
        return IdLines(path)
    return open_source(place, format=format, encoding=encoding, delimiter=delimiter)


class IdLines:
    """Ids of a text file, one a line; empty lines are left out, a bad line costs that line.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path: Path | None = path
        self.position = 0
        self.size: int | None = None
        self.files_root: Path | None = None
        self._path = path
        self._number = 0

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the ids in the order of the file.

        Raises:
            SourceError: the file cannot be read, or has a line that is far too long for an id.
        """
        try:
            with self._path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size or None
                while lines := await asyncio.to_thread(_read_lines, file):
                    if chunk := [entry for line in lines if (entry := self._entry(line))]:
                        yield chunk
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror or error}") from None

    def _entry(self, line: bytes) -> Entry | None:
        self._number += 1
        self.position += len(line)
        where = f"line {self._number}"
        if len(line) == _LONGEST:
            raise SourceError(f"{where} of {self.name} is too long for an id")
        if self._number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            return Entry(where, fault="is not UTF-8")
        if text.startswith(("{", '"')):
            return Entry(where, fault="is JSON, no plain id; let the file end in .jsonl")
        return Entry(where, text) if text else None


def _read_lines(file: IO[bytes]) -> list[bytes]:
    lines = (file.readline(_LONGEST) for _ in range(_PART))
    return [line for line in lines if line]
