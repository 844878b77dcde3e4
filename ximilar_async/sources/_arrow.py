"""Rows of Arrow's formats: Parquet, IPC files and streams, and data frames of any library."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ximilar_async.errors import SourceError

from ._blocking import BYTES, BlockingSource, chosen
from ._columns import Rows, arrow

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from ._base import Chunk

_MOST_ROWS: Final = 8192
"""Rows that a batch of a Parquet file has at most."""

_BUFFER: Final = 2**20
"""Bytes of a column of a Parquet file that are read at once, however large its row group is."""


class _FileSource(BlockingSource):
    """What Parquet and Arrow files share.

    Args:
        place: The file.
        files_root: Where `_file` of its records may point; its own folder unless given.
        columns: The columns to read; all unless given.
    """

    _KIND = ""

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        files_root: Path | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        path = Path(place)
        super().__init__(path.name)
        self.path = path
        self._place = path
        self.files_root = files_root or path.parent
        self._columns = columns

    def _open(self) -> BinaryIO:
        return self._place.open("rb", buffering=0)

    def _words(self, error: Exception) -> str:
        words = getattr(error, "strerror", None) or super()._words(error)
        return f"{words}; {self._KIND}" if _is_arrows(error) else words


class ParquetSource(_FileSource):
    """Rows of a Parquet file, read by row groups and within them by pages, in bounded memory.

    A file that was broken off has no footer and gives nothing; a damaged page costs what is behind
    it. Only the columns asked for are read from the disk.

    Args:
        place: The file.
        files_root: Where `_file` of its records may point; its own folder unless given.
        columns: The columns to read; all unless given.

    Example:
        >>> ParquetSource("shop.parquet", columns=["_id", "price"]).name
        'shop.parquet'
    """

    _KIND = "is it a whole Parquet file?"

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        with self._open() as opened, closing(_parquet(opened)) as file:
            self.size = file.metadata.num_rows
            names = chosen(file.schema_arrow.names, self._columns, self.name)
            rows, done = Rows(file.schema_arrow, names, raw=raw), 0
            for batch in _batches(file, names):
                yield from rows.chunks(batch, done)
                done += batch.num_rows


def _parquet(opened: BinaryIO) -> Any:
    return arrow().parquet.ParquetFile(
        opened, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
    )


def _batches(file: Any, names: list[str]) -> Iterator[Any]:
    for group in range(file.num_row_groups):
        count = _rows_at_once(file.metadata.row_group(group), set(names))
        # Arrow's own threads gain nothing here, and take memory and a core from the event loop.
        yield from file.iter_batches(count, row_groups=[group], columns=names, use_threads=False)


def _rows_at_once(group: Any, names: set[str]) -> int:
    """Return how many rows of a row group take about as many bytes as may be handed on at once."""
    columns = [group.column(index) for index in range(group.num_columns)]
    size = sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema.split(".")[0] in names
    )
    fitting: int = BYTES * group.num_rows // max(1, size)
    return max(1, min(_MOST_ROWS, fitting))


class ArrowFileSource(_FileSource):
    """Rows of an Arrow IPC file (Feather 2) or stream, whichever its first bytes say.

    A record batch of the file is in memory as a whole; writers make them of some ten thousand rows.
    A file that was broken off gives nothing, a stream what came before.

    Args:
        place: The file.
        files_root: Where `_file` of its records may point; its own folder unless given.
        columns: The columns to read; all unless given.

    Example:
        >>> ArrowFileSource("shop.arrow").name
        'shop.arrow'
    """

    _KIND = "is it a whole Arrow IPC file or stream?"

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        with self._open() as file:
            start = bytes(file.read(8))
            if start.startswith(b"FEA1"):
                raise SourceError(
                    f"{self.name} is Feather 1; write it again as Feather 2 or Parquet"
                )
            if start.startswith(b"ARROW1"):
                yield from self._of_file(file, raw=raw)
            else:
                yield from self._of_stream(_Replay(start, file), raw=raw)

    def _of_file(self, file: Any, *, raw: bool) -> Iterator[Chunk]:
        ipc = arrow().ipc
        schema = ipc.open_file(file).schema
        names = chosen(schema.names, self._columns, self.name)
        kept = [schema.get_field_index(name) for name in names]
        reader = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=kept))
        rows, done = Rows(reader.schema, names, raw=raw), 0
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            yield from rows.chunks(batch, done)
            done += batch.num_rows

    def _of_stream(self, file: _Replay, *, raw: bool) -> Iterator[Chunk]:
        pa = arrow()
        reader = pa.ipc.open_stream(pa.PythonFile(file, mode="r"))
        names = chosen(reader.schema.names, self._columns, self.name)
        yield from rows_of(reader, names, raw=raw)
        if file.ended:  # Arrow takes that for the end; but a writer that is done writes a mark
            raise SourceError(f"{self.name} has no end mark: it was broken off between two batches")
        if file.read(1):
            raise SourceError(f"{self.name} goes on behind its end mark: are two files in one?")


class _Replay:
    """A file whose first bytes were read already; it knows whether more was asked than it has.

    Args:
        start: The bytes that were read.
        file: The rest.
    """

    closed = False

    def __init__(self, start: bytes, file: Any) -> None:
        self._start = start
        self._file = file
        self.ended = False

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes, as many as there are of those asked for."""
        part, self._start = self._start[:count], self._start[count:]
        if len(part) < count:
            part += self._file.read(count - len(part))
        self.ended = len(part) < count
        return part

    def close(self) -> None:
        """Leave it to whoever opened the file."""

    def flush(self) -> None:
        """Do nothing: it is only read."""


