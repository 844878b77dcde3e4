"""The journal's file: begun, resumed, mended, refused, locked."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async.bulk import Outcome, Report, Stop
from ximilar_async.bulk._journal import Journal
from ximilar_async.bulk._journal.codec import Watermark, decode
from ximilar_async.bulk._journal.files import append
from ximilar_async.bulk._journal.syncer import Syncer
from ximilar_async.errors import AccountingError, ConfigError, JournalError

INSERTED, FAILED = Outcome.INSERTED, Outcome.FAILED


def begin(path: Path, **changes: Any) -> Journal:
    terms: dict[str, Any] = {"operation": "insert", "fingerprint": "file:1:ab", "boot": "b1"}
    return Journal.open(path, **(terms | {"settings": {"collection": "shoes"}} | changes))


def insert(journal: Journal, first: int, last: int, outcome: Outcome = INSERTED) -> None:
    journal.send(range(first, last + 1))
    journal.done((seq, outcome) for seq in range(first, last + 1))


def report(read: int, stop: Stop | None = None) -> Report:
    return Report(operation="insert", read=read, counts={INSERTED: read}, stop=stop)


def known(journal: Journal, upto: int = 60) -> tuple[set[int], set[int]]:
    """Return the records that are decided and those that are doubtful."""
    resume, seqs = journal.resume, range(1, upto + 1)
    decided = {seq for seq in seqs if resume.is_decided(seq)}
    return decided, {seq for seq in seqs if resume.is_doubtful(seq)}


def test_a_run_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """Decided records, their counts, and what was under way are there for the next run."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
        journal.send(range(11, 21))
        journal.done([(11, Outcome.ALREADY_PRESENT), (30, Outcome.REJECTED), (12, FAILED)])
        name = journal.id
    with begin(path) as journal:
        assert known(journal) == ({*range(1, 13), 30}, set(range(13, 21)))
        assert journal.resume.counts == {
            INSERTED: 10,
            Outcome.ALREADY_PRESENT: 1,
            Outcome.REJECTED: 1,
            FAILED: 1,
        }
        assert (journal.resume.run, journal.resume.upto, journal.resume.cut) == (2, 12, 0)
        assert journal.id == journal.resume.journal == name


def test_a_new_journal_is_private_and_holds_no_records(tmp_path: Path) -> None:
    """Only its owner can read it, and it tells numbers and settings, nothing of the records."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert '{"send":"1-10"}' in text
    assert "_id" not in text


def test_a_finished_run_has_everything_decided(tmp_path: Path) -> None:
    """Opening a run that is over is no error: the next run has nothing left to send."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 25)
        journal.end(report(25))
    with begin(path, boot="b2") as journal:
        assert known(journal, 26) == (set(range(1, 26)), set())
        assert (journal.resume.finished, journal.resume.read) == (True, 25)
        assert journal.resume.total == 25


@pytest.mark.parametrize(
    ("read", "stop"), [(25, Stop.ASKED), (26, None)], ids=["stopped", "some undecided"]
)
def test_a_run_that_ended_early_is_not_finished(
    tmp_path: Path, read: int, stop: Stop | None
) -> None:
    """A stop, or a record left open, leaves something to do; nothing is doubtful for it."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 25)
        journal.done([(26, Outcome.NOT_ATTEMPTED)])
        journal.end(report(read, stop))
    with begin(path, boot="b2") as journal:
        assert not journal.resume.finished
        assert known(journal) == (set(range(1, 26)), set())


def test_what_was_not_attempted_stays_as_it_was(tmp_path: Path) -> None:
    """A record that an earlier run sent is still doubtful after a run that did not get to it."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        journal.send([1, 2])
    with begin(path) as journal:
        journal.done([(1, Outcome.NOT_ATTEMPTED), (2, INSERTED)])
    with begin(path) as journal:
        assert known(journal) == ({2}, {1})


