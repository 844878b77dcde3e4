"""`bench`: it sends no more than it was told to, counts everything, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fakes import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]

NOWHERE = "https://192.0.2.1"
"""An address that belongs to nobody: nothing may be sent there."""


def reply(status: int, text: str = "OK", **fields: Any) -> bytes:
    """Return the bytes of an answer."""
    body = json.dumps({"status": {"code": status, "text": text}, **fields}).encode()
    head = f"HTTP/1.1 {status} {text}\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


FOUND = reply(200, answer_records=[], answer_distances=[], answer_count=0)


@pytest.mark.parametrize("method", ["visual_knn", "insert", "get_record_count", "ping"])
def test_every_request_is_counted(told: Callable[..., Any], method: str) -> None:
    """Against an emulator each method is measured without further ado."""
    words = ("--method", method, "--requests", 12, "--concurrency", 3, "--json")
    done = told("bench", "-c", "c1", "--emulator=", *words)
    result = json.loads(done.out)
    assert (done.code, result["requests"], result["answered"]) == (0, 12, 12)
    assert result["requests_per_second"] > 0
    assert 0 < result["latency"]["p50"] <= result["latency"]["p99"] <= result["latency"]["max"]


def test_a_person_reads_a_table(told: Callable[..., Any]) -> None:
    """Without --json there are a few lines, and none about failures where there were none."""
    done = told("bench", "-c", "c1", "--emulator=", "--requests", 3)
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "requests",
        "answered",
        "latency",
    ]


def test_inserted_records_are_taken_away_again(told: Callable[..., Any], tmp_path: Path) -> None:
    """A collection holds what it held before."""
    where = ("-c", "c1", "--emulator", tmp_path / "data")
    (tmp_path / "one.jsonl").write_text('{"_id": "1", "_url": "https://example.com/1.jpg"}\n')
    assert told("insert", "one.jsonl", *where).code == 0
    done = told("bench", *where, "--method", "insert", "--requests", 5, "--batch-size", 3, "--json")
    assert (done.code, json.loads(done.out)["answered"]) == (0, 5)
    assert told("count", *where).out == "1\n"


async def test_no_request_is_sent_again(cli: Command) -> None:
    """What fails counts as failed: the service sees a ping and as many requests as were asked for.

    And the exit code says that not all was well.
    """
    async with RawServer(reply(200), FOUND, reply(503, "busy"), FOUND) as server:
        words = ("--image", "id:1", "--requests", 7, "--concurrency", 1, "--json")
        settings = {"XIMILAR_URL": server.url, "XIMILAR_TOKEN": "any"}
        done = await asyncio.to_thread(cli, "bench", "-c", "c1", *words, **settings)
    result = json.loads(done.stdout)
    assert (done.returncode, result["answered"], result["failed"]) == (1, 6, 1)
    assert result["failures"] == {"ServerError": 1}
    assert len(server.requests) == 8


async def test_what_all_further_requests_would_meet_ends_it(cli: Command) -> None:
    """A refused token is told at once, and not found out a hundred times."""
    async with RawServer(reply(200), FOUND, reply(401, "Invalid token")) as server:
        words = ("--image", "id:1", "--requests", 100, "--concurrency", 2, "--json")
        settings = {"XIMILAR_URL": server.url, "XIMILAR_TOKEN": "any"}
        done = await asyncio.to_thread(cli, "bench", "-c", "c1", *words, **settings)
    assert done.returncode == 3
    assert json.loads(done.stdout)["requests"] <= 3
    assert len(server.requests) <= 4
    assert "Invalid token" in done.stderr


async def test_ctrl_c_ends_it_with_what_was_measured(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    """The first Ctrl-C lets what is under way finish, and the figures so far are printed."""
    async with RawServer(reply(200), FOUND) as server:
        words = ("--image", "id:1", "--requests", 1000, "--rate", 20, "--json", "-c", "c1")
        process = start("bench", *words, XIMILAR_URL=server.url, XIMILAR_TOKEN="any")
        async with asyncio.timeout(30):
            while len(server.requests) < 4:
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
    result = json.loads(out)
    assert process.returncode == 130
    assert 3 <= result["answered"] == len(server.requests) - 1 < 1000
    assert "interrupted by SIGINT" in err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--image", "id:1", "--url", NOWHERE), ["100 credits", NOWHERE, "--yes"]),
        (("--image", "http://e.com/1.jpg", "--url", NOWHERE), ["1,000 credits", "10 a search"]),
        (
            ("--method", "insert", "--image", "http://e.com/1.jpg", "--url", NOWHERE),
            ["1,000 records", "not published", "--yes"],
        ),
        (("--url", NOWHERE), ["needs --image"]),
        (("--method", "insert", "--image", "id:1", "--emulator="), ["needs an image"]),
        (("--image", "nowhere.jpg", "--emulator="), ["no such file", "'nowhere.jpg'"]),
        (("--requests", 10_001, "--emulator="), ["--requests", "10000"]),
        (("--method", "drop", "--emulator="), ["--method", "'drop'"]),
        (("--batch-size", 11, "--emulator="), ["--batch-size", "10"]),
    ],
)
def test_bad_use_is_told_before_anything_is_sent(
    told: Callable[..., Any], words: tuple[object, ...], parts: list[str]
) -> None:
    """Credits are not spent unasked, and more requests than any test needs are refused."""
    done = told("bench", "-c", "c1", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert all(part in done.err for part in parts)


def test_a_person_who_says_no_spends_nothing() -> None:
    """On a terminal it asks, and "n" ends it."""
    ours, theirs = os.openpty()
    words = ["bench", "-c", "c1", "--image", "id:1", "--url", NOWHERE]
    with subprocess.Popen(
        [sys.executable, "-m", "ximilar_async", *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "XIMILAR_TOKEN": "any"},
    ) as process:
        os.write(ours, b"n\n")
        out, err = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (130, "")
    assert "100 credits, 1 a search. Go on? [y/N]" in err


def test_a_service_on_this_machine_is_not_asked_about(told: Callable[..., Any]) -> None:
    """It spends nobody's credits; here nobody listens, and that is what is told."""
    done = told("bench", "-c", "c1", "--image", "id:1", "--url", "http://127.0.0.1:1")
    assert done.code == 5
    assert "cannot connect" in done.err
