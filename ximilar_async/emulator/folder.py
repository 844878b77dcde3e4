"""The emulator's folder: owned by one process at a time, one file a collection."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from .errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SUFFIX: Final = ".sqlite"

if sys.platform == "win32":
    import msvcrt

    _BEYOND_THE_PID: Final = 2**20

    def _lock(descriptor: int) -> None:
        """Lock a byte that nobody reads: on Windows a locked byte cannot be read."""
        os.lseek(descriptor, _BEYOND_THE_PID, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def file_name(collection_id: str) -> str:
    """Return the name of a collection's file: readable for a plain id, never that of two.

    Args:
        collection_id: Any text.

    Example:
        >>> file_name("shoes-1")
        'shoes-1.sqlite'
        >>> file_name("../Shoes")
        'shoes.e8ce51bbeb189056.sqlite'
    """
    if _PLAIN.fullmatch(collection_id):
        return collection_id + _SUFFIX
    # Case counts in an id, and not in the file names of every system: so a hash tells them apart.
    words = re.sub(r"[^a-z0-9_-]+", "-", collection_id.lower()).strip("-")[:60] or "collection"
    digest = hashlib.blake2b(collection_id.encode(errors="surrogatepass"), digest_size=8)
    return f"{words}.{digest.hexdigest()}{_SUFFIX}"


class Folder:
    """A folder that this process owns until `close`.

    Args:
        path: The folder; made when it is not there.

    Raises:
        EmulatorError: another process owns it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._collections = path / "collections"
        try:
            self._collections.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "emulator.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EmulatorError(f"the folder {path} cannot be used: {error.strerror}") from error
        self._own()

    def collection(self, collection_id: str) -> Path:
        """Return the path of a collection's file, there or not."""
        return self._collections / file_name(collection_id)

    def files(self) -> list[Path]:
        """Return the files of all collections."""
        return sorted(self._collections.glob(f"*{_SUFFIX}"))

    def output(self, name: str) -> Path:
        """Return the path of a file that a call wants written; its folder is made.

        Args:
            name: A plain file name.

        Raises:
            ValueError: it is no plain name: it would lead out of the folder.
        """
        if name in {"", ".", ".."} or not re.fullmatch(r"[\w .@+-]{1,200}", name):
            raise ValueError(f"{name!r:.100} is not a plain file name")
        folder = self.path / "output"
        folder.mkdir(exist_ok=True)
        return folder / name

    def close(self) -> None:
        """Give the folder up; may be called twice."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def _own(self) -> None:
        try:
            _lock(self._lock)
        except OSError:
            os.lseek(self._lock, 0, os.SEEK_SET)
            owner = os.read(self._lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            self._lock = -1
            raise EmulatorError(
                f"the folder {self.path} is in use by another emulator (process {owner}): "
                "close that one, or choose another folder"
            ) from None
        os.ftruncate(self._lock, 0)
        os.lseek(self._lock, 0, os.SEEK_SET)
        os.write(self._lock, str(os.getpid()).encode())
