r"""Runs what stands in `console` blocks of documentation, and compares what it prints.

A line that begins with `$ ` is typed, with those behind a `\` at its end; what follows up to the
next is what it prints, to whichever stream. Figures that differ from run to run are no part of the
comparison: times, rates, ports, versions, and the progress that is shown meanwhile.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import shlex
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from ximilar_async import Ximilar
from ximilar_async.cli import run
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ximilar_async import Record

_TYPED = re.compile(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n?", re.MULTILINE)

_PLAIN = re.compile(r'ximilar-async ([^;|&<>$`]*)(; echo "exit code \$\?")?')
"""A command of ours that needs no shell."""

_FIGURES = [
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.+:Z]*"), "MOMENT"),
    (re.compile(r"\b\d+\.\d+\.\d+(?:\.?(?:dev|rc|a|b)\d+)?\b"), "VERSION"),
    (re.compile(r"\b[\d.,]+ ?(?:µs|ms|s|min)\b"), "TIME"),
    (re.compile(r"\b[\d.,]+(?= a second)"), "RATE"),
    (re.compile(r"\b[\d.,]+ ?(?:B|kB|kiB|KiB|MiB|GiB|MB)\b"), "SIZE"),
    (re.compile(r"\b[\d.]+ ?%"), "SHARE"),
    (re.compile(r"^(?:waited for|answers after|requests at once): .*\n?", re.MULTILINE), ""),
    (re.compile(r"(\d+)\.\d+"), r"\1.X"),
    (re.compile(r" {2,}"), "  "),
    (re.compile(r"[━─-]{3,}"), "---"),
]


def turns_of(text: str) -> list[tuple[str, str]]:
    """Return what is typed in a block, each with what is printed."""
    typed = list(_TYPED.finditer(text))
    ends = [found.start() for found in typed[1:]] + [len(text)]
    return [(found[1], text[found.end() : end]) for found, end in zip(typed, ends, strict=True)]


def written(turns: list[tuple[str, str]]) -> str:
    """Return the text of a block from its turns."""
    return "".join(f"$ {command}\n{output}" for command, output in turns)


def normalised(text: str) -> str:
    """Return printed text without what differs from run to run."""
    for pattern, name in _FIGURES:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def command_folder(folder: Path) -> Path:
    """Make a folder for PATH in which `ximilar-async` is the package under test."""
    folder.mkdir(parents=True)
    script = folder / "ximilar-async"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ximilar_async "$@"\n', "utf-8")
    script.chmod(0o755)
    return folder


def typed(command: str, folder: Path, settings: Mapping[str, str], *, here: bool) -> str:
    """Run a command in a folder, and return what it printed to both its streams.

    Args:
        command: What is typed into bash.
        folder: The working directory.
        settings: Variables of the environment, besides those that are set.
        here: Whether a command of ours that needs no shell runs in this process: starting one for
            each takes longer than what it does.
    """
    settings = {"NO_COLOR": "1", "COLUMNS": "100", "TERM": "dumb", **settings}
    if here and (plain := _PLAIN.fullmatch(command)):
        return _typed_here(shlex.split(plain[1]), folder, settings, tell_code=bool(plain[2]))
    kept = {name: text for name, text in os.environ.items() if not name.startswith("XIMILAR")}
    done = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**kept, **settings},
        check=False,
        timeout=60,
    )
    return done.stdout.decode("utf-8")


def _typed_here(
    words: list[str], folder: Path, settings: Mapping[str, str], *, tell_code: bool
) -> str:
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as environment,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        for name in ("XIMILAR_COLLECTION", *settings):
            environment.delenv(name, raising=False)
        for name, text in settings.items():
            environment.setenv(name, text)
        environment.chdir(folder)
        code = run(words)
    return printed.getvalue() + (f"exit code {code}\n" if tell_code else "")


@contextmanager
def serving(records: Mapping[str, list[Record]]) -> Iterator[str]:
    """Yield the address of an emulator in a thread, with collections that hold records."""
    address: Future[str] = Future()
    over = threading.Event()

    async def serve() -> None:
        async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
            for name, some in records.items():
                await client.collection(name).insert(some)
            address.set_result(emulator.url)
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield address.result(timeout=60)
    finally:
        over.set()
        thread.join()
