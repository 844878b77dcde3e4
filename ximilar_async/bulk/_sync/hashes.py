"""What a record is, in two hashes: of its metadata and of its image. Pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import frozen

from ximilar_async._encoding import encode_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

SIZE: Final = 16
"""Bytes of a hash: among a billion records two alike have a chance of one in 10^21."""

IMAGE_FIELDS: Final = frozenset({"_base64", "_file", "_image", "_url"})
"""Fields that bring the image; `update` cannot change it."""

UNKNOWABLE: Final = bytes(SIZE)
"""Stands for an image that is stored and might be any: it differs from every hash."""

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)
_MARK: Final = "1"
"""Version of the text that a record carries with state="remote"."""

_SHORT: Final = 8
_ADDRESS: Final = 6
_FIELD: Final = 10
"""Ends of the parts of an image's hash that stand for its address, and for its version field."""


def metadata_of(
    record: Mapping[str, Any], left_out: AbstractSet[str], counted: AbstractSet[str] | None = None
) -> dict[str, Any]:
    """Return the fields of a record that `update` can change.

    A field that is null is a field that is not there: null is how a field is removed.

    Args:
        record: The record.
        left_out: Fields that are none of it: `_id`, images, the sync's own mark.
        counted: The only fields that count; None for all.

    Example:
        >>> metadata_of({"_id": "1", "price": 3, "sale": None}, {"_id"})
        {'price': 3}
    """
    fields = {
        name: value for name, value in record.items() if value is not None and name not in left_out
    }
    return fields if counted is None else {n: v for n, v in fields.items() if n in counted}


def metadata_hash(fields: Mapping[str, Any]) -> bytes:
    """Return the hash of metadata, whatever the order of its fields.

    Raises:
        RecordError: a value is none that JSON has; the message names it.

    Example:
        >>> metadata_hash({"a": 1, "b": 2}) == metadata_hash({"b": 2, "a": 1})
        True
    """
    try:
        wire = orjson.dumps(fields, option=_OPTIONS)
    except TypeError:
        encode_body(fields)  # says what is wrong, and where
        raise
    if b"null" in wire:
        encode_body(fields)  # orjson writes NaN as null
    return blake2b(wire, digest_size=SIZE).digest()


def image_hash(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the hash of an image: of the fields that bring it, with what each stands for.

    Args:
        parts: Field names with a URL, the content of a file, a version.
    """
    digest = blake2b(digest_size=SIZE)
    for name, value in parts:
        digest.update(f"{name}:{len(value)}:".encode())
        digest.update(value)
    return digest.digest()


def url_parts(record: Mapping[str, Any], version_field: str | None) -> list[tuple[str, bytes]]:
    """Return what an image given by its address is known by: the address and its version.

    Args:
        record: The record.
        version_field: A field that changes with the image, such as an ETag; None for none.
    """
    parts = [("_url", str(record["_url"]).encode("utf-8", "surrogatepass"))]
    version = None if version_field is None else record.get(version_field)
    if version is not None:
        parts.append(("version", orjson.dumps(version, option=_OPTIONS)))
    return parts


def url_hash(record: Mapping[str, Any], version_field: str | None) -> bytes:
    """Return the hash of an image given by its address alone.

    With a version it begins like that without, so that the two can be told to be one address.

    Args:
        record: The record.
        version_field: A field that changes with the image, such as an ETag; None for none.
    """
    address, *version = url_parts(record, version_field)
    bare = image_hash([address])
    if not version:
        return bare
    field = blake2b(str(version_field).encode(), digest_size=_FIELD - _ADDRESS).digest()
    return bare[:_ADDRESS] + field + image_hash(version)[: SIZE - _FIELD]


def is_another_image(one: bytes, other: bytes) -> bool:
    """Tell whether two hashes are certainly of two images.

    Under one address they are only if both have a version, by the same field: else nobody knows
    of one of them which it was.

    Example:
        >>> old, new = {"_url": "u", "etag": "a"}, {"_url": "u", "etag": "b"}
        >>> is_another_image(url_hash(old, "etag"), url_hash(new, "etag"))
        True
        >>> is_another_image(url_hash(old, None), url_hash(new, "etag"))
        False
    """
    if one == other:
        return False
    address = one[:_ADDRESS] == other[:_ADDRESS]
    return not address or one[_ADDRESS:_FIELD] == other[_ADDRESS:_FIELD]


def stored_image_hash(record: Mapping[str, Any], version_field: str | None) -> bytes | None:
    """Return the hash of a stored record's image if it tells which it is: by its `_url` alone."""
    others = any(record.get(name) is not None for name in IMAGE_FIELDS - {"_url"})
    if others or not isinstance(record.get("_url"), str):
        return None
    return url_hash(record, version_field)


def stamp_of(path: str, size: int, mtime_ns: int, inode: int) -> bytes:
    """Return what tells, without reading it, that a file is the one that was read before."""
    words = f"{size} {mtime_ns} {inode} {path}"
    return blake2b(words.encode("utf-8", "surrogateescape"), digest_size=SIZE).digest()


def shape_key(names: Iterable[str]) -> str:
    """Return a short text for a set of field names."""
    wire = orjson.dumps(sorted(names))
    return blake2b(wire, digest_size=_SHORT).hexdigest()


@frozen
class Mark:
    """What the field of a record says with state="remote"."""

    meta: bytes
    image: bytes | None
    shape: str

    def __str__(self) -> str:
        image = "-" if self.image is None else self.image.hex()
        return f"{_MARK}.{self.meta.hex()}.{image}.{self.shape}"

    @classmethod
    def read(cls, value: object) -> Mark | None:
        """Return what a field's value says; None if it is no mark that is known here.

        Example:
            >>> mark = Mark(bytes(16), None, "ab")
            >>> Mark.read(str(mark)) == mark, Mark.read("2.x"), Mark.read(None)
            (True, None, None)
        """
        parts = value.split(".") if isinstance(value, str) else []
        if len(parts) != 4 or parts[0] != _MARK:  # noqa: PLR2004 - version and three parts
            return None
        try:
            meta = bytes.fromhex(parts[1])
            image = None if parts[2] == "-" else bytes.fromhex(parts[2])
        except ValueError:
            return None
        whole = len(meta) == SIZE and (image is None or len(image) == SIZE)
        return cls(meta, image, parts[3]) if whole else None
