"""Runs that do not begin: the report says so, and a service that is not there yet is waited for."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from cli.conftest import environment
from fakes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINE = '{"_id": "1", "_url": "https://example.com/1.jpg"}\n'
NOBODY = "127.0.0.1:1"
MEND = "wrong configuration"

REFUSED: dict[str, tuple[str, int, str, str]] = {
    "no such file": (
        "insert none.jsonl -c c1 --emulator",
        2,
        MEND,
        "no such file",
    ),
    "no token": (
        "delete one.jsonl -c c1 --token-file empty.jsonl",
        2,
        MEND,
        "empty.jsonl",
    ),
    "no such column": (
        "update one.csv -c c1 --emulator --map id=sku",
        2,
        "source failed",
        "has no column 'sku'",
    ),
    "nobody there": (
        f"insert one.jsonl -c c1 --url http://{NOBODY} --give-up-after 0.1",
        5,
        "service unreachable",
        "cannot connect",
    ),
    "a sync of nothing": (
        "sync none.jsonl -c c1 --emulator",
        2,
        MEND,
        "no such file",
    ),
    "a sync that is refused": (
        "sync empty.jsonl -c c1 --emulator data",
        2,
        MEND,
        "no state: there is no file",
    ),
    "a sync with nobody there": (
        f"sync one.jsonl -c c1 --url http://{NOBODY} --give-up-after 0.1",
        5,
        "service unreachable",
        "cannot connect",
    ),
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with sources, and the good reports of another night."""
    (tmp_path / "one.jsonl").write_text(LINE)
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "one.csv").write_text("_id,price\n1,5\n")
    (tmp_path / "r.html").write_text("all is well")
    (tmp_path / "r.json").write_text('{"ok": true}')
    return tmp_path


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_a_run_that_does_not_begin_says_so_in_its_reports(
    told: Callable[..., Any], files: Path, case: tuple[str, int, str, str]
) -> None:
    """Whoever opens the page in the morning reads why, and not that another night went well."""
    words, code, stop, reason = case
    if words.endswith("data"):
        assert told("insert", "one.jsonl", "-c", "c1", "--emulator", "data").code == 0
    words = f"{words} --report r.html --report r.json"
    done = told(*shlex.split(words))
    assert done.code == code, done.err
    page = unescape((files / "r.html").read_text("utf-8"))
    facts = json.loads((files / "r.json").read_text("utf-8"))
    assert "Not begun: " in page
    assert reason in page
    assert reason in facts["stop_reason"]
    assert (facts["ok"], facts["exit_code"], facts["stop"]) == (False, code, stop)
    assert words in facts["command"]


@pytest.mark.parametrize("name", ["insert", "sync"])
def test_a_report_that_is_the_source_is_left_alone(
    told: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """What cannot be written to is not written to in order to say so either."""
    source = tmp_path / "all.json"
    source.write_text(f"[{LINE}]")
    done = told(name, source, "-c", "c1", "--emulator", "--report", source)
    assert done.code == 2
    assert "are the same file" in done.err
    assert source.read_text() == f"[{LINE}]"


@pytest.mark.parametrize("name", ["insert", "sync"])
def test_a_service_that_is_not_there_yet_is_waited_for(
    start: Callable[..., Any], files: Path, name: str
) -> None:
    """A restart at the hour of the nightly job does not cost the night."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = [name, "one.jsonl", "-c", "c1", "--url", url, "--report", "r.json"]
    process = start(*words, XIMILAR_TOKEN="t")
    assert "waiting for it, 900 s at most" in process.stderr.readline()
    start("emulator", "--port", port)
    process.communicate(timeout=60)
    assert process.returncode == 0
    facts = json.loads((files / "r.json").read_text("utf-8"))
    assert (facts["ok"], facts["stop"]) == (True, None)


def test_a_token_that_is_refused_is_not_waited_for(
    told: Callable[..., Any], serve: Callable[..., Any], files: Path
) -> None:
    """Only what may pass is worth waiting for."""
    with serve("--token", "other") as url:
        done = told("insert", "one.jsonl", "-c", "c1", "--url", url, "--report", "r.json")
    assert done.code == 3
    assert "waiting" not in done.err
    assert json.loads((files / "r.json").read_text("utf-8"))["stop"] == "authorization refused"


@pytest.mark.parametrize("bound", ["--give-up-after", "--deadline"])
def test_it_is_waited_for_no_longer_than_was_said(
    told: Callable[..., Any], files: Path, bound: str
) -> None:
    """Either bound ends the wait, as it ends a run."""
    done = told("insert", "one.jsonl", "-c", "c1", "--url", f"http://{NOBODY}", bound, 0.2)
    assert done.code == 5
    assert "waiting for it, 0 s at most" in done.err


def test_a_run_whose_report_could_not_be_written_is_not_said_to_have_done_nothing(
    files: Path,
) -> None:
    """A page that does not fit on the disk is not replaced by a small one that is untrue."""
    lines = [json.dumps({"_id": f"{'x' * 100}{n}"}) for n in range(300)]  # all are rejected
    (files / "one.jsonl").write_text("\n".join(lines))
    words = ["insert", "one.jsonl", "-c", "c1", "--emulator=", "--report", "r.json", "--dry-run"]
    limit = f"ulimit -f 8; exec {shlex.join([sys.executable, '-m', 'ximilar_async', *words])}"
    done = subprocess.run(
        ["bash", "-c", limit], cwd=files, capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stderr
    assert not (files / "r.json").exists()


def test_a_report_that_is_a_link_stays_one(told: Callable[..., Any], files: Path) -> None:
    """Whoever has it lead to where reports are kept finds the new one there."""
    kept = files / "kept.json"
    kept.write_text("{}")
    (files / "r.json").unlink()
    (files / "r.json").symlink_to(kept)
    assert told("insert", "one.jsonl", "-c", "c1", "--emulator", "--report", "r.json").code == 0
    assert (files / "r.json").is_symlink()
    assert json.loads(kept.read_text("utf-8"))["ok"] is True


def test_a_run_that_was_stopped_while_it_waited_says_so(
    start: Callable[..., Any], files: Path
) -> None:
    """Ctrl-C before anything was read leaves a report too."""
    words = ["insert", "one.jsonl", "-c", "c1", "--url", f"http://{NOBODY}", "--report", "r.json"]
    process = start(*words, XIMILAR_TOKEN="t")
    assert "waiting for it" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    facts = json.loads((files / "r.json").read_text("utf-8"))
    assert (facts["ok"], facts["stop_reason"]) == (False, "interrupted before it began")


def test_a_sync_whose_state_cannot_be_kept_says_what_it_did(
    serve: Callable[..., Any], files: Path
) -> None:
    """What was stored before the disk was full is in the report; it did not fail to begin."""
    records = ({"_id": f"{n:040}", "_url": f"https://example.com/{n}.jpg"} for n in range(4000))
    (files / "many.jsonl").write_text("\n".join(map(json.dumps, records)))
    with serve() as url:
        words = [
            "sync",
            "many.jsonl",
            "-c",
            "c1",
            "--url",
            url,
            "--state",
            "s",
            "--report",
            "r.json",
        ]
        limit = f"ulimit -f 400; exec {shlex.join([sys.executable, '-m', 'ximilar_async', *words])}"
        done = subprocess.run(
            ["bash", "-c", limit],
            cwd=files,
            env=environment(XIMILAR_TOKEN="t"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    facts = json.loads((files / "r.json").read_text("utf-8"))
    assert facts["stop"] == "journal failed"
    assert "the sync state" in facts["stop_reason"]
    assert facts["read"] == 4000
    assert facts["requests"] > 2
