"""The operators of a filter that look at one value: each makes a test from its argument."""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any, Final

from .values import MISSING, Kind, compare, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[Any], bool]

_SCALARS: Final = frozenset({Kind.NULL, Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN})
_SHORT: Final = 32
_LONG: Final = 64

# JSON knows one kind of number: 1.0 is as whole as 1, and MongoDB's types are told by value alone.
_TYPES: Final[Mapping[str, tuple[int, Test]]] = {
    "double": (1, lambda value: kind_of(value) is Kind.NUMBER and _bits(value) is None),
    "string": (2, lambda value: type(value) is str),
    "object": (3, lambda value: type(value) is dict),
    "array": (4, lambda value: type(value) is list),
    "bool": (8, lambda value: type(value) is bool),
    "null": (10, lambda value: value is None),
    "int": (16, lambda value: kind_of(value) is Kind.NUMBER and _bits(value) == _SHORT),
    "long": (18, lambda value: kind_of(value) is Kind.NUMBER and _bits(value) == _LONG),
}
_TYPE_CODES: Final[Mapping[int, Test]] = dict(_TYPES.values())
# MongoDB's further types cannot stand in JSON: asking for them is right and finds nothing.
_FOREIGN_TYPES: Final = {
    "binData": 5,
    "undefined": 6,
    "objectId": 7,
    "date": 9,
    "regex": 11,
    "dbPointer": 12,
    "javascript": 13,
    "symbol": 14,
    "javascriptWithScope": 15,
    "timestamp": 17,
    "decimal": 19,
    "minKey": -1,
    "maxKey": 127,
}
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0}


class FilterError(ValueError):
    """A filter that cannot be understood; the message names the field and the operator."""


def is_scalar(value: Any) -> bool:
    """Tell whether a value is null, a number, text, true or false.

    >>> is_scalar(1.5), is_scalar([])
    (True, False)
    """
    return kind_of(value) in _SCALARS


def equal_to(argument: Any) -> Test:
    """Make the test of `$eq`: null is also what is missing, objects keep the order of fields.

    >>> equal_to(None)(MISSING), equal_to(1)(1.0), equal_to(1)(True)
    (True, True, False)
    """
    if argument is None:
        return lambda value: value is None or value is MISSING
    kind = kind_of(argument)
    if is_scalar(argument):
        return lambda value: bool(value == argument) and kind_of(value) is kind
    return lambda value: kind_of(value) is kind and compare(value, argument) == 0


def any_of(arguments: Any, where: str) -> Test:
    """Make the test of `$in`: equal to one of the list.

    >>> any_of([1, None], "price: $in")(MISSING)
    True
    """
    for argument in _list(arguments, where):
        if is_expression(argument):
            raise FilterError(f"{where}: a list of values cannot hold the operator {argument!r}")
    scalars = {(kind_of(a), a) for a in arguments if is_scalar(a)}
    if None in arguments:
        scalars.add((Kind.MISSING, MISSING))
    others = [equal_to(a) for a in arguments if not is_scalar(a)]

    def test(value: Any) -> bool:
        kind = kind_of(value)
        if kind is Kind.ARRAY or kind is Kind.OBJECT:
            return any(other(value) for other in others)
        return (kind, value) in scalars

    return test


def is_expression(value: Any) -> bool:
    """Tell an object of operators, `{"$gte": 1}`, from a value to be equal to.

    >>> is_expression({"$gte": 1}), is_expression({"name": "N"}), is_expression({})
    (True, False, False)
    """
    return isinstance(value, dict) and any(name.startswith("$") for name in value)


def _compared(relation: Callable[[Any, Any], bool]) -> Callable[[Any, str], Test]:
    def make(argument: Any, _where: str) -> Test:
        kind = kind_of(argument)
        if kind is Kind.NULL:
            return equal_to(None) if relation(0, 0) else lambda _: False
        if is_scalar(argument):
            return lambda value: kind_of(value) is kind and relation(value, argument)
        return lambda value: kind_of(value) is kind and relation(compare(value, argument), 0)

    return make


