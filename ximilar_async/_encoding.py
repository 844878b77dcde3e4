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
_IMAGE_DATA = "_base64"


@frozen
class Encoded:
    """A part of a body that was checked and turned into JSON before, to travel as it is."""

    pieces: tuple[bytes, ...] = field(repr=False)
    """The JSON, in pieces: they are put together once, with the rest of the body."""

    @classmethod
    def of(cls, wire: bytes) -> Encoded:
        """Return a part that is JSON already."""
        return cls((wire,))

    @classmethod
    def list_of(cls, wires: Iterable[bytes]) -> Encoded:
        """Return a list whose elements are JSON already.

        Example:
            >>> b"".join(Encoded.list_of([b"1", b"2"]).pieces)
            b'[1,2]'
        """
        pieces = [b"["]
        for wire in wires:
            pieces += (wire, b",")
        pieces[-1:] = [b"]"] if len(pieces) > 1 else [b"[", b"]"]
        return cls(tuple(pieces))


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
    if isinstance(body, dict):
        parts = {name: value for name, value in body.items() if type(value) is Encoded}
        if parts:
            return _spliced(parts, {n: value for n, value in body.items() if n not in parts})
    try:
        wire = orjson.dumps(body, option=_OPTIONS)
    except TypeError as error:
        _find_fault(body, "")
        raise RecordError(f"no JSON form: {error}") from None
    if b"null" in (_without_image(body) if _has_image(body) else wire):
        _find_fault(body, "")
    return wire


def _has_image(body: object) -> bool:
    return isinstance(body, dict) and type(body.get(_IMAGE_DATA)) is str


def _without_image(body: Mapping[str, Any]) -> bytes:
    """Return the rest of a record: image data is text, and searching it would take longest."""
    rest = {name: value for name, value in body.items() if name != _IMAGE_DATA}
    return orjson.dumps(rest, option=_OPTIONS)


def _spliced(parts: Mapping[str, Encoded], rest: Mapping[str, Any]) -> bytes:
    """Return a body some of whose values are JSON already, copied only once."""
    pieces = [b"{"]
    for name, part in parts.items():
        pieces += (b'"', name.encode(), b'":', *part.pieces, b",")
    end = encode_body(rest)
    if end == b"{}":
        pieces[-1] = b"}"
    else:
        pieces.append(end[1:])
    return b"".join(pieces)


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
        case None | bool() | dict() | list() | UUID():
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
