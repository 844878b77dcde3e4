"""From whatever a user hands over to a source."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from functools import partial
from inspect import iscoroutinefunction
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ximilar_async.errors import ConfigError

from ._arrow import ArrowStreamSource
from ._base import Source
from ._cursors import Cursor, CursorSource
from ._iterables import AsyncIterableSource, IterableSource, SequenceSource
from ._open import FORMATS, open_source
from ._places import Place

if TYPE_CHECKING:
    from collections.abc import Callable


class ArrowStream(Protocol):
    """A table of any library that has Arrow's stream interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return the table as a stream of Arrow."""
        ...


Records: TypeAlias = (
    Source
    | str
    | os.PathLike[str]
    | ArrowStream
    | Cursor
    | Iterable[dict[str, Any]]
    | AsyncIterable[dict[str, Any]]
)
"""What a bulk run takes: the path of a file or folder, a list, an iterable, an async iterable, a
table with Arrow's stream interface (pandas, Polars, DuckDB, pyarrow, ADBC), or a database
cursor."""


Ids: TypeAlias = (
    Source
    | os.PathLike[str]
    | ArrowStream
    | Cursor
    | Iterable[str | dict[str, Any]]
    | AsyncIterable[str | dict[str, Any]]
)
"""What a bulk run takes that needs no more of a record than its `_id`."""


def as_source(records: Records | Ids) -> Source:
    """Return the source for what a user handed over; nothing is read yet.

    Args:
        records: Records in a list, iterable or async iterable; the path of a file or of a folder of
            images; a table with Arrow's stream interface, such as a data frame of Polars or pandas
            or a relation of DuckDB; a database cursor that has executed a query; or a source.

    Raises:
        ConfigError: it is none of these; what comes near is named with what to do.
        SourceError: there is no such path, or the cursor has no result.

    Example:
        >>> as_source([{"_id": "1"}]).size
        1
    """
    if isinstance(records, (str, os.PathLike)):
        return open_source(records)
    if isinstance(records, Source):
        return records
    if advice := _advice(records):
        raise ConfigError(advice)
    for fits, source in _SOURCES:
        if fits(records):
            return source(records)
    raise ConfigError(
        "a bulk run takes a list, an iterable, an async iterable, a table with Arrow's stream "
        f"interface, a database cursor or a path, not {type(records).__name__}"
    )


def check_records(records: Any) -> None:
    """Refuse what holds texts, numbers or paths where records are wanted: a list or a column.

    What can be read only once is not looked at; each of its elements is judged when it comes.

    Args:
        records: What a user handed over.

    Raises:
        ConfigError: it holds no records; the message says what to do.

    Example:
        >>> check_records(["a.jsonl", "b.jsonl"])
        Traceback (most recent call last):
        ximilar_async.errors.ConfigError: this list holds text ('a.jsonl', …), and a run takes \
records, {'_id': …}. Are they paths? Hand over one of them as text, or all as one table, such as \
duckdb.read_csv(paths)
    """
    # Of anything else a look could take elements away: an iterator may hide behind a length.
    if not isinstance(records, (list, tuple, range, set, frozenset)) and not _is_column(records):
        return
    few = list(islice(records, _LOOKED_AT))
    if not few or not all(isinstance(one, _SCALARS) for one in few):
        return
    first, kind = few[0], type(records).__name__
    if isinstance(first, os.PathLike) or (isinstance(first, str) and _looks_like_a_path(first)):
        remedy = (
            "Are they paths? Hand over one of them as text, or all as one table, such as "
            "duckdb.read_csv(paths)"
        )
    else:
        remedy = "Are they ids? delete and get take them; else hand over the whole table"
    what = "text" if isinstance(first, str) else type(first).__name__
    raise ConfigError(
        f"this {kind} holds {what} ({first!r:.60}, …), and a run takes records, {{'_id': …}}. "
        f"{remedy}"
    )


_LOOKED_AT: Final = 10
_SCALARS: Final = (str, bytes, int, float, os.PathLike)


