"""What outlives the process: rows, folder, and what is refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.account import Account
from ximilar_async.emulator.errors import EmulatorError
from ximilar_async.emulator.folder import Folder, file_name
from ximilar_async.emulator.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

FACTS = {"collection": "c", "extractor": "plane"}


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    """What was inserted, replaced and deleted is found again, in order of insertion."""
    store = SqliteStore(tmp_path / "c.sqlite", FACTS)
    store.insert([("b", b"{}", b"1"), ("a", b"{}", b"2"), ("c", b"{}", b"3")])
    store.replace([("a", b"[]")])
    store.delete(["b"])
    store.insert([("b", b"{}", b"4")])
    store.close()
    store.close()
    again = SqliteStore(tmp_path / "c.sqlite", FACTS)
    assert list(again.rows()) == [("a", b"[]", b"2"), ("c", b"{}", b"3"), ("b", b"{}", b"4")]
    again.close()


def test_an_insert_is_whole_or_nothing(tmp_path: Path) -> None:
    """When one row cannot be written, none of its transaction is, and the file is named."""
    path = tmp_path / "c.sqlite"
    store = SqliteStore(path, FACTS)
    store.insert([("a", b"{}", b"1")])
    with pytest.raises(EmulatorError, match=r"c\.sqlite"):
        store.insert([("b", b"{}", b"2"), ("a", b"{}", b"3")])
    assert [row[0] for row in store.rows()] == ["a"]
    store.insert([("b", b"{}", b"2")])
    store.close()


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """What was inserted is there although the process was killed without closing."""
    path = tmp_path / "c.sqlite"
    script = (
        "import os, signal, sys, pathlib\n"
        "from ximilar_async.emulator.store import SqliteStore\n"
        "store = SqliteStore(pathlib.Path(sys.argv[1]), {})\n"
        "store.insert([('a', b'{}', b'1')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    store = SqliteStore(path, {})
    assert [row[0] for row in store.rows()] == ["a"]
    store.close()


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    """A file that is no database, or another program's, is named and left alone."""
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, but long enough to be looked at as one" * 30)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("create table t (x)")
    database.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(EmulatorError, match=path.name):
            SqliteStore(path, FACTS)
        assert path.read_bytes() == before


def test_files_of_another_version_are_refused(tmp_path: Path) -> None:
    """A file of another schema version is named with both versions."""
    path = tmp_path / "c.sqlite"
    SqliteStore(path, FACTS).close()
    database = sqlite3.connect(path)
    database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(EmulatorError, match=r"schema 99; this version reads 1"):
        SqliteStore(path, FACTS)


def test_files_of_another_extractor_are_refused(tmp_path: Path) -> None:
    """Vectors of two extractors are never mixed: distances between them would mean nothing."""
    SqliteStore(tmp_path / "c.sqlite", FACTS).close()
    with pytest.raises(EmulatorError, match="made for the extractor 'plane', not 'other'"):
        SqliteStore(tmp_path / "c.sqlite", {"extractor": "other"})


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second owner is refused with the folder and the process that owns it."""
    first = Folder(tmp_path / "new" / "folder")
    with pytest.raises(EmulatorError, match=rf"new/folder is in use .*process {os.getpid()}\)"):
        Folder(tmp_path / "new" / "folder")
    first.close()
    first.close()
    Folder(tmp_path / "new" / "folder").close()


def test_a_killed_owner_frees_its_folder(tmp_path: Path) -> None:
    """Another process's lock names that process, and ends with it."""
    script = (
        "import sys, pathlib\n"
        "from ximilar_async.emulator.folder import Folder\n"
        "folder = Folder(pathlib.Path(sys.argv[1]))\n"
        "print('owned', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(EmulatorError, match=rf"process {owner.pid}\)"):
            Folder(tmp_path)
        owner.kill()
    Folder(tmp_path).close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A path that is a file is refused with its name."""
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(EmulatorError, match="file cannot be used"):
        Folder(path)


def test_credits_survive_a_killed_process(tmp_path: Path) -> None:
    """What was spent is counted although the folder was never closed."""
    script = (
        "import os, signal, sys, pathlib\n"
        "from ximilar_async.emulator.account import Account\n"
        "from ximilar_async.emulator.folder import Folder\n"
        "account = Account()\n"
        "account.keep_in(Folder(pathlib.Path(sys.argv[1])))\n"
        "account.charge(10)\n"
        "account.charge(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert orjson.loads((tmp_path / "account.json").read_bytes()) == {"credits_counter": 11}
    with closing(Folder(tmp_path)) as folder:
        assert folder.credits == 11


@pytest.mark.parametrize("content", [b"eleven", b"[]", b'{"credits_counter": -1}', b"\xff" * 500])
def test_a_damaged_account_is_named(tmp_path: Path, content: bytes) -> None:
    """Credits are not guessed; the file is left alone, and the folder is free again."""
    path = tmp_path / "account.json"
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(
            EmulatorError, match=r"account\.json is damaged: delete it to count from 0"
        ):
            Folder(tmp_path)
    assert path.read_bytes() == content


def test_a_closed_folder_keeps_no_credits(tmp_path: Path) -> None:
    """What is charged after the folder was given up is another owner's to count."""
    folder = Folder(tmp_path)
    account = Account()
    account.keep_in(folder)
    account.charge(5)
    folder.close()
    account.charge(5)
    with closing(Folder(tmp_path)) as again:
        assert (again.credits, account.details()["credits_counter"]) == (5, 10)


@given(st.sets(st.text(max_size=80), min_size=2, max_size=6))
def test_no_two_collections_share_a_file(ids: set[str]) -> None:
    """Whatever the ids, their files differ, even where case does not count, and stay in place."""
    names = [file_name(id_) for id_ in ids]
    assert len({name.lower() for name in names}) == len(ids)
    assert all(name.endswith(".sqlite") and name[0] not in "./" for name in names)
    assert not any("/" in name or "\\" in name or len(name.encode()) > 200 for name in names)
