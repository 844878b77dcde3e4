"""The state file: for one process, of one collection, of a known version, in bounded memory."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ximilar_async.bulk._sync.database import open_kept
from ximilar_async.bulk._sync.difference import Phase, UnderWay
from ximilar_async.bulk._sync.state import SCRIPTS, Row, State
from ximilar_async.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, collection: str = "c", service: str = "photos") -> State:
    return State.open(path, collection=collection, service=service)


def row(id_: str, meta: bytes = b"m", phase: Phase = Phase.STORED) -> Row:
    return Row(id_, meta, b"i", 1, None, phase)


def test_rows_outlive_the_file_being_closed(tmp_path: Path) -> None:
    """What was written is there when the file is opened again, with the same numbers."""
    state = opened(tmp_path / "state.db")
    state.put([row("1"), row("2")])
    before = state.find(["1", "2", "3"])
    state.close()
    state = opened(tmp_path / "state.db")
    assert state.find(["1", "2", "3"]) == before
    assert sorted(before) == ["1", "2"]
    state.put([row("3"), row("1", b"x")])
    after = state.find(["1", "2", "3"])
    assert len({known.n for known in after.values()}) == 3
    assert (after["1"].meta, after["1"].n) == (b"x", before["1"].n)
    state.close()


def test_each_shape_has_one_number(tmp_path: Path) -> None:
    """Names in any order are one shape, known again after the file was closed."""
    state = opened(tmp_path / "state.db")
    number = state.shape(["b", "a"])
    assert number == state.shape(["a", "b"]) != state.shape(["a"])
    state.close()
    state = opened(tmp_path / "state.db")
    assert state.names(number) == {"a", "b"}
    assert state.shape(["a", "b"]) == number
    assert state.names(state.shape_of("key")) == frozenset()
    state.close()


def test_what_is_under_way_is_settled_with_its_row(tmp_path: Path) -> None:
    """A mark stays until the record is stored, gone, or known not to have left."""
    state = opened(tmp_path / "state.db")
    marks = {id_: UnderWay(Phase.INSERTING, b"m", b"i", 1) for id_ in "123"}
    state.mark(marks.items(), safe=True)
    state.close()
    state = opened(tmp_path / "state.db")
    assert state.under_way() == marks
    state.settle(put=[row("1")], gone=["2"], unmark=["3"])
    assert state.under_way() == {}
    assert sorted(state.find(["1", "2", "3"])) == ["1"]
    state.close()


def test_near_duplicates_do_not_count_as_stored(tmp_path: Path) -> None:
    """The state remembers them, and knows that they are not there."""
    state = opened(tmp_path / "state.db")
    state.put([row("1"), row("2", phase=Phase.NEAR_DUPLICATE), row("3", phase=Phase.SEEDED)])
    assert state.count() == 2
    assert [(id_, phase.name) for id_, _, phase in state.every()] == [
        ("1", "STORED"),
        ("2", "NEAR_DUPLICATE"),
        ("3", "SEEDED"),
    ]
    state.close()


def test_the_generation_moves_on_with_each_run(tmp_path: Path) -> None:
    """Two states, or one before and after a run, are told apart."""
    one, other = opened(tmp_path / "1.db"), opened(tmp_path / "2.db")
    before = one.generation
    assert before != other.generation
    one.move_on()
    assert one.generation != before
    one.close()
    other.close()


def test_a_state_belongs_to_one_collection(tmp_path: Path) -> None:
    """Another collection or service is refused by name, and the file given free."""
    opened(tmp_path / "state.db").close()
    with pytest.raises(StateError, match=r"belongs to collection 'c' of service 'photos', not to"):
        opened(tmp_path / "state.db", "d")
    with pytest.raises(StateError, match="'fashion'"):
        opened(tmp_path / "state.db", "c", "fashion")
    opened(tmp_path / "state.db").close()


def test_a_state_belongs_to_one_machine(tmp_path: Path) -> None:
    """What an emulator stores is not what the service stores, whatever the collection's name."""
    path, collection = tmp_path / "state.db", {"collection": "c", "service": "photos"}
    State.open(path, **collection, host="127.0.0.1").close()
    with pytest.raises(StateError, match=r"what 127\.0\.0\.1 stores, not api\.ximilar\.com"):
        State.open(path, **collection, host="api.ximilar.com")
    State.open(path, **collection, host="127.0.0.1").close()


def test_two_processes_do_not_share_a_state(tmp_path: Path) -> None:
    """The second one is told who has it; when the first is killed, the file is free."""
    path = tmp_path / "state.db"
    opened(path).close()
    code = (
        "import sys, pathlib; from ximilar_async.bulk._sync.state import State\n"
        "state = State.open(pathlib.Path(sys.argv[1]), collection='c', service='photos')\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StateError, match=rf"in use by process {other.pid} on .*; wait for it"):
            opened(path)
        assert not path.with_name("state.db-shm").exists()
        other.kill()
    opened(path).close()


def test_one_process_does_not_open_a_state_twice(tmp_path: Path) -> None:
    """Two syncs of one program are told apart too."""
    state = opened(tmp_path / "state.db")
    with pytest.raises(StateError, match="in use by this very process"):
        opened(tmp_path / "state.db")
    state.put([row("1")])
    state.close()


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    """What a later version wrote is not guessed at."""
    path = tmp_path / "state.db"
    opened(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(SCRIPTS) + 1}")
    database.close()
    with pytest.raises(StateError, match=f"has version {len(SCRIPTS) + 1}.*update it"):
        opened(path)


def test_an_older_state_is_migrated(tmp_path: Path) -> None:
    """Each version is made of the one before it, and the rows stay."""
    path = tmp_path / "state.db"
    state = opened(path)
    state.put([row("1")])
    state.close()

    later = open_kept(path, (*SCRIPTS, "CREATE TABLE more (a)"))
    assert later.execute("PRAGMA user_version").fetchone() == (len(SCRIPTS) + 1,)
    assert later.execute("SELECT count(*) FROM more").fetchone() == (0,)
    assert later.execute("SELECT id FROM records").fetchone() == ("1",)
    later.close()


def test_what_is_no_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text file or another SQLite file is named, and not changed."""
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100, encoding="utf-8")
    with pytest.raises(StateError, match=r"notes\.txt cannot be used"):
        opened(text)
    assert text.read_text(encoding="utf-8").startswith("no database")
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    with pytest.raises(StateError, match="no sync state"):
        opened(tmp_path / "other.db")


def test_a_passing_state_leaves_nothing_behind(tmp_path: Path) -> None:
    """It lies on disk, unseen, and is gone with its closing."""
    state = State.passing(tmp_path)
    state.put([row("1")])
    assert list(state.find(["1"])) == ["1"]
    state.close()
    assert list(tmp_path.iterdir()) == []
