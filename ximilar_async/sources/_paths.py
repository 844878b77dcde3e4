"""Records from disk: JSON lines, and folders of images."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiofiles
import orjson

from ximilar_async.errors import SourceError

from ._base import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from aiofiles.threadpool.binary import AsyncBufferedReader

    from ._base import Chunk

TAKEN: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".bmp", ".tif", ".tiff")
REFUSED: Final = (".avif", ".heif", ".jp2", ".psd", ".svg")
IMAGE_SUFFIXES: Final = frozenset({*TAKEN, ".gif", *REFUSED})
"""Endings of what is taken for an image; some are refused later, by name."""

PIECE: Final = 2**20
"""Bytes read at once: line by line aiofiles reads 13 thousand lines a second, so in 8.5 million."""

PART: Final = 500
"""Lines handed on at once, so that `position` tells how far a slow run is."""

MAX_LINE: Final = 128 * 2**20
"""Longest line that is kept, in bytes; a longer one costs that line."""


def open_path(path: str | os.PathLike[str]) -> JsonlSource | FolderSource:
    """Return the source for a path: a folder of images, or a file of JSON lines.

    Raises:
        SourceError: there is no such path, or it is of no kind that is read here.

    Example:
        >>> open_path("no-such.jsonl")
        Traceback (most recent call last):
        ximilar_async.errors.SourceError: no such file or folder: 'no-such.jsonl'
    """
    path = Path(path)
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise SourceError(f"no such file or folder: {str(path)!r}")
    if path.suffix.lower() in (".jsonl", ".ndjson") or not path.is_file():
        return JsonlSource(path)
    raise SourceError(
        f"{str(path)!r} is neither a folder of images nor a file of JSON lines (.jsonl, .ndjson)"
    )


class JsonlSource:
    """Records of a file of JSON lines; a bad line costs that line.

    `_file` of its records is relative to the file's own folder and must not leave it.

    Args:
        path: The file.
        files_root: Where `_file` may point instead.
        max_line: Longest line that is kept, in bytes.
    """

    def __init__(
        self, path: Path, *, files_root: Path | None = None, max_line: int = MAX_LINE
    ) -> None:
        self.name = path.name
        self.path: Path | None = path
        self.position = 0
        self.size: int | None = None
        self.files_root: Path | None = files_root or path.parent
        self._path = path
        self._splitter = LineSplitter(max_line)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the lines of each piece of the file that hold something.

        Raises:
            SourceError: the file cannot be read.
        """
        try:
            file = await _open(self._path)
            try:
                self.size = os.fstat(file.fileno()).st_size or None
                while piece := await file.read(PIECE):
                    for chunk in self._parts(piece):
                        yield chunk
            finally:
                # Shielded: a run that is cancelled twice would leave the file open.
                await asyncio.shield(file.close())
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror or error}") from None
        if chunk := self._splitter.end():
            yield chunk

    def _parts(self, piece: bytes) -> Iterator[Chunk]:
        """Yield the entries of a piece in handy parts, and move on with each."""
        before, chunk = self.position, self._splitter.feed(piece)
        for start in range(0, len(chunk), PART):
            part = chunk[start : start + PART]
            self.position = before + len(piece) * (start + len(part)) // len(chunk)
            yield part
        self.position = before + len(piece)


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
        fault = "holds NaN or Infinity, which JSON does not have; leave the field out"
    return Entry(where, fault=fault)


class FolderSource:
    """One record for each image of a folder and the folders below it, by name.

    `_id` is the path below the folder, with forward slashes; files are told to be images by their
    ending here and by their bytes when they are read, so that a damaged image is accounted for.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name or str(folder)
        self.path: Path | None = folder
        self.position = 0
        self.size: int | None = None
        self.files_root: Path | None = folder
        self._folder = folder

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the images in the order of their names.

        Raises:
            SourceError: the folder cannot be read.
        """
        names = await asyncio.to_thread(image_names, self._folder)
        self.size = len(names)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            self.position += len(part)
            yield [Entry(name, {"_id": name, "_file": name}) for name in part]


def image_names(folder: Path) -> list[str]:
    """Return the paths of a folder's images below it, sorted; hidden ones are left out.

    Raises:
        SourceError: the folder cannot be read.
    """
    names: list[str] = []
    try:
        for place, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(place).relative_to(folder)
            names += [
                (below / name).as_posix()
                for name in files
                if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
            ]
    except OSError as error:
        raise SourceError(f"cannot read {str(folder)!r}: {error.strerror or error}") from None
    return sorted(names)


def _raise(error: OSError) -> None:
    raise error
