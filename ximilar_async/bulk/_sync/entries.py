"""What a source's entries consist of, as far as a sync looks at them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ximilar_async._encoding import encode_body
from ximilar_async.bulk._record_faults import id_fault
from ximilar_async.errors import ImageError, RecordError

if TYPE_CHECKING:
    from ximilar_async.sources import Entry


def id_of(entry: Entry) -> str | None:
    """Return an entry's `_id` if it is one that can be sent."""
    id_ = entry.id
    if id_ is None:
        id_ = entry.record.get("_id") if isinstance(entry.record, dict) else None
    if not isinstance(id_, str) or not id_:
        return None
    try:
        id_.encode()
    except UnicodeEncodeError:
        return None
    return id_


def without_id(record: object) -> str:
    """Return why a record has no `_id` that can be sent, behind its place."""
    return id_fault(record).removeprefix(":").strip() or "has an `_id` that is no text"


def json_of(record: object) -> bytes | None:
    """Return what was read as JSON, to be kept with its fault; None where it has no such form."""
    try:
        return encode_body({"record": record})
    except (RecordError, TypeError):
        return None


def bytes_of(value: object) -> bytes:
    """Return the bytes that an image is known by where it is given as text."""
    return str(value).encode("utf-8", "surrogateescape")


def pixels_of(image: Any) -> bytes:
    """Return what an image in memory is known by: bytes, a PIL image, an array.

    Raises:
        ImageError: it is no image.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if not callable(getattr(image, "tobytes", None)):
        raise ImageError(f"`_image` is {type(image).__name__}, no image")
    facts = [str(getattr(image, name, "")) for name in ("mode", "size", "shape", "dtype")]
    pixels: bytes = image.tobytes()
    return " ".join(facts).encode() + pixels
