"""The rejects file: records that were not brought in, each in an envelope that says why.

One JSON object a line, appended in one write:

    {"v":1,"run":"0c…","source":"catalog.jsonl","root":"/data","seq":7,"where":"line 7","id":"g7",
     "outcome":"failed","code":503,"reason":"503 busy","attempts":8,"send_again":true,
     "record":{"_id":"g7",…}}

Where the record is too large for it, or no JSON, `omitted` says so in the place of `record`: it is
then found in the source again, by `seq`.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from attrs import define, field, frozen

from ximilar_async._encoding import encode_body
from ximilar_async.errors import JournalError, RecordError

from ._journal.files import append
from ._outcomes import Outcome

if TYPE_CHECKING:
    from types import TracebackType

    from ._outcomes import Result

VERSION: Final = 1
"""Version of the envelope; one of another version is refused by name."""

MAX_RECORD: Final = 64 * 2**10
"""Largest JSON of a record that is put into the file, in bytes."""

_MAX_TEXT: Final = 2000
"""Longest reason, id or place that is kept, in characters."""

_NO_ROOM: Final = frozenset({402, 412})
"""Codes of what was refused for lack of credits or room: with more of it, it can be sent again."""


def worth_sending_again(outcome: Outcome, code: int | None = None) -> bool:
    """Tell whether sending a record again, as it is, may end otherwise.

    Args:
        outcome: What became of it.
        code: The code that the service gave.

    Example:
        >>> worth_sending_again(Outcome.FAILED), worth_sending_again(Outcome.REJECTED, 400)
        (True, False)
        >>> worth_sending_again(Outcome.REJECTED, 412)
        True
    """
    return outcome.send_again or (outcome is Outcome.REJECTED and code in _NO_ROOM)


@frozen(kw_only=True)
class Envelope:
    """What a line of a rejects file says."""

    run: str
    """Name of the run or of its journal; with `seq` it names the record."""
    source: str
    """Name of the source."""
    root: str | None
    """Folder that the record's `_file` is below, where there is one."""
    seq: int
    """Its number in the source, from 1."""
    where: str
    """Its place in the source, for people."""
    id: str | None
    outcome: Outcome
    code: int | None
    reason: str
    attempts: int
    """Requests that were made with it."""
    send_again: bool
    """Whether sending it again, as it is, may end otherwise."""
    record: Any = None
    """The record as it was read."""
    omitted: str | None = None
    """Why the record is not here, where it is not."""


def encode_envelope(envelope: Envelope, max_record: int = MAX_RECORD) -> bytes:
    """Return an envelope as a line, its LF included.

    Args:
        envelope: What to write; its record is put in if it is JSON and not too large.
        max_record: Largest JSON of a record that is put in, in bytes.
    """
    body: dict[str, Any] = {
        "v": VERSION,
        "run": envelope.run,
        "source": plain_text(envelope.source),
        "root": None if envelope.root is None else plain_text(envelope.root),
        "seq": envelope.seq,
        "where": plain_text(envelope.where),
        "id": None if envelope.id is None else plain_text(envelope.id),
        "outcome": envelope.outcome.value,
        "code": envelope.code,
        "reason": plain_text(envelope.reason),
        "attempts": envelope.attempts,
        "send_again": envelope.send_again,
    }
    wire = _wire(envelope.record)
    if isinstance(wire, str):
        body["omitted"] = plain_text(wire)
    elif len(wire) > max_record:
        body["omitted"] = f"{len(wire)} bytes of JSON, more than {max_record}"
    else:
        body["record"] = orjson.Fragment(wire)
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def decode_envelope(value: Any) -> Envelope:
    """Return the envelope that a line's JSON is.

    Args:
        value: The line, decoded.

    Raises:
        ValueError: it is none; the words say what it is instead.
    """
    if not isinstance(value, dict) or not {"v", "run", "seq", "outcome"} <= value.keys():
        raise ValueError("is no envelope of a rejects file")
    if value["v"] != VERSION:
        raise ValueError(f"has version {value['v']!r:.20} of the envelope, and {VERSION} is known")
    members: dict[str, Any] = {name: value[name] for name in value if name != "v"}
    try:
        members["outcome"] = Outcome(value["outcome"])
        envelope = Envelope(**members)
    except (TypeError, ValueError):
        raise ValueError("is no whole envelope of a rejects file") from None
    if not _has_right_types(members):
        raise ValueError("is no whole envelope of a rejects file")
    return envelope


def _has_right_types(members: dict[str, Any]) -> bool:
    texts = ("run", "source", "where", "reason")
    perhaps = ("root", "id", "omitted")
    return (
        all(isinstance(members[name], str) for name in texts)
        and all(isinstance(members.get(name), str | None) for name in perhaps)
        and type(members["seq"]) is int
        and type(members["attempts"]) is int
        and isinstance(members["send_again"], bool)
    )


def _wire(record: Any) -> bytes | str:
    """Return a record's JSON, or why it has none."""
    if record is None:
        return "there is no record"
    if isinstance(record, dict) and isinstance(record.get("_file"), os.PathLike):
        record = record | {"_file": os.fspath(record["_file"])}
    try:
        return encode_body(record)
    except RecordError as error:
        return str(error)


