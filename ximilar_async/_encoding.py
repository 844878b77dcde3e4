"""Records to JSON: pure, and strict about what would silently change on the way."""

from __future__ import annotations

import re
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from attrs import field, frozen

from .errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)
_DEEPEST = 254


@frozen
class Encoded:
    """A part of a body that was checked and turned into JSON before, to travel as it is."""

    wire: bytes = field(repr=False)
    """The JSON."""

    @classmethod
    def list_of(cls, wires: Iterable[bytes]) -> Encoded:
        """Return a list whose elements are JSON already.

        Example:
            >>> Encoded.list_of([b"1", b"2"]).wire
            b'[1,2]'
        """
        return cls(b"[" + b",".join(wires) + b"]")


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Turn a body into JSON, refusing what would silently change on the way.

    orjson writes NaN and the infinities as null, and in `update` null removes a field; so a body
    with a null in it is searched for them.

    Raises:
        RecordError: NaN, an infinity, an integer beyond 64 bits, a lone surrogate, a key that is no
            string, or a type that JSON does not have; the message names the path.

    Example:
        >>> encode_body({"k": 3})
        b'{"k":3}'
    """
    try:
        wire = orjson.dumps(body, default=_fragment, option=_OPTIONS)
    except TypeError as error:
        _find_fault(body, "")
        raise RecordError(f"no JSON form: {error}") from None
    if b"null" in wire:
        _find_fault(body, "")
    return wire


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Encoded):
        return orjson.Fragment(value.wire)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _find_fault(value: Any, path: str, depth: int = 0) -> None:
    """Raise for the first value below `path` that JSON cannot carry; return if there is none."""
    if isinstance(value, Enum):  # travels as its value
        value = value.value
    if words := _scalar_fault(value):
        raise RecordError(f"{path or 'the value'} {words}")
    if depth > _DEEPEST:
        raise RecordError(f"{path[:40]}… is nested deeper than {_DEEPEST} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(key) is not str:
                raise RecordError(
                    f"{path or 'the value'} has the key {key!r:.40}, which is no plain string"
                )
            _find_fault(key, f"{path} key", depth + 1)
            _find_fault(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _find_fault(inner, f"{path}[{index}]", depth + 1)


def _scalar_fault(value: object) -> str | None:
    """Say what is wrong with a single value, containers left aside."""
    match value:
        case None | bool() | dict() | list() | Encoded() | UUID():
            return None
        case tuple() if type(value) is tuple:
            return None
        case str():
            lone = not value.isascii() and re.search("[\ud800-\udfff]", value)
            return "has a lone surrogate, which is no character" if lone else None
        case int():
            fits = _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER
            return None if fits else "is an integer beyond 64 bits"
        case float() if type(value) is float:
            return None if isfinite(value) else f"is {value}, which JSON cannot carry; leave it out"
    return f"is {type(value).__name__}, which has no JSON form; convert it first"
