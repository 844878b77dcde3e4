"""What bz2 and xz files hold. Python's own readers end without a word where a stream is damaged.

Files of several streams are common: `cat` makes them, pbzip2 and lbzip2 write nothing else. Behind
a stream `bz2` and `lzma` take whatever is no stream for the end of the file.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP: Final = 8192
"""Compressed bytes taken at once: what those before damage held is lost with them."""

_UNIT: Final = 4
"""Zero bytes may stand behind a stream of xz, by the four."""


class _Decompressor(Protocol):
    """What Python has for bz2 and xz."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


class Streams(io.RawIOBase):
    """Reads a file stream by stream; what is none is an error, wherever it stands.

    Args:
        file: The compressed file; it stays open.
        new: Returns what decompresses one stream.
        padded: Whether zero bytes may stand behind a stream.
    """

    def __init__(self, file: BinaryIO, new: Callable[[], _Decompressor], *, padded: bool) -> None:
        self._file = file
        self._new = new
        self._padded = padded
        self._stream: _Decompressor | None = None
        self._rest = b""
        """What was read and is behind the last stream."""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill some of a buffer; nothing at the end of the file.

        Raises:
            EOFError: the file ends within a stream.
            OSError: behind a stream stands something else.
        """
        while self._stream is not None or self._find():
            data = self._some(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _find(self) -> bool:
        """Begin the next stream; False at the end of the file."""
        zeros = 0
        while True:
            self._rest = self._rest or self._file.read(_STEP)
            if not self._padded:
                break
            held = len(self._rest)
            self._rest = self._rest.lstrip(b"\0")
            zeros += held - len(self._rest)
            if self._rest or not held:
                break
        if zeros % _UNIT:
            raise OSError("what stands between its streams is none")
        if self._rest:
            self._stream = self._new()
        return bool(self._rest)

    def _some(self, limit: int) -> bytes:
        """Return what the stream gives next, which may be nothing."""
        stream = self._stream
        assert stream is not None
        data, self._rest = self._rest, b""
        if not data and stream.needs_input:
            data = self._file.read(_STEP)
            if not data:
                raise EOFError
        found = stream.decompress(data, max_length=limit)
        if stream.eof:
            self._stream, self._rest = None, stream.unused_data
        return found
