"""Local files: read only where they may be, only if they are files, and never more than allowed."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from ximilar_async.errors import ImageError

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # not to wait for a pipe's other end
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_ADDRESS: Final = re.compile(r"(https?|ftp|s3|gs|file|data):", re.IGNORECASE)


def read_file(name: object, *, root: str | None, max_bytes: int) -> bytes:
    """Return the content of the file that a record's `_file` names.

    Args:
        name: The path: a string or a `Path`; relative ones start at `root`, or at the working
            directory where there is none.
        root: Folder that the path must not leave, by `..`, from `/` or by a symbolic link.
        max_bytes: Largest file that is read, in bytes.

    Raises:
        ImageError: there is no such file, it may not be read, it is no regular file, or it is too
            large; the message does not name it.
    """
    path = _path_of(name)
    try:
        if root is None:
            return _read(path, _READ, max_bytes)
        # No link that was put there since the path was resolved.
        return _read(_inside(path, root), _READ | _NO_LINK, max_bytes)
    except FileNotFoundError:
        start = "the working directory" if root is None else f"the folder {root!r}"
        absolute = Path(path).is_absolute()
        raise ImageError(
            "no such file" if absolute else f"no such file, seen from {start} (files_root)"
        ) from None
    except PermissionError:
        raise ImageError("permission denied") from None
    except UnicodeError:
        raise ImageError("no path can be spelt so") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None


def _path_of(name: object) -> str:
    path = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(path, str):
        raise ImageError(f"a path is a string or a Path, not {type(name).__name__}")
    if not path.strip():
        raise ImageError("the path is empty")
    if "\0" in path:
        raise ImageError("the path has a NUL character in it")
    if path is name and _ADDRESS.match(path):
        raise ImageError("this is an address, not a local path; put it into `_url`")
    return path


def _inside(path: str, root: str) -> str:
    """Return the path with all links followed, if it lies where it may."""
    # Path.resolve() would cost more than all the rest of a small image.
    folder = os.path.realpath(root)
    found = os.path.realpath(os.path.join(folder, path))  # noqa: PTH118 - see above
    if not Path(found).is_relative_to(folder):
        raise ImageError(f"lies outside {folder!r}, the folder that files may come from")
    return found


def _read(path: str, flags: int, max_bytes: int) -> bytes:
    descriptor = os.open(path, flags)
    try:
        size = _regular_size(os.fstat(descriptor))
        check_size(size, max_bytes)
        # Not by a file object: each of its further system calls lets go of the interpreter's lock,
        # and getting it back costs a thread more than reading a small image does.
        data = os.read(descriptor, size + 1)  # one byte more shows a file that still grows
        while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
            data += more  # a network's file system gives it in parts
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise ImageError("changed while it was read")
    return data


def _regular_size(facts: os.stat_result) -> int:
    if stat.S_ISDIR(facts.st_mode):
        raise ImageError("is a folder, not a file")
    if not stat.S_ISREG(facts.st_mode):
        raise ImageError("is not a regular file")
    return facts.st_size


def check_size(size: int, max_bytes: int) -> None:
    """Refuse more bytes than allowed.

    Raises:
        ImageError: there are more.

    Example:
        >>> check_size(10, 20)
    """
    if size > max_bytes:
        raise ImageError(f"has {size:,} bytes, more than max_file_bytes={max_bytes:,}")
