"""Bytes of files on disk and behind addresses, decompressed by their ending."""

from __future__ import annotations

import importlib
import io
import os
import re
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, cast

from attrs import frozen

from ximilar_async.errors import SourceError

from ._fingerprint import address_fingerprint, path_fingerprint
from ._iterables import _Pump

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from ._base import Chunk

PIECE: Final = 2**20
"""Bytes read at once: line by line aiofiles reads 13 thousand lines a second, so in 8.5 million."""

PART: Final = 500
"""Entries handed on at once, so that `position` tells how far a slow run is."""

NOWHERE: Final = Path(os.devnull)
"""The folder of records that come from an address: no file of this machine is below it."""

COMPRESSED: Final = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zstd": "zstd"}
"""How files are compressed, by their last ending."""

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
_LOCAL: Final = re.compile(r"(?:file|local)://")
_MANGLED: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_SECRETS: Final = re.compile(r"(?<=://)[^/@\s]*@|(?<=\S)[?#][^\s'\")]*")
_EXTRA: Final = "pip install 'ximilar-async[sources]'"


@frozen
class Place:
    """Where a file lies: a path of this machine or an address that fsspec knows.

    Example:
        >>> place = Place.of("s3://bucket/catalog.csv.gz")
        >>> place.name, place.ending, place.compression, place.path
        ('catalog.csv.gz', '.csv', 'gzip', None)
    """

    path: Path | None
    """The path; None for an address."""
    address: str
    """The address; the path as text for a local file."""

    @classmethod
    def of(cls, place: str | os.PathLike[str]) -> Place:
        """Tell addresses (`s3://…`, `https://…`) from paths; `file://` is a path."""
        if isinstance(place, str):
            if _LOCAL.match(place):
                place = _LOCAL.sub("", place, count=1)
            elif _ADDRESS.match(place) and "://" in place:
                return cls(None, place)
        return cls(Path(place), os.fspath(place))

    @property
    def name(self) -> str:
        """Return the file's name, without what may be secret in an address."""
        if self.path is not None:
            return self.path.name or str(self.path)
        first = next((part for part in self.address.split("::") if "://" in part), "")
        below = _plain(first).partition("://")[2].rstrip("/")
        return below.rpartition("/")[2] or _plain(self.address)

    @property
    def shown(self) -> str:
        """Return what messages call it, without passwords and signatures."""
        return self.address if self.path is not None else _plain(self.address)

    @property
    def compression(self) -> str | None:
        """Return how it is compressed, by its ending."""
        return COMPRESSED.get(PurePosixPath(self.name).suffix.lower())

    @property
    def ending(self) -> str:
        """Return the ending that tells its format, in lower case: ".csv" of "a.csv.gz"."""
        name = PurePosixPath(self.name)
        return (PurePosixPath(name.stem) if self.compression else name).suffix.lower()

    @property
    def is_mangled(self) -> bool:
        """Tell whether this was an address before it was made a path, which loses a slash."""
        return self.path is not None and bool(_MANGLED.match(self.address))

    def fingerprint(self) -> str | None:
        """Return text that changes when the content does; None where nobody can tell.

        Raises:
            SourceError: it cannot be read.
        """
        if self.path is not None:
            return path_fingerprint(self.path)
        with telling(self):
            system, path = _find(self.address)
            return address_fingerprint(system.info(path))


def _plain(address: str) -> str:
    return _SECRETS.sub("", address)


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
            self._raw = _Counted(raw)
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
            SourceError: the file is cut off, damaged or cannot be read on; what came before was
                returned before.
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
                if not parts and not self.position and self._place.compression:
                    raise EOFError
        except SourceError as error:
            if not parts:
                raise
            self._failed = error
        return b"".join(parts)

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

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data

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
    system, path = _find(place.address)
    return cast("BinaryIO", system.open(path, "rb"))


def _find(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    fsspec = needed("fsspec", "addresses such as s3:// or https://")
    system, path = fsspec.core.url_to_fs(address)
    return system, path


def needed(module: str, what: str) -> Any:
    """Import a package that only some sources need.

    Raises:
        SourceError: it is not installed; the message says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(f"{what} cannot be read without {module} ({error}): {_EXTRA}") from None


def _size_of(file: Any) -> int | None:
    try:
        size: Any = os.fstat(file.fileno()).st_size
    except (AttributeError, OSError):  # no file of this machine
        size = getattr(file, "size", None)
    return size or None


def _decompressed(place: Place, file: BinaryIO) -> BinaryIO:
    """Return what a compressed file holds; imports wait until somebody needs them."""
    kind = place.compression
    if kind is None:
        return file
    if kind == "zstd":
        return _zstd(file)
    # A Python may have been built without them.
    module = importlib.import_module({"gzip": "gzip", "bzip2": "bz2", "xz": "lzma"}[kind])
    return cast("BinaryIO", module.open(file, "rb"))


def _zstd(file: BinaryIO) -> BinaryIO:
    try:
        own = importlib.import_module("compression.zstd")  # from Python 3.14 on
    except ImportError:
        arrow = needed("pyarrow", "files compressed by zstd")
        return cast("BinaryIO", arrow.CompressedInputStream(arrow.PythonFile(file, "r"), "zstd"))
    return cast("BinaryIO", own.open(file, "rb"))


@contextmanager
def telling(place: Place) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a SourceError that names it."""
    try:
        yield
    except SourceError:
        raise
    # A file system of fsspec's raises what its own library does.
    except Exception as error:  # noqa: BLE001
        raise SourceError(_reason(place, error)) from None


def _reason(place: Place, error: Exception) -> str:
    if place.compression is not None and not _is_of_system(error):
        cut = isinstance(error, EOFError) or "runcated" in str(error)
        how = "is cut off: the end is missing" if cut else f"is damaged: {error}"
        return f"{place.name} {how} (compressed by {place.compression})"
    words = isinstance(error, OSError) and error.strerror
    text = words or str(error).replace(place.address, place.name) or type(error).__name__
    return f"cannot read {place.name}: {_plain(text)}"


def _is_of_system(error: Exception) -> bool:
    """Tell whether an error is of the file system, not of what is stored."""
    return isinstance(error, (ImportError, FileNotFoundError, PermissionError)) or (
        isinstance(error, OSError) and error.errno is not None
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
        pump = _Pump(self._opened())
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