def _looks_like_a_path(text: str) -> bool:
    return Place.of(text).ending in FORMATS or "/" in text


def _is_column(records: Any) -> bool:
    """Tell whether it is a column of a data frame, or an array: it has one type, and no columns."""
    return hasattr(records, "dtype") and hasattr(records, "__len__") and hasattr(records, "shape")


def _is_table(records: Any) -> bool:
    """Tell whether it is a table in Arrow's sense, and not a single column."""
    is_arrow = hasattr(records, "__arrow_c_stream__") or hasattr(records, "__arrow_c_array__")
    return is_arrow and (hasattr(records, "schema") or not hasattr(records, "dtype"))


def _is_cursor(records: Any) -> bool:
    return hasattr(records, "fetchmany") and hasattr(records, "description")


_SOURCES: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Source]], ...]] = (
    (_is_table, ArrowStreamSource),
    (_is_cursor, CursorSource),
    (lambda records: isinstance(records, AsyncIterable), AsyncIterableSource),
    (lambda records: isinstance(records, Sequence), SequenceSource),
    (lambda records: isinstance(records, Iterable), IterableSource),
)
"""What is read by which source; the first that fits reads it."""


def _advice(records: Any) -> str | None:
    """Return what to do about something that comes near to what a bulk run takes."""
    if isinstance(records, Mapping):
        return (
            "a bulk run takes many records: put the single record into a list; "
            "of a dict of columns make a table, such as pyarrow.table(columns)"
        )
    if isinstance(records, (bytes, bytearray, memoryview)):
        kind = type(records).__name__
        return f"a bulk run takes records, not {kind}; is it a path? hand it over as text"
    hints = (*_about_tables(records), *_about_databases(records))
    return next((words for applies, words in hints if applies), None)


def _about_tables(records: Any) -> tuple[tuple[bool, str], ...]:
    """Return hints about tables, each with whether it applies."""
    has = partial(hasattr, records)
    library, name = type(records).__module__.partition(".")[0], type(records).__name__
    is_lazy = library == "polars" and name == "LazyFrame"
    is_old = library == "pandas" and name == "DataFrame" and not has("__arrow_c_stream__")
    is_column = library == "pyarrow" and has("to_pylist") and not has("schema")
    is_dataset = library == "pyarrow" and has("scanner")
    is_scanner = library == "pyarrow" and has("to_reader") and not has("__arrow_c_stream__")
    return (
        (is_lazy, "a LazyFrame holds no rows yet: hand over its .collect()"),
        (is_old, _OLD_PANDAS),
        (is_column, "a column is no table: hand over a table, or .to_pylist() if it holds ids"),
        (is_dataset, "a dataset is no stream yet: hand over its .scanner().to_reader()"),
        (is_scanner, "a scanner is no stream yet: hand over its .to_reader()"),
    )


def _about_databases(records: Any) -> tuple[tuple[bool, str], ...]:
    """Return hints about databases, each with whether it applies."""
    has = partial(hasattr, records)
    may_execute = has("cursor") or has("execute")
    is_connection = may_execute and has("commit") and not has("fetchmany")
    is_async = iscoroutinefunction(getattr(records, "fetchmany", None))
    is_result = has("fetchmany") and has("mappings") and not has("description")
    return ((is_connection, _CONNECTION), (is_async, _ASYNC), (is_result, _RESULT))


_OLD_PANDAS: Final = (
    "this pandas has no Arrow stream interface: update pandas to 2.2 or newer, "
    "or hand over pyarrow.Table.from_pandas(frame)"
)
_CONNECTION: Final = (
    "a database connection holds no rows: hand over a cursor that has executed a query"
)
_ASYNC: Final = (
    "an async cursor is not read by itself: hand over an async generator that yields a dict for "
    "each of its rows"
)
_RESULT: Final = (
    "of a result of SQLAlchemy hand over its .cursor, or a generator that yields dict(row) for "
    "each row of .mappings()"
)
