"""What a journal's lines add up to. Pure, and no larger than what is under way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ximilar_async.errors import JournalError

from .codec import Done, Send, Start, Watermark
from .ranges import SeqSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async.bulk._outcomes import Outcome

    from .codec import End, Line
    from .ranges import Ranges


@define(eq=False)
class State:
    """Folds lines, one after the other.

    Example:
        >>> from ximilar_async.bulk import Outcome
        >>> state = State()
        >>> state.apply(Start(journal="j", run=1, operation="insert", input=None))
        >>> state.apply(Send(((1, 20),)))
        >>> state.apply(Done({Outcome.INSERTED: ((1, 9), (11, 20))}))
        >>> state.upto, state.sent.ranges, state.decided.ranges
        (9, ((10, 10),), ((11, 20),))
    """

    start: Start | None = field(default=None, init=False)
    """The latest run's first line."""
    end: End | None = field(default=None, init=False)
    """The latest run's last line, if it ended in good order."""
    doubt: bool = field(default=False, init=False)
    """Whether lines of this or an earlier run may be missing."""
    upto: int = field(default=0, init=False)
    counts: Counter[Outcome] = field(factory=Counter, init=False)
    decided: SeqSet = field(factory=SeqSet, init=False)
    """Decided records above `upto`."""
    sent: SeqSet = field(factory=SeqSet, init=False)
    """Records that were sent, in any run, and are not decided."""

    def apply(self, line: Line) -> None:
        """Take in the next line.

        Raises:
            JournalError: no journal has this line at this place.
        """
        if self.start is None and not isinstance(line, Start):
            raise JournalError("it does not begin with the start of a run")
        if isinstance(line, Send):  # the usual ones first: a `match` costs more than the rest
            self._send(line.ranges)
        elif isinstance(line, Done):
            for outcome, ranges in line.outcomes.items():
                self._decide(outcome, ranges)
            self._advance()
        elif isinstance(line, Watermark):
            self.upto, self.counts = line.upto, Counter(line.counts)
            self.decided, self.sent = SeqSet.of(line.decided), SeqSet.of(line.sent)
        elif isinstance(line, Start):
            self.start, self.end = line, None
            self.doubt |= line.doubt
        else:
            self.end = line

    def watermark(self) -> Watermark:
        """Return the line that says all of this at once."""
        return Watermark(
            upto=self.upto,
            counts=dict(self.counts),
            decided=self.decided.ranges,
            sent=self.sent.ranges,
        )

    def any_decided(self, ranges: Ranges) -> bool:
        """Tell whether one of these records is decided."""
        decided, upto = self.decided, self.upto
        return any(first <= upto or decided.overlaps(first, last) for first, last in ranges)

    def _send(self, ranges: Ranges) -> None:
        for first, last in ranges:
            if last > self.upto:
                self.sent.add(max(first, self.upto + 1), last)
            if self.decided.overlaps(first, last):  # no run does that; what is decided stays so
                for low, high in self.decided:
                    self.sent.discard(low, high)

    def _decide(self, outcome: Outcome, ranges: Ranges) -> None:
        """Count what is not decided yet: the first outcome of a record is the one."""
        for first, last in ranges:
            self.sent.discard(first, last)
            if last > self.upto:
                new = self.decided.add(max(first, self.upto + 1), last)
                self.counts[outcome] += new

    def _advance(self) -> None:
        while (last := self.decided.pop_from(self.upto + 1)) is not None:
            self.upto = last


@frozen(kw_only=True)
class Resume:
    """What is known of the records before this run: decided, doubtful, or not touched.

    It does not change while the run goes on.
    """

    journal: str
    """Name of the journal, the same in all its runs."""
    run: int
    """Number of this run; 1 on a new journal."""
    upto: int
    """Every record up to this number is decided."""
    counts: Mapping[Outcome, int]
    """How many records earlier runs brought to each outcome."""
    all_doubtful: bool
    """Whether any undecided record may have been sent: lines were lost, or the machine started
    anew since, so that the last lines may never have reached the disk."""
    finished: bool
    """Whether the run before ended with every record of the input decided."""
    read: int | None
    """Records that the run before had read when it ended in good order; else None."""
    cut: int
    """Bytes of damaged lines that were cut off at the journal's end."""
    _decided: SeqSet = field(repr=False, eq=False, alias="decided")
    _sent: SeqSet = field(repr=False, eq=False, alias="sent")

    @property
    def total(self) -> int:
        """Return how many records earlier runs decided."""
        return sum(self.counts.values())

    @property
    def decided_above(self) -> Ranges:
        """Return the decided records above `upto`."""
        return self._decided.ranges

    @property
    def sent(self) -> Ranges:
        """Return the undecided records that are known to have been sent."""
        return self._sent.ranges

    def is_decided(self, seq: int) -> bool:
        """Tell whether a record has its outcome already; then it must not be sent again."""
        return seq <= self.upto or seq in self._decided

    def is_doubtful(self, seq: int) -> bool:
        """Tell whether a record is undecided and may have been applied by an earlier run."""
        if self.all_doubtful:
            return not self.is_decided(seq)
        return seq in self._sent


def resume_from(state: State, *, journal: str, boot: str | None, cut: int) -> Resume:
    """Return what the next run has to know.

    Args:
        state: What the lines of earlier runs add up to; an empty one for a new journal.
        journal: The journal's name.
        boot: Which start of the machine this is; None if unknown.
        cut: Bytes of damaged lines at the end.
    """
    before, end = state.start, state.end
    # A run that ended in good order had everything on the disk, whatever the machine did then.
    may_miss_lines = end is None and (boot is None or (before is not None and before.boot != boot))
    return Resume(
        journal=journal,
        run=before.run + 1 if before else 1,
        upto=state.upto,
        counts=dict(state.counts),
        all_doubtful=before is not None and (state.doubt or bool(cut) or may_miss_lines),
        finished=end is not None and end.complete,
        read=end.read if end else None,
        cut=cut,
        decided=SeqSet.of(state.decided),
        sent=SeqSet.of(state.sent),
    )
