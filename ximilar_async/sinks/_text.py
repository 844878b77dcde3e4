"""Records as text: JSON lines, and CSV."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._base import Records


def as_lines(records: Records) -> bytes:
    r"""Return records as JSON lines.

    Example:
        >>> as_lines([{"_id": "1"}, {"_id": "2"}])
        b'{"_id":"1"}\n{"_id":"2"}\n'
    """
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


class JsonlSink:
    """Writes records as JSON lines.

    Args:
        target: Where to.
    """

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target

    def write(self, records: Records) -> None:
        """Write some records, a line each."""
        self._target.write(as_lines(records))

    def close(self) -> None:
        """Do nothing: the last line ends the file."""


class CsvSink:
    r"""Writes records as CSV in UTF-8, with a line of column names at the top.

    A text stands as it is; numbers, true and false, lists and objects stand as JSON; null and a
    field that is missing are empty.

    Args:
        target: Where to.
        columns: The fields that are written, in this order; others are left out.
        delimiter: What stands between two cells.

    Example:
        >>> target = io.BytesIO()
        >>> CsvSink(target, ["_id", "sizes"]).write([{"_id": "1", "sizes": [41, 42], "x": 0}])
        >>> target.getvalue()
        b'_id,sizes\n1,"[41,42]"\n'
    """

    def __init__(self, target: IO[bytes], columns: Sequence[str], delimiter: str = ",") -> None:
        self._target = target
        self._columns = columns
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")
        self._writer.writerow(columns)

    def write(self, records: Records) -> None:
        """Write some records, a row each; a text with line breaks in it goes over several lines."""
        self._writer.writerows(
            [_cell(record.get(column)) for column in self._columns] for record in records
        )
        self._flush()

    def close(self) -> None:
        """Write the names of the columns if no record has come; the last row ends the file."""
        self._flush()

    def _flush(self) -> None:
        self._target.write(self._text.getvalue().encode("utf-8"))
        self._text.seek(0)
        self._text.truncate()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else as_json(value)


def as_json(value: Any) -> str:
    """Return a value as JSON text."""
    return orjson.dumps(value).decode("utf-8")
