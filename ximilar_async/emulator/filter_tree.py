"""A filter as a small tree of questions; what it means for a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from .values import getter

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]


@frozen
class Leaf:
    """One question to one field: does any value that the path reaches pass the test?"""

    path: tuple[str, ...]
    """The field's name, split at its dots; empty inside `$elemMatch`, where it is the element."""
    test: Callable[[Any], bool]
    """The question; it is asked about `MISSING` too."""
    elements: bool = True
    """Whether the elements of an array are asked as well."""
    equals: tuple[Any, ...] | None = None
    """The scalars that pass the test, where it is a test for equality with scalars alone."""


@frozen
class Not:
    """Holds where its part does not."""

    part: Filter


@frozen
class AllOf:
    """Holds where every part does; without parts always."""

    parts: tuple[Filter, ...]


@frozen
class AnyOf:
    """Holds where one part does; without parts never."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Leaf | Not | AllOf | AnyOf


def predicate_of(node: Filter) -> Predicate:
    """Make the test of a filter's tree, or of a part of it.

    >>> predicate_of(Leaf(("price",), lambda value: value == 1))({"price": [1, 2]})
    True
    """
    match node:
        case Leaf(path=path, test=test, elements=elements):
            find = getter(path, elements=elements)
            return lambda document: any(map(test, find(document)))
        case Not(part=part):
            holds = predicate_of(part)
            return lambda document: not holds(document)
        case AllOf(parts=(part,)) | AnyOf(parts=(part,)):
            return predicate_of(part)
        case AllOf(parts=parts):
            every = [predicate_of(part) for part in parts]
            return lambda document: all(holds(document) for holds in every)
        case AnyOf(parts=parts):
            some = [predicate_of(part) for part in parts]
            return lambda document: any(holds(document) for holds in some)
