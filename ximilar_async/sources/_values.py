"""Values of any library to JSON: one rule for each type, and a refusal where none is safe.

The rules stand in docs/sources.md. What would change on the way without a word (NaN, digits that a
float has no room for, bytes that could be text or an image) is refused with the name of the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

from ._base import Entry

_LARGEST: Final = 2**64 - 1
_SMALLEST: Final = -(2**63)
_DEEPEST: Final = 200
"""Levels of lists and structures within each other; a body has room for a few more."""

_LONGEST_WHOLE: Final = 20
"""Digits of the largest integer."""

_NULLS: Final = frozenset({"NAType", "NaTType"})
"""Classes of pandas whose values say "missing", as None does."""

_IMAGE: Final = "_image"


def plain(value: Any, path: str = "", depth: int = 0) -> Any:
    """Return what a value becomes in JSON: the same, or what the rule of its type makes of it.

    The result consists of None, True, False, str, int, float, list and dict, and reads the same
    after a round trip through JSON.

    Args:
        value: Any value, as a database, a data frame or a parser gave it.
        path: How messages call it, such as the column's name.
        depth: How deep it stands in other values.

    Raises:
        ValueError: it has no JSON form that keeps what it says; the message names the place within
            `path`, and what to do.

    Example:
        >>> from datetime import date
        >>> plain({"price": Decimal("19.90"), "since": date(2026, 3, 1), "sizes": {41, 40}})
        {'price': 19.9, 'since': '2026-03-01', 'sizes': [40, 41]}
        >>> plain([1, float("nan")], "price")
        Traceback (most recent call last):
        ValueError: price[1] is nan, which JSON cannot carry; make it null or leave it out
    """
    rule = _RULES.get(type(value)) or _rule_of_kin(value)
    if rule is None:
        raise _refusal(
            path, f"is {type(value).__name__}, which has no JSON form; convert it before"
        )
    return rule(value, path, depth)


def plain_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as a record: each value by the rule of its type, an image's bytes as they are.

    Args:
        row: Names of columns and their values; bytes in `_image` stay bytes.

    Raises:
        ValueError: a value has no JSON form that keeps what it says.

    Example:
        >>> plain_row({"_id": "boot", "_image": b"...", "price": Decimal("5.00")})
        {'_id': 'boot', '_image': b'...', 'price': 5.0}
    """
    image = row.get(_IMAGE)
    if isinstance(image, (bytes, bytearray, memoryview)):
        record = plain({name: value for name, value in row.items() if name != _IMAGE})
        return {name: image if name == _IMAGE else record[str(name)] for name in row}
    record = plain(row)
    return record if isinstance(record, dict) else {}


def plain_entry(where: str, row: Mapping[Any, Any]) -> Entry:
    """Return the entry of a row: its record, or why there is none.

    Args:
        where: The row's place in its source, such as "row 7".
        row: Names of columns and their values.

    Example:
        >>> plain_entry("row 7", {"_id": "boot", "price": float("inf")}).fault
        'is no record: price is inf, which JSON cannot carry; make it null or leave it out'
    """
    try:
        return Entry(where, plain_row(row))
    except ValueError as error:
        return Entry(where, row, f"is no record: {error}")


def plain_name(name: object, path: str = "") -> str:
    """Return the text that a key becomes: itself, or the digits of a whole number.

    Args:
        name: The key, or the name of a column.
        path: How messages call what it stands in.

    Raises:
        ValueError: it is neither text nor a whole number.

    Example:
        >>> plain_name("price"), plain_name(40)
        ('price', '40')
    """
    if isinstance(name, str):
        return _text(name, f"{path} key", 0)
    if isinstance(name, int) and not isinstance(name, (bool, Enum)):
        return str(_whole(name, f"{path} key", 0))
    raise _refusal(path, f"has the key {name!r:.40}, which is neither text nor a whole number")


def _refusal(path: str, words: str) -> ValueError:
    return ValueError(f"{path or 'the value'} {words}")


def _too_fine(value: object, path: str) -> ValueError:
    shown = f"is {value!s:.60}"
    return _refusal(path, f"{shown}, more digits than a number of JSON keeps; carry it as text")


# --- one rule a type ----------------------------------------------------------------------------


def _same(value: Any, _path: str, _depth: int) -> Any:
    return value


def _null(_value: Any, _path: str, _depth: int) -> None:
    return None


def _text(value: Any, path: str, _depth: int) -> str:
    text = str.__str__(value)
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise _refusal(path, "has a lone surrogate, which is no character")
    return text


def _whole(value: Any, path: str, _depth: int) -> int:
    if not _SMALLEST <= value <= _LARGEST:
        raise _refusal(path, "is an integer beyond 64 bits; carry it as text")
    return int(value)


def _number(value: Any, path: str, _depth: int) -> float:
    if not isfinite(value):
        words = "which JSON cannot carry; make it null or leave it out"
        raise _refusal(path, f"is {float(value)}, {words}")
    return float(value)


