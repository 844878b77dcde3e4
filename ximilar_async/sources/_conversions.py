"""The types that a mapping can give a field: from what a cell holds to what the record says."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from attrs import evolve

from ximilar_async.errors import ConfigError

from ._spelling import NUMBER, Spelling
from ._values import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

Conversion: TypeAlias = Callable[[Any, str], Any]
"""Takes a cell's value and what messages call it; raises ValueError."""

_LIST: Final = re.compile(r"list\((.+)\)", re.DOTALL)
_LONGEST_PLAIN: Final = 100
"""Digits of a decimal that are written out."""

PLAIN: Final = Spelling()
"""How programs write numbers, truths and lists."""


def conversion(name: str, spelling: Spelling = PLAIN) -> Conversion:
    """Return what turns a cell's value into a type.

    Args:
        name: A type of `TYPES`, or `list(SEPARATOR)`.
        spelling: How texts write numbers, truths and lists.

    Raises:
        ConfigError: there is no such type.

    Example:
        >>> conversion("float")("19.90", "price"), conversion("list(|)")("red | blue", "colours")
        (19.9, ['red', 'blue'])
        >>> conversion("flaot")
        Traceback (most recent call last):
        ximilar_async.errors.ConfigError: there is no type 'flaot'; did you mean 'float'?
    """
    if not isinstance(name, str):
        raise ConfigError(f"a type is named by text, not {name!r:.40}")
    if found := _LIST.fullmatch(name):
        name, spelling = "list", evolve(spelling, separator=found[1])
    if name not in TYPES:
        raise ConfigError(f"there is no type {name!r:.40}{guess(name, TYPES)}")
    if name in SPELT:
        return partial(SPELT[name], spelling=spelling)
    return TYPES[name]


def guess(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the likely one, or all there are.

    Example:
        >>> guess("pricee", ["price", "brand"])
        "; did you mean 'price'?"
        >>> guess("x", ["price", "brand"])
        '; there are price, brand'
    """
    known = list(known)
    if near := get_close_matches(name, known, 1):
        return f"; did you mean {near[0]!r}?"
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")  # noqa: PLR2004 - a line or two
    return f"; there are {shown}" if known else ""


def is_blank(value: object) -> bool:
    """Tell whether a cell holds nothing: None, or text of nothing but spaces.

    Example:
        >>> is_blank(" "), is_blank(None), is_blank(0)
        (True, True, False)
    """
    return value is None or (isinstance(value, str) and not value.strip())


def as_python(value: Any, path: str) -> Any:
    """Return Python's own value for a scalar of numpy; any other value stays.

    Raises:
        ValueError: Python has no such date.

    Example:
        >>> as_python(7, "stock")
        7
    """
    if type(value).__module__ != "numpy" or getattr(value, "ndim", None) != 0:
        return value
    # Dates of nanoseconds would become integers.
    return plain(value, path) if value.dtype.kind in "mM" else value.item()


def to_text(value: Any, path: str) -> Any:
    """Return text for a value: bytes as UTF-8, numbers with the digits they have.

    Raises:
        ValueError: it has no text of its own, or the bytes are not UTF-8.

    Example:
        >>> to_text(Decimal("19.90"), "price")
        '19.90'
    """
    if type(value) is str:
        return value if value.isascii() else plain(value, path)
    value = as_python(value, path)
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return plain(bytes(value).decode(), path)
        except UnicodeDecodeError:
            raise ValueError(f"{path} is bytes that are not UTF-8 text") from None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal, UUID)):
        return _digits(_finite(value, path), path)
    if value is None or isinstance(value, (str, date, time)):
        return plain(value, path)
    raise ValueError(f"{path} is {_kind(value)}, which has no text of its own")


def _digits(value: object, path: str) -> str:
    if isinstance(value, Decimal) and abs(value.adjusted()) < _LONGEST_PLAIN:
        return format(value, "f")
    try:
        return str(value)
    except ValueError:  # Python writes out no integer of more than 4300 digits
        raise ValueError(f"{path} is a number of too many digits") from None


def to_int(value: Any, path: str, spelling: Spelling = PLAIN) -> Any:
    """Return a whole number for a number or its text; None for a blank.

    Raises:
        ValueError: it is none, or beyond 64 bits.

    Example:
        >>> to_int(" 12 ", "stock"), to_int(12.0, "stock")
        (12, 12)
    """
    value = as_python(value, path)
    if is_blank(value):
        return None
    number = _decimal(value, path, spelling)
    if number.adjusted() >= _LONGEST_PLAIN:
        raise ValueError(f"{path} is an integer beyond 64 bits")
    if (number.adjusted() < 0 and number) or number != number.to_integral_value():
        raise ValueError(f"{path} is {value!r:.40}, which is no whole number")
    return plain(int(number), path)


def to_float(value: Any, path: str, spelling: Spelling = PLAIN) -> Any:
    """Return a number for a number or its text; None for a blank.

    Raises:
        ValueError: it is none, or no finite one.

    Example:
        >>> to_float("19.90", "price")
        19.9
        >>> to_float("19,90", "price")
        Traceback (most recent call last):
        ValueError: price is '19,90', which is no number: write it as 19.90, or say that ',' \
stands before the decimals (decimal)
    """
    if type(value) is str and spelling.is_plain and NUMBER.fullmatch(value):
        return plain(float(value), path)
    value = as_python(value, path)
    return None if is_blank(value) else plain(float(_decimal(value, path, spelling)), path)


def to_bool(value: Any, path: str, spelling: Spelling = PLAIN) -> Any:
    """Return True or False for one of the usual words, 1 or 0; None for a blank.

    Raises:
        ValueError: it is none of them.

    Example:
        >>> to_bool("Yes", "active"), to_bool(0, "active")
        (True, False)
    """
    value = as_python(value, path)
    if is_blank(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with a gap becomes one of floats in pandas
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word not in spelling.truths:
        words = "write true or false, yes or no, 1 or 0"
        if word:
            words += ", or name the words for them (true_values, false_values)"
        raise ValueError(f"{path} is {_shown(value)}, which is neither true nor false: {words}")
    return spelling.truths[word]


def to_json(value: Any, path: str) -> Any:
    """Return what a text of JSON says; a value that is no text stays; None for a blank.

    Raises:
        ValueError: it is no JSON.

    Example:
        >>> to_json('{"width": 3}', "size")
        {'width': 3}
    """
    if isinstance(value, (bytes, bytearray)):
        value = to_text(value, path)
    if is_blank(value):
        return None
    if not isinstance(value, str):
        return plain(value, path)
    try:
        return plain(json.loads(value), path)
    except json.JSONDecodeError as error:
        words = f"is no JSON at character {error.pos + 1}: {error.msg}"
    except RecursionError:
        words = "is JSON that is nested too deeply"
    raise ValueError(f"{path} {words}")


def to_list(value: Any, path: str, spelling: Spelling = PLAIN) -> list[str]:
    """Return texts for a list, or for a text cut at the separator; spaces around and blanks go.

    Raises:
        ValueError: it is neither, or holds what has no text of its own.

    Example:
        >>> to_list("red, blue,, ", "tags"), to_list(("red", 7), "tags"), to_list(None, "tags")
        (['red', 'blue'], ['red', '7'], [])
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (set, frozenset)):
        value = plain(value, path)
    if isinstance(value, (list, tuple)):
        texts = [to_text(part, f"{path}[{index}]") for index, part in enumerate(value)]
    else:
        texts = (to_text(value, path) or "").split(spelling.separator)
    return [part for text in texts if text is not None and (part := text.strip())]


