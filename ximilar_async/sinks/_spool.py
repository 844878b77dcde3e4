"""Records on their way to a file: JSON lines that survive a killed process.

Beside the file that is asked for lie two others: FILE.part holds the records of all pages that were
finished, FILE.progress says how far they go, in one line of JSON. Each page is on the disk before
the progress says so; what lies behind the progress is cut off when the work goes on.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from attrs import asdict, evolve, frozen

from ximilar_async.errors import ConfigError

from ._base import settle, sync_folder
from ._text import as_lines

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from ._base import Records

VERSION: Final = 1
"""Version of the progress file; one of another version is not gone on with."""

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@frozen(kw_only=True)
class Terms:
    """What is exported: only the same thing is gone on with."""

    collection: str
    service: str
    fields: tuple[str, ...]
    """Names of the fields that are asked for."""


@frozen(kw_only=True)
class Mark:
    """How far the records in the spool go."""

    count: int
    """Records that the collection counted when the export began."""
    size: int
    """Records a page."""
    pages: int = 0
    """Pages that are finished."""
    records: int = 0
    """Records in the spool."""
    start: int = 0
    """Where the last page begins, in bytes."""
    end: int = 0
    """Where it ends."""
    last: int = 0
    """Records of the last page."""

    @property
    def offset(self) -> int:
        """Return the position in the collection at which the last finished page begins."""
        return max(self.pages - 1, 0) * self.size

    def after(self, records: int, bytes_: int) -> Mark:
        """Return the mark after one more page."""
        return evolve(
            self,
            pages=self.pages + 1,
            records=self.records + records,
            start=self.end,
            end=self.end + bytes_,
            last=records,
        )

    def before_last(self, size: int) -> Mark:
        """Return the mark before the last page, which is to be read again in pages of a size."""
        return evolve(
            self,
            size=size,
            pages=self.offset // size,
            records=self.records - self.last,
            end=self.start,
            last=0,
        )


class Spool:
    """Gathers records page by page; what was gathered before is found again. Blocking.

    While it is open no other process can use it.

    Args:
        path: The file that is asked for; it is not touched before `finish`.
        terms: What is exported.
        resume: Whether to go on with what lies there.

    Raises:
        ConfigError: another process is at it, or `FILE.part` is none of ours.
        OSError: the files cannot be opened.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "all.jsonl")
        >>> terms = Terms(collection="c1", service="photos", fields=("*",))
        >>> with Spool(path, terms) as spool:
        ...     spool.begin(count=2, size=1)
        ...     spool.add([{"_id": "1"}])
        >>> with Spool(path, terms) as spool:
        ...     spool.mark.records, spool.last_ids()
        (1, ['1'])
    """

    def __init__(self, path: Path, terms: Terms, *, resume: bool = True) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.progress = path.with_name(f"{path.name}.progress")
        self.refused = ""
        """Why what lies there is not gone on with."""
        self.mark = Mark(count=0, size=1)
        self._terms = terms
        self._check_part(resume=resume)
        self._fd = _open_locked(self.part)
        try:
            self._find(resume=resume)
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not self.mark.records:
            self.discard()  # there is nothing to go on with
        os.close(self._fd)

    def begin(self, *, count: int, size: int) -> None:
        """Start anew, with nothing.

        Args:
            count: Records that the collection counts.
            size: Records a page.
        """
        self._go_to(Mark(count=count, size=size))

    def rewind(self, size: int) -> None:
        """Go back to before the last page, which is to be read again.

        Args:
            size: Records a page from now on; a divisor of the mark's offset.
        """
        self._go_to(self.mark.before_last(size))

    def add(self, records: Records) -> None:
        """Take the records of a page; they are on the disk when this returns.

        Raises:
            OSError: they cannot be written.
        """
        data = memoryview(as_lines(records))
        mark = self.mark.after(len(records), len(data))
        os.lseek(self._fd, self.mark.end, os.SEEK_SET)
        while data:
            data = data[os.write(self._fd, data) :]
        os.fsync(self._fd)
        self._write_mark(mark)

    def last_ids(self) -> list[Any]:
        """Return the ids of the last page's records."""
        return self._ids_of(self.mark)

    def finish(self) -> None:
        """Give the records their final name, as JSON lines."""
        settle(self.part, self.path)
        self._remove(self.progress)

    def discard(self) -> None:
        """Remove everything but the file that was asked for."""
        self._remove(self.part)
        self._remove(self.progress)

    def _check_part(self, *, resume: bool) -> None:
        is_there = self.part.exists() and self.part.stat().st_size
        if resume and is_there and not self.progress.exists():
            raise ConfigError(
                f"{str(self.part)!r} is there without an export's {self.progress.name!r}: move "
                "it away, or have it replaced (restart)"
            )

    def _find(self, *, resume: bool) -> None:
        """Find the mark of what lies there, and why it cannot be used."""
        before = _read(self.progress) if resume else None
        if before is None:
            return
        words, mark = before
        if words != asdict(self._terms):
            self.refused = "what was begun is another collection, or has other fields"
        elif mark is None or not self._holds(mark):
            self.refused = "what was begun is damaged"
        else:
            self.mark = mark

    def _holds(self, mark: Mark) -> bool:
        """Tell whether the records are there that a mark speaks of, as far as a look can tell."""
        if not 0 <= mark.start <= mark.end <= os.fstat(self._fd).st_size or mark.size < 1:
            return False
        try:
            return len(self._ids_of(mark)) == mark.last
        except (ValueError, AttributeError):
            return False

    def _ids_of(self, mark: Mark) -> list[Any]:
        with self.part.open("rb") as file:
            file.seek(mark.start)
            lines = file.read(mark.end - mark.start).split(b"\n")
        return [orjson.loads(line).get("_id") for line in lines if line]

    def _go_to(self, mark: Mark) -> None:
        self._write_mark(mark)  # first: bytes behind the mark do no harm, a mark behind them would
        os.ftruncate(self._fd, mark.end)

    def _write_mark(self, mark: Mark) -> None:
        body = {"v": VERSION, "terms": asdict(self._terms), "mark": asdict(mark)}
        new = self.progress.with_name(f"{self.progress.name}.new")
        with new.open("wb") as file:
            file.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.progress)
        sync_folder(self.progress)
        self.mark = mark

    def _remove(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            path.unlink()


def _read(progress: Path) -> tuple[dict[str, Any], Mark | None] | None:
    """Return whose progress a file is, and how far; None where there is no file."""
    try:
        body = orjson.loads(progress.read_bytes())
        terms = {**body["terms"], "fields": tuple(body["terms"]["fields"])}
        known = body["v"] == VERSION and all(type(n) is int for n in body["mark"].values())
        return terms, Mark(**body["mark"]) if known else None
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, None


def _open_locked(path: Path) -> int:
    """Open a file for this process alone; a new one can be read by its owner alone."""
    while True:
        fd = os.open(path, _OPEN, 0o600)
        try:
            _lock(fd, path)
            if _is_still(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # it got its final name in between


def _lock(fd: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"{str(path)!r} is in use by another process: wait for it or stop it"
        ) from None


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False
