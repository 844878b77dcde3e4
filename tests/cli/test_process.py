"""The command line from outside: exit codes, what goes to stdout and stderr, signals."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ximilar_async import Ximilar

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


def _count(url: str, collection: str) -> int:
    async def ask() -> int:
        async with Ximilar("any", base_url=url) as client:
            return (await client.collection(collection).get_record_count()).count or 0

    return asyncio.run(ask())


def _wait_for_records(url: str, collection: str) -> None:
    """Return as soon as the collection has any records."""
    while not _count(url, collection):
        time.sleep(0.02)


def test_a_second_insert_finds_everything_present_and_all_commands_agree(
    cli: Callable[..., subprocess.CompletedProcess[str]], photos: Path, tmp_path: Path
) -> None:
    """A folder inserted twice is `already_present`; search, count and export tell the same."""
    place = ("-c", "c1", "--emulator", tmp_path / "data")
    first = cli("insert", photos, *place)
    assert (first.returncode, first.stderr) == (0, "")
    assert "5    inserted" in first.stdout
    second = cli("insert", photos, *place, "--json")
    assert second.returncode == 0
    counts = json.loads(second.stdout)["counts"]
    assert (counts["already_present"], counts["inserted"], sum(counts.values())) == (5, 0, 5)

    found = cli("search", photos / "3.png", *place, "-k", 2, "--json")
    nearest = json.loads(found.stdout)
    assert nearest[0]["id"] == "3.png"
    assert nearest[0]["distance"] == pytest.approx(0, abs=0.01)
    assert len(nearest) == 2
    assert cli("count", *place).stdout == "5\n"
    exported = cli("export", "all.jsonl", *place)
    assert exported.stdout == "5 records exported to all.jsonl\n"
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    ids = {json.loads(line)["_id"] for line in lines}
    assert ids == {"1.png", "2.png", "3.png", "4.png", "more/5.jpg"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_midway_ends_with_the_report(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    addresses: Callable[[int], Path],
    number: int,
    code: int,
) -> None:
    """What is under way is finished, and the report tells exactly what was stored."""
    with serve("--latency", 0.05) as url:
        words = ("insert", addresses(20_000), "-c", "c1", "--concurrency", 1, "--json")
        process = start(*words, XIMILAR_URL=url, XIMILAR_TOKEN="any")
        _wait_for_records(url, "c1")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        report = json.loads(out)
        assert process.returncode == code
        assert "interrupted by" in err
        assert f"not read to its end, but up to record {report['read']:,} (" in err
        assert sum(report["counts"].values()) == report["read"]
        assert report["counts"]["inserted"] == _count(url, "c1")
        assert 0 < report["counts"]["inserted"] < 20_000
        assert report["counts"]["failed"] == 0


def test_the_second_signal_ends_at_once(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    addresses: Callable[[int], Path],
) -> None:
    """Who presses Ctrl-C twice need not wait for answers."""
    with serve("--latency", 2) as url:
        words = ("insert", addresses(100), "-c", "c1")
        process = start(*words, XIMILAR_URL=url, XIMILAR_TOKEN="any")
        _wait_for_records(url, "c1")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "once more ends at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert out == ""


def test_a_reader_that_leaves_early_is_no_error(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    addresses: Callable[[int], Path],
) -> None:
    """`export - | head -1` gives a line and no traceback."""
    with serve() as url:
        settings = {"XIMILAR_URL": url, "XIMILAR_TOKEN": "any", "XIMILAR_COLLECTION": "c1"}
        assert cli("insert", addresses(1500), **settings).returncode == 0
        process = start("export", "-", "--page-size", 100, **settings)
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["_id"] == "r0"
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
        assert process.wait(timeout=30) == 1


def test_progress_goes_to_a_terminal_only(
    start: Callable[..., subprocess.Popen[str]], photos: Path
) -> None:
    """A terminal's stderr shows how it goes; stdout is the report alone, without colours."""
    ours, theirs = pty.openpty()
    process = start("insert", photos, "-c", "c1", "--emulator", stderr=theirs)
    os.close(theirs)
    out, _ = process.communicate(timeout=60)
    shown = _read_all(ours)
    assert "insert photos" in shown
    assert "records read" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor comes back
    assert out.startswith("insert: 5 records read")
    assert "\x1b" not in out


def _read_all(terminal: int) -> str:
    """Return what was written to a terminal that nobody writes to any more."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so at the end
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)


def test_the_server_dying_midway_is_told(
    start: Callable[..., subprocess.Popen[str]], addresses: Callable[[int], Path]
) -> None:
    """The run ends by itself with the report, code 5 and the address in the message."""
    server = start("emulator", "--port", 0, "--json", "--latency", 0.02)
    assert server.stdout is not None
    text = "".join(iter(server.stdout.readline, "}\n")) + "}"
    url = json.loads(text)["url"]
    words = ("insert", addresses(20_000), "-c", "c1", "--json", "--give-up-after", 1.5)
    process = start(*words, XIMILAR_URL=url, XIMILAR_TOKEN="any")
    _wait_for_records(url, "c1")
    server.kill()
    out, err = process.communicate(timeout=100)
    report = json.loads(out)
    assert process.returncode == 5
    assert "it is tried again" in err
    assert url.removeprefix("http://") in err
    assert sum(report["counts"].values()) == report["read"]
    assert 0 < report["counts"]["inserted"] < 20_000


def test_without_typer_the_extra_is_named(
    cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Without the extra `cli` there is one clear line, and the code of a usage error."""
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('none', name='typer')")
    done = cli("count", PYTHONPATH=str(tmp_path))
    expected = "error: the command line needs typer: pip install 'ximilar-async[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


@pytest.mark.parametrize("words", [("demo",), ("count", "-c", "c1", "--emulator"), ("emulator",)])
def test_without_numpy_the_extra_is_named(
    cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Without the extra `emulator` there is one clear line, and nothing is left behind."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "numpy.py").write_text("raise ModuleNotFoundError('none', name='numpy')")
    done = cli(*words, PYTHONPATH=str(hidden))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("needs numpy: pip install 'ximilar-async[emulator]'\n")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [hidden]


def test_the_emulator_says_how_to_reach_it(start: Callable[..., subprocess.Popen[str]]) -> None:
    """It prints its address and a line to copy; Ctrl-C ends it well."""
    process = start("emulator", "--port", 0)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith("The emulator listens at http://127.0.0.1:")
    assert lines[2].strip().startswith("export XIMILAR_URL=http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("words", ["insert ca", "replay a --origin ca"])
def test_a_shell_completes_sources_as_paths(
    cli: Callable[..., subprocess.CompletedProcess[str]], words: str
) -> None:
    """SOURCE is text, for it may be an address: shells are left to complete it as a path."""
    typed = f"ximilar-async {words}"
    zsh = cli(_TYPER_COMPLETE_ARGS=typed, _XIMILAR_ASYNC_COMPLETE="complete_zsh")
    assert (zsh.stdout, zsh.stderr) == ("_files\n", "")
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words.split()))}
    bash = cli(**asked, _XIMILAR_ASYNC_COMPLETE="complete_bash")
    assert (bash.stdout.strip(), bash.stderr) == ("", "")  # then `complete -o default` gives paths
