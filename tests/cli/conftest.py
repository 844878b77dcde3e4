"""The command line as users meet it: a process with a clean environment, and a service for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from attrs import frozen
from documented import picture

from ximilar_async.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Start: TypeAlias = "Callable[..., subprocess.Popen[str]]"
Command: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without anything of ours but what is given."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("XIMILAR")}
    return {**kept, "NO_COLOR": "1", **settings}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts `python -m ximilar_async …`; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(
        *words: object, stderr: int = subprocess.PIPE, **settings: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ximilar_async", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=tmp_path,
            env=environment(**settings),
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def cli(start: Start) -> Command:
    """Return what runs `python -m ximilar_async …` to its end."""

    def cli(*words: object, **settings: str) -> subprocess.CompletedProcess[str]:
        process = start(*words, **settings)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return cli


@pytest.fixture
def serve(start: Start) -> Callable[..., Any]:
    """Return what starts an emulator of its own and yields its address."""

    @contextmanager
    def serve(*words: object) -> Iterator[str]:
        process = start("emulator", "--port", 0, "--json", *words)
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        text = ""
        for line in lines:
            text += line
            if line == "}\n":
                break
        yield json.loads(text)["url"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

    return serve


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with five images and a folder below it."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(1, 5):
        picture(number).save(folder / f"{number}.png")
    picture(5).save(folder / "more" / "5.jpg")
    return folder


@pytest.fixture
def addresses(tmp_path: Path) -> Callable[[int], Path]:
    """Return what writes a file of so many records that have an address for an image."""

    def addresses(count: int) -> Path:
        path = tmp_path / f"{count}.jsonl"
        lines = (
            json.dumps({"_id": f"r{n}", "_url": f"https://example.com/{n}.jpg", "price": n})
            for n in range(count)
        )
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return addresses


@frozen
class Done:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Return what runs a command line here, with a token, in an empty folder."""
    for name in ("XIMILAR_URL", "XIMILAR_COLLECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XIMILAR_TOKEN", "token")
    monkeypatch.chdir(tmp_path)

    def told(*words: object) -> Done:
        code = run([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return told
