"""Rows of Arrow's formats: Parquet, IPC files and streams, and data frames of any library."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ximilar_async.errors import SourceError

from ._blocking import BYTES, ROWS, BlockingSource, chosen
from ._columns import Rows, arrow, is_binary, is_text
from ._files import ByteReader, open_binary
from ._places import NOWHERE, Place

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ._base import Chunk

_MOST_ROWS: Final = 2 * ROWS
"""Rows that a batch of a Parquet file has at most."""

_BUFFER: Final = 2**20
"""Bytes of a column of a Parquet file that are read at once, however large its row group is."""


class _FileSource(BlockingSource):
    """What Parquet and Arrow files share.

    Args:
        place: A path, or an address that fsspec knows; `.gz`, `.zst` and their like are unpacked.
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
        self._place = Place.of(place)
        super().__init__(self._place.name)
        self.path = self._place.path
        own = NOWHERE if self.path is None else self.path.parent
        self.files_root = own if files_root is None else files_root
        self._columns = columns

    def fingerprint(self) -> str | None:
        """Return text that is another one for another content; it blocks.

        Raises:
            SourceError: the file cannot be read.
        """
        return self._place.fingerprint()

    @contextmanager
    def _sought(self, pieces: Iterator[bytes] | None = None) -> Iterator[BinaryIO]:
        """Yield a file that can be sought in: a copy on disk of what is compressed or a pipe.

        Args:
            pieces: The content, where reading it has begun already.
        """
        if self._place.compression is None and not self._is_pipe():
            with closing(open_binary(self._place)) as file:
                if file.seekable():
                    yield file
                    return
        begun = self._pieces() if pieces is None else nullcontext(pieces)
        with TemporaryFile() as copy, begun as rest:
            for piece in rest:
                copy.write(piece)
            copy.seek(0)
            yield copy

    @contextmanager
    def _pieces(self) -> Iterator[Iterator[bytes]]:
        with closing(ByteReader(self._place)) as reader:
            yield iter(reader.read, b"")

    def _is_pipe(self) -> bool:
        return self.path is not None and self.path.exists() and not self.path.is_file()

    def _words(self, error: Exception) -> str:
        words = getattr(error, "strerror", None) or super()._words(error)
        return f"{words}; {self._KIND}" if _is_arrows(error) else words


class ParquetSource(_FileSource):
    """Rows of a Parquet file, read by row groups and within them by pages, in bounded memory.

    A file that was broken off has no footer and gives nothing; a damaged page costs what is behind
    it. Only the columns asked for are read from the disk. No more than a page of each column is
    unpacked at a time; for large images writers should make small ones (pyarrow: a
    `write_batch_size` of 10 or so, for it looks at a page's size only that often).

    Args:
        place: A path, or an address that fsspec knows; `.gz`, `.zst` and their like are unpacked.
        files_root: Where `_file` of its records may point; its own folder unless given.
        columns: The columns to read; all unless given.

    Example:
        >>> ParquetSource("shop.parquet", columns=["_id", "price"]).name
        'shop.parquet'
    """

    _KIND = "is it a whole Parquet file?"

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        with self._sought() as opened, closing(_parquet(opened)) as file:
            self.size = file.metadata.num_rows
            names = chosen(file.schema_arrow.names, self._columns, self.name)
            done = 0
            for chunk in rows_of(_batches(file, names), Rows(file.schema_arrow, names, raw=raw)):
                done += len(chunk)
                yield chunk
            if done != self.size:
                raise SourceError(f"{self.name} has {done} rows, but {self.size} by its footer")


def _parquet(opened: BinaryIO) -> Any:
    return arrow().parquet.ParquetFile(
        opened, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
    )


def _batches(file: Any, names: list[str]) -> Iterator[Any]:
    binary = {field.name for field in file.schema_arrow if is_binary(field.type)}
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        columns = [group.column(index) for index in range(group.num_columns)]
        taken = [column for column in columns if _name(column) in names]
        size = sum(_bytes_a_row(column, group.num_rows, binary) for column in taken)
        count = max(1, min(_MOST_ROWS, int(BYTES / max(1, size))))
        # Arrow's own threads gain nothing here, and take memory and a core from the event loop.
        yield from file.iter_batches(count, row_groups=[number], columns=names, use_threads=False)


def _name(column: Any) -> str:
    name: str = column.path_in_schema.partition(".")[0]
    return name


def _bytes_a_row(column: Any, rows: int, binary: set[str]) -> float:
    """Return how many bytes a row takes of a column of a row group, in memory.

    One image that stands in many rows is in the file once, in the column's dictionary: then each of
    them may be as large as that.
    """
    size: int = column.total_uncompressed_size
    mean: float = size / max(1, rows)
    if not column.has_dictionary_page or _name(column) not in binary:
        return mean
    stored: int = column.data_page_offset - column.dictionary_page_offset
    ratio: float = size / max(1, column.total_compressed_size)
    return max(mean, stored * ratio)


