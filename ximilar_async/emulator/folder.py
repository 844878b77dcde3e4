"""The emulator's folder: owned by one process at a time, a file a collection and an account."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import TYPE_CHECKING, Final

import orjson

from .errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SUFFIX: Final = ".sqlite"
_ACCOUNT: Final = "account.json"
_LONGEST_ACCOUNT: Final = 1000
_BINARY: Final = getattr(os, "O_BINARY", 0)

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
        self.credits = 0
        """Credits that were spent before this process owned the folder."""
        self._account = -1
        self._collections = path / "collections"
        try:
            self._collections.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "emulator.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EmulatorError(f"the folder {path} cannot be used: {error.strerror}") from error
        self._own()
        try:
            self._open_account()
        except BaseException:
            self.close()
            raise

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

    def keep_credits(self, spent: int) -> None:
        """Write down how many credits were spent in all; one owner's thread at a time.

        Raises:
            EmulatorError: it cannot be written.
        """
        if self._account < 0:
            return
        try:
            os.lseek(self._account, 0, os.SEEK_SET)
            # Always as long: one write replaces the last count, and a killed process loses nothing.
            os.write(self._account, b'{"credits_counter": %20d}\n' % spent)
        except OSError as error:
            raise EmulatorError(f"{self.path / _ACCOUNT}: {error.strerror}") from error

    def close(self) -> None:
        """Give the folder up; may be called twice."""
        if self._account >= 0:
            os.close(self._account)
            self._account = -1
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def _open_account(self) -> None:
        path = self.path / _ACCOUNT
        try:
            self._account = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o644)
            text = os.read(self._account, _LONGEST_ACCOUNT)
        except OSError as error:
            raise EmulatorError(f"{path} cannot be used: {error.strerror}") from error
        try:
            credits = orjson.loads(text)["credits_counter"] if text else 0
        except (ValueError, TypeError, KeyError):
            credits = None
        if not isinstance(credits, int) or credits < 0:
            raise EmulatorError(f"{path} is damaged: delete it to count from 0")
        self.credits = credits

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
