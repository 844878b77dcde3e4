"""From a record to its vector: which image field counts, and how its pixels are got."""

from __future__ import annotations

import binascii
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

import pybase64
from attrs import frozen

from .descriptor import ImageRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from .descriptor import Extractor
    from .settings import UrlImages

MAX_IMAGE_BYTES: Final = 32 * 2**20
"""Largest image file that is read or fetched, in bytes."""

IMAGE_FIELDS: Final = ("_base64", "_file", "_url")

_ADDRESS: Final = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_DATA_HEAD: Final = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,", re.IGNORECASE)


def has_image(record: Mapping[str, Any]) -> bool:
    """Tell whether a record brings an image of its own."""
    return any(record.get(field) is not None for field in IMAGE_FIELDS)


def decode_base64(text: object) -> bytes:
    r"""Return the bytes of a `_base64` field; a `data:image/…;base64,` head and line breaks may be.

    Raises:
        ImageRefused: it is no base64.

    Example:
        >>> decode_base64("data:image/png;base64,AAEC")
        b'\x00\x01\x02'
    """
    if not isinstance(text, str) or not text:
        raise ImageRefused("_base64 must be a text")
    head = _DATA_HEAD.match(text)
    payload = text[head.end() :] if head else text
    try:
        return pybase64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return pybase64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ImageRefused("_base64 is not valid base64") from None


def read_below(root: Path, name: object) -> bytes:
    """Return the content of an image file below a folder.

    Args:
        root: The folder that no name may lead out of, by `..`, an absolute path or a symbolic link.
        name: `_file`: a path below `root`, or an absolute one that lies there.

    Raises:
        ImageRefused: there is no such regular file below the folder, or it is too large.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ImageRefused("_file must be a path")
    try:
        folder = root.resolve(strict=True)
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder):
            raise ImageRefused(f"_file {name!r:.200} is not below files_root")
        return _read_regular(path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a loop of links"
        raise ImageRefused(f"_file {name!r:.200} cannot be read: {reason}") from None


def _read_regular(path: Path) -> bytes:
    # Not to wait for a pipe's other end; no link that was put there since the path was resolved.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - opens a descriptor
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ImageRefused(f"_file {path.name!r:.200} is not a regular file")
        if facts.st_size > MAX_IMAGE_BYTES:
            raise ImageRefused(f"_file {path.name!r:.200} is larger than {MAX_IMAGE_BYTES} bytes")
        return file.read(MAX_IMAGE_BYTES)


@frozen
class Images:
    """Gets the vector of a record's image.

    Of several image fields `_base64` counts, being the image itself; then `_file`, where files may
    be read; then `_url`.
    """

    extractor: Extractor
    """What turns an image into a vector."""
    url_images: UrlImages = "derive"
    """What to do with a record whose image is only an address."""
    fetch: Callable[[str], bytes] | None = None
    """Gets an image from an address; raises ImageRefused."""
    files_root: Path | None = None
    """The folder below which `_file` may be read; None reads none."""

    def vector(self, record: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the vector of a record's image.

        Raises:
            ImageRefused: there is no image, or none that can be read.
        """
        if record.get("_base64") is not None:
            return self.extractor.from_image(decode_base64(record["_base64"]))
        if record.get("_file") is not None and self.files_root is not None:
            return self.extractor.from_image(read_below(self.files_root, record["_file"]))
        if record.get("_url") is not None:
            return self._from_url(record["_url"])
        if record.get("_file") is not None:
            raise ImageRefused("_file cannot be read: this emulator was started without files_root")
        raise ImageRefused("the record has no image: give it a _url or a _base64")

    def takes_time(self, record: Mapping[str, Any]) -> bool:
        """Tell whether getting a record's vector means reading an image."""
        if record.get("_base64") is not None:
            return True
        if record.get("_file") is not None and self.files_root is not None:
            return True
        return self.fetch is not None and record.get("_url") is not None

    def _from_url(self, url: object) -> NDArray[np.float32]:
        if not isinstance(url, str) or not _ADDRESS.match(url):
            raise ImageRefused(f"_url {url!r:.200} is not an http:// or https:// address")
        if self.url_images == "refuse":
            raise ImageRefused("this emulator takes no images by _url: send them as _base64")
        if self.url_images == "fetch" and self.fetch is not None:
            return self.extractor.from_image(self.fetch(url))
        return self.extractor.from_text(url)

    @property
    def url_words(self) -> str:
        """Say how images given by `_url` are treated, for `ping`."""
        return {
            "derive": (
                "images given by _url are not fetched: their descriptor is derived from the address"
            ),
            "fetch": "images given by _url are fetched from the allowed origins",
            "refuse": "images given by _url are refused",
        }[self.url_images]
