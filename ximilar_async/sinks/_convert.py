"""From a file of JSON lines to the file that was asked for, in bounded memory."""

from __future__ import annotations

from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from ._base import replaced
from ._columns import Columns
from ._formats import compressed
from ._text import CsvSink, JsonlSink

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from ._base import Sink
    from ._formats import Format
    from ._parquet import Types

_GROUP: Final = 20_000
"""Most records that are in memory at once, and in a row group."""

_GROUP_BYTES: Final = 16 * 2**20
"""Bytes of JSON from which on a group has no further record."""


class Conversion:
    """Turns JSON lines into another format; nothing bears the new file's name until it is whole.

    Columns are found by passing over the lines first, unless they are given: a table's first line
    must know them all. Until it is whole the file is called `FILE.new`; one that a killed process
    left is written over, so that no two may convert to one file at once. Blocking, in steps that
    take a fraction of a second.

    Args:
        spool: The JSON lines.
        path: The file to write.
        format: How.
        fields: The columns of a table; None for all fields that any record has.
        group: Most records in memory at once.

    Example:
        >>> from pathlib import Path
        >>> from ._formats import format_of
        >>> conversion = Conversion(Path("in.jsonl"), Path("out.csv"), format_of("out.csv"))
        >>> conversion.notes
        []
    """

    def __init__(
        self,
        spool: Path,
        path: Path,
        format: Format,
        *,
        fields: Sequence[str] | None = None,
        group: int = _GROUP,
    ) -> None:
        self.notes: list[str] = []
        """What a user should know about the file."""
        self._spool, self._path, self._format = spool, path, format
        self._new = path.with_name(f"{path.name}.new")
        self._fields, self._group = fields, group

    def steps(self) -> Iterator[int]:
        """Yield how many records are written, again and again until all are.

        Raises:
            OSError: the file cannot be written.
            ConfigError: the records have too many fields for a table.
        """
        if self._format.kind == "parquet":
            yield from self._parquet()
        elif self._format.kind == "jsonl":
            yield from self._text(JsonlSink)
        else:
            columns = self._fields
            if columns is None:
                columns = yield from self._columns()
            names, delimiter = columns, "," if self._format.kind == "csv" else "\t"
            yield from self._text(lambda target: CsvSink(target, names, delimiter))

    def _columns(self) -> Generator[int, None, list[str]]:
        columns = Columns()
        for records in self._groups():
            columns.add(records)
            yield 0
        return columns.names

    def _text(self, make: Callable[[IO[bytes]], Sink]) -> Iterator[int]:
        with (
            replaced(self._path, self._new) as target,
            compressed(target, self._format.compression) as stream,
        ):
            yield from self._write(make(stream))

    def _write(self, sink: Sink) -> Iterator[int]:
        written = 0
        with closing(sink):  # also after an error: what pyarrow began wants an end
            for records in self._groups():
                sink.write(records)
                written += len(records)
                yield written

    def _parquet(self) -> Iterator[int]:
        from ._parquet import ClashError, Types  # noqa: PLC0415 - an extra

        types = Types(self._fields)
        for records in self._groups():
            types.add(records)
            yield 0
        while True:
            try:
                yield from self._rows(types)
                break
            except ClashError as clash:
                # Such as a whole number that no float holds: once for each column at most.
                types.mix(clash.column)
        self.notes += [
            f"{name}: values of several types, written as JSON text" for name in types.mixed
        ]

    def _rows(self, types: Types) -> Iterator[int]:
        from ._parquet import ParquetSink  # noqa: PLC0415 - an extra

        with replaced(self._path, self._new) as target:
            yield from self._write(ParquetSink(target, types))

    def _groups(self) -> Iterator[list[dict[str, Any]]]:
        with self._spool.open("rb") as lines:
            while group := _group(lines, self._group):
                yield [orjson.loads(line) for line in group]


def _group(lines: IO[bytes], most: int) -> list[bytes]:
    group: list[bytes] = []
    size = 0
    while len(group) < most and size < _GROUP_BYTES and (line := lines.readline()):
        group.append(line)
        size += len(line)
    return group
