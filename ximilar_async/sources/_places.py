"""Where files lie: paths and addresses, what their names tell, and what can go wrong there."""

from __future__ import annotations

import importlib
import os
import re
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from ximilar_async.errors import SourceError

from ._fingerprint import address_fingerprint, path_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE: Final = Path(os.devnull)
"""The folder of records that come from an address: no file of this machine is below it."""

COMPRESSED: Final = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zstd": "zstd"}
"""How files are compressed, by their last ending."""

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
_LOCAL: Final = re.compile(r"(?:file|local)://")
_MANGLED: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
USER: Final = re.compile(r"(?<=://)[^/?#\s]*@")
"""User and password of an address, to the last @: passwords may hold others."""
_QUERY: Final = re.compile(r"(?<=\S)[?#][^\s'\")]*")
_MISSING: Final = (404, 410)
"""What HTTP answers where nothing is."""
_EXTRA: Final = "pip install 'ximilar-async[sources]'"


@frozen
class Place:
    """Where a file lies: a path of this machine or an address that fsspec knows.

    Example:
        >>> place = Place.of("s3://bucket/catalog.csv.gz")
        >>> place.name, place.ending, place.compression, place.path
        ('catalog.csv.gz', '.csv', 'gzip', None)
    """

    path: Path | None
    """The path; None for an address."""
    address: str
    """The address; the path as text for a local file."""

    @classmethod
    def of(cls, place: str | os.PathLike[str]) -> Place:
        """Tell addresses (`s3://…`, `https://…`) from paths; `file://` is a path."""
        if isinstance(place, str):
            if _LOCAL.match(place):
                place = _LOCAL.sub("", place, count=1)
            elif _ADDRESS.match(place) and "://" in place:
                return cls(None, place)
        return cls(Path(place), os.fspath(place))

    @property
    def name(self) -> str:
        """Return the file's name, without what may be secret in an address."""
        if self.path is not None:
            return self.path.name or str(self.path)
        first = next((part for part in self.address.split("::") if "://" in part), "")
        below = _plain(first).partition("://")[2].rstrip("/")
        return below.rpartition("/")[2] or _plain(self.address)

    @property
    def shown(self) -> str:
        """Return what messages call it, without passwords and signatures."""
        return self.address if self.path is not None else _plain(self.address)

    @property
    def compression(self) -> str | None:
        """Return how it is compressed, by its ending."""
        return COMPRESSED.get(PurePosixPath(self.name).suffix.lower())

    @property
    def ending(self) -> str:
        """Return the ending that tells its format, in lower case: ".csv" of "a.csv.gz"."""
        name = PurePosixPath(self.name)
        return (PurePosixPath(name.stem) if self.compression else name).suffix.lower()

    @property
    def is_mangled(self) -> bool:
        """Tell whether this was an address before it was made a path, which loses a slash."""
        return self.path is not None and bool(_MANGLED.match(self.address))

    def fingerprint(self) -> str | None:
        """Return text that changes when the content does; None where nobody can tell.

        Raises:
            SourceError: it cannot be read.
        """
        if self.path is not None:
            return path_fingerprint(self.path)
        with telling(self):
            system, path = find(self.address)
            return address_fingerprint(system.info(path))


def _plain(address: str) -> str:
    return _QUERY.sub("", USER.sub("", address))


def find(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    fsspec = needed("fsspec", "addresses such as s3:// or https://")
    system, path = fsspec.core.url_to_fs(address)
    return system, path


def needed(module: str, what: str) -> Any:
    """Import a package that only some sources need.

    Raises:
        SourceError: it is not installed; the message says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(f"{what} cannot be read without {module} ({error}): {_EXTRA}") from None


@contextmanager
def telling(place: Place) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a SourceError that names it."""
    try:
        yield
    except SourceError:
        raise
    # A file system of fsspec's raises what its own library does.
    except Exception as error:  # noqa: BLE001
        raise SourceError(_reason(place, error)) from None


def _reason(place: Place, error: Exception) -> str:
    if place.compression is not None and not _is_of_system(error):
        cut = isinstance(error, EOFError) or "runcated" in str(error)
        how = "is cut off: the end is missing" if cut else f"is damaged: {error}"
        return f"{place.name} {how} (compressed by {place.compression})"
    text = _words(error) or str(error).replace(place.address, place.name) or type(error).__name__
    return f"cannot read {place.name}: {_plain(text)}"


def _is_of_system(error: Exception) -> bool:
    """Tell whether an error is of the file system, not of what is stored."""
    return isinstance(error, (ImportError, FileNotFoundError, PermissionError)) or (
        isinstance(error, OSError) and error.errno is not None
    )


def _words(error: Exception) -> str | None:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if not isinstance(error, FileNotFoundError):
        return None
    # File systems behind addresses say no more than the address, also where nobody answered.
    cause = error.__cause__
    is_missing = cause is None or getattr(cause, "status", None) in _MISSING
    return "no such file" if is_missing else f"{cause}" or type(cause).__name__
