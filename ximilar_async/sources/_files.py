"""Bytes of files on disk and behind addresses, decompressed by their ending."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, cast

from ximilar_async.errors import SourceError

from ._blocking import _ChunkPump
from ._places import NOWHERE, Place, find, needed, telling
from ._streams import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from ._base import Chunk

__all__ = [
    "NOWHERE",
    "PART",
    "PIECE",
    "ByteReader",
    "FileSource",
    "Place",
    "check_length",
    "in_parts",
    "open_binary",
]

PIECE: Final = 2**20
"""Bytes read at once: line by line aiofiles reads 13 thousand lines a second, so in 8.5 million."""

PART: Final = 500
"""Entries handed on at once, so that `position` tells how far a slow run is."""


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...

    def close(self) -> None: ...


def open_binary(place: str | os.PathLike[str] | Place) -> BinaryIO:
    """Return a file's bytes, decompressed if its ending says so; it blocks.

    What is not compressed can be sought in, if the file system allows it.

    Args:
        place: A path, or an address that fsspec knows.

    Raises:
        SourceError: it cannot be opened, or a package for that is missing.
    """
    place = place if isinstance(place, Place) else Place.of(place)
    with telling(place):
        raw = _open_raw(place)
        if place.compression is None:
            return raw
        return cast("BinaryIO", _Unpacked(_decompressed(place, raw), raw))


class ByteReader:
    """Reads a file in pieces, in a thread that may block, and knows how far it is.

    Args:
        place: Where the file lies.

    Raises:
        SourceError: it cannot be opened.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        with telling(place):
            raw = _open_raw(place)
            self.size = _size_of(raw)
            self._raw = _Counted(raw, place)
            self._file = cast("_Readable", self._raw)
            if place.compression is not None:
                self._file = cast("_Readable", _decompressed(place, cast("BinaryIO", self._raw)))
        self._failed: SourceError | None = None

    @property
    def position(self) -> int:
        """Return how many bytes of the file itself, as it is stored, were read."""
        return self._raw.count

    def read(self) -> bytes:
        """Return the next bytes, up to a mebibyte; none at the end.

        Raises:
            SourceError: the file is cut off, damaged, has become shorter meanwhile or cannot be
                read on; what came before was returned before.
        """
        if self._failed is not None:
            raise self._failed
        parts: list[bytes] = []
        missing = PIECE
        try:
            with telling(self._place):
                while missing > 0 and (part := self._some(missing)):
                    parts.append(part)
                    missing -= len(part)
                if not parts:
                    self._check_end()
        except SourceError as error:
            if not parts:
                raise
            self._failed = error
        return b"".join(parts)

    def _check_end(self) -> None:
        if not self.position and self._place.compression:
            raise EOFError
        check_length(self._place.name, self.position, self.size)

    def _some(self, limit: int) -> bytes:
        """Return some bytes; what fails loses no more than these."""
        if self._place.compression == "zstd":
            return self._file.read(_ZSTD_STEP)
        if self._place.compression is not None:
            some: bytes = cast("Any", self._file).read1(limit)
            return some
        return self._file.read(limit)

    def close(self) -> None:
        """Close the file."""
        with closing(self._raw):
            if self._file is not self._raw:
                self._file.close()


_ZSTD_STEP: Final = 4096
"""Bytes asked of Arrow at once: those before the break in the same call are lost with it."""


class _Counted(io.RawIOBase):
    """Counts what is read of a file."""

    def __init__(self, file: BinaryIO, place: Place) -> None:
        self._file = file
        self._place = place
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        try:
            data = self._file.read(size)
        except ValueError as error:
            if self._place.path is not None or "range requests" not in str(error):
                raise
            self._fetch_whole()
            data = self._file.read(size)
        self.count += len(data)
        return data

    def _fetch_whole(self) -> None:
        """Go on with a copy on disk: a server without ranges gives a file only as a whole.

        Reading on from the server itself would tie the connection to the speed of the run.
        """
        self._file.close()
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this reader
        self._file = cast("BinaryIO", copy)
        system, path = find(self._place.address)
        with system.open(path, "rb", block_size=0) as stream:
            shutil.copyfileobj(stream, self._file, PIECE)
        self._file.seek(self.count)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """What a compressed file holds; closing it closes the file, which decompressors leave open."""

    def __init__(self, file: BinaryIO, raw: BinaryIO) -> None:
        self._file = file
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        if not self.closed:
            with closing(self._raw), closing(self._file):
                super().close()


