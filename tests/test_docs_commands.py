"""The commands in the documentation print what stands below them.

`XIMILAR_DOCS=write pytest tests/test_docs_commands.py` writes what they print now into the pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from consoles import command_folder, normalised, serving, turns_of, typed, written
from documented import lay_out_files, seed_records

from ximilar_async.cli import app

ROOT = Path(__file__).parent.parent
FENCE, END = "```console\n", "```\n"
HOME = "/home/you/shop"
WRITE = os.environ.get("XIMILAR_DOCS") == "write"
PAGES = [
    page
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if FENCE in page.read_text(encoding="utf-8")
]
GROUP: Any = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)


def pieces_of(text: str) -> list[str]:
    """Cut a page at its console blocks: every second piece is the text of one."""
    first, *rest = text.split(FENCE)
    pieces = [first]
    for piece in rest:
        block, _, after = piece.partition(END)
        pieces += [block, after]
    return pieces


def joined(pieces: list[str]) -> str:
    """Put a page together again."""
    blocks, between = pieces[1::2], pieces[2::2]
    pairs = zip(blocks, between, strict=True)
    return pieces[0] + "".join(FENCE + block + END + after for block, after in pairs)


def test_pages_are_cut_and_joined_as_they_stand() -> None:
    """What is cut at its blocks is the same again when it is put together."""
    text = f"a\n{FENCE}$ x\ny\n{END}b\n{FENCE}$ z\n{END}"
    assert pieces_of(text) == ["a\n", "$ x\ny\n", "b\n", "$ z\n", ""]
    assert joined(pieces_of(text)) == text


def test_blocks_are_read_as_they_stand() -> None:
    """What is typed ends with its line unless that goes on; the rest is what is printed."""
    turns = [("a \\\n  b", "1\n2\n"), ("c", "")]
    assert turns_of("$ a \\\n  b\n1\n2\n$ c\n") == turns
    assert written(turns) == "$ a \\\n  b\n1\n2\n$ c\n"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("25 inserted in 0.3 s", "25 inserted in 1.25 s", True),
        ("25 inserted", "24 inserted", False),
        ("http://127.0.0.1:81", "http://127.0.0.1:9000", True),
        ("p50 3.1 ms", "p50 3.1 kB", False),
    ],
)
def test_only_what_differs_by_itself_is_left_aside(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a table
    """Times and ports may differ, counts may not."""
    assert (normalised(one) == normalised(other)) is same


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_commands_print_what_stands_there(page: Path, tmp_path: Path) -> None:
    """All commands of a page, one after the other in one folder, print what the page shows."""
    folder = tmp_path / "shop"
    folder.mkdir()
    lay_out_files(folder)
    pieces = pieces_of(page.read_text(encoding="utf-8"))
    path = f"{command_folder(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    with serving({"shoes-id": seed_records()}) as url:
        settings = {"PATH": path, "XIMILAR_TOKEN": "any-token", "XIMILAR_URL": url}
        for number, block in list(enumerate(pieces))[1::2]:
            turns = [
                (command, typed(command, folder, settings, here=not WRITE))
                for command, _ in turns_of(block)
            ]
            printed = written(turns).replace(str(folder), HOME)
            if not WRITE:
                assert normalised(printed) == normalised(block)
            pieces[number] = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8900", printed)
    if WRITE:
        page.write_text(joined(pieces), encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_page(name: str) -> None:
    """Each command has a page that shows it at work, and the index leads there."""
    page = ROOT / "docs/commands" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    typed_there = [command for block in pieces_of(text)[1::2] for command, _ in turns_of(block)]
    assert any(f"ximilar-async {name}" in command for command in typed_there)
    assert f"({name}.md)" in (page.parent / "index.md").read_text(encoding="utf-8")