def plain_text(words: str) -> str:
    r"""Return words that JSON can carry, of bounded length; file names may hold any bytes.

    Example:
        >>> plain_text("caf\udce9.jpg")
        'caf\\udce9.jpg'
    """
    return words[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()


@define(eq=False)
class RejectsFile:
    """A rejects file that is being written; what is in it already stays.

    `open`, `sync` and `close` wait for the disk and belong into a thread; `write` is one short
    write and belongs onto the event loop.

    Example:
        rejects = RejectsFile.open("rejects.jsonl", run="0c", source="catalog.jsonl")
        result = bulk.Result(7, "line 7", "g7", bulk.Outcome.FAILED, "503 busy", 503)
        rejects.write(result, attempts=8)
        rejects.close()
    """

    path: Path
    """The file."""
    run: str
    source: str
    root: str | None
    max_record: int
    _fd: int = field(repr=False)
    written: int = field(default=0, init=False)
    """Envelopes that were written."""
    began: int = field(init=False)
    """Its length when it was opened, in bytes."""
    _torn: bool = field(init=False, repr=False)
    _synced: int = field(default=0, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        size = self.began = os.fstat(self._fd).st_size if self._is_regular else 0
        # A process that died in the middle of a line: the next one must not be glued to it.
        self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        run: str,
        source: str,
        files_root: str | os.PathLike[str] | None = None,
        max_record: int = MAX_RECORD,
    ) -> RejectsFile:
        """Open a rejects file for appending; a new one can be read by its owner alone.

        Args:
            path: The file; a device or pipe is taken as well.
            run: Name of the run or of its journal (`Journal.id`).
            source: Name of the source.
            files_root: Folder that the records' `_file` is below, where there is one.
            max_record: Largest JSON of a record that is put in, in bytes; a larger one stays in
                its source, and the envelope says where.

        Raises:
            JournalError: it cannot be opened.
        """
        path = Path(path)
        flags = os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            special = path.exists() and not path.is_file()
            fd = os.open(path, flags | (os.O_WRONLY if special else os.O_RDWR), 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot open the rejects file {path}: {error.strerror}; name one in a folder that "
                "is there and may be written to"
            ) from None
        if not special and not _may_be_rejects(fd):
            os.close(fd)
            raise JournalError(
                f"{path} is no rejects file: its first line is something else; nothing was written "
                "to it, name another file"
            )
        root = None if files_root is None else str(Path(files_root).resolve())
        return cls(path, run, source, root, max_record, fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, result: Result, *, attempts: int = 0, send_again: bool | None = None) -> None:
        """Append what became of one record; call it before the journal's `done`.

        Args:
            result: What became of it, with the record as it was read.
            attempts: Requests that were made with it.
            send_again: Whether sending it again may end otherwise; None for what outcome and code
                say (`worth_sending_again`).

        Raises:
            JournalError: it could not be written.
        """
        if send_again is None:
            send_again = worth_sending_again(result.outcome, result.code)
        envelope = Envelope(
            run=self.run,
            source=self.source,
            root=self.root,
            seq=result.seq,
            where=result.where,
            id=result.id,
            outcome=result.outcome,
            code=result.code,
            reason=result.reason,
            attempts=attempts,
            send_again=send_again,
            record=result.record,
        )
        self._append(encode_envelope(envelope, self.max_record))

    def sync(self) -> None:
        """Bring what was written to the disk, and wait for it.

        Raises:
            JournalError: it could not be brought there.
        """
        written = self.written
        if written == self._synced:
            return
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            if error.errno != errno.EINVAL or self._is_regular:  # a pipe has nothing to sync
                words = f"could not be brought to the disk: {error.strerror}"
                raise JournalError(f"the rejects file {self.path} {words}") from None
        self._synced = written

    def close(self) -> None:
        """Bring everything to the disk and close the file; twice does no harm.

        Raises:
            JournalError: it could not be brought there.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            os.close(self._fd)

    @property
    def _is_regular(self) -> bool:
        return stat.S_ISREG(os.fstat(self._fd).st_mode)

    def _append(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        try:
            append(self._fd, data)
        except OSError as error:
            raise self._unwritten(str(error.strerror or error)) from None
        self._torn = False
        self.written += 1

    def _unwritten(self, words: str) -> JournalError:
        return JournalError(
            f"cannot write the rejects file {self.path}: {words}; nothing more is sent. Make room "
            "and start the same run again"
        )


_FIRST_LINE: Final = 4 * 2**20
"""Bytes of a file that are looked at for its first line."""


def _may_be_rejects(fd: int) -> bool:
    """Tell whether a file is empty, or its first line is an envelope or one that was cut off."""
    head = os.pread(fd, _FIRST_LINE, 0)
    line = head.partition(b"\n")[0]
    if not line.strip():
        return True
    try:
        decode_envelope(orjson.loads(line))
    except orjson.JSONDecodeError:
        return line.startswith(b'{"v":')
    except ValueError:
        return False
    return True
