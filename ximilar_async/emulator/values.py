"""JSON values the way MongoDB sees them: kinds, order, equality, and what a dotted path reaches."""

from __future__ import annotations

from enum import IntEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class Kind(IntEnum):
    """Kinds of values; the numbers are their order ("Comparison/Sort Order", MongoDB manual)."""

    MISSING = 0
    NULL = 1
    NUMBER = 2
    TEXT = 3
    OBJECT = 4
    ARRAY = 5
    BOOLEAN = 8
    OTHER = 99


class Missing:
    """The class of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What a path reaches in a document that has no such field."""

_KINDS: Final[Mapping[type, Kind]] = {
    Missing: Kind.MISSING,
    type(None): Kind.NULL,
    bool: Kind.BOOLEAN,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    dict: Kind.OBJECT,
    list: Kind.ARRAY,
}


def kind_of(value: Any) -> Kind:
    """Kind of a JSON value: `true` is no number, `1` and `1.0` are of one kind.

    >>> kind_of(True), kind_of(1.0)
    (<Kind.BOOLEAN: 8>, <Kind.NUMBER: 2>)
    """
    return _KINDS.get(type(value), Kind.OTHER)


def compare(left: Any, right: Any) -> int:
    """Order of two values: negative, zero or positive, over all kinds.

    Objects compare field by field in their own order (kind, then name, then value), arrays element
    by element; text compares by code point, as its UTF-8 bytes would.

    >>> compare(2, 10), compare(2, "10") < 0, compare({"a": 1, "b": 2}, {"b": 2, "a": 1}) == 0
    (-1, True, False)
    """
    kind = kind_of(left)
    if kind != (other := kind_of(right)):
        return kind - other
    if kind is Kind.ARRAY:
        return _compare_all(zip_longest(left, right, fillvalue=MISSING))
    if kind is Kind.OBJECT:
        return _compare_fields(left, right)
    if kind in (Kind.MISSING, Kind.NULL, Kind.OTHER):
        return 0 if left is right else 1
    return int(left > right) - int(left < right)


def _compare_all(pairs: Iterator[tuple[Any, Any]]) -> int:
    return next((order for a, b in pairs if (order := compare(a, b))), 0)


def _compare_fields(left: Mapping[str, Any], right: Mapping[str, Any]) -> int:
    for a, b in zip_longest(left.items(), right.items()):
        if a is None or b is None:
            return -1 if a is None else 1
        if order := kind_of(a[1]) - kind_of(b[1]):
            return order
        if order := compare(a[0], b[0]) or compare(a[1], b[1]):
            return order
    return 0


def getter(path: Sequence[str], *, elements: bool) -> Callable[[Any], Iterator[Any] | tuple[Any]]:
    """Make the function that finds what a dotted path reaches in a document.

    Args:
        path: the parts between the dots; an empty path reaches the document itself.
        elements: whether an array at the end of the path also gives each of its elements (not when
            its place was given by number, as in `"items.0"`).

    >>> [*getter(["items", "price"], elements=True)({"items": [{"price": [1, 2]}, {}]})]
    [1, 2, [1, 2], MISSING]
    """
    if not path:
        return lambda document: (document,)
    if len(path) > 1:
        return lambda document: _in_object(document, path, elements=elements)
    name = path[0]
    if not elements:
        return lambda document: (document.get(name, MISSING),)

    def of_field(document: Any) -> Iterator[Any] | tuple[Any]:
        value = document.get(name, MISSING)
        return _leaf(value, elements=True) if type(value) is list else (value,)

    return of_field


def _leaf(value: Any, *, elements: bool) -> Iterator[Any]:
    if elements and type(value) is list:
        yield from value
    yield value


def _in_object(node: Mapping[str, Any], path: Sequence[str], *, elements: bool) -> Iterator[Any]:
    value = node.get(path[0], MISSING)
    rest = path[1:]
    if not rest:
        yield from _leaf(value, elements=elements)
    elif type(value) is dict:
        yield from _in_object(value, rest, elements=elements)
    elif type(value) is list:
        yield from _in_array(value, rest, elements=elements)
    else:
        yield MISSING


def _in_array(array: Sequence[Any], path: Sequence[str], *, elements: bool) -> Iterator[Any]:
    # A part after an array means two things at once: a field of its objects, or a place in it.
    # Elements that are neither give nothing at all, not even MISSING: {"a": [1]} has no null "a.b".
    rest = path[1:]
    for place, element in enumerate(array):
        if type(element) is dict:
            yield from _in_object(element, path, elements=elements)
        if path[0] != str(place):
            continue
        if not rest:
            yield element
        elif type(element) is dict:
            yield from _in_object(element, rest, elements=elements)
        elif type(element) is list:
            yield from _in_array(element, rest, elements=elements)
