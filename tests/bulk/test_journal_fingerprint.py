"""Fingerprints: another input is noticed, the same one is not refused."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from ximilar_async.errors import SourceError
from ximilar_async.sources._fingerprint import WHOLE
from ximilar_async.sources._fingerprint import path_fingerprint as input_fingerprint

if TYPE_CHECKING:
    from pathlib import Path

LINES = b"".join(b'{"_id": "%d"}\n' % number for number in range(1000))


def test_one_changed_byte_is_another_input(tmp_path: Path) -> None:
    """Up to 64 MiB every byte counts."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(LINES)
    before = input_fingerprint(path)
    for at in (0, len(LINES) // 2, len(LINES) - 1):
        changed = bytearray(LINES)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert input_fingerprint(path) != before
    path.write_bytes(LINES + LINES[:15])
    assert input_fingerprint(path) != before
    path.write_bytes(LINES)
    assert input_fingerprint(path) == before


def test_copying_or_touching_a_file_changes_nothing(tmp_path: Path) -> None:
    """Resuming elsewhere, or after a restore, is no other input."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(LINES)
    before = input_fingerprint(path)
    os.utime(path, (1, 1))
    copy = tmp_path / "copy.jsonl"
    shutil.copy(path, copy)
    assert input_fingerprint(path) == input_fingerprint(copy) == before


def test_a_large_file_is_known_by_size_samples_and_time(tmp_path: Path) -> None:
    """Beyond 64 MiB both ends, samples, the size and the time of change count."""
    path = tmp_path / "catalog.jsonl"
    with path.open("wb") as file:
        file.truncate(WHOLE + 3 * 2**20)
    os.utime(path, ns=(10**18, 10**18))
    prints = {input_fingerprint(path)}
    for at in (0, WHOLE // 2, WHOLE + 3 * 2**20 - 1):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"x")
        os.utime(path, ns=(10**18, 10**18))
        prints.add(input_fingerprint(path))
    os.utime(path, ns=(10**18, 10**18 + 1))
    prints.add(input_fingerprint(path))
    os.truncate(path, WHOLE + 2 * 2**20)
    prints.add(input_fingerprint(path))
    assert len(prints) == 6


def test_a_folder_is_known_by_the_names_that_number_its_records(tmp_path: Path) -> None:
    """A new or renamed image is another input; a mended or foreign file is not."""
    for name in ("a.jpg", "b.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"1")
    before = input_fingerprint(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"another")
    (tmp_path / "notes.txt").unlink()
    assert input_fingerprint(tmp_path) == before
    (tmp_path / "a.jpg").rename(tmp_path / "c.jpg")
    assert input_fingerprint(tmp_path) != before


def test_what_can_be_read_once_has_no_fingerprint(tmp_path: Path) -> None:
    """A pipe is neither read nor waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert input_fingerprint(tmp_path / "pipe") is None


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    """No such file is the source's error, with its name."""
    with pytest.raises(SourceError, match=r"no-such\.jsonl"):
        input_fingerprint(tmp_path / "no-such.jsonl")
