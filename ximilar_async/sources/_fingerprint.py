"""Whether an input is still the one that a run was begun with."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import SourceError

from ._base import Fingerprinted
from ._paths import image_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from ._base import Source

WHOLE: Final = 64 * 2**20
"""Bytes up to which a file is hashed from end to end."""

SAMPLES: Final = 64
"""Parts of a larger file that are hashed, from its beginning to its end."""

_PART: Final = 2**20

_OF_CONTENT: Final = ("ETag", "etag", "Content-MD5", "Digest", "md5Hash", "md5", "checksum", "CRC")
"""What file systems call a mark of a file's content."""

_OF_TIME: Final = ("Last-Modified", "LastModified", "last_modified", "updated", "mtime", "created")
"""What they call the time of its last change."""


def fingerprint_of(source: Source) -> str | None:
    """Return text that is the same for the same input and differs for another; it blocks.

    Args:
        source: The source; one that knows no fingerprint is told by its path.

    Returns:
        The fingerprint; None where nobody can tell, as for records of the program itself.

    Raises:
        SourceError: the input cannot be read.

    Example:
        >>> from ximilar_async.sources import as_source
        >>> fingerprint_of(as_source([{"_id": "1"}])) is None
        True
    """
    if isinstance(source, Fingerprinted):
        return source.fingerprint()
    return None if source.path is None else path_fingerprint(source.path)


def path_fingerprint(path: str | os.PathLike[str]) -> str | None:
    """Return text that changes when the records of a file or folder change; it reads the disk.

    A file of up to 64 MiB is hashed whole, so that copying or touching it makes no difference. Of a
    larger one 64 parts of 1 MiB are hashed, and its size and time of change count too. Of a folder
    the names of its images count, for they number the records; what is in them does not.

    Args:
        path: A file or a folder of images.

    Returns:
        The fingerprint; None for what can be read only once (a pipe, a device).

    Raises:
        SourceError: it cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _of_names(image_names(path))
        if path.exists() and not path.is_file():
            return None
        with path.open("rb") as file:
            return _of_file(file)
    except OSError as error:
        raise SourceError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def address_fingerprint(info: Mapping[str, Any]) -> str | None:
    """Return the same for what is behind an address, from what its file system says of it.

    Args:
        info: The file's size, and marks of its content or the time of its change.

    Returns:
        The fingerprint; None where there is neither such a mark nor a time.

    Example:
        >>> address_fingerprint({"size": 3, "ETag": '"a"'}) == address_fingerprint({"size": 3})
        False
    """
    name = next((name for name in (*_OF_CONTENT, *_OF_TIME) if info.get(name)), None)
    if name is None:
        return None
    mark = blake2b(f"{name}={info[name]}".encode(), digest_size=16).hexdigest()
    return f"address:{info.get('size')}:{mark}"


def _of_names(names: list[str]) -> str:
    digest = blake2b(digest_size=16)
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return f"folder:{len(names)}:{digest.hexdigest()}"


def _of_file(file: BinaryIO) -> str:
    stat = os.fstat(file.fileno())
    digest = blake2b(digest_size=16)
    for part in _parts(file, stat.st_size):
        digest.update(part)
    text = f"file:{stat.st_size}:{digest.hexdigest()}"
    return text if stat.st_size <= WHOLE else f"{text}:{stat.st_mtime_ns}"


def _parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    if size <= WHOLE:
        while part := file.read(_PART):
            yield part
        return
    for number in range(SAMPLES):
        file.seek((size - _PART) * number // (SAMPLES - 1))
        yield file.read(_PART)
