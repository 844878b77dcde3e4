"""The journal of a bulk run: what leaves is written before, what is decided right after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, get_args

from attrs import define, field

from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.errors import AccountingError, ConfigError, JournalError

from .codec import Done, End, Send, encode
from .files import append, boot_id, open_locked, reason, replace
from .opening import begin, take_up
from .ranges import to_ranges
from .syncer import Syncer
from .terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from ximilar_async.bulk._report import Report

    from .codec import Line, Start
    from .ranges import Ranges
    from .state import Resume, State

Durability: TypeAlias = Literal["relaxed", "strict"]
"""What survives a power failure: all but the last half second, or all that `durable` waited for.
A killed process loses nothing with either."""

SYNC_EVERY: Final = 0.5
"""Seconds between two syncs of a relaxed journal."""

MARK_EVERY: Final = 10_000
"""Decided records between two watermarks."""

COMPACT_ABOVE: Final = 16 * 2**20
"""Bytes above which a journal is replaced by its watermark: some two million records."""


@define(eq=False)
class Journal:
    """Remembers on disk what was sent and what became of it, so that a run can be resumed.

    `open`, `end` and `close` wait for the disk and belong into a thread; `send` and `done` are one
    short write each and belong onto the event loop. One task or thread at a time may write.

    Example:
        journal = Journal.open("run.journal", operation="insert", fingerprint=None)
        assert not journal.resume.is_decided(1)
        journal.send(range(1, 11))
        journal.done((seq, bulk.Outcome.INSERTED) for seq in range(1, 11))
        await journal.durable()
        journal.close()
    """

    path: Path
    """The journal's file."""
    resume: Resume
    """What earlier runs left; it does not change."""
    durability: Durability
    _start: Start
    _state: State = field(repr=False)
    _syncer: Syncer = field(repr=False)
    _mark_every: int = field(repr=False)
    _compact_above: int = field(repr=False)
    _size: int = field(init=False, repr=False)
    _marked: int = field(init=False, repr=False)
    _ended: bool = field(default=False, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._size = os.fstat(self._syncer.fd).st_size
        self._marked = self._state.counts.total()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        operation: str,
        fingerprint: str | None = None,
        settings: Mapping[str, Any] | None = None,
        durability: Durability = "relaxed",
        sync_first: Callable[[], object] | None = None,
        sync_every: float = SYNC_EVERY,
        mark_every: int = MARK_EVERY,
        compact_above: int = COMPACT_ABOVE,
        boot: str | None = None,
    ) -> Journal:
        """Begin a journal, or go on with one; damaged lines at its end are cut off.

        A run that is over can be opened again: everything is decided then, and nothing is left to
        send. What must not be resumed is refused, and the file is left as it was.

        Args:
            path: The file; a new one can be read by its owner alone.
            operation: What is done with the records; the same in all runs of a journal.
            fingerprint: Of the input (`sources.fingerprint_of`); the same in all runs. None where
                it has none: then nobody can tell whether the records are still the same.
            settings: Options that decide what the run means, as JSON values: the collection, a
                radius. The same in all runs. No secrets.
            durability: "relaxed" syncs every half second, "strict" whenever `durable` is awaited.
            sync_first: What must be on the disk before the journal is: the rejects file's `sync`.
            sync_every: Seconds between two syncs of a relaxed journal.
            mark_every: Decided records between two watermarks.
            compact_above: Bytes above which the file is replaced by its watermark.
            boot: Which start of which machine this is; None for asking the system.

        Raises:
            JournalError: another process has it, it is no journal, it belongs to another input or
                operation, or it cannot be written.
            ConfigError: `durability` is neither, or the settings are no JSON.
        """
        if durability not in get_args(Durability):
            raise ConfigError(f'durability must be "relaxed" or "strict", not {durability!r}')
        terms = Terms(operation=operation, fingerprint=fingerprint, settings=settings)
        path = Path(path).resolve()
        fd = open_locked(path)
        try:
            state, resume, start = take_up(fd, path, terms, boot or boot_id())
            fd = begin(fd, path, state, start, compact_above)
        except OSError as error:
            os.close(fd)
            raise JournalError(
                f"cannot begin the journal {path}: {reason(error)}; nothing was sent. Make room "
                "there, or name another one"
            ) from None
        except BaseException:
            os.close(fd)
            raise
        syncer = Syncer(path, fd, sync_every if durability == "relaxed" else None, sync_first)
        syncer.start()
        return cls(path, resume, durability, start, state, syncer, mark_every, compact_above)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def id(self) -> str:
        """Return the journal's name: 32 hexadecimal digits, the same in all its runs."""
        return self._start.journal

    @property
    def failure(self) -> JournalError | None:
        """Return why the last sync failed, if it did; `send` and `done` raise it."""
        return self._syncer.failure

    def send(self, seqs: Iterable[int], decided: Iterable[tuple[int, Outcome]] = ()) -> None:
        """Note that records are about to leave; the request may go when this returns.

        Whether the request is the first with them or a repetition makes no difference.

        Args:
            seqs: The records' numbers in the input, from 1.
            decided: What became of others before, as for `done`: one write is cheaper than two.

        Raises:
            JournalError: it could not be written: the request must not leave.
            AccountingError: one of them is decided.
        """
        lines: list[Line] = []
        if (outcomes := self._outcomes(decided)) is not None:
            lines.append(Done(outcomes))
        ranges = to_ranges(seqs)
        if ranges:
            self._check(ranges)
            lines.append(Send(ranges))
        self._write(*lines)

    def done(self, pairs: Iterable[tuple[int, Outcome]]) -> None:
        """Note what became of records, sent or not.

        `NOT_ATTEMPTED` is no outcome to a journal: such a record stays as it is, for the next run.
        Every other one is for good, `FAILED` too; leave a failed record out where the next run
        shall try it again.

        Args:
            pairs: Each record's number in the input, from 1, and its outcome.

        Raises:
            JournalError: it could not be written: to the next run they are doubtful.
            AccountingError: one of them is decided already.
        """
        if (outcomes := self._outcomes(pairs)) is not None:
            self._write(Done(outcomes))

    def _outcomes(self, pairs: Iterable[tuple[int, Outcome]]) -> dict[Outcome, Ranges] | None:
        """Return what became of records, checked; None if it is nothing to a journal."""
        decided = _by_outcome(pairs)
        numbers = [seq for seqs in decided.values() for seq in seqs]
        if not numbers:
            return None
        if len(set(numbers)) != len(numbers):
            raise AccountingError("a record was decided twice at once")
        outcomes = {outcome: to_ranges(seqs) for outcome, seqs in decided.items()}
        for ranges in outcomes.values():
            self._check(ranges)
        return outcomes

    def unsent(self, seq: int) -> None:
        """Note that a record did not leave after all: it waited for its turn when the run ended.

        `end` brings it to the disk; where a run breaks off before, the record stays doubtful.

        Args:
            seq: Its number in the input, from 1.
        """
        self._state.sent.discard(seq, seq)

    async def durable(self) -> None:
        """Return when all that was written is on the disk; a relaxed journal does not wait.

        Raises:
            JournalError: it could not be brought there.
        """
        if self.durability == "strict":
            await self._syncer.sync_soon()

    def sync(self) -> None:
        """Bring all that was written to the disk, and wait for it.

        Raises:
            JournalError: it could not be brought there.
        """
        self._syncer.sync()

    def end(self, report: Report) -> None:
        """Note that the run ended in good order, nothing being under way; it waits for the disk.

        Args:
            report: What it did; only the number of records and the kind of stop are kept.

        Raises:
            JournalError: it could not be written; resuming works all the same.
        """
        complete = report.stop is None and self._state.upto >= report.read
        stop = None if report.stop is None else report.stop.value
        self._marked = -self._mark_every  # a watermark is due
        self._write(End(read=report.read, complete=complete, stop=stop))
        self._ended = True
        self._syncer.sync()

    def close(self) -> None:
        """Bring everything to the disk and let the journal go; once is enough, twice does no harm.

        Raises:
            JournalError: it could not be brought there.
        """
        if not self._closed:
            self._closed = True
            self._syncer.close()

    def _check(self, ranges: Ranges) -> None:
        if ranges[0][0] < 1:
            raise ValueError(f"records are numbered from 1, not {ranges[0][0]}")
        if self._state.any_decided(ranges):
            raise AccountingError(f"one of the records {ranges} is decided already")

    def _write(self, *lines: Line) -> None:
        """Write lines, behind a watermark if one is due, and take them into the state."""
        if not lines:
            return
        if self._closed or self._ended:
            raise JournalError(f"the journal {self.path} is closed")
        if self._syncer.failure is not None:
            raise self._syncer.failure
        data = b"".join(map(encode, lines))
        decided = self._state.counts.total()
        if decided >= self._marked + self._mark_every:
            data = encode(self._state.watermark()) + data
            self._marked = decided
        if self._size > self._compact_above:
            self._compact()
        self._append(data)
        for line in lines:
            self._state.apply(line)

    def _append(self, data: bytes) -> None:
        try:
            append(self._syncer.fd, data)
        except OSError as error:
            failure = JournalError(
                f"cannot write the journal {self.path}: {reason(error)}; nothing more is sent. "
                "Make room and start the same run again: it goes on where it stopped"
            )
            if os.fstat(self._syncer.fd).st_size != self._size:
                self._syncer.failure = failure  # half a line is in it: nothing may follow
            raise failure from None
        self._size += len(data)
        self._syncer.written += 1

    def _compact(self) -> None:
        """Replace the file by its watermark; if that fails, go on with the file there is."""
        self._syncer.sync()
        data = encode(self._start) + encode(self._state.watermark())
        try:
            fd = replace(self.path, data)
        except (OSError, JournalError):
            self._compact_above *= 2
            return
        self._syncer.switch(fd)
        self._size = len(data)
        self._compact_above = max(self._compact_above, 4 * self._size)


def _by_outcome(pairs: Iterable[tuple[int, Outcome]]) -> dict[Outcome, list[int]]:
    decided: dict[Outcome, list[int]] = {}
    current: Outcome | None = None
    seqs: list[int] = []
    for seq, outcome in pairs:
        if outcome is not current:  # the hash of an enum's member costs more than the rest
            current, seqs = outcome, decided.setdefault(outcome, [])
        seqs.append(seq)
    decided.pop(Outcome.NOT_ATTEMPTED, None)
    return decided
