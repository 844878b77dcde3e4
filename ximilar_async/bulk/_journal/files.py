"""Files that are appended to a line at a time, by one process and by nobody else."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ximilar_async.errors import JournalError
from ximilar_async.sinks import sync_folder

if sys.platform != "win32":
    import fcntl

_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)

_ELSEWHERE: Final = "name one in a folder that is there and may be written to"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """Return which start of which machine this is; None where the system does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def open_locked(path: Path) -> int:
    """Open a journal for this process alone; a new one can be read by its owner alone.

    Raises:
        JournalError: it cannot be opened, is no regular file, or another process has it.
    """
    while True:
        fd = _open(path)
        try:
            lock(fd, path)
            if _is_still(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # it was compacted in between, and the name stands for another file


def _open(path: Path) -> int:
    try:
        if path.exists() and not path.is_file():  # a pipe would block, a device never ends
            raise JournalError(f"the journal {path} is no regular file; name another one")
        return os.open(path, _OPEN, 0o600)
    except OSError as error:
        raise JournalError(
            f"cannot open the journal {path}: {reason(error)}; {_ELSEWHERE}"
        ) from None


def lock(fd: int, path: Path) -> None:
    """Take the lock of an open journal, which dies with the process.

    Raises:
        JournalError: somebody else has it; the message names the process.
    """
    if sys.platform == "win32":
        raise JournalError("a journal needs a system with flock (Linux, macOS, BSD)")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalError(
            f"the journal {path} is in use by {_owner(fd)}; wait for it or stop it, or name "
            "another journal"
        ) from None
    except OSError as error:
        raise JournalError(
            f"cannot lock the journal {path}: {reason(error)}; {_ELSEWHERE}"
        ) from None


def append(fd: int, data: bytes) -> None:
    """Append bytes in one write, or leave the file as it was.

    Raises:
        OSError: they could not be written.
    """
    written = os.write(fd, data)
    if written != len(data):
        # Full in the middle: a line without its end would damage the one behind it.
        os.ftruncate(fd, os.fstat(fd).st_size - written)
        raise OSError(f"only {written} of {len(data)} bytes fit: disk full or file size limited")


def replace(path: Path, data: bytes) -> int:
    """Put a new file in the place of a locked journal, locked as well, and return it open.

    Whatever happens, either the old file or the new one is there, whole.

    Raises:
        OSError: it could not be written; the old file is there.
    """
    new = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        new.unlink()
    fd = os.open(new, _OPEN | os.O_EXCL, 0o600)
    try:
        lock(fd, new)
        append(fd, data)
        os.fchmod(fd, stat.S_IMODE(path.stat().st_mode))
        os.fsync(fd)
        new.rename(path)
        sync_folder(path)
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            new.unlink()
        raise
    return fd


def reason(error: OSError) -> str:
    """Return an error's words without its number and file."""
    return error.strerror or str(error)


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _owner(fd: int) -> str:
    """Return who writes a journal, by the last start of a run in it."""
    text = os.pread(fd, os.fstat(fd).st_size, 0)
    at = text.rfind(b' {"start":')
    _, _, pid = text[at:].partition(b'"pid":')
    digits = pid[: len(pid) - len(pid.lstrip(b"0123456789"))]
    if at < 0 or not digits or not _is_alive(int(digits)):
        return "another process"
    return "this very process" if int(digits) == os.getpid() else f"process {int(digits)}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return pid > 0