class ArrowFileSource(_FileSource):
    """Rows of an Arrow IPC file (Feather 2) or stream, whichever its first bytes say.

    A record batch of the file is in memory as a whole; writers make them of some ten thousand rows.
    A file that was broken off gives nothing, a stream what came before.

    Args:
        place: A path, or an address that fsspec knows; `.gz`, `.zst` and their like are unpacked.
        files_root: Where `_file` of its records may point; its own folder unless given.
        columns: The columns to read; all unless given.

    Example:
        >>> ArrowFileSource("shop.arrow").name
        'shop.arrow'
    """

    _KIND = "is it a whole Arrow IPC file or stream?"

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        with self._pieces() as pieces:
            start = next(pieces, b"")
            whole = chain([start], pieces)
            if start.startswith(b"FEA1"):
                raise SourceError(
                    f"{self.name} is Feather 1; write it again as Feather 2 or Parquet"
                )
            if start.startswith(b"ARROW1"):
                with self._sought(whole) as file:
                    yield from self._of_file(file, raw=raw)
            else:
                yield from self._of_stream(_Pieces(whole), raw=raw)

    def _of_file(self, file: Any, *, raw: bool) -> Iterator[Chunk]:
        ipc = arrow().ipc
        schema = ipc.open_file(file).schema
        names = chosen(schema.names, self._columns, self.name)
        kept = [schema.get_field_index(name) for name in names]
        reader = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=kept))
        batches = map(reader.get_batch, range(reader.num_record_batches))
        yield from rows_of(map(_sound, batches), Rows(reader.schema, names, raw=raw))

    def _of_stream(self, file: _Pieces, *, raw: bool) -> Iterator[Chunk]:
        pa = arrow()
        reader = pa.ipc.open_stream(pa.PythonFile(file, mode="r"))
        names = chosen(reader.schema.names, self._columns, self.name)
        yield from rows_of(map(_sound, reader), Rows(reader.schema, names, raw=raw))
        if file.ended:  # Arrow takes that for the end; but a writer that is done writes a mark
            raise SourceError(f"{self.name} has no end mark: it was broken off between two batches")
        if file.read(1):
            raise SourceError(f"{self.name} goes on behind its end mark: are two files in one?")


def _sound(batch: Any) -> Any:
    """Return a batch of a file, which was checked: Arrow follows wrong offsets into foreign memory.

    Text of a wrong encoding passes: it costs its row, and no more.

    Raises:
        ArrowInvalid: it is damaged.
    """
    pa = arrow()
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        for column in batch.columns:
            (column.cast(pa.large_binary()) if is_text(column.type) else column).validate(full=True)
    return batch


class _Pieces:
    """A file of pieces, as far as Arrow asks; it knows whether more was asked than there is.

    Args:
        pieces: The content.

    Example:
        >>> file = _Pieces(iter([b"shoe", b"s"]))
        >>> file.read(3), file.read(2), file.ended, file.read(1), file.ended
        (b'sho', b'es', False, b'', True)
    """

    closed = False

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.ended = False

    def read(self, count: int) -> bytes:
        """Return the next bytes, as many as there are of those asked for."""
        parts: list[memoryview] = []
        missing = count
        while missing > 0:
            if not self._rest:
                self._rest = memoryview(next(self._pieces, b""))
            if not self._rest:
                break
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        self.ended = missing > 0
        return b"".join(parts)

    def close(self) -> None:
        """Leave it to whoever opened the file."""

    def flush(self) -> None:
        """Do nothing: it is only read."""


class ArrowStreamSource(BlockingSource):
    """Rows of any object with Arrow's stream interface, without copying the whole.

    So of pandas (2.2 or newer), Polars, DuckDB, pyarrow and ADBC. The object must not change while
    it is read. What DuckDB computes, it computes in the source's thread: leave its connection alone
    until then, or hand over a relation of `connection.cursor()`. Columns that pandas makes of an
    index without a name are left out, and its NaN is null, as pandas means it.

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
        names = chosen(kept, self._columns, self.name)
        yield from rows_of(reader, Rows(reader.schema, names, raw=raw))

    def _reader(self) -> Any:
        pa = arrow()
        if not hasattr(self._table, "__arrow_c_stream__"):
            batch = pa.record_batch(self._table)
            return pa.RecordBatchReader.from_batches(batch.schema, [batch])
        return pa.RecordBatchReader.from_stream(self._table)


def rows_of(batches: Iterable[Any], rows: Rows) -> Iterator[Chunk]:
    """Yield the rows of record batches in bounded chunks.

    Args:
        batches: The record batches.
        rows: What makes entries of them.
    """
    done = 0
    for batch in batches:
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
