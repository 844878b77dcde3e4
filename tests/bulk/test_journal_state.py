"""What a journal's lines add up to: right, and no larger than what is under way."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal.codec import Done, End, Send, Start, decode, encode
from ximilar_async.bulk._journal.ranges import to_ranges
from ximilar_async.bulk._journal.state import State, resume_from
from ximilar_async.errors import JournalError

if TYPE_CHECKING:
    from ximilar_async.bulk._journal.state import Resume

OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.NOT_ATTEMPTED]

batches = st.sets(st.integers(1, 40), min_size=1, max_size=10)
steps = st.lists(st.tuples(st.none() | st.sampled_from(OUTCOMES), batches), max_size=30)


def begun(*, boot: str | None = "b1", run: int = 1, doubt: bool = False) -> Start:
    return Start(journal="j", run=run, operation="insert", input=None, boot=boot, doubt=doubt)


def resume(state: State, *, boot: str | None = "b1", cut: int = 0) -> Resume:
    return resume_from(state, journal="j", boot=boot, cut=cut)


def check(state: State, decided: dict[int, Outcome], sent: set[int]) -> None:
    found = resume(state)
    assert {seq for seq in range(1, 50) if found.is_decided(seq)} == set(decided)
    assert {seq for seq in range(1, 50) if found.is_doubtful(seq)} == sent - set(decided)
    assert Counter(found.counts) == Counter(decided.values())
    assert found.total == len(decided)
    assert found.upto + 1 not in decided


@given(steps)
def test_lines_add_up_to_what_they_say(lines: list[tuple[Outcome | None, set[int]]]) -> None:
    """Any order of sends and outcomes, twice ones too: the first outcome of a record counts."""
    state, decided, sent = State(), dict[int, Outcome](), set[int]()
    state.apply(begun())
    for outcome, seqs in lines:
        if outcome is None:
            state.apply(Send(to_ranges(seqs)))
            sent |= seqs
        else:
            state.apply(Done({outcome: to_ranges(seqs)}))
            decided = dict.fromkeys(seqs, outcome) | decided
        check(state, decided, sent)
    again = State()
    again.apply(begun())
    again.apply(state.watermark())
    check(again, decided, sent)
    assert again.watermark() == state.watermark()


def test_a_watermark_is_all_that_is_needed() -> None:
    """What stands before a watermark may go: it survives as a line, with gaps and doubts."""
    state = State()
    for line in (
        begun(),
        Send(((1, 30),)),
        Done({Outcome.INSERTED: ((1, 9), (11, 20)), Outcome.REJECTED: ((25, 25),)}),
    ):
        state.apply(line)
    mark = decode(encode(state.watermark()))
    assert mark == state.watermark()
    assert (state.upto, state.sent.ranges) == (9, ((10, 10), (21, 24), (26, 30)))


@pytest.mark.parametrize("stuck", [False, True], ids=["all end", "the first is stuck"])
def test_memory_is_bounded_by_what_is_under_way(stuck: bool) -> None:  # noqa: FBT001 - a case
    """Fifty thousand records in 20 slots, ending in any order, even one never: some 20 ranges."""
    chance, state, slots, largest = Random(7), State(), list[int](), 0
    state.apply(begun())
    for number in range(5_000):
        state.apply(Send(((number * 10 + 1, number * 10 + 10),)))
        slots.append(number)
        if len(slots) == 20:
            first = slots.pop(chance.randrange(int(stuck), 20)) * 10 + 1
            state.apply(Done({Outcome.INSERTED: ((first, first + 9),)}))
        largest = max(largest, len(state.sent.ranges) + len(state.decided.ranges))
    assert sum(state.counts.values()) == (5_000 - 19) * 10
    assert largest <= 2 * 20


def test_what_was_sent_without_an_outcome_is_doubtful() -> None:
    """After a killed process exactly those are doubtful whose request may have left."""
    state = State()
    for line in (begun(), Send(((1, 10),)), Done({Outcome.INSERTED: ((1, 4),)})):
        state.apply(line)
    found = resume(state)
    assert (found.sent, found.all_doubtful, found.run) == (((5, 10),), False, 2)
    assert not found.is_doubtful(11)


@pytest.mark.parametrize(
    ("boot", "cut"), [("b2", 0), (None, 0), ("b1", 1)], ids=["other boot", "unknown boot", "torn"]
)
def test_where_lines_may_be_missing_all_unfinished_are_doubtful(boot: str | None, cut: int) -> None:
    """Another start of the machine, or a torn end: any record without an outcome was perhaps sent.

    And so it stays in the runs after, which find nothing torn themselves.
    """
    state = State()
    for line in (begun(), Send(((1, 10),)), Done({Outcome.INSERTED: ((1, 4),)})):
        state.apply(line)
    found = resume(state, boot=boot, cut=cut)
    assert found.all_doubtful
    assert [seq for seq in (4, 5, 11, 10**9) if found.is_doubtful(seq)] == [5, 11, 10**9]
    state.apply(begun(run=2, doubt=found.all_doubtful))
    assert resume(state).all_doubtful


def test_a_run_that_ended_well_leaves_no_doubt_behind() -> None:
    """An end is written when all is on the disk: another boot changes nothing after it."""
    state = State()
    for line in (
        begun(),
        Send(((1, 10),)),
        Done({Outcome.INSERTED: ((1, 10),)}),
        End(read=10, complete=True),
    ):
        state.apply(line)
    found = resume(state, boot="b2")
    assert (found.finished, found.read, found.all_doubtful, found.upto) == (True, 10, False, 10)
    state.apply(begun(run=2))
    assert not resume(state).finished


def test_a_new_journal_knows_nothing() -> None:
    """The first run has nothing decided and nothing to doubt, not even after a torn beginning."""
    found = resume(State(), cut=17)
    assert (found.run, found.upto, found.total, found.all_doubtful) == (1, 0, 0, False)
    assert not found.is_decided(1)
    assert not found.is_doubtful(1)


def test_a_journal_begins_with_a_start() -> None:
    """Other lines at the beginning belong to no journal."""
    with pytest.raises(JournalError, match="does not begin"):
        State().apply(Send(((1, 2),)))