def _size(argument: Any, where: str) -> Test:
    length = _whole(argument, where)
    if length < 0:
        raise FilterError(f"{where}: the length of an array is not negative, got {argument!r}")
    return lambda value: type(value) is list and len(value) == length


def _mod(argument: Any, where: str) -> Test:
    if len(_list(argument, where)) != 2:  # noqa: PLR2004 - [divisor, remainder]
        raise FilterError(f"{where}: give [divisor, remainder], got {argument!r}")
    divisor, remainder = (_whole(part, where, cut=True) for part in argument)
    if divisor == 0:
        raise FilterError(f"{where}: the divisor is 0")

    def test(value: Any) -> bool:
        if kind_of(value) is not Kind.NUMBER:
            return False
        # As in C: what is behind the point is cut off, the remainder has the sign of the dividend.
        rest = abs(int(value)) % abs(divisor)
        return (-rest if value < 0 else rest) == remainder

    return test


def _whole(value: Any, where: str, *, cut: bool = False) -> int:
    if kind_of(value) is not Kind.NUMBER or not math.isfinite(value):
        raise FilterError(f"{where}: a whole number is needed, got {value!r}")
    if not cut and value != int(value):
        raise FilterError(f"{where}: a whole number is needed, got {value!r}")
    return int(value)


def _bits(number: float) -> int | None:
    if number != int(number) or not -(2**63) <= number < 2**63:
        return None
    return _SHORT if -(2**31) <= number < 2**31 else _LONG


def _type(argument: Any, where: str) -> Test:
    asked = argument if isinstance(argument, list) else [argument]
    if not asked:
        raise FilterError(f"{where}: name at least one type")
    tests = [test for name in asked for test in _tests_of_type(name, where)]
    return lambda value: any(test(value) for test in tests)


def _tests_of_type(name: Any, where: str) -> list[Test]:
    if name == "number":
        return [lambda value: kind_of(value) is Kind.NUMBER]
    if isinstance(name, str) and name in _TYPES:
        return [_TYPES[name][1]]
    if kind_of(name) is Kind.NUMBER and name in _TYPE_CODES:
        return [_TYPE_CODES[int(name)]]
    codes = _FOREIGN_TYPES.values() if kind_of(name) is Kind.NUMBER else _FOREIGN_TYPES.keys()
    if name in list(codes):
        return []
    known = ", ".join(("number", *_TYPES))
    raise FilterError(f"{where}: {name!r} is no type; JSON values have the types {known}")


def matching(pattern: Any, options: Any, where: str) -> Test:
    """Make the test of `$regex` with its `$options` (`i`, `m`, `s`, `x`).

    >>> matching("^x", "i", "artist: $regex")("Xaver")
    True
    """
    if not isinstance(pattern, str) or not isinstance(options, str):
        raise FilterError(f"{where}: pattern and $options are text, got {pattern!r}, {options!r}")
    if unknown := sorted(set(options) - set(_FLAGS)):
        raise FilterError(f"{where}: $options knows {', '.join(_FLAGS)}, not {', '.join(unknown)}")
    if re.search(r"\[:\^?\w+:\]", pattern):
        raise FilterError(f"{where}: character classes like [:alpha:] are not supported here")
    flags = sum({_FLAGS[option] for option in options})
    try:
        search = re.compile(pattern, flags).search
    except (re.error, OverflowError, RecursionError) as error:
        raise FilterError(f"{where}: {pattern!r} is no regular expression: {error}") from error
    return lambda value: type(value) is str and search(value) is not None


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise FilterError(f"{where}: a list is needed, got {value!r}")
    return value


VALUE_TESTS: Final[Mapping[str, Callable[[Any, str], Test]]] = {
    "$gt": _compared(operator.gt),
    "$gte": _compared(operator.ge),
    "$lt": _compared(operator.lt),
    "$lte": _compared(operator.le),
    "$size": _size,
    "$mod": _mod,
    "$type": _type,
}
"""Operators whose test needs their argument alone: (argument, where it stands) to test."""
