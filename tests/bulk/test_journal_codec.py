"""Ranges and journal lines: what is written is read, and what is damaged is never believed."""

from __future__ import annotations

from itertools import pairwise
from zlib import crc32

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal.codec import (
    Done,
    End,
    Send,
    Start,
    Watermark,
    decode,
    encode,
    may_become_journal,
)
from ximilar_async.bulk._journal.ranges import SeqSet, format_ranges, parse_ranges, to_ranges
from ximilar_async.errors import JournalError

OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.NOT_ATTEMPTED]

seqs = st.sets(st.integers(1, 60) | st.integers(1, 10**12), max_size=20)
ranges = seqs.map(to_ranges)
words = st.text(max_size=20)
starts = st.builds(
    Start,
    journal=words,
    run=st.integers(1, 1000),
    operation=words,
    input=st.none() | words,
    settings=st.dictionaries(words, st.none() | st.booleans() | words | st.floats(-9, 9)),
    boot=st.none() | words,
    pid=st.integers(0, 2**22),
    at=words,
    doubt=st.booleans(),
)
lines = (
    starts
    | st.builds(Send, ranges)
    | st.builds(Done, st.dictionaries(st.sampled_from(OUTCOMES), ranges))
    | st.builds(
        Watermark,
        upto=st.integers(0, 10**12),
        counts=st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 10**12)),
        decided=ranges,
        sent=ranges,
    )
    | st.builds(End, read=st.integers(0, 10**12), complete=st.booleans(), stop=st.none() | words)
)


@given(seqs)
def test_ranges_hold_the_numbers_they_were_made_of(numbers: set[int]) -> None:
    """Ranges ascend, never touch, and survive being written as text."""
    made = to_ranges(numbers)
    assert sum(last - first + 1 for first, last in made) == len(numbers)
    assert all(first in numbers and last in numbers for first, last in made)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(made))
    assert parse_ranges(format_ranges(made)) == made


@pytest.mark.parametrize(
    "text", ["0", "-1", "1-", "1,", ",1", "2-1", "1-1", "3,1", "1,2", "1-3,4", "1-3,2-5", "1 ", "٣"]
)
def test_text_that_is_no_list_of_ranges_is_refused(text: str) -> None:
    """Only what `format_ranges` could have written is read."""
    with pytest.raises(ValueError, match="is"):
        parse_ranges(text)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 12)),
        max_size=40,
    )
)
def test_a_set_of_numbers_is_a_set(steps: list[tuple[bool, int, int]]) -> None:
    """Adding, removing, counting and finding do what Python's set does, in touching-free ranges."""
    mine, real = SeqSet(), set[int]()
    for add, first, length in steps:
        span = set(range(first, first + length + 1))
        assert mine.overlaps(first, first + length) == bool(real & span)
        assert mine.count(first, first + length) == len(real & span)
        if add:
            assert mine.add(first, first + length) == len(span - real)
            real |= span
        else:
            mine.discard(first, first + length)
            real -= span
        assert mine.ranges == to_ranges(real)
    assert {n for n in range(80) if n in mine} == real
    assert SeqSet.of(mine).ranges == mine.ranges
    assert bool(mine) == bool(real)


def test_the_lowest_range_is_taken_off_only_where_it_begins() -> None:
    """The watermark moves over decided records without leaving a gap behind."""
    numbers = SeqSet.of([(2, 4), (7, 7)])
    assert numbers.pop_from(1) is None
    assert numbers.pop_from(2) == 4
    assert numbers.ranges == ((7, 7),)


@given(lines)
def test_a_line_is_read_as_it_was_written(line: object) -> None:
    """Every kind of line survives the way to the disk and back, in one line."""
    assert isinstance(line, (Start, Send, Done, Watermark, End))
    data = encode(line)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    assert decode(data) == line


@given(lines, st.data())
def test_a_line_with_a_changed_byte_is_never_believed(line: object, data: st.DataObject) -> None:
    """One flipped bit anywhere, the LF included, makes the line a damaged one."""
    assert isinstance(line, (Start, Send, Done, Watermark, End))
    good = encode(line)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode(bytes(bad)) is None


@given(lines, st.data())
def test_a_torn_line_is_never_believed(line: object, data: st.DataObject) -> None:
    """A line that ends anywhere before its LF is a damaged one."""
    assert isinstance(line, (Start, Send, Done, Watermark, End))
    good = encode(line)
    assert decode(good[: data.draw(st.integers(0, len(good) - 1))]) is None


json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
kinds = st.sampled_from(["start", "send", "done", "watermark", "end"])


@given(st.binary(max_size=80) | st.dictionaries(kinds, json, max_size=2).map(orjson.dumps))
@example(b'{"done":{"not_attempted":"1"}}')
@example(b'{"done":{"inserted":7}}')
@example(b'{"watermark":{"upto":-1,"counts":{},"decided":"","sent":""}}')
@example(b'{"watermark":{"upto":true,"counts":{},"decided":"","sent":""}}')
@example(b'{"end":{"read":1,"complete":1,"stop":null}}')
@example(b'{"start":{"v":1}}')
@example(b'{"start":[]}')
@example(b'{"send":"3-1"}')
@example(b"[1]")
@example(b"{}")
def test_a_whole_line_is_understood_or_refused(body: bytes) -> None:
    """Whatever stands behind a right CRC is a line of this format, or a JournalError."""
    line = b"%08x %b\n" % (crc32(body), body)
    try:
        read = decode(line)
    except JournalError:
        return
    assert read is not None
    assert decode(encode(read)) == read


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_without_a_crash(line: bytes) -> None:
    """Bytes that are no line are a damaged one."""
    assert decode(line) is None


def test_another_version_is_named() -> None:
    """A journal of a later format is refused with both versions, not cut as damaged."""
    body = encode(Start(journal="j", run=1, operation="insert", input=None))[9:-1]
    body = body.replace(b'"v":1', b'"v":2')
    with pytest.raises(JournalError, match="format 2, and this version of ximilar-async reads 1"):
        decode(b"%08x %b\n" % (crc32(body), body))


@given(starts, st.data())
def test_a_torn_beginning_is_told_from_another_file(line: Start, data: st.DataObject) -> None:
    """Any part of a first line may become a journal; a record or other text never could."""
    good = encode(line)
    assert may_become_journal(good[: data.draw(st.integers(0, len(good) - 1))])
    assert not may_become_journal(b'{"_id": "1"}')
    assert not may_become_journal(b"deadbeef and more")


def test_lines_are_short() -> None:
    """A batch of ten in a row costs about 80 bytes, whatever the ids are."""
    batch = to_ranges(range(1_000_001, 1_000_011))
    both = encode(Send(batch)) + encode(Done({Outcome.INSERTED: batch}))
    assert len(both) < 90