def _open_raw(place: Place) -> BinaryIO:
    if place.path is not None:
        return cast("BinaryIO", place.path.open("rb", buffering=0))
    system, path = find(place.address)
    return cast("BinaryIO", system.open(path, "rb"))


def _size_of(file: Any) -> int | None:
    try:
        size: Any = os.fstat(file.fileno()).st_size
    except (AttributeError, OSError):  # no file of this machine
        size = getattr(file, "size", None)
    return size or None


_OWN: Final = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma", "zstd": "compression.zstd"}
"""Python's modules for what is compressed; the last from Python 3.14 on."""


def _decompressed(place: Place, file: BinaryIO) -> BinaryIO:
    """Return what a compressed file holds; imports wait until somebody needs them."""
    kind = place.compression
    if kind is None:
        return file
    try:
        module = importlib.import_module(_OWN[kind])
    except ImportError:  # a Python may also have been built without one
        if kind != "zstd":
            raise
        arrow = needed("pyarrow", "files compressed by zstd")
        return cast("BinaryIO", arrow.CompressedInputStream(arrow.PythonFile(file, "r"), kind))
    if kind in ("bzip2", "xz"):
        new = module.BZ2Decompressor if kind == "bzip2" else module.LZMADecompressor
        return cast("BinaryIO", io.BufferedReader(Streams(file, new, padded=kind == "xz")))
    return cast("BinaryIO", module.open(file, "rb"))


def check_length(name: str, position: int, size: int | None) -> None:
    """See at the end of a file that it is as long as it was; one that grew is no fault.

    Args:
        name: How people call it.
        position: Bytes that were read.
        size: Bytes it had when it was opened; None where nobody knew.

    Raises:
        SourceError: it is shorter.
    """
    if size is not None and position < size:
        raise SourceError(
            f"{name} has changed while it was read: it ended after {position:,} of {size:,} bytes"
        )


class FileSource:
    """What sources of files share: name, position, fingerprint, and a thread that reads.

    Args:
        place: A path, or an address that fsspec knows.
        files_root: The folder that `_file` of the records may not leave; None for the file's own
            folder, and for an address none at all.
    """

    def __init__(self, place: str | os.PathLike[str], *, files_root: Path | None = None) -> None:
        self._place = Place.of(place)
        self.name = self._place.name
        self.path: Path | None = self._place.path
        self.position = 0
        self.size: int | None = None
        own = NOWHERE if self.path is None else self.path.parent
        self.files_root: Path | None = own if files_root is None else files_root

    def fingerprint(self) -> str | None:
        """Return text that is another one for another content; it blocks.

        Raises:
            SourceError: the file cannot be read.
        """
        return self._place.fingerprint()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the records in the order of the file, read and parsed in a thread.

        Raises:
            SourceError: the file cannot be read, or breaks off; what came before it counts.
        """
        pump = _ChunkPump(self._opened())
        try:
            while steps := await pump.next():
                for chunk, position in steps:
                    self.position = position
                    if chunk:
                        yield chunk
        finally:
            pump.stop()

    def _opened(self) -> Iterator[tuple[Chunk, int]]:
        with closing(ByteReader(self._place)) as reader:
            self.size = reader.size
            yield from self._read(reader)
            yield [], reader.position

    def _read(self, reader: ByteReader) -> Iterator[tuple[Chunk, int]]:
        """Yield entries and how far the file is read with them; in the thread."""
        raise NotImplementedError


def in_parts(chunk: Chunk, before: int, after: int) -> Iterator[tuple[Chunk, int]]:
    """Yield the entries of a piece in handy parts, each with how far the file is read by then.

    Args:
        chunk: The entries.
        before: The position in front of the piece, in bytes.
        after: The position behind it.
    """
    for start in range(0, len(chunk), PART):
        part = chunk[start : start + PART]
        yield part, before + (after - before) * (start + len(part)) // len(chunk)
