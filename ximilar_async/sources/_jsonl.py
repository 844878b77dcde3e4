"""Records of files of JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import aiofiles
import orjson

from ximilar_async.errors import SourceError

from ._base import Entry
from ._files import PIECE, FileSource, check_length, in_parts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from aiofiles.threadpool.binary import AsyncBufferedReader

    from ._base import Chunk
    from ._files import ByteReader

MAX_LINE: Final = 128 * 2**20
"""Longest line that is kept, in bytes; a longer one costs that line."""


NO_NUMBER: Final = "holds NaN or Infinity, which JSON does not have; leave the field out"
"""What is said of records with constants that are none of JSON."""


class JsonlSource(FileSource):
    """Records of a file of JSON lines; a bad line costs that line.

    A file that ends in `.gz`, `.bz2`, `.xz` or `.zst` is decompressed. `_file` of its records is
    relative to the file's own folder and must not leave it.

    Args:
        place: The file: a path, or an address that fsspec knows.
        files_root: Where `_file` may point instead.
        max_line: Longest line that is kept, in bytes.
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        files_root: Path | None = None,
        max_line: int = MAX_LINE,
    ) -> None:
        super().__init__(place, files_root=files_root)
        self._splitter = LineSplitter(max_line)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the lines of each piece of the file that hold something.

        Raises:
            SourceError: the file cannot be read, breaks off, or has become shorter meanwhile.
        """
        compressed = self._place.compression is not None
        plain = self.path is not None and not compressed and not _may_stall(self.path)
        async with aclosing(self._plain() if plain else super().chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _plain(self) -> AsyncGenerator[Chunk, None]:
        """Yield the lines of a file on disk, which costs less than a thread that parses."""
        assert self.path is not None
        try:
            file = await _open(self.path)
            try:
                self.size = os.fstat(file.fileno()).st_size or None
                before = 0
                while piece := await file.read(PIECE):
                    after = before + len(piece)
                    for chunk, position in in_parts(self._splitter.feed(piece), before, after):
                        self.position = position
                        yield chunk
                    before = self.position = after
            finally:
                # Shielded: a run that is cancelled twice would leave the file open.
                await asyncio.shield(file.close())
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror or error}") from None
        check_length(self.name, self.position, self.size)
        if chunk := self._splitter.end():
            yield chunk

    def _read(self, reader: ByteReader) -> Iterator[tuple[Chunk, int]]:
        before = 0
        while piece := reader.read():
            yield from in_parts(self._splitter.feed(piece), before, reader.position)
            before = reader.position
        yield self._splitter.end(), reader.position


async def _open(path: Path) -> AsyncBufferedReader:
    """Open a file; one that is opened while the run is cancelled is closed again."""

    async def opened() -> AsyncBufferedReader:
        return await aiofiles.open(path, "rb")

    opening = asyncio.ensure_future(opened())
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _may_stall(path: Path) -> bool:
    """Tell whether a read may never end: a file in such a read cannot even be closed."""
    return path.is_fifo() or path.is_char_device() or path.is_socket()


def _close(opening: asyncio.Future[AsyncBufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().raw.close()


class LineSplitter:
    r"""Cuts bytes into lines at LF, in bounded memory, and reads each as JSON.

    Args:
        max_line: Longest line that is kept, in bytes.

    Example:
        >>> splitter = LineSplitter(100)
        >>> [entry.record for entry in splitter.feed(b'{"_id": "1"}\n{"_id"')]
        [{'_id': '1'}]
        >>> [entry.fault is None for entry in splitter.feed(b': "2"}\nnonsense\n')]
        [True, False]
    """

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._kept: list[bytes] = []
        self._length = 0
        self._number = 0

    def feed(self, piece: bytes) -> Chunk:
        """Take the next bytes and return the entries of the lines that are now whole."""
        *whole, rest = piece.split(b"\n")
        chunk = []
        for line in whole:
            self._keep(line)
            chunk += self._take()
        self._keep(rest)
        return chunk

    def end(self) -> Chunk:
        """Return the entry of a last line that has no LF, if there is one."""
        return self._take() if self._length else []

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._max_line:
            self._kept.clear()
        elif part:
            self._kept.append(part)

    def _take(self) -> Chunk:
        line, length = b"".join(self._kept), self._length
        self._kept.clear()
        self._length = 0
        self._number += 1
        where = f"line {self._number}"
        if length > self._max_line:
            fault = f"is {length} bytes long, more than {self._max_line}"
            return [Entry(where, fault=fault)]
        if self._number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        return [_parse(line, where)] if line.strip() else []


_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
_NOT_A_NUMBER: Final = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)\s*[,}\]]")


def _parse(line: bytes, where: str) -> Entry:
    try:
        record = orjson.loads(line)
        if _LONG_NUMBER.search(line):
            # orjson turns integers beyond 64 bits into floats: keep them, to be refused by name.
            record = json.loads(line.decode())
        return Entry(where, record)
    except json.JSONDecodeError as error:
        fault = f"is not JSON at character {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        fault = f"cannot be read: {error}"
    if _NOT_A_NUMBER.search(line):
        fault = NO_NUMBER
    return Entry(where, fault=fault)
