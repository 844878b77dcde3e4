"""The journal after a crash: of killed, competing processes, out of room, cut at any byte."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from bulk.model_scenario import Life, Scenario
from bulk.run_model import play

from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal import Journal
from ximilar_async.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

WRITING = """
import os, sys
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal import Journal

path, service = sys.argv[1:]
applied = os.open(service, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
journal = Journal.open(
    path, operation="insert", fingerprint="f", mark_every=500, compact_above=20_000
)
resume = journal.resume
assert not resume.all_doubtful and not resume.cut, resume
print("ready", flush=True)
for first in range(1, 1_000_001, 10):
    seqs = [n for n in range(first, first + 10) if not resume.is_decided(n)]
    if seqs:
        journal.send(seqs)
        doubt = "".join("?" if resume.is_doubtful(n) else "!" for n in seqs)
        os.write(applied, f"{seqs[0]} {seqs[-1]} {doubt}\\n".encode())
        journal.done((n, Outcome.INSERTED) for n in seqs)
        os.write(1, f"{seqs[-1]}\\n".encode())
"""

HOLDING = """
import sys
from ximilar_async.bulk._journal import Journal

with Journal.open(sys.argv[1], operation="insert", fingerprint="f") as journal:
    journal.send([1, 2, 3])
    print("ready", flush=True)
    sys.stdin.read()
"""

OUT_OF_ROOM = """
import json, os, resource, sys
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal import Journal
from ximilar_async.errors import JournalError

path, limit = sys.argv[1], int(sys.argv[2])
journal = Journal.open(path, operation="insert", fingerprint="f")
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
sent, decided, failed = 0, 0, []
for first in range(1, 100_001, 10):
    try:
        journal.send(range(first, first + 10))
        sent = first + 9
        journal.done((n, Outcome.INSERTED) for n in range(first, first + 10))
        decided = first + 9
    except JournalError as error:
        failed.append(str(error))
        break
size = os.path.getsize(path)
try:
    journal.send(range(200_000, 200_200, 2))
except JournalError as error:
    failed.append(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.send([300_000])
journal.close()
print(json.dumps([sent, decided, size, failed]))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Killed again and again while it writes: what it told of is decided, nothing is torn, and what
    is sent a second time was doubtful to the run that did so.
    """
    path, service = tmp_path / "run.journal", tmp_path / "applied"
    chance = random.Random(3)
    last = 0
    for _ in range(4):
        with start(WRITING, path, service) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            told = [process.stdout.readline() for _ in range(chance.randrange(1, 400))]
            process.kill()
            told += process.stdout.readlines()
        last = max(last, *[int(line) for line in told if line.endswith("\n")])
    with Journal.open(path, operation="insert", fingerprint="f") as journal:
        resume = journal.resume
        assert (resume.run, resume.cut, resume.all_doubtful) == (5, 0, False)
        assert resume.upto >= last > 0
        assert resume.total == resume.upto
        applied: set[int] = set()
        for line in service.read_text().splitlines():
            first, end, doubts = line.split()
            for seq, doubt in zip(range(int(first), int(end) + 1), doubts, strict=True):
                assert seq not in applied or doubt == "?"
                applied.add(seq)
        assert all(resume.is_decided(seq) or resume.is_doubtful(seq) for seq in applied)


def test_two_processes_cannot_share_a_journal(tmp_path: Path) -> None:
    """The second is told which process has it, and its lock ends with that process."""
    path = tmp_path / "run.journal"
    with start(HOLDING, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(JournalError, match=f"in use by process {process.pid}; wait for it"):
            Journal.open(path, operation="insert", fingerprint="f")
        process.kill()
        process.wait()
        with Journal.open(path, operation="insert", fingerprint="f") as journal:
            assert journal.resume.sent == ((1, 3),)


@pytest.mark.parametrize("limit", range(1000, 1070, 11))
def test_out_of_room_is_told_at_the_very_call(tmp_path: Path, limit: int) -> None:
    """Wherever the room ends, no half line stays, the state is that of the last call that worked,
    and with new room the same journal goes on.
    """
    path = tmp_path / "run.journal"
    with start(OUT_OF_ROOM, path, limit) as process:
        assert process.stdout is not None
        sent, decided, size, failed = json.loads(process.stdout.read())
    assert size <= limit
    assert len(failed) == 2
    assert all("Make room and start the same run again" in words for words in failed)
    with Journal.open(path, operation="insert", fingerprint="f") as journal:
        resume = journal.resume
        assert (resume.cut, resume.upto, resume.counts) == (0, decided, {Outcome.INSERTED: decided})
        under_way = ((decided + 1, sent),) if sent > decided else ()
        assert resume.sent == (*under_way, (300_000, 300_000))


def test_a_journal_that_cannot_be_begun_says_so(tmp_path: Path) -> None:
    """No room at all: the run does not begin, and what there is of a file can be used later."""
    path = tmp_path / "run.journal"
    script = (
        "import resource, sys\n"
        "from ximilar_async.bulk._journal import Journal\n"
        "from ximilar_async.errors import JournalError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))\n"
        "try:\n    Journal.open(sys.argv[1], operation='insert')\n"
        "except JournalError as error:\n    print(error)\n"
    )
    with start(script, path) as process:
        assert process.stdout is not None
        assert f"cannot begin the journal {path}: " in process.stdout.read()
    assert path.stat().st_size == 0
    with Journal.open(path, operation="insert") as journal:
        assert journal.resume.run == 1


CUTS = 348
"""Bytes that the run below writes behind its first line, and a few more."""
STEP = 58


@pytest.mark.parametrize("first", range(0, CUTS, STEP))
def test_a_run_goes_on_from_a_journal_cut_at_any_byte(tmp_path: Path, first: int) -> None:
    """After a power failure took all behind a byte, for each byte: no record is lost, none is
    claimed that is not stored, none that is somebody else's, and the sums are exact.
    """
    records = [{"_id": f"r{n % 15}", "_url": "u", "n": n} for n in range(1, 19)]
    before = {record["_id"]: record for record in records[3:14:5]}
    weather = {"lost": 0.2, "busy": 0.1, "half": 0.1}
    kept = set()
    for cut in range(first, first + STEP):
        crash = Life("power", after=7, workers=3, batch_size=4, weather=weather, cut=cut)
        scenario = Scenario(5, "insert", "exact", tuple(records), before, (crash, Life()))
        folder = tmp_path / str(cut)
        folder.mkdir()
        figures = play(scenario, folder)
        assert (figures.misattributed, figures.conflicting) == (0, 0)
        assert figures.tally["ended by power"] == 1
        kept.add((folder / "run.journal").stat().st_size)
    assert len(kept) > 1, "the journal ends before these bytes"