def to_base64(value: Any, path: str) -> Any:
    """Return bytes as text in base64; None stays.

    Raises:
        ValueError: it is not bytes.

    Example:
        >>> to_base64(b"boot", "digest")
        'Ym9vdA=='
    """
    value = as_python(value, path)
    if value is None:
        return None
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError(f"{path} is {_kind(value)}, not bytes")  # noqa: TRY004 - a row's fault, as all
    return b64encode(value).decode()


TYPES: Final[dict[str, Conversion]] = {
    "text": to_text,
    "int": to_int,
    "float": to_float,
    "bool": to_bool,
    "json": to_json,
    "list": to_list,
    "base64": to_base64,
}
"""The types by their names."""

SPELT: Final = {"int": to_int, "float": to_float, "bool": to_bool, "list": to_list}
"""Those whose texts may be spelt in other ways."""


def _decimal(value: Any, path: str, spelling: Spelling) -> Decimal:
    """Return a number, or a text that is one, with all its digits."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return Decimal(_finite(value, path))
    if isinstance(value, (bytes, bytearray)):
        value = to_text(value, path)
    text = value.strip() if isinstance(value, str) else ""
    number = spelling.number(text)
    if number is None:
        words = f"which is no number{spelling.remedy(text)}"
        raise ValueError(f"{path} is {_shown(value)}, {words}")
    return number


def _finite(value: Any, path: str) -> Any:
    """Return the value unless it is a NaN or an infinity."""
    known = isinstance(value, (float, Decimal))
    if known and not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
        raise ValueError(f"{path} is {value}, which JSON cannot carry; make it null")
    return value


def _kind(value: object) -> str:
    return type(value).__name__


def _shown(value: object) -> str:
    return f"{value!r:.40}" if isinstance(value, (str, int, float, Decimal)) else _kind(value)
