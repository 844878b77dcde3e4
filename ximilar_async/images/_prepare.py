"""Records with `_file` or `_image` in, records with `_base64` out."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pybase64

from ximilar_async.errors import ConfigError, ImageError

from ._files import check_size, read_file
from ._formats import accepted_format
from ._options import ImageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

T = TypeVar("T")

_DEFAULT: Final = ImageOptions()
_INSTALL: Final = "pip install 'ximilar-async[images]'"

_SENT_UNSEEN: Final = frozenset({"JPEG", "PNG", "WEBP", "BMP", "TIFF"})
"""Formats that can be sent without Pillow, when nothing has to be shrunk."""


def needs_preparing(record: Mapping[str, Any]) -> bool:
    """Tell whether a record has an image to read or encode.

    Example:
        >>> needs_preparing({"_id": "1", "_file": "boot.jpg"})
        True
        >>> needs_preparing({"_id": "1", "_file": "boot.jpg", "_base64": "/9j/4AAQ"})
        False
    """
    return "_image" in record or (record.get("_file") is not None and record.get("_base64") is None)


def take_image(
    record: Mapping[str, Any], options: ImageOptions, files_root: str | PathLike[str] | None
) -> tuple[dict[str, Any], bytes | None]:
    """Return a record without its `_file` or `_image`, and that image in base64; blocking.

    Args:
        record: As `prepare_record` takes it.
        options: How the image is checked and shrunk.
        files_root: Folder that `_file` must not leave.

    Raises:
        ImageError: as `prepare_record` does.
        ConfigError: likewise.
    """
    rest = dict(record)
    image = rest.pop("_image", None)
    if image is not None:
        with _naming("`_image`"):
            _refuse_second_image(rest)
            data = _from_object(image, options)
    elif needs_preparing(rest):
        file = rest.pop("_file")
        root = None if files_root is None else os.fspath(files_root)
        with _naming(f"`_file` {str(file)!r:.300}"):
            data = read_file(file, root=root, max_bytes=options.max_file_bytes)
            data = _from_bytes(data, options)
    else:
        return rest, None
    rest.pop("_base64", None)
    return rest, pybase64.b64encode(data)


def prepare_record(
    record: Mapping[str, Any],
    options: ImageOptions = _DEFAULT,
    files_root: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Return the record with its image as `_base64` in the place of `_file` or `_image`; blocking.

    A `_file` beside a `_base64` is a plain field, as in the documents' example of
    visualRankRecords, and stays. The record that was given is not changed. An image that is
    upright, of an accepted format and no larger than `options.max_side` travels byte for byte.

    Args:
        record: The record; `_image` may be the bytes of an image file, a PIL image, or a numpy
            array of unsigned bytes in RGB order (height x width x 3, or x 4 with alpha, or
            height x width for grey).
        options: How the image is checked and shrunk.
        files_root: Folder where relative paths start and that `_file` must not leave; None for
            anywhere, relative paths from the working directory.

    Raises:
        ImageError: the image is missing, unreadable, of a format that the service does not take,
            damaged or too large; the message names the file.
        ConfigError: images are to be shrunk and Pillow is not installed.

    Example:
        >>> prepare_record({"_id": "1", "_url": "https://example.com/boot.jpg"})
        {'_id': '1', '_url': 'https://example.com/boot.jpg'}

    Documented in: Quickstart, Loading and Sending Images.
    """
    prepared, image = take_image(record, options, files_root)
    if image is not None:
        prepared["_base64"] = image.decode("ascii")
    return prepared


async def prepare_records(
    records: Sequence[dict[str, Any]],
    options: ImageOptions = _DEFAULT,
    *,
    files_root: str | PathLike[str] | None = None,
    called: str | None = None,
) -> list[dict[str, Any]]:
    """Return records whose images are read and encoded, all in one thread off the event loop.

    Args:
        records: The records; those that need no preparing are handed on as they are.
        options: How images are checked and shrunk.
        files_root: Folder where relative paths start and that `_file` must not leave; None for
            anywhere, relative paths from the working directory.
        called: What messages call a single record; None for its place in the list.

    Raises:
        ImageError: an image cannot be sent; the message tells which record's, by its place and
            its `_id`, and names the file.
        ConfigError: images are to be shrunk and Pillow is not installed.

    Example:
        >>> asyncio.run(prepare_records([{"_id": "1", "_url": "https://example.com/boot.jpg"}]))
        [{'_id': '1', '_url': 'https://example.com/boot.jpg'}]
    """
    if not any(map(needs_preparing, records)):
        return list(records)

    def prepare(record: dict[str, Any]) -> dict[str, Any]:
        return prepare_record(record, options, files_root) if needs_preparing(record) else record

    return await asyncio.to_thread(_each, prepare, records, called)


