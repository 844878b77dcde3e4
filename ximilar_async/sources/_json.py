"""Records of a file that is one JSON array."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import SourceError

from ._base import Entry
from ._files import PART, PIECE, FileSource
from ._jsonl import NO_NUMBER
from ._text import TextReader, is_clean, wrong_byte

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from ._base import Chunk
    from ._files import ByteReader

MAX_RECORD: Final = 32 * 2**20
"""Longest record that is kept, in characters; a longer one breaks the source off."""

_MARGIN: Final = 16
"""Characters before the end of a piece in which a token may be cut: `-Infinity`, an escape."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")


class JsonSource(FileSource):
    """Records of a file that is one array of JSON, read in bounded memory.

    Values are those of the `json` module. What is no JSON costs what is behind it, for nobody can
    tell where the next record begins; a NaN, a number of thousands of digits or wrong bytes in a
    text cost their record.

    Args:
        place: The file: a path, or an address that fsspec knows; decompressed by its ending.
        files_root: The folder that `_file` of its records may not leave; the file's own unless
            given.
        max_record: Longest record that is kept, in characters.

    Example:
        >>> JsonSource("catalog.json").name
        'catalog.json'
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        files_root: Path | None = None,
        max_record: int = MAX_RECORD,
    ) -> None:
        super().__init__(place, files_root=files_root)
        self._max_record = max_record

    def _read(self, reader: ByteReader) -> Iterator[tuple[Chunk, int]]:
        array = _Array(TextReader(reader), self.name, self._max_record)
        chunk: Chunk = []
        try:
            for entry in array.entries():
                chunk.append(entry)
                if len(chunk) == PART or array.weight > PIECE:
                    yield chunk, array.position
                    chunk, array.weight = [], 0
        except SourceError:
            yield chunk, array.position
            raise
        yield chunk, array.position


class _Array:
    """Cuts an array into its elements.

    The `json` module finds their ends. ijson, which is made for this, reads an integer beyond 64
    bits as an error and a lone surrogate as "?", and takes all memory for some thousand brackets.

    Args:
        text: The file's text.
        name: How people call the file.
        longest: Most characters of an element.
    """

    def __init__(self, text: TextReader, name: str, longest: int) -> None:
        self._reader = text
        self._name = name
        self._longest = longest
        self._text = ""
        self._at = 0
        self._clean = True
        self._ended = False
        self._span = (0, 0)
        self._number = 0
        self._odd = ""
        self.weight = 0
        """Characters of the elements since somebody set this to 0."""
        self._decoder = json.JSONDecoder(parse_constant=self._constant)
        self._lenient = json.JSONDecoder(parse_constant=self._constant, parse_int=self._integer)

    @property
    def position(self) -> int:
        """Return about how far the file is read, in bytes."""
        before, after = self._span
        return before + (after - before) * self._at // max(len(self._text), 1)

    def entries(self) -> Iterator[Entry]:
        """Yield the elements.

        Raises:
            SourceError: the file is no array, or breaks off.
        """
        self._check_begin(self._sign())
        if self._sign() == "]":
            self._at += 1
        else:
            while True:
                yield self._element()
                sign = self._sign()
                self._at += 1
                if sign == "]":
                    break
                if sign != ",":
                    raise self._broken("a comma or ] is missing")
                self._sign()
        if self._sign():
            raise self._broken("something stands behind the array")

    def _check_begin(self, sign: str) -> None:
        if not sign:
            raise SourceError(f"{self._name} is empty: it must hold an array of records")
        if sign != "[":
            raise SourceError(
                f"{self._name} does not begin with [: it must hold an array of records; "
                "is it JSON lines? then let it end in .jsonl, or name the format"
            )
        self._at += 1

    def _sign(self) -> str:
        """Return the next character that is no space, without taking it; none at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill()

    def _fill(self, least: int = 1) -> None:
        """Read on, dropping what is done with."""
        parts, missing = [self._text[self._at :]], least
        before = self.position
        while missing > 0 and not self._ended:
            part = self._reader.read()
            self._ended = not part
            parts.append(part)
            missing -= len(part)
        self._text, self._at = "".join(parts), 0
        self._clean = is_clean(self._text)
        self._span = (before, self._reader.position)

    def _element(self) -> Entry:
        """Return the next element; what is cut by the end of a piece is read again with more."""
        while True:
            self._odd = ""
            done = self._decode()
            if done is not None:
                value, end = done
                return self._entry(value, end)
            length = len(self._text) - self._at
            if length > self._longest:
                raise self._broken(f"it is longer than {self._longest} characters")
            self._fill(least=length)

    def _decode(self) -> tuple[Any, int] | None:
        """Return the element and its end; None if more must be read for that."""
        try:
            value, end = self._scan()
        except json.JSONDecodeError as error:
            cut = error.pos >= len(self._text) - _MARGIN or error.msg.startswith("Unterminated")
            if cut and not self._ended:
                return None
            raise self._broken(f"{error.msg} at its character {error.pos - self._at}") from None
        except RecursionError:
            raise self._broken("it is nested too deeply") from None
        # A number at the end of a piece may go on in the next one.
        return (value, end) if end + _MARGIN < len(self._text) or self._ended else None

    def _scan(self) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError:
            raise
        except ValueError:  # thousands of digits
            return self._lenient.raw_decode(self._text, self._at)

    def _entry(self, value: Any, end: int) -> Entry:
        self._number += 1
        start, self._at = self._at, end
        self.weight += end - start
        where, fault = f"record {self._number}", self._odd
        if not self._clean and (byte := wrong_byte(self._text, start, end)) is not None:
            fault = f"holds the byte {byte:#04x}, which is not {self._reader.encoding}"
        return Entry(where, fault=fault) if fault else Entry(where, value)

    def _broken(self, why: str) -> SourceError:
        return SourceError(f"{self._name} breaks off at record {self._number + 1}: {why}")

    def _constant(self, _name: str) -> None:
        self._odd = NO_NUMBER

    def _integer(self, digits: str) -> int:
        try:
            return int(digits)
        except ValueError:
            self._odd = f"cannot be read: it has a number of {len(digits)} digits"
            return 0