def test_no_record_is_sent_or_decided_after_it_is_decided(tmp_path: Path) -> None:
    """The journal itself holds the promise of one outcome each, across runs."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
        insert(journal, 21, 30)
    with begin(path) as journal:
        size = path.stat().st_size
        for seq in (10, 25):
            with pytest.raises(AccountingError, match="decided already"):
                journal.done([(40, INSERTED), (seq, INSERTED)])
            with pytest.raises(AccountingError, match="decided already"):
                journal.send([40, seq])
        with pytest.raises(AccountingError, match="twice at once"):
            journal.done([(40, INSERTED), (40, FAILED)])
        with pytest.raises(ValueError, match="numbered from 1, not 0"):
            journal.send([0])
        journal.send([])
        journal.done([])
        assert path.stat().st_size == size


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operation": "delete"}, "a run of insert, and this is one of delete"),
        (
            {"fingerprint": "file:2:cd"},
            "belongs to another input, or to this one before it was changed: going on",
        ),
        (
            {"fingerprint": None},
            "and this is one of records of the program itself, which nobody can tell again",
        ),
        ({"settings": {"collection": "bags"}}, "collection = 'shoes', and now it is 'bags'"),
        ({"settings": {"collection": "shoes", "radius": 5}}, "radius = None, and now it is 5"),
    ],
    ids=["operation", "input", "no fingerprint", "setting", "new setting"],
)
def test_another_run_s_journal_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """The message names what differs and what to do; the file stays as it was, torn end and all."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
    path.write_bytes(path.read_bytes() + b"torn")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=words) as caught:
        begin(path, **changes)
    assert "name another journal" in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b'{"_id": "1"}\n', b"\x00" * 100, b"x" * 100_000, b"\n", b"deadbeef but no journal"],
    ids=["records", "zeros", "long line", "empty line", "text"],
)
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A catalog given as the journal by mistake is neither cut nor overwritten."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="is no journal; it was left alone"):
        begin(path)
    assert path.read_bytes() == content


def test_a_damaged_first_line_is_told_and_left_alone(tmp_path: Path) -> None:
    """Where nothing can be trusted, starting over is the user's decision."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
    content = path.read_bytes().replace(b"insert", b"inseRt", 1)
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"first line of the journal .* is damaged"):
        begin(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing folder"])
def test_a_path_that_cannot_hold_a_journal_is_named(tmp_path: Path, kind: str) -> None:
    """A folder, a pipe or a missing folder is a clear error, and nothing blocks on it."""
    path = tmp_path / "thing"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = path / "run.journal"
    with pytest.raises(JournalError, match="thing"):
        begin(path)


def test_durability_is_one_of_two(tmp_path: Path) -> None:
    """A misspelt durability is refused before a file is made; so are settings that are no JSON."""
    with pytest.raises(ConfigError, match="durability must be"):
        begin(tmp_path / "j", durability="paranoid")
    with pytest.raises(ConfigError, match="must be JSON"):
        begin(tmp_path / "j", settings={"when": object()})
    assert not list(tmp_path.iterdir())


def test_one_process_cannot_open_a_journal_twice(tmp_path: Path) -> None:
    """Not even the same process: both would send what is undecided."""
    path = tmp_path / "run.journal"
    with begin(path), pytest.raises(JournalError, match="in use by this very process"):
        begin(path)
    with begin(path):
        pass


def test_nothing_can_be_written_after_the_end(tmp_path: Path) -> None:
    """A journal that was ended or closed says so instead of forgetting."""
    journal = begin(tmp_path / "j")
    journal.end(report(0))
    with pytest.raises(JournalError, match="closed"):
        journal.send([1])
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.done([(1, INSERTED)])


# --- damage ---------------------------------------------------------------------------------------


def written(path: Path) -> list[tuple[int, set[int], set[int]]]:
    """Write a journal and return what was known at each size: decided and under way."""
    story: list[tuple[int, set[int], set[int]]] = []
    with begin(path, mark_every=15) as journal:
        decided, sent = set[int](), set[int]()
        story.append((path.stat().st_size, set(), set()))
        for first in (1, 21, 11, 31):
            journal.send(range(first, first + 10))
            sent |= set(range(first, first + 10))
            story.append((path.stat().st_size, set(decided), set(sent)))
            journal.done((seq, INSERTED) for seq in range(first, first + 9))
            decided |= set(range(first, first + 9))
            sent -= decided
            story.append((path.stat().st_size, set(decided), set(sent)))
    assert any(
        isinstance(decode(line + b"\n"), Watermark) for line in path.read_bytes().split(b"\n")
    )
    return story


def check_damaged(content: bytes, whole: list[tuple[int, set[int], set[int]]], upto: int) -> None:
    """Open a journal of which only the first `upto` bytes are as they were written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        path.write_bytes(content)
        if upto < whole[0][0] and len(content) > upto:
            with pytest.raises(JournalError, match=r"damaged|no journal"):
                begin(path)
            assert path.read_bytes() == content
            return
        with begin(path) as journal:
            states = [(decided, sent) for size, decided, sent in whole if size <= upto]
            least = states[-1] if states else (set[int](), set[int]())
            decided, doubtful = known(journal)
            assert decided == least[0]
            assert doubtful >= least[1]
            if journal.resume.cut:
                everything = set() if journal.resume.run == 1 else set(range(1, 61))
                assert doubtful == everything - decided
            insert(journal, 61, 70)
        with begin(path) as journal:
            assert journal.resume.cut == 0
            assert known(journal, 70)[0] == decided | set(range(61, 71))
            assert known(journal)[1] == doubtful


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1))
def test_a_journal_cut_at_any_byte_resumes(where: float) -> None:
    """What stands whole before the cut is kept, and after a torn line all the rest is doubtful."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        story = written(path)
        content = path.read_bytes()
    cut = round(where * len(content))
    check_damaged(content[:cut], story, cut)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.integers(0, 7))
def test_a_journal_with_any_bit_flipped_is_cut_there(where: float, bit: int) -> None:
    """Nothing behind the damage is believed; damage in the first line is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        story = written(path)
        content = bytearray(path.read_bytes())
    at = min(round(where * len(content)), len(content) - 1)
    content[at] ^= 1 << bit
    check_damaged(bytes(content), story, at)