async def take_images(
    records: Sequence[dict[str, Any]],
    options: ImageOptions = _DEFAULT,
    *,
    files_root: str | PathLike[str] | None = None,
    called: str | None = None,
) -> list[tuple[dict[str, Any], bytes | None]]:
    """Return records without `_file` and `_image`, each with that image in base64.

    All of it happens in one thread off the event loop. As bytes an image can go into a request
    without being copied again.

    Args:
        records: As for `prepare_records`.
        options: Likewise.
        files_root: Likewise.
        called: Likewise.

    Raises:
        ImageError: as `prepare_records` does.
        ConfigError: likewise.

    Example:
        >>> asyncio.run(take_images([{"_id": "1", "_url": "https://example.com/boot.jpg"}]))
        [({'_id': '1', '_url': 'https://example.com/boot.jpg'}, None)]
    """

    def take(record: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
        return take_image(record, options, files_root)

    return await asyncio.to_thread(_each, take, records, called)


def make_thumbnail(data: bytes, *, max_side: int = 256) -> bytes:
    """Return a small upright picture of an image file, as JPEG, or PNG where it is transparent.

    Args:
        data: The content of an image file of a format that the service takes.
        max_side: Its longest side, in pixels; smaller images keep their size.

    Raises:
        ImageError: it cannot be decoded, or Pillow is not installed.
        ConfigError: `max_side` is no size.

    Example:
        >>> make_thumbnail(b"")
        Traceback (most recent call last):
        ximilar_async.errors.ImageError: is empty
    """
    options = ImageOptions(max_side=max_side, quality=85)
    name = accepted_format(data)
    try:
        from . import _pixels  # noqa: PLC0415 - Pillow is optional
    except ImportError:
        raise ImageError(f"making a thumbnail needs Pillow: {_INSTALL}") from None
    return _pixels.encode_bytes(data, name, options)


def _each(
    work: Callable[[dict[str, Any]], T], records: Sequence[dict[str, Any]], called: str | None
) -> list[T]:
    """Return what work makes of each record; an error names the record."""
    made = []
    for position, record in enumerate(records, 1):
        with _naming(_name_of(record, called or f"record {position} of {len(records)}")):
            made.append(work(record))
    return made


def _name_of(record: Mapping[str, Any], place: str) -> str:
    id_ = record.get("_id")
    return place if id_ is None else f"{place} (`_id` {id_!r:.80})"


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put a name before the message of an ImageError."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None


def _refuse_second_image(record: Mapping[str, Any]) -> None:
    for field in ("_file", "_base64"):
        if record.get(field) is not None:
            raise ImageError(f"stands beside `{field}`; give one of them")


def _from_object(image: object, options: ImageOptions) -> bytes:
    if isinstance(image, (bytes, bytearray, memoryview)):
        check_size(len(image), options.max_file_bytes)
        return _from_bytes(bytes(image), options)
    if isinstance(image, (str, os.PathLike)):
        raise ImageError(
            "takes no path or text; a path belongs into `_file`, base64 into `_base64`"
        )
    try:
        from . import _pixels  # noqa: PLC0415 - Pillow is optional
    except ImportError:
        raise ImageError(f"encoding pixels needs Pillow: {_INSTALL}") from None
    return _pixels.encode_object(image, options)


def _from_bytes(data: bytes, options: ImageOptions) -> bytes:
    name = accepted_format(data)
    try:
        from . import _pixels  # noqa: PLC0415 - Pillow is optional
    except ImportError:
        if options.max_side is not None:
            raise ConfigError(
                f"shrinking images needs Pillow: {_INSTALL}; "
                "with ImageOptions(max_side=None) most formats can be sent without"
            ) from None
        if name not in _SENT_UNSEEN:
            raise ImageError(f"reading {name} needs Pillow: {_INSTALL}") from None
        return data
    return _pixels.prepare_bytes(data, name, options)
