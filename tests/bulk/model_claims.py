"""What the runs of a model claim, held against what is true at that moment and at the end."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, field

from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal.reader import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bulk.model_service import Truth

    from ximilar_async.bulk import Report, Result
    from ximilar_async.bulk._journal.state import State

MARK: Final = "ximilar_async_run"
OPEN: Final = frozenset({Outcome.FAILED, Outcome.NOT_ATTEMPTED})
GOOD: Final[Mapping[str, Outcome]] = {
    "insert": Outcome.INSERTED,
    "near_dups_insert": Outcome.INSERTED,
    "update": Outcome.UPDATED,
    "delete": Outcome.DELETED,
}
OTHERS: Final[Mapping[str, frozenset[Outcome]]] = {
    "insert": frozenset({Outcome.ALREADY_PRESENT}),
    "near_dups_insert": frozenset({Outcome.ALREADY_PRESENT, Outcome.NEAR_DUPLICATE}),
    "update": frozenset({Outcome.NOT_FOUND}),
    "delete": frozenset({Outcome.NOT_FOUND}),
}
"""What a good record may end as in each operation, if not as was wanted."""


@define(eq=False)
class Claims:
    """What every process told of every record, by its number from 1.

    Args:
        operation: What is done.
        records: The input.
        before: The ids that were stored before.
        truth: The collection.
        exact: Whether marks say who stored a record, or only its fields.
        keeps_failed: Whether a record that failed is decided, for it is in a rejects file.
    """

    operation: str
    records: Sequence[Mapping[str, Any]]
    before: frozenset[str]
    truth: Truth
    exact: bool
    keeps_failed: bool
    told: dict[int, Outcome] = field(factory=dict, init=False)
    """What was told last."""
    tally: Counter[Outcome] = field(factory=Counter, init=False)
    """How often each outcome was told."""
    conflicting: int = field(default=0, init=False)
    """Claims that a record is this run's after one that it is not, or the other way round."""
    _here: dict[int, Outcome] = field(factory=dict, init=False)
    """What this process told."""
    _known: set[int] = field(factory=set, init=False)
    """What the journal had as decided when this process began."""
    _counts: Counter[Outcome] = field(factory=Counter, init=False)

    # --- one claim ------------------------------------------------------------------------------

    def take(self, result: Result) -> None:
        """Check a claim as it is made: the first of this process on that record, and true."""
        seq, outcome = result.seq, result.outcome
        good, others = GOOD[self.operation], OTHERS[self.operation]
        assert seq not in self._here, f"record {seq} is told twice"
        assert seq not in self._known, f"record {seq} is decided already"
        assert result.id == self.records[seq - 1].get("_id")
        assert outcome in OPEN | others | {good, Outcome.REJECTED}
        before = self.told.get(seq)
        self.conflicting += (before is good and outcome in others) or (
            before in others and outcome is good
        )
        self.tally[outcome] += 1
        self._here[seq] = self.told[seq] = outcome
        self._check(seq, outcome, result.reason)

    def _check(self, seq: int, outcome: Outcome, reason: str) -> None:
        record = self.records[seq - 1]
        id_ = record.get("_id")
        stored = self.truth.stored.get(id_) if id_ is not None else None
        stray = id_ in self.truth.strays  # what one saw when one looked may not be so now
        repeated = sum(other.get("_id") == id_ for other in self.records) > 1
        says = f"record {seq} is told as {outcome} ({reason})"
        match outcome:
            case Outcome.INSERTED:
                assert stored is not None, f"{says} and is not stored"
                assert self._may_be_mine(seq), f"{says} and is somebody else's"
            case Outcome.ALREADY_PRESENT:
                assert stored is not None, f"{says} and is not stored"
                assert not self._is_surely_mine(seq), f"{says} and is ours"
            case Outcome.NEAR_DUPLICATE:
                assert self.truth.near(record), f"{says} and nothing is near"
                assert not self._is_surely_mine(seq), f"{says} and is ours"
            case Outcome.UPDATED:
                assert stored is not None, f"{says} and is not stored"
                same = stored.items() >= record.items()
                assert stray or repeated or same, f"{says} and has other fields"
            case Outcome.DELETED | Outcome.NOT_FOUND:
                assert stored is None, f"{says} and is stored"
            case Outcome.REJECTED | Outcome.NOT_ATTEMPTED:
                assert stray or not self._is_surely_mine(seq), f"{says} and is ours"
            case _ if "not stored" in reason:
                assert stray or not self._is_surely_mine(seq), f"{says} and is stored"

    def _may_be_mine(self, seq: int) -> bool:
        """Tell whether what is stored can be this record; by fields that may be a mistake."""
        record = self.records[seq - 1]
        if self.exact:
            return self._is_surely_mine(seq)
        return self.truth.stored[record["_id"]].items() >= record.items()

    def _is_surely_mine(self, seq: int) -> bool:
        """Tell whether a request of ours stored this very record and no other one like it."""
        record = self.records[seq - 1]
        id_ = record.get("_id")
        if id_ not in self.truth.inserted:
            return False
        stored = self.truth.stored[id_]
        if self.exact:
            return bool(stored[MARK].endswith(f"/{seq}"))
        return stored == record and list(self.records).count(record) == 1

    # --- a process ------------------------------------------------------------------------------

    def begin(self, journal: Path) -> None:
        """Note what the journal knows as a process begins."""
        state = read_journal(journal)
        self._here = {}
        self._known = decided(state)
        self._counts = Counter(state.counts)

    def ended(self, report: Report, journal: Path) -> None:
        """Check the sums of a process that ended by itself, and what its journal keeps."""
        counts, here = Counter(report.counts), Counter(self._here.values())
        assert report.read == counts.total() <= len(self.records), report.summary()
        assert counts == self._counts + here, f"{report.summary()}; told were {here}"
        assert report.stop is not None or report.read == len(self.records), report.summary()
        state = read_journal(journal)
        surely = {seq for seq, outcome in self._here.items() if outcome not in OPEN}
        assert self._known | surely <= decided(state) <= self._known | self._perhaps_for_good()
        self._check_counts(state)

    def crashed(self, journal: Path, sent: Iterable[Mapping[str, Any]], *, whole: bool) -> None:
        """Check what a journal keeps of a process that ended without a word.

        Args:
            journal: The file.
            sent: The records that had left.
            whole: Whether nothing that was written is lost.
        """
        state = read_journal(journal)
        assert self._known <= decided(state) <= self._known | self._perhaps_for_good()
        self._check_counts(state)
        if whole and self.exact:
            left = {int(record[MARK].rsplit("/", 1)[1]) for record in sent}
            assert left <= decided(state) | spread(state.sent.ranges)

    def check_rejects(self, rejects: Path, journal: Path) -> None:
        """Check that whatever is decided and was turned away is in the rejects file, as it was."""
        lines = [orjson.loads(line) for line in rejects.read_bytes().split(b"\n") if line]
        kept = {(line["seq"], line["outcome"]) for line in lines}
        for seq in decided(read_journal(journal)):
            if self.told[seq] in (Outcome.FAILED, Outcome.REJECTED):
                assert (seq, self.told[seq].value) in kept, f"record {seq} is not in the file"
        for line in lines:
            assert line["record"] == self.records[line["seq"] - 1]

    def _perhaps_for_good(self) -> set[int]:
        """Return what was told here, but for what the next run has to try again."""
        still_open = {Outcome.NOT_ATTEMPTED} if self.keeps_failed else OPEN
        return {seq for seq, outcome in self._here.items() if outcome not in still_open}

    def _check_counts(self, state: State) -> None:
        assert Counter(state.counts) == Counter(self.told[seq] for seq in decided(state))

    # --- in the end -----------------------------------------------------------------------------

    def check_all_decided(self, excused: frozenset[str]) -> None:
        """Check that nothing is lost: every record has one outcome, and it is true.

        Args:
            excused: Ids that may have been refused by the service.
        """
        good, others = GOOD[self.operation], OTHERS[self.operation]
        for seq, record in enumerate(self.records, 1):
            outcome, id_ = self.told.get(seq), record.get("_id")
            if outcome is Outcome.REJECTED:
                assert id_ is None or id_ in excused
            else:
                kept = outcome is Outcome.FAILED and self.keeps_failed
                assert outcome is good or outcome in others or kept, f"record {seq} is lost"
            if outcome is not None:
                self._check(seq, outcome, "")
        for id_ in () if self.keeps_failed else self.truth.inserted:
            least = 0 if id_ in self.truth.strays & excused else 1
            assert self._claimed(id_) >= least, f"{id_} is stored, and no record claims it"
            assert not self.exact or self._claimed(id_) <= 1

    def misattributed(self) -> int:
        """Return how many records are claimed as this run's work and were somebody else's."""
        ids = {record["_id"] for record in self.records if "_id" in record}
        if self.operation == "update":
            return 0
        ours = self.before if self.operation == "delete" else self.truth.inserted
        return sum(max(0, self._claimed(id_) - (id_ in ours)) for id_ in ids)

    def _claimed(self, id_: str) -> int:
        return sum(
            self.told[seq] is GOOD[self.operation]
            for seq, record in enumerate(self.records, 1)
            if record.get("_id") == id_
        )


# --- journals -----------------------------------------------------------------------------------


def read_journal(path: Path) -> State:
    """Return what a journal's good lines add up to; nothing where there is no journal."""
    fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    try:
        return load(fd, name=path.name).state
    finally:
        os.close(fd)


def spread(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {seq for first, last in ranges for seq in range(first, last + 1)}


def decided(state: State) -> set[int]:
    return {*range(1, state.upto + 1), *spread(state.decided.ranges)}
