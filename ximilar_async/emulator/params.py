"""Parameters out of a request's body, each checked by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Body: TypeAlias = "Mapping[str, Any]"
Record: TypeAlias = dict[str, Any]

UNLIMITED: Final = 2**31 - 1
"""Largest whole number that is taken, and the default where there is no limit."""
_BAD_REQUEST = 400


def bad(text: str) -> Refusal:
    """Return the refusal of a request that cannot be understood."""
    return Refusal(_BAD_REQUEST, text)


def whole(body: Body, name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number; absent and null stand for the default.

    Raises:
        Refusal: it is something else, too small, or beyond 2**31 - 1.

    Example:
        >>> whole({"k": 3.0}, "k", 30)
        3
    """
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad(f"`{name}` must be a whole number, not {value!r:.60}")
    if not least <= value <= UNLIMITED:
        raise bad(f"`{name}` must be from {least} to {UNLIMITED}, not {value}")
    return value


def number(body: Body, name: str, default: float) -> float:
    """Return a number of 0 or more; absent and null stand for the default.

    Raises:
        Refusal: it is something else, or negative.

    Example:
        >>> number({"radius": 7}, "radius", 5.0)
        7.0
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise bad(f"`{name}` must be a number of 0 or more, not {value!r:.60}")
    return float(value)


def required_number(body: Body, name: str) -> float:
    """Return a number of 0 or more that must be there.

    Raises:
        Refusal: it is missing, something else, or negative.
    """
    if body.get(name) is None:
        raise bad(f"`{name}` is missing")
    return number(body, name, 0.0)


def flag(body: Body, name: str, *, default: bool) -> bool:
    """Return true or false; absent and null stand for the default.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad(f"`{name}` must be true or false, not {value!r:.60}")
    return value


def text(body: Body, name: str) -> str | None:
    """Return a non-empty text, or None where there is none.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise bad(f"`{name}` must be a text, not {value!r:.60}")
    return value


def fields(body: Body, *default: str) -> Sequence[str]:
    """Return `fields_to_return`.

    Raises:
        Refusal: it is not a list of names.

    Example:
        >>> fields({}, "_id")
        ('_id',)
    """
    value = body.get("fields_to_return")
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise bad('`fields_to_return` must be a list of field names, as ["_id"], or ["*"] for all')
    return value


def filter(body: Body, *, required: bool = False) -> Mapping[str, Any] | None:
    """Return the `filter`, or None where there is none; its inside is checked when it is run.

    Raises:
        Refusal: it is not an object, or is required and missing.
    """
    value = body.get("filter")
    if value is None and required:
        raise bad("`filter` is missing: this method wants one ({} stands for every record)")
    if value is not None and not isinstance(value, dict):
        raise bad(f"`filter` must be an object, not {value!r:.60}")
    return value if value or required else None


def records(body: Body, name: str = "records", *, most: int | None = None) -> list[Record]:
    """Return a list of records.

    Args:
        body: The request's body.
        name: `records` or `query_records`.
        most: How many are allowed ("max 10 records per request", Insert); None for any number.

    Raises:
        Refusal: the list is missing, empty, too long, or holds something that is no object.

    Example:
        >>> records({"records": [{"_id": "1"}]}, most=10)
        [{'_id': '1'}]
    """
    value = body.get(name)
    if value is None:
        raise bad(f"`{name}` is missing")
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise bad(f"`{name}` must be a list of records (JSON objects)")
    if not value:
        raise bad(f"`{name}` is empty")
    if most is not None and len(value) > most:
        raise bad(f"`{name}` holds {len(value)} records; at most {most} are allowed in one request")
    return value


def query_record(body: Body) -> Record:
    """Return the `query_record`.

    Raises:
        Refusal: it is missing or no object.
    """
    value = body.get("query_record")
    if value is None:
        raise bad("`query_record` is missing")
    if not isinstance(value, dict):
        raise bad('`query_record` must be one record (a JSON object), as {"_id": "54321"}')
    return value
