"""Ids seen before: exact at any size, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async.bulk._seen import SeenIds
from ximilar_async.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

ids = st.text(st.characters(), max_size=4) | st.sampled_from(["a", "A", "a ", "a\0", "\ud800", ""])


@settings(deadline=None)
@given(st.lists(ids, max_size=60), st.sampled_from([0, 300, 1500, 10**6]))
def test_an_id_is_new_exactly_once(stream: list[str], max_bytes: int) -> None:
    """Wherever memory ends, the answer is that of Python's set, for any string there is."""
    known: set[str] = set()
    with SeenIds(max_bytes) as seen:
        for id_ in stream:
            assert seen.add(id_) == (id_ not in known)
            known.add(id_)
            assert len(seen) == len(known)


def test_many_ids_are_told_apart(tmp_path: Path) -> None:
    """Thirty thousand ids, most of them in the file: all new, then all known, and one more."""
    with SeenIds(100_000, tmp_path) as seen:
        stream = [f"sku-{number * 7919 % 30_000}" for number in range(30_000)]
        assert all(seen.add(id_) for id_ in stream)
        assert not any(seen.add(id_) for id_ in stream)
        assert seen.add("sku-30000")
        assert len(seen) == 30_001


def test_memory_ends_where_it_was_told_to(tmp_path: Path) -> None:
    """Long ids count by their length, so that few of them fill the memory as many short ones do."""
    with SeenIds(10_000, tmp_path) as seen:
        for number in range(100):
            seen.add(f"{number}" + "x" * 1000)
        assert 8 <= len(seen._ids) <= 10
        assert len(seen) == 100


def test_no_file_is_made_where_memory_is_enough(tmp_path: Path) -> None:
    """Small runs touch no disk."""
    with SeenIds(folder=tmp_path / "missing") as seen:
        assert all(seen.add(str(number)) for number in range(1000))


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The folder is empty after `close`, which may come twice; ids are forgotten."""
    seen = SeenIds(0, tmp_path)
    assert seen.add("a")
    assert not seen.add("a")
    seen.close()
    seen.close()
    assert list(tmp_path.iterdir()) == []
    assert len(seen) == 0


def test_a_killed_process_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file has lost its name as soon as it is in use."""
    script = (
        "import os, sys\n"
        "from ximilar_async.bulk._seen import SeenIds\n"
        "seen = SeenIds(0, sys.argv[1])\n"
        "assert all(seen.add(str(number)) for number in range(5000))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    assert ended.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Where the file cannot be made, the message says where that was tried and what to do."""
    with (
        SeenIds(0, tmp_path / "missing") as seen,
        pytest.raises(JournalError, match=r"ids .* in .*missing: .*TMPDIR"),
    ):
        seen.add("a")


def test_a_full_disk_is_told() -> None:
    """No room for the file is an error at the very call, and never a wrong answer before."""
    script = (
        "import resource\n"
        "from ximilar_async.bulk._seen import SeenIds\n"
        "from ximilar_async.errors import JournalError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))\n"
        "seen = SeenIds(0)\n"
        "try:\n"
        "    for number in range(3_000_000):\n"
        "        assert seen.add(f'{number:0500}')\n"
        "except JournalError as error:\n"
        "    print(error)\n"
        "seen.close()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert "cannot keep the ids that were read in" in ended.stdout
