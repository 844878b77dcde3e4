"""The reports of a sync are there, whatever becomes of what is printed."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("words", [(), ("--json",), ("--dry-run",)], ids=["sync", "json", "plan"])
def test_a_reader_that_leaves_costs_no_report(
    start: Callable[..., subprocess.Popen[str]],
    addresses: Callable[[int], Path],
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    """`sync … | head` may end at the first line that is printed: the file is there by then."""
    files = ("--report", "r.json", "--report", "r.html")
    settings = {"XIMILAR_TOKEN": "any", "PYTHONUNBUFFERED": "1"}
    process = start(
        "sync", addresses(5), "-c", "c1", "--emulator", "data", *files, *words, **settings
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=30)
    facts: dict[str, Any] = json.loads((tmp_path / "r.json").read_text())
    assert facts["read"] == 5
    assert facts.get("stop") is None
    assert (tmp_path / "r.html").is_file()


def test_a_state_that_nobody_named_is_refused_by_one_guard(
    told: Callable[..., Any], addresses: Callable[[int], Path], tmp_path: Path
) -> None:
    """The library's words, with the options' names; the report says that nothing was begun."""
    here = ("-c", "c1", "--emulator", "data")
    assert told("insert", addresses(5), *here).code == 0
    for words in ((), ("--dry-run",)):
        done = told("sync", "5.jsonl", *here, *words, "--report", "r.json")
        assert (done.code, done.out) == (2, "")
        assert "the collection has 5 records. If an earlier sync kept one" in done.err
        assert "name it (--state FILE); to begin one by reading the collection" in done.err
        assert "name that file (--state ximilar-c1.state)" in done.err
        facts = json.loads((tmp_path / "r.json").read_text())
        assert (facts["stop"], facts["requests"]) == ("wrong configuration", 0)
        assert not list(tmp_path.glob("*.state"))


def test_an_end_while_it_reads_says_that_nothing_was_sent(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """A sync sends nothing before it knows the whole source: that is said, and how far it was."""
    source = tmp_path / "pipe.jsonl"
    os.mkfifo(source)
    process = start("sync", source, "-c", "c1", "--emulator", "data", XIMILAR_TOKEN="any")
    with source.open("w", encoding="utf-8") as lines:  # it returns when the sync reads
        lines.write('{"_id": "1", "_url": "https://example.com/1.jpg"}\n')
        lines.flush()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing was sent: the source was not read to its end" in err