def _decimal(value: Decimal, path: str, depth: int) -> int | float:
    """Return an integer where the scale leaves no room for a fraction, else the float that says it.

    The scale decides and not the value, so that all of a column are of one type.
    """
    if not value.is_finite():
        raise _refusal(path, f"is {value}, which JSON cannot carry; make it null or leave it out")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= 0:
        if value.adjusted() >= _LONGEST_WHOLE:
            raise _refusal(path, "is an integer beyond 64 bits; carry it as text")
        return _whole(int(value), path, depth)
    number = float(value)
    if not isfinite(number) or Decimal(repr(number)) != value:
        raise _refusal(
            path, f"is {value!s:.60}, more digits than a number of JSON keeps; carry it as text"
        )
    return number


def _datetime(value: datetime, path: str, _depth: int) -> str:
    if value.tzinfo is None or value.utcoffset() is None:
        return value.replace(tzinfo=None).isoformat()
    try:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise _refusal(path, f"is {value}, which UTC has no date for") from None


def _iso(value: Any, _path: str, _depth: int) -> str:
    return str(value.isoformat())


def _seconds(value: timedelta, path: str, _depth: int) -> float:
    seconds = value.total_seconds()
    with suppress(OverflowError):
        if timedelta(seconds=seconds) == value:
            return seconds
    raise _too_fine(value, path)


def _as_text(value: Any, _path: str, _depth: int) -> str:
    return str(value)


def _bytes(_value: Any, path: str, _depth: int) -> None:
    words = "is bytes, which can be text, an image or anything: say which by a mapping"
    raise _refusal(path, f"{words} (type text, type base64, or image)")


def _member(value: Enum, path: str, depth: int) -> Any:
    return plain(value.value, path, depth + 1)


def _list(values: Any, path: str, depth: int) -> list[Any]:
    if depth >= _DEEPEST:
        raise _refusal(path[:40] + "…", f"is nested deeper than {_DEEPEST} levels")
    return [plain(value, f"{path}[{index}]", depth + 1) for index, value in enumerate(values)]


def _set(values: Any, path: str, depth: int) -> list[Any]:
    """Return the elements in an order that is the same in each run."""
    return sorted(_list(values, path, depth), key=orjson.dumps)


def _dict(values: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
    if depth >= _DEEPEST:
        raise _refusal(path[:40] + "…", f"is nested deeper than {_DEEPEST} levels")
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = name if type(name) is str and name.isascii() else plain_name(name, path)
        if key in found:
            raise _refusal(path, f"has the key {key!r:.40} twice")
        if value is None or (type(value) is str and value.isascii()):
            found[key] = value  # most cells; saves half of the time
        else:
            found[key] = plain(value, f"{path}.{key}" if path else key, depth + 1)
    return found


Rule: TypeAlias = Callable[[Any, str, int], Any]
"""Takes a value, its path and its depth."""

_RULES: Final[dict[type, Rule]] = {
    type(None): _same,
    bool: _same,
    str: _text,
    int: _whole,
    float: _number,
    list: _list,
    tuple: _list,
    dict: _dict,
    set: _set,
    frozenset: _set,
    Decimal: _decimal,
    datetime: _datetime,
    date: _iso,
    time: _iso,
    timedelta: _seconds,
    UUID: _as_text,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}
"""The rule of each type; kin of theirs are looked up in `_KIN`."""

_KIN: Final = (
    Enum,  # may be an int or a str as well
    str,
    int,
    float,
    Decimal,
    datetime,  # is a date as well
    date,
    time,
    timedelta,
    UUID,
    bytes,
    bytearray,
    list,
    tuple,
    set,
    frozenset,
)


def _rule_of_kin(value: object) -> Rule | None:
    """Return the rule for a subclass, or for a value of a library that is not imported here."""
    kind = type(value)
    if kind.__name__ in _NULLS and kind.__module__.startswith("pandas."):
        return _null
    for known in _KIN:
        if isinstance(value, known):
            return _member if known is Enum else _RULES[known]
    if isinstance(value, Mapping):
        return _dict
    return _numpy if kind.__module__ == "numpy" else None


def _numpy(value: Any, path: str, depth: int) -> Any:
    """Take a scalar or an array of numpy for what Python has for it."""
    kind = type(value).__name__
    if getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m"):
        value = _to_microseconds(value, path)
    found = value.tolist() if hasattr(value, "tolist") else value
    if type(found) is type(value):
        raise _refusal(path, f"is {kind}, which has no JSON form; convert it before")
    return plain(found, path, depth + 1)


def _to_microseconds(value: Any, path: str) -> Any:
    """Return numpy's dates or spans such that Python has values for them."""
    code, unit = value.dtype.str[1:].rstrip("]").partition("[")[::2]
    if unit in ("ns", "ps", "fs", "as"):
        rounded = value.astype(f"{code}[us]")
        if not ((rounded.astype(value.dtype) == value) | (value != value)).all():  # noqa: PLR0124 - NaT is not itself
            raise _refusal(
                path, f"is {value}, finer than microseconds; round it, or carry it as text"
            )
        value = rounded
    if any(isinstance(found, int) for found in value.ravel().tolist()):
        raise _refusal(path, f"is {value}, which Python has no date for; carry it as text")
    return value
