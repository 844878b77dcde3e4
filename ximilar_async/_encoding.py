"""Records to JSON: pure, and strict about what would silently change on the way."""

from __future__ import annotations

import re
from enum import Enum
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import orjson
from attrs import field, frozen

from .errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""How everything is encoded: what orjson would turn into text by its own rules is refused."""

_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)
_DEEPEST = 254
_IMAGE_DATA = "_base64"


_IN_PIECES: Final = 2**16
"""Size from which a body is not put together any more, in bytes: above, the copy costs more."""
_COPIED: Final = 2**12
"""Largest piece that is put together with its neighbours, in bytes: copying it costs less than
handing it on."""


@frozen
class Encoded:
    """JSON in pieces, checked before, to travel as it is.

    Megabytes of image data are not copied in memory: fresh pages cost 1 µs each 4 kB, more than
    all else that is done to them.
    """

    pieces: tuple[bytes, ...] = field(repr=False)
    _size: int = field(init=False, repr=False, eq=False)
    """Counted once: a record's is asked for four times."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_size", sum(map(len, self.pieces)))

    @classmethod
    def of(cls, wire: Wire) -> Encoded:
        """Return a part that is JSON already."""
        return cls((wire,)) if isinstance(wire, bytes) else wire

    @classmethod
    def list_of(cls, wires: Iterable[Wire]) -> Encoded:
        """Return a list whose elements are JSON already.

        Example:
            >>> Encoded.list_of([b"1", b"2"]).joined()
            b'[1,2]'
        """
        pieces = [b"["]
        for wire in wires:
            pieces += (*cls.of(wire).pieces, b",")
        pieces[-1:] = [b"]"] if len(pieces) > 1 else [b"[", b"]"]
        return cls(tuple(pieces))

    def __len__(self) -> int:
        return self._size

    def joined(self) -> bytes:
        """Return the whole."""
        return b"".join(self.pieces)

    def wire(self) -> Wire:
        """Return the whole, or pieces worth handing on where the whole is large."""
        if len(self) <= _IN_PIECES:
            return self.joined()
        merged: list[bytes] = []
        for small, run in groupby(self.pieces, _is_small):
            pieces = tuple(run)
            merged += (b"".join(pieces),) if small else pieces
        return Encoded(tuple(merged))


Wire: TypeAlias = bytes | Encoded
"""JSON: in one piece, or in several where these are large."""


def joined(wire: Wire) -> bytes:
    """Return JSON in one piece."""
    return wire if isinstance(wire, bytes) else wire.joined()


def with_image(record: bytes, image: bytes) -> Encoded:
    """Return a record with its image; base64 has no character that JSON would escape.

    Args:
        record: The JSON of its other fields.
        image: The image in base64.

    Example:
        >>> with_image(b'{"_id":"1"}', b"/9j/").joined()
        b'{"_id":"1","_base64":"/9j/"}'
    """
    comma = b"" if record == b"{}" else b","
    return Encoded((b'%b%b"%b":"' % (record[:-1], comma, _IMAGE_DATA.encode()), image, b'"}'))


def encode_request(body: Mapping[str, Any]) -> Wire:
    """Turn the fields of a request into JSON; those that are JSON already travel as they are.

    Raises:
        RecordError: as `encode_body` does.

    Example:
        >>> encode_request({"records": Encoded.list_of([b'{"_id":"1"}']), "k": 3})
        b'{"records":[{"_id":"1"}],"k":3}'
    """
    parts = {name: value for name, value in body.items() if type(value) is Encoded}
    if not parts:
        return encode_body(body)
    pieces = [b"{"]
    for name, part in parts.items():
        pieces += (b'"%b":' % name.encode(), *part.pieces, b",")
    end = encode_body({name: value for name, value in body.items() if name not in parts})
    pieces[-1:] = [b"}"] if end == b"{}" else [b",", end[1:]]
    return Encoded(tuple(pieces)).wire()


def _is_small(piece: bytes) -> bool:
    return len(piece) <= _COPIED


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
        wire = orjson.dumps(body, option=OPTIONS)
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
    return orjson.dumps(rest, option=OPTIONS)


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
