"""Text of files piece by piece: in which encoding it is, and what of it cannot be decoded."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from ._files import ByteReader

_MARKS: Final = (  # UTF-32 first: its mark begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_WRONG: Final = re.compile("[\ud800-\udfff]")
_ODD: Final = re.compile("[\0\ud800-\udfff]")
_FIRST: Final = 0xDC00


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Put a lone surrogate for each byte that cannot be decoded: no text has one of its own."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return "".join(chr(_FIRST + byte) for byte in wrong), error.end


codecs.register_error("ximilar_async.mark", _mark)


def check_encoding(encoding: str) -> str:
    """Return the usual name of a text encoding.

    Raises:
        ConfigError: Python knows no such encoding of text.

    Example:
        >>> check_encoding("UTF8"), check_encoding("windows-1250")
        ('utf-8', 'cp1250')
    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(encoding)  # bytes to bytes is no text
    except (LookupError, ValueError):
        raise ConfigError(f"there is no text encoding {encoding!r}; try cp1250 or utf-8") from None
    return name


class TextReader:
    """Decodes what a reader gives; bytes that cannot be are marked, and stay in their place.

    Args:
        reader: The bytes.
        encoding: The encoding of what begins with no byte order mark.
    """

    def __init__(self, reader: ByteReader, encoding: str = "utf-8") -> None:
        self.encoding = encoding
        self._reader = reader
        self._decoder: codecs.IncrementalDecoder | None = None

    @property
    def position(self) -> int:
        """Return how many bytes of the file were read."""
        return self._reader.position

    def read(self) -> str:
        """Return the next text; none at the end.

        Raises:
            SourceError: the file cannot be read on.
        """
        if self._decoder is None:
            start = self._start()
            self._decoder = codecs.getincrementaldecoder(self.encoding)("ximilar_async.mark")
            if text := self._decoder.decode(start):
                return text
        while piece := self._reader.read():
            if text := self._decoder.decode(piece):
                return text
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text

    def _start(self) -> bytes:
        start = b""
        while len(start) < len(codecs.BOM_UTF32_LE) and (piece := self._reader.read()):
            start += piece
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                self.encoding = encoding
                return start[len(mark) :]
        return start


def is_clean(text: str) -> bool:
    r"""Tell whether text has neither marked bytes nor NUL; the usual answer is fast.

    Example:
        >>> is_clean("café"), is_clean("a\0")
        (True, False)
    """
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def oddity(line: str, encoding: str) -> str | None:
    """Say what a line has that is no text, and where; None if it has nothing of the kind.

    Args:
        line: A line as `TextReader` gives it, from its beginning.
        encoding: The encoding it was decoded from.

    Example:
        >>> oddity("sku-1,Caf" + chr(0xDCE9), "utf-8")
        'the byte 0xe9 at offset 9, which is not utf-8'
    """
    found = _ODD.search(line)
    if found is None:
        return None
    offset = len(line[: found.start()].encode(encoding))
    if found.group() == "\0":
        return f"NUL at offset {offset}"
    return f"the byte {_byte(found):#04x} at offset {offset}, which is not {encoding}"


def wrong_byte(text: str, start: int, end: int) -> int | None:
    """Return the first byte of a part of a text that could not be decoded, if there is one."""
    found = _WRONG.search(text, start, end)
    return None if found is None else _byte(found)


def _byte(found: re.Match[str]) -> int:
    return ord(found.group()) & 0xFF