# --- the file stays small -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["while running", "at opening"])
def test_a_long_journal_is_replaced_by_its_watermark(tmp_path: Path, how: str) -> None:
    """The file stays bounded and private, and nothing that it said is lost."""
    path = tmp_path / "run.journal"
    with begin(path, compact_above=4000 if how == "while running" else 10**9) as journal:
        name = journal.id
        journal.send([100_000])
        for first in range(1, 10_000, 10):
            insert(journal, first, first + 9)
        if how == "while running":
            assert path.stat().st_size < 5000
    with begin(path, compact_above=4000) as journal:
        assert path.stat().st_size < 5000
        assert journal.id == name
        assert (journal.resume.upto, journal.resume.total, journal.resume.run) == (
            10_000,
            10_000,
            2,
        )
        assert journal.resume.sent == ((100_000, 100_000),)
        with pytest.raises(JournalError, match="this very process"):
            begin(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["run.journal"]
    with begin(path) as journal:
        assert (journal.resume.run, journal.resume.upto) == (3, 10_000)


def test_where_no_second_file_can_be_made_the_journal_goes_on(tmp_path: Path) -> None:
    """Compaction is a comfort: if the new file is in the way, the old one simply grows."""
    path = tmp_path / "run.journal"
    (tmp_path / "run.journal.new").mkdir()
    with begin(path, compact_above=300) as journal:
        for first in range(1, 1_000, 10):
            insert(journal, first, first + 9)
    with begin(path, compact_above=300) as journal:
        assert journal.resume.upto == 1_000


def test_doubt_survives_compaction(tmp_path: Path) -> None:
    """Once lines may be missing, what is undecided stays doubtful, in a compacted file too."""
    path = tmp_path / "run.journal"
    with begin(path) as journal:
        insert(journal, 1, 10)
    with begin(path, boot="b2", compact_above=0) as journal:
        insert(journal, 11, 20)
    with begin(path, boot="b2") as journal:
        assert journal.resume.all_doubtful
        assert known(journal, 30) == (set(range(1, 21)), set(range(21, 31)))


def test_a_link_to_a_journal_stays_a_link(tmp_path: Path) -> None:
    """Compaction replaces the file that the link names, not the link."""
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "link", tmp_path / "real" / "run.journal"
    link.symlink_to(real)
    with begin(link, compact_above=300) as journal:
        for first in range(1, 1_000, 10):
            insert(journal, first, first + 9)
    assert link.is_symlink()
    with begin(real) as journal:
        assert journal.resume.upto == 1_000


# --- syncing --------------------------------------------------------------------------------------


async def test_strict_durability_waits_for_the_disk(tmp_path: Path) -> None:
    """`durable` returns after a sync that covers what was written, once for all who wait."""
    synced: list[int] = []
    path = tmp_path / "run.journal"
    journal = begin(path, durability="strict", sync_first=lambda: synced.append(1))
    try:
        for first in (1, 11, 21):
            journal.send(range(first, first + 10))
        await asyncio.gather(*[journal.durable() for _ in range(20)])
        assert 1 <= len(synced) <= 2
        await journal.durable()
        assert len(synced) <= 2
        journal.done([(1, INSERTED)])
        await journal.durable()
        assert 2 <= len(synced) <= 3
    finally:
        journal.close()


async def test_relaxed_durability_waits_for_nothing(tmp_path: Path) -> None:
    """A relaxed journal is synced by a thread of its own, soon."""
    synced = asyncio.Event()
    loop = asyncio.get_running_loop()
    with begin(
        tmp_path / "j", sync_every=0.01, sync_first=lambda: loop.call_soon_threadsafe(synced.set)
    ) as journal:
        journal.send([1])
        await journal.durable()
        await synced.wait()


async def test_a_failed_sync_is_raised_by_the_next_call(tmp_path: Path) -> None:
    """What the disk could not take is told at once and for good: no later sync makes up for it."""

    def broken() -> None:
        raise JournalError("the rejects file is on a broken disk")

    journal = begin(tmp_path / "j", durability="strict", sync_first=broken)
    journal.send([1])
    with pytest.raises(JournalError, match="broken disk"):
        await journal.durable()
    assert journal.failure is not None
    for call in (
        lambda: journal.send([2]),
        lambda: journal.done([(1, INSERTED)]),
        journal.sync,
        journal.close,
    ):
        with pytest.raises(JournalError, match="broken disk"):
            call()
    with begin(tmp_path / "j") as journal:
        assert journal.resume.sent == ((1, 1),)


async def test_a_sync_in_the_background_that_failed_stops_the_next_request(tmp_path: Path) -> None:
    """A relaxed journal finds out by itself, and nothing more may leave."""

    def broken() -> None:
        raise JournalError("the rejects file is on a broken disk")

    journal = begin(tmp_path / "j", sync_every=0.01, sync_first=broken)
    journal.send([1])
    while journal.failure is None:
        await asyncio.sleep(0.01)
    with pytest.raises(JournalError, match="broken disk"):
        journal.send([2])
    with pytest.raises(JournalError, match="broken disk"):
        journal.close()


def test_a_file_that_cannot_be_synced_is_a_clear_error(tmp_path: Path) -> None:
    """The system's own words reach the message, with what to do."""
    read_end, write_end = os.pipe()
    syncer = Syncer(tmp_path / "j", write_end, None)
    syncer.written = 1
    with pytest.raises(JournalError, match="could not be brought to the disk: Invalid argument"):
        syncer.sync()
    with pytest.raises(JournalError, match="goes on where it stopped"):
        syncer.close()
    os.close(read_end)


def test_a_full_device_takes_nothing() -> None:
    """`append` raises what the system says."""
    fd = os.open("/dev/full", os.O_WRONLY | os.O_APPEND)
    try:
        with pytest.raises(OSError, match="No space left"):
            append(fd, b"line\n")
    finally:
        os.close(fd)
