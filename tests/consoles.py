r"""Runs what stands in `console` blocks of documentation, and compares what it prints.

A line that begins with `$ ` is typed, with those behind a `\` at its end; what follows up to the
next is what it prints, to whichever stream. Figures that differ from run to run are no part of the
comparison: times, rates, ports, versions, and the progress that is shown meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TYPED = re.compile(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n?", re.MULTILINE)

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


async def typed(command: str, folder: Path, settings: Mapping[str, str]) -> str:
    """Run a command in a folder, and return what it printed to both its streams."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("XIMILAR")}
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**kept, "NO_COLOR": "1", "COLUMNS": "100", "TERM": "dumb", **settings},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    except TimeoutError:
        process.kill()
        raise
    return output.decode("utf-8")
