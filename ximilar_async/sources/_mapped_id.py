"""The id of a row, told by a column: text as it stands, or the digits of a whole number."""

from __future__ import annotations

from decimal import Decimal
from math import isnan
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ._conversions import as_python, is_blank
from ._values import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXACT: Final = 2**53
"""Whole numbers up to here are exact in a float."""

_LONGEST: Final = 100
"""Digits that a decimal may have as an id."""


def id_in(row: Mapping[str, Any], column: str) -> str:
    """Return the id in a column as text; whole numbers with all their digits.

    Args:
        row: The values by their columns.
        column: The id's.

    Raises:
        ValueError: there is none.

    Example:
        >>> id_in({"sku": 17}, "sku")
        '17'
    """
    value: Any = row.get(column)
    if type(value) is str and value.isascii() and value.strip():
        return value
    if is_blank(value) or is_nan(value):
        raise ValueError(f"{column} is blank, and a record needs an id")
    value = as_python(value, column)
    if isinstance(value, (str, UUID)):
        return str(plain(value, column))
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        kind = type(value).__name__
        words = f"is {kind}, not an id: give text or a whole number"
        raise ValueError(f"{column} {words}")  # noqa: TRY004 - a row's fault, as all
    return _whole(value, column)


def _whole(value: float | Decimal, column: str) -> str:
    """Return the digits of a whole number; a float of pandas may be one, by a gap in its column."""
    if isinstance(value, float) and not -_EXACT <= value <= _EXACT:
        raise ValueError(f"{column} is {value!r}, of which digits may be lost: give text")
    if isinstance(value, Decimal) and not (value.is_finite() and value.adjusted() < _LONGEST):
        raise ValueError(f"{column} is {value!s:.40}, which is no id: give text or a whole number")
    if int(value) != value:
        raise ValueError(f"{column} is {value!s:.40}, which is no id: give text or a whole number")
    return str(int(value))


def is_nan(value: object) -> bool:
    """Tell whether a value is a number that is none."""
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and isnan(value)
