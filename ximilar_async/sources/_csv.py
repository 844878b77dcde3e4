"""Records of tables that are text: CSV, TSV and their like."""

from __future__ import annotations

import csv
import io
from collections import deque
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import ConfigError, SourceError

from ._base import Entry
from ._blocking import chosen
from ._dialect import SAMPLE, Dialect, rows_of, tell_dialect
from ._files import PART, PIECE, FileSource
from ._text import TextReader, check_encoding, is_clean, oddity

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from pathlib import Path

    from ._base import Chunk
    from ._files import ByteReader

MAX_ROW: Final = 16 * 2**20
"""Longest row that is kept, in characters."""


class CsvSource(FileSource):
    """Rows of a CSV or TSV file, named by its first line; a bad row costs that row.

    All values are text; an empty cell is a field that the record does not have (`rows` has it,
    for a mapping). A quoted cell may
    hold line ends. Of a row that breaks the rules of quoting its first line is a fault and what
    follows is read anew; a quoted cell that never ends breaks the source off, for nobody can tell
    rows from text behind it.

    Args:
        place: The file: a path, or an address that fsspec knows; decompressed by its ending.
        delimiter: The character between cells; told by the file unless given.
        encoding: The encoding of a file without byte order mark; UTF-8 unless given.
        columns: The columns to read; all unless given.
        files_root: The folder that `_file` of its records may not leave; the file's own unless
            given.
        max_row: Longest row that is kept, in characters.

    Raises:
        ConfigError: there is no such encoding, or the delimiter is no single character.

    Example:
        >>> CsvSource("catalog.csv.gz", delimiter=";", encoding="cp1250").name
        'catalog.csv.gz'
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        columns: Sequence[str] | None = None,
        files_root: Path | None = None,
        max_row: int = MAX_ROW,
    ) -> None:
        super().__init__(place, files_root=files_root)
        self._encoding = check_encoding(encoding or "utf-8")
        self._delimiter = None if delimiter is None else check_delimiter(delimiter)
        self._columns = columns
        self._max_row = max_row
        self._drops_empty = True

    def rows(self) -> AsyncGenerator[Chunk, None]:
        """Yield the rows with their empty cells, as a mapping wants them, instead of `chunks`.

        Raises:
            SourceError: the file cannot be read, or breaks off; what came before it counts.
        """
        self._drops_empty = False
        return self.chunks()

    def _read(self, reader: ByteReader) -> Iterator[tuple[Chunk, int]]:
        lines = _Lines(TextReader(reader, self._encoding), self.name, self._max_row)
        dialect = tell_dialect(lines.sample())
        if self._delimiter is not None:
            dialect = Dialect(self._delimiter, is_named=dialect.is_named)
        # The limit is one for the whole program: it is only ever raised.
        csv.field_size_limit(max(csv.field_size_limit(), self._max_row + 1))
        rows = _Rows(lines, dialect, self.name, drops_empty=self._drops_empty)
        rows.read_header(self._columns)
        while chunk := rows.next():
            yield chunk, lines.position


def check_delimiter(delimiter: str) -> str:
    r"""Return what separates cells: one character, which may be written as `\t` or `tab`.

    Raises:
        ConfigError: it is no single character, or one that has a meaning of its own.

    Example:
        >>> check_delimiter("\\t") == check_delimiter("tab") == "\t"
        True
    """
    delimiter = "\t" if delimiter in ("\\t", "tab") else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n\0 ' or "\ud800" <= delimiter <= "\udfff":
        raise ConfigError(f"a delimiter is one character such as , or ; or \\t, not {delimiter!r}")
    return delimiter


class _Lines:
    """Gives lines to the parser of rows, one after the other, and can take some back.

    Args:
        text: The file's text.
        name: How people call the file.
        longest: Most characters that a row may have.
    """

    def __init__(self, text: TextReader, name: str, longest: int) -> None:
        self.number = 0
        """The number of the line that was given last."""
        self.kept: list[str] = []
        """The lines of the row that is being read."""
        self.bad: dict[int, str] = {}
        """What is wrong with lines that were given, by their numbers."""
        self.ended = False
        self.weight = 0
        """Characters that were given since somebody set this to 0."""
        self._text = text
        self._name = name
        self._longest = longest
        self._length = 0
        self._again: deque[str] = deque()
        self._first: str | None = None
        self._given = self._give()
        self._span = (0, 0)
        self._piece = io.StringIO()
        self._size = 0

    @property
    def position(self) -> int:
        """Return about how far the file is read, in bytes."""
        before, after = self._span
        return before + (after - before) * self._piece.tell() // max(self._size, 1)

    def __iter__(self) -> Iterator[str]:
        """Return the one iterator there is."""
        return self._given

    def sample(self) -> str:
        """Return the beginning of the text, up to the end of a line if there is one."""
        self._first = self._text.read()
        sample = self._first[:SAMPLE]
        return sample[: _end_of_lines(sample)] or sample

    def take_back(self) -> None:
        """Take back all lines of the row but its first: they are given once more."""
        again = self.kept[1:]
        self.number -= len(again)
        self._again.extendleft(reversed(again))

    def forget(self) -> str | None:
        """Forget the lines of a row that was read, and say what is wrong with one of them."""
        first = self.number - len(self.kept) + 1
        self.kept.clear()
        gone = [
            (number, self.bad.pop(number)) for number in sorted(self.bad) if number <= self.number
        ]
        if not gone:
            return None
        number, fault = gone[0]
        return fault if number == first else f"{fault} (in line {number})"

    def _give(self) -> Iterator[str]:
        for text, fault in self._whole_lines():
            self._piece, self._size = io.StringIO(text, newline=""), len(text)
            judged = fault is not None or not is_clean(text)
            for line in self._piece:
                self._note(line)
                if judged:
                    self._judge(line, fault)
                yield line
                while self._again:
                    line = self._again.popleft()  # noqa: PLW2901 - it is the line from here on
                    self._note(line)
                    yield line
        self.ended = True

    def _note(self, line: str) -> None:
        self.number += 1
        if not self.kept:
            self._length = 0
        self._length += len(line)
        self.weight += len(line)
        self.kept.append(line)
        if self._length <= self._longest:
            return
        if len(self.kept) == 1:
            self.bad[self.number] = f"is longer than {self._longest} characters"
        else:
            first = self.number - len(self.kept) + 1
            raise SourceError(
                f"{self._name} breaks off: a quoted cell that begins in line {first} does not end "
                f"within {self._longest} characters; is there a single quote too many?"
            )

    def _judge(self, line: str, fault: str | None) -> None:
        if fault is None and (odd := oddity(line, self._text.encoding)):
            fault = f"holds {odd}" + _advice(odd)
        if fault is not None:
            self.bad[self.number] = fault

    def _whole_lines(self) -> Iterator[tuple[str, str | None]]:
        """Yield pieces of text that end with a line, and a fault for a line that is left out."""
        rest, skips = "", False
        while text := self._next_text():
            if skips:
                text = text[_end_of_first(text) :]
                skips = not text
            text = rest + text
            end = _end_of_lines(text)
            rest = text[end:]
            if end:
                yield text[:end], None
            if len(rest) > self._longest:
                rest, skips = "", True
                yield "\n", f"is longer than {self._longest} characters"
        if rest:
            yield rest, None

    def _next_text(self) -> str:
        before = self._span[1]
        text, self._first = self._text.read() if self._first is None else self._first, None
        self._span = (before, self._text.position)
        return text


def _end_of_lines(text: str) -> int:
    """Return where the last whole line of a text ends; a CR at its very end may be half of one."""
    return text.rfind("\n") + 1 or text.rfind("\r", 0, len(text) - 1) + 1


def _end_of_first(text: str) -> int:
    """Return where the first line of a text ends; its length if it does not."""
    return text.find("\n") + 1 or text.find("\r") + 1 or len(text)


def _advice(odd: str) -> str:
    if odd.startswith("NUL"):
        return "; is it UTF-16? then name the encoding"
    return "; name the encoding if it is another, such as cp1250"


class _Rows:
    """Makes entries of lines.

    Args:
        lines: The lines.
        dialect: How cells are told apart.
        name: How people call the file.
        drops_empty: Whether empty cells are left out.
    """

    def __init__(self, lines: _Lines, dialect: Dialect, name: str, *, drops_empty: bool) -> None:
        self._lines = lines
        self._rows = rows_of(lines, dialect)
        self._dialect = dialect
        self._name = name
        self._drops_empty = drops_empty
        self._names: list[str] = []
        self._left_out: frozenset[str] = frozenset()
        self._failed: SourceError | None = None

    def read_header(self, columns: Sequence[str] | None) -> None:
        """Read the names of the columns.

        Args:
            columns: The columns to keep; None for all.

        Raises:
            SourceError: there is no header, or it is none.
        """
        try:
            if self._dialect.is_named:
                next(iter(self._lines), None)
                self._lines.forget()
            row = next((row for row in self._rows if row), None)
        except csv.Error as error:
            raise SourceError(f"the header of {self._name} cannot be read: {error}") from None
        if fault := self._lines.forget():
            raise SourceError(f"the header of {self._name} {fault}")
        if row is None:
            raise SourceError(f"{self._name} is empty: its first line must name the columns")
        self._names = [name.strip() for name in row]
        kept = chosen(self._names, columns, self._name)
        self._left_out = frozenset(self._names) - frozenset(kept)

    def next(self) -> Chunk:
        """Return the next entries; none at the end.

        Raises:
            SourceError: the file breaks off.
        """
        chunk: Chunk = []
        if self._failed is not None:
            raise self._failed
        try:
            self._lines.weight = 0
            while len(chunk) < PART and self._lines.weight <= PIECE and not self._fill(chunk):
                pass
        except SourceError as error:
            if not chunk:
                raise
            self._failed = error
        return chunk

    def _fill(self, chunk: Chunk) -> bool:
        """Add entries up to a part, or a row that breaks the rules; tell whether that is all."""
        try:
            return self._fill_good(chunk)
        except csv.Error as error:
            if self._lines.ended and self._lines.kept:
                raise self._unended() from None
            chunk.append(self._broken(error))
            return False

    def _fill_good(self, chunk: Chunk) -> bool:
        lines, width = self._lines, len(self._names)
        kept, bad = lines.kept, lines.bad
        missing = PART - len(chunk)
        for row in self._rows:
            where = f"line {lines.number - len(kept) + 1}"
            if len(row) == width and not bad:
                chunk.append(Entry(where, self._record(row)))
            elif entry := self._entry(row, where):
                chunk.append(entry)
            else:
                continue
            kept.clear()
            missing -= 1
            if not missing or lines.weight > PIECE:
                return False
        return True

    def _record(self, row: list[str]) -> dict[str, str]:
        cells = zip(self._names, row, strict=True)
        record = {name: cell for name, cell in cells if cell} if self._drops_empty else dict(cells)
        for name in self._left_out:
            record.pop(name, None)
        return record

    def _entry(self, row: list[str], where: str) -> Entry | None:
        """Return the entry of any row; None for an empty line."""
        fault = self._lines.forget()
        if fault is None and not row:
            return None
        if fault is None and len(row) != len(self._names):
            fault = f"has {len(row)} cells, the header {len(self._names)}"
        if fault is not None:
            return Entry(where, fault=fault)
        return Entry(where, self._record(row))

    def _broken(self, error: csv.Error) -> Entry:
        """Return the fault of a row that breaks the rules; its other lines are read anew."""
        lines = self._lines
        where = f"line {lines.number - len(lines.kept) + 1}"
        lines.take_back()
        return Entry(where, fault=lines.forget() or f"breaks the rules of quoting: {error}")

    def _unended(self) -> SourceError:
        first = self._lines.number - len(self._lines.kept) + 1
        return SourceError(
            f"{self._name} breaks off: a quoted cell that begins in line {first} does not end; "
            "is the file cut off, or is there a single quote too many?"
        )
