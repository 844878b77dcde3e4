"""What a run writes down: its journal, for resuming, and the records that were turned away."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from attrs import define, field

from ximilar_async.errors import JournalError
from ximilar_async.sources import fingerprint_of

from ._journal import Journal
from ._outcomes import Outcome
from ._rejects import RejectsFile
from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ximilar_async.sources import Source

    from ._item import Item
    from ._options import Options
    from ._outcomes import Result
    from ._report import Report

_TURNED_AWAY = frozenset({Outcome.REJECTED, Outcome.FAILED})
_TOGETHER = 40
"""Decided records that are written down at once while more leave: four batches, which a killed run
sends again, for half the price of a line for each. Within a quarter of a second all are written."""

_FINAL = frozenset(Outcome) - {Outcome.FAILED, Outcome.NOT_ATTEMPTED}


@define(eq=False)
class Books:
    """The journal and the rejects file of a run; either may be missing, then it costs nothing.

    What cannot be written stops the run: nothing more leaves that could not be accounted for.

    Args:
        options: Which files, and how durable.
        on_stop: Called when a file cannot be written, with why.
    """

    options: Options
    on_stop: Callable[[Stop, str], None]
    journal: Journal | None = field(default=None, init=False)
    rejects: RejectsFile | None = field(default=None, init=False)
    run: str = field(factory=lambda: uuid.uuid4().hex, init=False)
    """Name of the run; with a journal the journal's, the same in all its runs."""
    _decided: list[tuple[int, Outcome]] = field(factory=list, init=False)

    async def open(self, operation: str, source: Source, settings: Mapping[str, Any]) -> None:
        """Open the files, off the loop.

        Args:
            operation: What is done.
            source: The records.
            settings: What a run means beyond that: collection, radius, attribution.

        Raises:
            JournalError: a file cannot be used, or belongs to another run.
        """
        named = self.options.journal is not None or self.options.rejects is not None
        if named and not self.options.dry_run:
            await asyncio.to_thread(self._open, operation, source, settings)

    def _open(self, operation: str, source: Source, settings: Mapping[str, Any]) -> None:
        options = self.options
        if options.journal is not None:
            self.journal = Journal.open(
                options.journal,
                operation=operation,
                fingerprint=fingerprint_of(source),
                settings=settings,
                durability=options.durability,
                sync_first=self._sync_rejects,
            )
            self.run = self.journal.id
        if options.rejects is not None:
            root: Path | None = options.files_root or source.files_root
            try:
                self.rejects = RejectsFile.open(
                    options.rejects, run=self.run, source=source.name, files_root=root
                )
            except BaseException:
                self._close(None)  # or the journal would stay locked
                self.journal = None
                raise

    @property
    def resumes(self) -> bool:
        """Tell whether an earlier run may have decided some of the records."""
        return self.journal is not None and self.journal.resume.run > 1

    @property
    def resumable(self) -> bool:
        """Tell whether a further run takes up what this one leaves undecided."""
        return self.journal is not None

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Return how many records earlier runs brought to each outcome."""
        return {} if self.journal is None else self.journal.resume.counts

    def is_decided(self, seq: int) -> bool:
        """Tell whether an earlier run decided a record."""
        return self.journal is not None and self.journal.resume.is_decided(seq)

    def is_doubtful(self, seq: int) -> bool:
        """Tell whether an earlier run may have applied a record without learning of it."""
        return self.journal is not None and self.journal.resume.is_doubtful(seq)

    async def before(self, seqs: Sequence[int]) -> bool:
        """Note that records are about to leave; False when that failed: then nothing may leave.

        Args:
            seqs: Their numbers.
        """
        if self.journal is None:
            return True
        pairs: list[tuple[int, Outcome]] = []
        if len(self._decided) >= _TOGETHER or self.options.durability == "strict":
            pairs, self._decided = self._decided, pairs
        try:
            self.journal.send(seqs, pairs)
            await self.journal.durable()
        except JournalError as error:
            self.on_stop(Stop.JOURNAL, str(error))
            return False
        return True

    def decided(self, item: Item, outcome: Outcome, result: Result | None) -> None:
        """Note what became of a record; `after` brings it to the journal.

        Args:
            item: The record.
            outcome: What became of it.
            result: The same in full; there for every outcome that is not the wanted one.
        """
        if self.journal is not None and outcome is Outcome.NOT_ATTEMPTED:
            self.journal.unsent(item.seq)
        kept = False
        wanted = self.rejects is not None and outcome in _TURNED_AWAY
        if self.rejects is not None and wanted and result is not None:
            kept = self._keep(self.rejects, item, result)
        # Without a rejects file the next run is to try again what failed.
        if self.journal is not None and (kept or (outcome in _FINAL and not wanted)):
            self._decided.append((item.seq, outcome))

    def decided_all(self, seqs: Sequence[int], outcome: Outcome) -> None:
        """Note records, by their numbers, that all ended in the wanted way."""
        if self.journal is not None:
            self._decided.extend([(seq, outcome) for seq in seqs])

    def _keep(self, rejects: RejectsFile, item: Item, result: Result) -> bool:
        try:
            rejects.write(result, attempts=item.attempts)
        except JournalError as error:
            self.on_stop(Stop.JOURNAL, str(error))
            return False
        return True

    async def after(self) -> None:
        """Write down what was decided since the last time."""
        if self.journal is None or not self._decided:
            return
        pairs, self._decided = self._decided, []
        try:
            self.journal.done(pairs)
            await self.journal.durable()
        except JournalError as error:
            self.on_stop(Stop.JOURNAL, str(error))

    async def close(self, report: Report | None) -> None:
        """Bring everything to the disk and close the files.

        Args:
            report: Of a run that ended in good order; None for any other end.

        Raises:
            JournalError: it cannot be brought there.
        """
        if self.journal is not None or self.rejects is not None:
            await asyncio.to_thread(self._close, report)

    def _close(self, report: Report | None) -> None:
        try:
            if self.journal is not None:
                self._end_journal(self.journal, report)
        finally:
            if self.rejects is not None:
                self.rejects.close()

    def _end_journal(self, journal: Journal, report: Report | None) -> None:
        try:
            if self._decided:
                journal.done(self._decided)
            if report is not None:
                journal.end(report)
        finally:
            journal.close()

    def _sync_rejects(self) -> None:
        if self.rejects is not None:
            self.rejects.sync()
