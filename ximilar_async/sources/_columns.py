"""Arrow's columns to rows: what each column needs is decided once, by its type.

Integers, text and truth are taken as Arrow gives them. Floats are looked at as a whole: only a
column with a NaN or an infinity is gone through. The rest goes through `plain`, value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ximilar_async.errors import SourceError

from ._base import Entry
from ._blocking import BYTES, ROWS
from ._values import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ._base import Chunk

_IMAGES: Final = frozenset({"_base64", "_file", "_image", "_url"})
"""Fields of which a row has one: null in another means that it has not that one."""

_VIEW: Final = 4
"""32-bit words of a view; the first is the value's length."""

Faults: TypeAlias = dict[int, str]
"""What is wrong with rows, by their index."""


def arrow() -> Any:
    """Return pyarrow with the parts used here.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
        import pyarrow.compute  # noqa: PLC0415 - reached through the package
        import pyarrow.ipc  # noqa: PLC0415 - as above
        import pyarrow.parquet  # noqa: PLC0415 - as above
    except ImportError:
        raise SourceError(
            "Parquet, Arrow, data frames and ADBC cannot be read without pyarrow: "
            "pip install 'ximilar-async[sources]'"
        ) from None
    return pa


class Rows:
    """Turns record batches of one schema into entries.

    Args:
        schema: The schema of the batches.
        names: The columns to take.
        raw: Whether values stay as Arrow gives them.

    Example:
        >>> import pyarrow as pa
        >>> batch = pa.record_batch({"_id": ["1"], "price": [float("nan")]})
        >>> [[entry]] = Rows(batch.schema, ["_id", "price"], raw=False).chunks(batch, 0)
        >>> entry.fault
        'is no record: price is nan, which JSON cannot carry; make it null or leave it out'
    """

    def __init__(self, schema: Any, names: Sequence[str], *, raw: bool) -> None:
        self._names = names
        self._columns = [_Column(schema.field(name), raw=raw) for name in names]

    def chunks(self, batch: Any, done: int) -> Iterator[Chunk]:
        """Yield the entries of a batch in bounded chunks.

        Args:
            batch: A record batch.
            done: How many rows came before it.
        """
        arrays = [
            column.prepared(batch.column(name))
            for name, column in zip(self._names, self._columns, strict=True)
        ]
        start, guess = 0, ROWS
        while start < batch.num_rows:
            parts = [array.slice(start, guess) for array in arrays]
            if guess > 1 and sum(map(_bytes, parts)) > BYTES:
                guess = max(1, guess // 2)
                continue
            count = min(guess, batch.num_rows - start)
            yield self._entries(parts, count, done + start + 1)
            start, guess = start + count, min(ROWS, guess * 2)

    def _entries(self, arrays: Sequence[Any], count: int, first: int) -> Chunk:
        faults: Faults = {}
        lists = [
            column.values(array, faults)
            for column, array in zip(self._columns, arrays, strict=True)
        ]
        names = self._names
        records = (
            [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
            if lists
            else [{} for _ in range(count)]
        )
        leave_out_images(records, dict(zip(names, lists, strict=True)))
        if not faults:
            return [Entry(f"row {number}", row) for number, row in enumerate(records, first)]
        return [
            Entry(f"row {first + index}", row, faults.get(index))
            for index, row in enumerate(records)
        ]


def leave_out_images(records: list[dict[str, Any]], columns: Mapping[str, Sequence[Any]]) -> None:
    """Take image fields without a value out of records: a row has its image in one of them.

    Args:
        records: The records, which are changed.
        columns: Their values by column.

    Example:
        >>> records = [{"_id": "1", "_url": None}]
        >>> leave_out_images(records, {"_id": ["1"], "_url": [None]})
        >>> records
        [{'_id': '1'}]
    """
    for name in _IMAGES.intersection(columns):
        if None in columns[name]:
            for record in records:
                if record[name] is None:
                    del record[name]


class _Column:
    """What the values of one column need."""

    def __init__(self, field: Any, *, raw: bool) -> None:
        pa = arrow()
        self._name = field.name
        self._raw = raw
        self._given = field.type
        self._wanted = _python_type(pa, field.type)
        self._maps = _has(field.type, pa.types.is_map)
        self._floats = pa.types.is_floating(field.type)
        is_image = field.name == "_image" and is_binary(self._wanted)
        self._same = raw or is_image or _is_plain(pa, self._wanted)

    def prepared(self, array: Any) -> Any:
        """Return a column of a batch such that parts of it can be cast: once a batch."""
        pa = arrow()
        if pa.types.is_dictionary(array.type) and _is_view(array.type.value_type):
            dictionary = array.dictionary.cast(self._wanted)
            return pa.DictionaryArray.from_arrays(array.indices, dictionary)
        return array

    def values(self, array: Any, faults: Faults) -> list[Any]:
        """Return a part's values; what is wrong with one is added to the faults of its row."""
        try:
            found = self._read(array)
        except Exception:  # noqa: BLE001 - whatever it is, it is met again at its row
            found = [self._read_one(array, index, faults) for index in range(len(array))]
        if self._same or (self._floats and _is_finite(array)):
            return found
        return [
            plain_or_fault(value, self._name, index, faults) for index, value in enumerate(found)
        ]

    def _read(self, array: Any) -> list[Any]:
        if self._wanted != self._given:
            try:
                array = array.cast(self._wanted)
            except NotImplementedError:  # as of views in a nested dictionary: slower as they are
                self._wanted = self._given
        if self._maps:
            values: list[Any] = array.to_pylist(maps_as_pydicts="strict")
        else:
            values = array.to_pylist()
        return values

    def _read_one(self, array: Any, index: int, faults: Faults) -> Any:
        try:
            return self._read(array.slice(index, 1))[0]
        except Exception as error:  # noqa: BLE001 - a value that Python cannot hold costs its row
            words = " ".join(f"{error}".split())
            faults.setdefault(index, f"is no record: {self._name} cannot be read: {words}")
            return None


