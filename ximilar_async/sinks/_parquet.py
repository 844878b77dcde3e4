"""Records as Parquet, by pyarrow (extra `sources`); a room's module that is imported when needed.

A Parquet file has one type a column, and JSON has none: types are found by passing over all records
once (`Types`), so that no later record can surprise the writer.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import define, field

from ._columns import Columns
from ._text import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._base import Records

_CLASH: Final = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)
"""How pyarrow says that values have no type in common."""


class ClashError(Exception):
    """Values do not fit the type that their column was given.

    Args:
        column: The column's name.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


@define
class Types:
    """The type of each column, which widens with each group of records.

    Whole numbers become floats where both come, objects gather the fields of all. Values that have
    no type in common, such as 5 and "five", make a column of JSON text.

    Args:
        wanted: Columns to keep to; None for all that come.

    Example:
        >>> types = Types()
        >>> types.add([{"_id": "1", "price": 5}])
        >>> types.add([{"_id": "2", "price": 7.5, "size": 41}, {"_id": "3", "size": "L"}])
        >>> [f"{column.name}: {column.type}" for column in types.schema], list(types.mixed)
        (['_id: string', 'price: double', 'size: string'], ['size'])
    """

    wanted: Sequence[str] | None = None
    mixed: dict[str, None] = field(factory=dict, init=False)
    """Columns whose values stand as JSON text."""
    _columns: Columns = field(factory=Columns, init=False)
    _types: dict[str, pa.DataType] = field(factory=dict, init=False)

    @property
    def names(self) -> list[str]:
        """Return the columns' names, in their order."""
        return list(self.wanted) if self.wanted is not None else self._columns.names

    @property
    def schema(self) -> pa.Schema:
        """Return the schema that holds all records that were added."""
        return pa.schema([(name, self._type(name)) for name in self.names])

    def add(self, records: Records) -> None:
        """Widen the types so that they hold some more records.

        Raises:
            ConfigError: there are too many fields for a table.
        """
        if self.wanted is None:
            self._columns.add(records)
        for name in self.names:
            if name not in self.mixed:
                self._widen(name, [record.get(name) for record in records])

    def mix(self, name: str) -> None:
        """Let a column's values stand as JSON text."""
        self.mixed[name] = None

    def _widen(self, name: str, values: Sequence[Any]) -> None:
        try:
            self._types[name] = _wider(self._types.get(name, pa.null()), pa.array(values).type)
        except _CLASH:
            self.mix(name)

    @property
    def texts(self) -> frozenset[str]:
        """Return the columns whose values become JSON text: mixed ones, and empty objects."""
        return frozenset(name for name in self.names if self._settled(name) is None)

    def _type(self, name: str) -> pa.DataType:
        return self._settled(name) or pa.string()

    def _settled(self, name: str) -> pa.DataType | None:
        return None if name in self.mixed else _settled(self._types.get(name, pa.null()))


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
    return pa.unify_schemas(schemas, promote_options="permissive").field("x").type


def _settled(kind: pa.DataType) -> pa.DataType | None:
    """Return a type that Parquet can say; None for objects without a field, which it cannot.

    Where no value came at all, any type would do.
    """
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        inner = _settled(kind.value_type)
        return None if inner is None else pa.list_(inner)
    if not pa.types.is_struct(kind):
        return kind
    parts = [(part.name, _settled(part.type)) for part in kind]
    return None if not parts or any(inner is None for _, inner in parts) else pa.struct(parts)


class ParquetSink:
    """Writes records as Parquet, a row group for each `write`, compressed with zstd.

    Args:
        target: Where to.
        types: The columns' types.
    """

    def __init__(self, target: IO[bytes], types: Types) -> None:
        self._schema = types.schema
        self._as_text = types.texts
        self._writer = pq.ParquetWriter(target, self._schema, compression="zstd")

    def write(self, records: Records) -> None:
        """Write some records as a row group.

        Raises:
            ClashError: values do not fit the type of their column.
        """
        columns = [self._column(kind, records) for kind in self._schema]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        """Write the file's footer."""
        self._writer.close()

    def _column(self, kind: pa.Field, records: Records) -> pa.Array:
        values: Iterator[Any] = (record.get(kind.name) for record in records)
        if kind.name in self._as_text:
            values = (None if value is None else as_json(value) for value in values)
        try:
            return pa.array(list(values), kind.type)
        except _CLASH:
            raise ClashError(kind.name) from None
