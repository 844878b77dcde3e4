"""A source whose rows become records by a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from difflib import get_close_matches
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ximilar_async.errors import ConfigError, SourceError

from ._base import Entry
from ._fingerprint import fingerprint_of
from ._mapped_id import id_in
from ._mapping import RecordMapping

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from ._base import Chunk, Source

NO_RECORD: Final = "is no record: "
"""How the fault of a row begins that a mapping does not take."""

_SHOWN: Final = 40
"""Columns that a message lists."""


@runtime_checkable
class HasRows(Protocol):
    """A source whose `chunks` make records of rows, and which can also give the rows."""

    def rows(self) -> AsyncGenerator[Chunk, None]:
        """Yield the rows instead: decimals, bytes and NaN as they are, empty cells as well."""
        ...


class MappedSource:
    """The records that a mapping makes of a source's rows; a bad row costs that row.

    Args:
        source: Where the rows come from.
        mapping: What becomes of their columns.

    Raises:
        ConfigError: `mapping` is no RecordMapping.

    Example:
        >>> from ximilar_async.sources import RecordMapping, SequenceSource
        >>> MappedSource(SequenceSource([{"sku": 1}, {"sku": 2}]), RecordMapping(id="sku")).size
        2
    """

    def __init__(self, source: Source, mapping: RecordMapping) -> None:
        if not isinstance(mapping, RecordMapping):
            raise ConfigError(
                "mapping takes a RecordMapping, such as RecordMapping(id='sku'), "
                f"not {mapping!r:.60}"
            )
        self.mapping = mapping
        self._source = source
        self._is_checked = False

    @property
    def name(self) -> str:
        """Return how people call the rows' source."""
        return self._source.name

    @property
    def size(self) -> int | None:
        """Return how much there is in all, in the unit of `position`; None if unknown."""
        return self._source.size

    @property
    def position(self) -> int:
        """Return how much was read."""
        return self._source.position

    @property
    def path(self) -> Path | None:
        """Return where the rows lie on disk."""
        return self._source.path

    @property
    def files_root(self) -> Path | None:
        """Return the folder that `_file` of the records may not leave."""
        return self._source.files_root

    def fingerprint(self) -> str | None:
        """Return the rows' fingerprint together with the mapping's; None where nobody can tell.

        Raises:
            SourceError: the input cannot be read.
        """
        rows = fingerprint_of(self._source)
        if rows is None:
            return None
        return f"{rows}/{sha256(repr(self.mapping).encode()).hexdigest()[:16]}"

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the records, a chunk at a time.

        Raises:
            SourceError: the source broke off, or has no such columns as the mapping names.
        """
        async with aclosing(self._rows()) as chunks:
            async for chunk in chunks:
                if not self._is_checked:
                    self._check_columns(chunk)
                yield [self._entry(entry) for entry in chunk]

    def _rows(self) -> AsyncGenerator[Chunk, None]:
        source = self._source
        return source.rows() if isinstance(source, HasRows) else source.chunks()

    def _entry(self, entry: Entry) -> Entry:
        row = entry.record
        if not isinstance(row, Mapping):
            fault = f"is no row with columns but {type(row).__name__}, which no mapping can take"
            return entry if entry.fault is not None else Entry(entry.where, row, fault)
        if entry.fault is not None:
            return entry._replace(id=self._id(row))
        try:
            return Entry(entry.where, self.mapping.apply(row))
        except ValueError as error:
            return Entry(entry.where, row, f"{NO_RECORD}{error}", self._id(row))

    def _id(self, row: Mapping[str, Any]) -> str:
        """Return the id of a row that is no record; empty if it has none, whatever its `_id`."""
        try:
            return id_in(row, self.mapping.id)
        except ValueError:
            return ""

    def _check_columns(self, chunk: Chunk) -> None:
        """See that the first rows have the columns that the mapping takes.

        Of live records the first comes alone, and may lack a field by chance: then only the id
        counts.
        """
        rows = [entry.record for entry in chunk if isinstance(entry.record, Mapping)]
        if not rows:
            return
        self._is_checked = True
        there: dict[Any, None] = {column: None for row in rows for column in row}
        may_be_chance = len(rows) == 1 and self.path is None and self.size is None
        wanted = self.mapping.columns[:1] if may_be_chance else self.mapping.columns
        missing = [column for column in wanted if column not in there]
        if missing:
            known = [str(column) for column in there]
            raise SourceError(f"{self.name} has no {_wanted(missing, known)}")


def _wanted(missing: Sequence[str], known: Sequence[str]) -> str:
    """Return the columns that are not there, what each may be called, and what is there.

    Example:
        >>> _wanted(["prise"], ["sku", "price"])
        "column 'prise' (is it 'price'?), which the mapping takes; its columns are sku, price"
    """
    names = []
    for column in missing:
        near = get_close_matches(column, known, 1)
        names.append(f"{column!r:.60}" + (f" (is it {near[0]!r:.60}?)" if near else ""))
    word = "column" if len(missing) == 1 else "columns"
    shown = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
    return f"{word} {' and '.join(names)}, which the mapping takes; its columns are {shown}"