def plain_or_fault(value: Any, name: str, index: int, faults: Faults) -> Any:
    """Return a value as JSON; one that has no form keeps its own, and its row gets a fault.

    Args:
        value: The value.
        name: Its column.
        index: Its row.
        faults: Where the fault is added; the first of a row stays.

    Example:
        >>> faults: Faults = {}
        >>> plain_or_fault(b"...", "photo", 3, faults)
        b'...'
        >>> faults[3].startswith("is no record: photo is bytes")
        True
    """
    try:
        return plain(value, name)
    except ValueError as error:
        faults.setdefault(index, f"is no record: {error}")
        return value


def _bytes(array: Any) -> float:
    """Return about how many bytes a part of a column takes by itself.

    Arrow counts the data of a view and the whole of a dictionary with each part.
    """
    types = arrow().types
    if not _has(array.type, lambda kind: _is_view(kind) or types.is_dictionary(kind)):
        size: int = array.nbytes
        return size
    if _is_view(array.type):
        views = memoryview(array.buffers()[1]).cast("i")
        first = array.offset * _VIEW
        return sum(views[first : first + len(array) * _VIEW : _VIEW])
    if types.is_dictionary(array.type):
        whole: int = array.dictionary.nbytes
        return len(array) * whole / max(1, len(array.dictionary))
    return sum(map(_bytes, _inner(array)))


def _inner(array: Any) -> list[Any]:
    """Return the arrays of which a part of a nested column consists."""
    types = arrow().types
    if types.is_struct(array.type):
        fields: list[Any] = array.flatten()
        return fields
    if types.is_map(array.type):
        offsets = array.offsets
        first, last = offsets[0].as_py(), offsets[-1].as_py()
        return [part.slice(first, last - first) for part in (array.keys, array.items)]
    return (
        [array.flatten()] if types.is_nested(array.type) and not types.is_union(array.type) else []
    )


def _is_finite(array: Any) -> bool:
    compute = arrow().compute
    return compute.all(compute.is_finite(array)).as_py() is not False


# --- types --------------------------------------------------------------------------------------


def _is_view(kind: Any) -> bool:
    types = arrow().types
    return bool(types.is_string_view(kind) or types.is_binary_view(kind))


def is_binary(kind: Any) -> bool:
    """Tell whether a type of Arrow is of bytes."""
    types = arrow().types
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view)
    return types.is_fixed_size_binary(kind) or any(test(kind) for test in tests)


def _children(kind: Any) -> list[Any]:
    return [kind.field(index).type for index in range(kind.num_fields)]


def _has(kind: Any, test: Callable[[Any], bool]) -> bool:
    return bool(test(kind)) or any(_has(child, test) for child in _children(kind))


def _is_plain(pa: Any, kind: Any) -> bool:
    """Tell whether all values of a type are JSON as Arrow gives them."""
    types = pa.types
    if types.is_map(kind):
        return is_text(kind.key_type) and _is_plain(pa, kind.item_type)
    if types.is_nested(kind):
        return not types.is_union(kind) and all(_is_plain(pa, child) for child in _children(kind))
    return bool(types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind)) or is_text(
        kind
    )


def is_text(kind: Any) -> bool:
    """Tell whether a type of Arrow is of text."""
    types = arrow().types
    return any(
        test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view)
    )


def _python_type(pa: Any, kind: Any) -> Any:
    """Return the type that Python has values for, and soon: microseconds, no dictionaries.

    The cast is a checked one: a time that microseconds cannot tell costs its row.
    """
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        wide = pa.large_string() if types.is_string_view(kind.value_type) else pa.large_binary()
        return wide if _is_view(kind.value_type) else _python_type(pa, kind.value_type)
    if getattr(kind, "unit", "") == "ns":
        return _microseconds(pa, kind)
    if types.is_struct(kind):
        return pa.struct([_python_field(pa, kind.field(index)) for index in range(kind.num_fields)])
    return _python_list(pa, kind)


def _microseconds(pa: Any, kind: Any) -> Any:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def _python_list(pa: Any, kind: Any) -> Any:
    types = pa.types
    if types.is_map(kind):
        return pa.map_(_python_type(pa, kind.key_type), _python_field(pa, kind.item_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_python_field(pa, kind.value_field), kind.list_size)
    for test, make in (
        (types.is_list, pa.list_),
        (types.is_large_list, pa.large_list),
        (types.is_list_view, pa.list_view),
        (types.is_large_list_view, pa.large_list_view),
    ):
        if test(kind):
            return make(_python_field(pa, kind.value_field))
    return kind


def _python_field(pa: Any, field: Any) -> Any:
    return field.with_type(_python_type(pa, field.type))
