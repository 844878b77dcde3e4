"""The journal's promise under any story of runs, crashes and power failures.

A model keeps what truly happened; after every opening the journal is held against it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ximilar_async.bulk import Outcome, Report, Stop
from ximilar_async.bulk._journal import Journal
from ximilar_async.errors import AccountingError

LAST = 40
OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.NOT_ATTEMPTED]

seqs = st.sets(st.integers(1, LAST), min_size=1, max_size=8)
runs = st.tuples(st.integers(1, LAST), st.integers(1, 10)).map(
    lambda pair: set(range(pair[0], min(pair[0] + pair[1], LAST + 1)))
)


class Runs(RuleBasedStateMachine):
    """Runs on one journal, the next beginning when the one before has ended, somehow."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "run.journal")
        self.journal: Journal | None = None
        self.boot = 1
        self.decided: dict[int, Outcome] = {}
        self.sent: set[int] = set()
        """Records that truly left and are not decided."""
        self.durable: dict[int, Outcome] = {}
        self.durable_size = 0
        self.inode = 0
        self.may_miss_lines = False
        self.opened = 0

    def teardown(self) -> None:
        if self.journal is not None:
            self.journal.close()
        self.folder.cleanup()

    @property
    def running(self) -> Journal:
        assert self.journal is not None
        return self.journal

    def undecided(self, wanted: set[int]) -> list[int]:
        return [seq for seq in wanted if seq not in self.decided]

    def note_durable(self) -> None:
        stat = self.path.stat()
        self.durable_size, self.inode = stat.st_size, stat.st_ino
        self.durable = dict(self.decided)

    @invariant()
    def a_compacted_file_is_on_the_disk(self) -> None:
        if self.journal is not None and self.path.stat().st_ino != self.inode:
            self.journal.sync()
            self.note_durable()

    # --- a run ------------------------------------------------------------------------------------

    @precondition(lambda self: self.journal is None)
    @rule()
    def open(self) -> None:
        self.journal = Journal.open(
            self.path,
            operation="insert",
            fingerprint="f",
            boot=f"boot {self.boot}",
            sync_every=60,
            mark_every=7,
            compact_above=700,
        )
        self.opened += 1
        self.check_against_what_happened()
        self.note_durable()

    def check_against_what_happened(self) -> None:
        resume = self.running.resume
        everything = range(1, LAST + 20)
        decided = {seq for seq in everything if resume.is_decided(seq)}
        doubtful = {seq for seq in everything if resume.is_doubtful(seq)}
        assert set(self.durable) <= decided <= set(self.decided)
        assert Counter(resume.counts) == Counter(self.decided[seq] for seq in decided)
        # What a power failure took back was sent, or decided without sending: see it as sent.
        in_flight = (self.sent | set(self.decided)) - decided
        if not self.may_miss_lines:
            assert decided == set(self.decided)
            assert doubtful == in_flight
        assert doubtful >= in_flight
        assert not doubtful & decided
        assert resume.run == self.opened
        self.sent = in_flight
        self.decided = {seq: self.decided[seq] for seq in decided}

    @precondition(lambda self: self.journal is not None)
    @rule(wanted=seqs | runs)
    def send(self, wanted: set[int]) -> None:
        free = self.undecided(wanted)
        self.running.send(free)
        self.sent |= set(free)

    @precondition(lambda self: self.journal is not None)
    @rule(wanted=seqs | runs, outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1))
    def decide(self, wanted: set[int], outcomes: list[Outcome]) -> None:
        free = self.undecided(wanted)
        pairs = {seq: outcomes[at % len(outcomes)] for at, seq in enumerate(free)}
        self.running.done(pairs.items())
        self.decided |= pairs
        self.sent -= set(pairs)

    @precondition(lambda self: self.journal is not None)
    @rule(wanted=seqs)
    def leave_unattempted(self, wanted: set[int]) -> None:
        self.running.done((seq, Outcome.NOT_ATTEMPTED) for seq in wanted)

    @precondition(lambda self: self.journal is not None and self.decided)
    @rule(data=st.data())
    def decide_again(self, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.decided)))
        with pytest.raises(AccountingError):
            self.running.done([(seq, Outcome.INSERTED)])
        with pytest.raises(AccountingError):
            self.running.send([seq])

    @precondition(lambda self: self.journal is not None)
    @rule()
    def sync(self) -> None:
        self.running.sync()
        self.note_durable()

    # --- and how it ends --------------------------------------------------------------------------

    @precondition(lambda self: self.journal is not None)
    @rule()
    def kill(self) -> None:
        self.running.close()  # it adds no line, as a killed process adds none
        self.journal = None
        self.durable = dict(self.decided)

    @precondition(lambda self: self.journal is not None)
    @rule()
    def stop(self) -> None:
        stop = None if len(self.decided) == LAST else Stop.ASKED
        self.running.end(Report(operation="insert", read=LAST, counts={}, stop=stop))
        self.kill()

    @precondition(lambda self: self.journal is not None)
    @rule(part=st.floats(0, 1), garbage=st.binary(max_size=30))
    def lose_power(self, part: float, garbage: bytes) -> None:
        self.running.close()
        self.journal = None
        content = self.path.read_bytes()
        kept = self.durable_size + round(part * (len(content) - self.durable_size))
        self.path.write_bytes(content[:kept] + garbage)
        self.boot += 1
        self.may_miss_lines = True

    @precondition(lambda self: self.journal is None and self.opened)
    @rule(garbage=st.binary(min_size=1, max_size=30))
    def tear(self, garbage: bytes) -> None:
        self.path.write_bytes(self.path.read_bytes() + garbage)
        self.may_miss_lines = True


Runs.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRuns = Runs.TestCase
