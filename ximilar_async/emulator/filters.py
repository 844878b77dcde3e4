"""Filters: MongoDB's query syntax, read into a tree of questions.

Two dialects are understood, side by side, because the documents use both ("Example Request" of the
overview, and the examples of the methods): `{"price": {"$gte": 200}}` as in MongoDB, and the
operator first, `{"$gte": {"price": 200}}`. The meaning follows MongoDB's manual: arrays match by
their elements and as a whole, null also means missing, comparisons stay within one kind of value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from .filter_tree import AllOf, AnyOf, Leaf, Not, predicate_of
from .operators import (
    VALUE_TESTS,
    FilterError,
    any_of,
    equal_to,
    is_expression,
    is_scalar,
    matching,
)
from .values import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .filter_tree import Filter, Predicate

__all__ = ["FilterError", "compile_filter", "parse_filter"]

_DEEPEST: Final = 100
"""Levels of nesting, as MongoDB allows ("MongoDB Limits": nested depth)."""


def compile_filter(filter: Mapping[str, Any]) -> Predicate:
    """Make the test of a filter, to be called with each document.

    Args:
        filter: MongoDB's syntax, or the operator first; an empty object holds for every document.

    Raises:
        FilterError: the filter cannot be understood; the message names field and operator.

    >>> cheap_or_old = compile_filter({"$or": [{"price": {"$lt": 90}}, {"$lt": {"year": 1990}}]})
    >>> cheap_or_old({"price": 120, "year": 1985}), cheap_or_old({"price": "80"})
    (True, False)
    """
    return predicate_of(parse_filter(filter))


def parse_filter(filter: Mapping[str, Any]) -> Filter:
    """Read a filter into its tree.

    Raises:
        FilterError: as `compile_filter` does.

    >>> parse_filter({"$and": [{"price": {"$not": {"$exists": True}}}, {}]}).parts[0].parts[1]
    AllOf(parts=())
    """
    return _filter(filter, _DEEPEST)


@frozen
class _Field:
    """A field whose conditions are being read."""

    path: tuple[str, ...]
    name: str
    """What messages call it."""
    depth: int
    """Levels of nesting still allowed."""

    def below(self, where: str) -> _Field:
        if self.depth == 0:
            raise FilterError(f"{self.name}: the filter is nested deeper than {_DEEPEST} levels")
        return _Field(self.path, where, self.depth - 1)


def _filter(filter: Any, depth: int) -> Filter:
    if not isinstance(filter, Mapping):
        raise FilterError(f"a filter is an object like {{'price': {{'$lt': 90}}}}, not {filter!r}")
    if depth == 0:
        raise FilterError(f"the filter is nested deeper than {_DEEPEST} levels")
    return AllOf(tuple(_entry(filter, name, depth - 1) for name in filter))


def _entry(filter: Mapping[str, Any], name: str, depth: int) -> Filter:
    argument = filter[name]
    if name in _LOGICAL:
        return _LOGICAL[name](_filters(name, argument, depth))
    if name == "$not":
        return Not(_filter(argument, depth))
    if name == "$comment" or (name == "$options" and "$regex" in filter):
        return AllOf(())
    if name.startswith("$"):
        return _operator_first(filter, name, depth)
    return _field(name, argument, depth)


def _filters(name: str, argument: Any, depth: int) -> tuple[Filter, ...]:
    if not isinstance(argument, list) or not argument:
        raise FilterError(f"{name}: a list of at least one filter is needed, got {argument!r}")
    return tuple(_filter(part, depth) for part in argument)


def _operator_first(filter: Mapping[str, Any], name: str, depth: int) -> Filter:
    argument = filter[name]
    if name not in _OPERATORS:
        raise FilterError(_unknown("the filter", name))
    if not isinstance(argument, Mapping) or not argument:
        raise FilterError(
            f"{name}: name the field, as in {{'{name}': {{'price': …}}}} or "
            f"{{'price': {{'{name}': …}}}}; got {argument!r}"
        )
    options = filter.get("$options") if name == "$regex" else None
    conditions = (
        _field(field, _with_options(field, {name: value}, options), depth)
        for field, value in argument.items()
    )
    return AllOf(tuple(conditions))


def _with_options(field: str, expression: dict[str, Any], options: Any) -> dict[str, Any]:
    own = options.get(field) if isinstance(options, Mapping) else options
    return expression if own is None else {**expression, "$options": own}


def _field(name: str, condition: Any, depth: int) -> Filter:
    if name.startswith("$"):
        raise FilterError(f"{name}: the name of a field is needed here, not of an operator")
    field = _Field(tuple(name.split(".")), name, depth)
    return _expression(field, condition) if is_expression(condition) else _equal(field, condition)


def _expression(field: _Field, expression: Any) -> Filter:
    if not is_expression(expression):
        raise FilterError(f"{field.name}: an object of operators is needed, got {expression!r}")
    operators = (name for name in expression if name != "$options" or "$regex" not in expression)
    return AllOf(tuple(_operator(field, name, expression) for name in operators))


def _operator(field: _Field, name: str, expression: Mapping[str, Any]) -> Filter:
    inner = field.below(f"{field.name}: {name}")
    if name == "$regex":
        test = matching(expression[name], expression.get("$options", ""), inner.name)
        return Leaf(field.path, test)
    if name in VALUE_TESTS:
        test = VALUE_TESTS[name](expression[name], inner.name)
        return Leaf(field.path, test, elements=name != "$size")
    if name in _READERS:
        return _READERS[name](inner, expression[name])
    raise FilterError(_unknown(field.name, name))


def _equal(field: _Field, argument: Any) -> Leaf:
    equals = (argument,) if is_scalar(argument) else None
    return Leaf(field.path, equal_to(argument), equals=equals)


def _in(field: _Field, argument: Any) -> Leaf:
    test = any_of(argument, field.name)
    return Leaf(field.path, test, equals=tuple(argument) if all(map(is_scalar, argument)) else None)


def _exists(field: _Field, argument: Any) -> Filter:
    if not isinstance(argument, bool | int | float):
        raise FilterError(f"{field.name}: give true or false, got {argument!r}")
    present = Leaf(field.path, lambda value: value is not MISSING)
    return present if argument else Not(present)


def _all(field: _Field, argument: Any) -> Filter:
    if not isinstance(argument, list):
        raise FilterError(f"{field.name}: a list is needed, got {argument!r}")
    if not argument:
        return AnyOf(())
    if not any(map(is_expression, argument)):
        return AllOf(tuple(_equal(field, value) for value in argument))
    if any(not isinstance(part, Mapping) or [*part] != ["$elemMatch"] for part in argument):
        raise FilterError(f"{field.name}: of operators it takes $elemMatch alone, in every place")
    return AllOf(tuple(_operator(field, "$elemMatch", part) for part in argument))


def _elem_match(field: _Field, argument: Any) -> Leaf:
    if not isinstance(argument, Mapping):
        raise FilterError(f"{field.name}: an object is needed, got {argument!r}")
    if is_expression(argument) and not _LOGICAL.keys() >= argument.keys():
        element = _Field((), field.name, field.depth)
        return _elements(field, predicate_of(_expression(element, argument)))
    fits = predicate_of(_filter(argument, field.depth))
    return _elements(field, lambda element: _is_object(element) and fits(_as_object(element)))


def _elements(field: _Field, holds: Callable[[Any], bool]) -> Leaf:
    return Leaf(
        field.path,
        lambda value: type(value) is list and any(map(holds, value)),
        elements=False,
    )


def _is_object(element: Any) -> bool:
    return isinstance(element, dict | list)


def _as_object(element: Any) -> Any:
    # An array within an array is an object whose fields are "0", "1", … to MongoDB.
    if type(element) is list:
        return {str(place): value for place, value in enumerate(element)}
    return element


def _unknown(where: str, operator: str) -> str:
    if not operator.startswith("$"):
        return f"{where}: operators and the plain field {operator!r} do not go together"
    known = ", ".join(sorted(_OPERATORS | _LOGICAL.keys()))
    return f"{where}: {operator} is no operator known here; known are {known}"


_LOGICAL: Final[Mapping[str, Callable[[tuple[Filter, ...]], Filter]]] = {
    "$and": AllOf,
    "$or": AnyOf,
    "$nor": lambda parts: Not(AnyOf(parts)),
}
_READERS: Final[Mapping[str, Callable[[_Field, Any], Filter]]] = {
    "$eq": _equal,
    "$ne": lambda field, argument: Not(_equal(field, argument)),
    "$in": _in,
    "$nin": lambda field, argument: Not(_in(field, argument)),
    "$exists": _exists,
    "$all": _all,
    "$elemMatch": _elem_match,
    "$not": lambda field, argument: Not(_expression(field, argument)),
}
_OPERATORS: Final = VALUE_TESTS.keys() | _READERS.keys() | {"$regex"}