class ArrowStreamSource(BlockingSource):
    """Rows of any object with Arrow's stream interface, without copying the whole.

    So of pandas (2.2 or newer), Polars, DuckDB, pyarrow and ADBC. The object must not change while
    it is read. What DuckDB computes, it computes in the source's thread: leave its connection alone
    until then, or hand over a relation of `connection.cursor()`. Columns that pandas makes of an
    index without a name are left out.

    Args:
        table: The object.
        name: How people call it.
        columns: The columns to take; all unless given.

    Example:
        >>> import pyarrow as pa
        >>> ArrowStreamSource(pa.table({"_id": ["1", "2"]})).size
        2
    """

    def __init__(
        self,
        table: Any,
        name: str = "records",
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name)
        arrow()
        self.size = _row_count(table)
        self._table = table
        self._columns = columns

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        reader = self._reader()
        kept = [name for name in reader.schema.names if not _is_unnamed_index(name)]
        yield from rows_of(reader, chosen(kept, self._columns, self.name), raw=raw)

    def _reader(self) -> Any:
        pa = arrow()
        if not hasattr(self._table, "__arrow_c_stream__"):
            batch = pa.record_batch(self._table)
            return pa.RecordBatchReader.from_batches(batch.schema, [batch])
        return pa.RecordBatchReader.from_stream(self._table)


def rows_of(reader: Any, names: list[str], *, raw: bool) -> Iterator[Chunk]:
    """Yield the rows of a reader of record batches in bounded chunks.

    Args:
        reader: The reader.
        names: The columns to take.
        raw: Whether values stay as Arrow gives them.
    """
    rows, done = Rows(reader.schema, names, raw=raw), 0
    for batch in reader:
        yield from rows.chunks(batch, done)
        done += batch.num_rows


def _row_count(table: Any) -> int | None:
    """Return how many rows there are, if that can be told without computing them."""
    count = getattr(table, "num_rows", None)
    if isinstance(count, int):
        return count
    # A relation of DuckDB has a length as well, which it computes; but it is no iterable.
    return len(table) if isinstance(table, Sized) and isinstance(table, Iterable) else None


def _is_unnamed_index(name: str) -> bool:
    return name.startswith("__index_level_") and name.endswith("__")


def _is_arrows(error: Exception) -> bool:
    """Tell whether an error is about a file's content; Arrow raises OSError for that as well."""
    return getattr(error, "errno", None) is None
