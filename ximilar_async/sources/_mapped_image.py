"""Which field an image belongs into, told by what a column holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Final

from ._conversions import is_blank, to_text

KINDS: Final = ("auto", "url", "file", "bytes", "base64")
"""How an image column can be read; auto tells by each value."""

FIELDS: Final = ("_url", "_file", "_image", "_base64")
"""The fields that an image can be in."""

_FIELD_OF: Final = {"url": "_url", "file": "_file", "bytes": "_image", "base64": "_base64"}
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_DATA: Final = re.compile(r"data:[\w.+/-]*(;[\w.+=-]+)*;base64,", re.IGNORECASE)
_OTHER: Final = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def image_field(value: Any, path: str, kind: str = "auto") -> tuple[str, Any] | None:
    """Return the field for an image and its value; None where a column holds nothing.

    Args:
        value: What the column holds: an address, a path, bytes, or a structure with `bytes` or
            `path`, as data sets have it.
        path: How messages call it.
        kind: Which of `KINDS` it is.

    Raises:
        ValueError: it is none of these, or not of the kind.

    Example:
        >>> image_field("https://example.com/boot.jpg", "photo")
        ('_url', 'https://example.com/boot.jpg')
        >>> image_field("boots/17.jpg", "photo")
        ('_file', 'boots/17.jpg')
    """
    if type(value) is not str:
        value = _single(value, path)
    if is_blank(value):
        return None
    if kind == "auto":
        return _told(value, path)
    if kind == "bytes":
        return "_image", _bytes(value, path)
    text = _text(value, path).strip()
    if not text:
        return None
    if kind == "base64":
        return "_base64", _base64(_DATA.sub("", text, count=1), path)
    return _FIELD_OF[kind], text


def _single(value: Any, path: str) -> Any:
    """Return the image of a list of one, or of a structure that holds it."""
    if isinstance(value, Mapping):
        found = value.get("bytes")
        value = value.get("path") if found is None else found
    if isinstance(value, (list, tuple)):
        if len(value) > 1:
            raise ValueError(f"{path} holds {len(value)} images, and a record has one")
        value = value[0] if value else None
    return value


def _told(value: Any, path: str) -> tuple[str, Any]:
    """Tell what a value is by itself."""
    if type(value) is not str and _is_image(value):
        return "_image", value
    text = _text(value, path).strip()
    if _WEB.match(text):
        return "_url", text
    if found := _DATA.match(text):
        return "_base64", _base64(text[found.end() :], path)
    if _OTHER.match(text):
        words = "which is neither http:// or https:// nor a path"
        raise ValueError(f"{path} is {text!r:.60}, {words}")
    return "_file", text


def _text(value: Any, path: str) -> str:
    if isinstance(value, PathLike):
        value = fspath(value)
    if not isinstance(value, (str, bytes, bytearray)):
        words = f"is {type(value).__name__}, not an address, a path or the bytes of an image"
        raise ValueError(f"{path} {words}")  # noqa: TRY004 - a row's fault, as all
    return str(to_text(value, path))


def _bytes(value: Any, path: str) -> Any:
    if not _is_image(value):
        words = f"is {type(value).__name__}, not the bytes of an image"
        raise ValueError(f"{path} {words}")
    return value


def _is_image(value: object) -> bool:
    """Tell whether a value is a file's bytes, or the pixels of a library."""
    known = isinstance(value, (bytes, bytearray, memoryview))
    return known or hasattr(value, "__array_interface__")


def _base64(text: str, path: str) -> str:
    text = re.sub(r"\s+", "", text)
    if len(text) % 4 or not _BASE64.fullmatch(text):
        raise ValueError(f"{path} is no image in base64")
    return text
