"""README and docs tell the truth: commands are complete, code runs, links lead somewhere.

A python block that is not to be run says why in a comment on the line before it:
`<!-- not run: the reason -->`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from attrs import frozen
from consoles import turns_of
from documented import compiled, lay_out_files, names_for, run_code

from ximilar_async.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "tests/samples/README.md"]

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@frozen
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    """Line of the block's first line of text."""
    kind: str
    text: str
    reason: str | None
    """Why it is not to be run; None when it is."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(text: str, page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(
            page,
            text.count("\n", 0, found.start("text")) + 1,
            found["kind"],
            found["text"],
            found["reason"],
        )
        for found in FENCE.finditer(text)
    ]


BLOCKS = [
    block
    for page in PAGES
    for block in blocks_of(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT)))
]
PYTHON = [block for block in BLOCKS if block.kind in ("python", "py")]
SHELL = [block for block in BLOCKS if block.kind in ("sh", "bash", "shell")]
CONSOLE = [block for block in BLOCKS if block.kind == "console"]


def test_blocks_are_read_as_they_stand() -> None:
    """The reader finds kind, line, text, and the reason why a block is not to be run."""
    text = (
        "# A\n\n```sh\nls\n```\n<!-- not run: no network -->\n```python\nx = 1\n```\n```\ny\n```\n"
    )
    assert blocks_of(text, "a.md") == [
        Block("a.md", 4, "sh", "ls\n", None),
        Block("a.md", 8, "python", "x = 1\n", "no network"),
        Block("a.md", 11, "", "y\n", None),
    ]


def _command(position: int) -> Block:
    return [block for block in SHELL if block.page == "README.md"][position]


@pytest.mark.parametrize("position", [0, 1], ids=["first", "second"])
def test_the_first_two_commands_are_complete(position: int) -> None:
    """Each makes its own virtual environment and installs into it what it then runs."""
    block = _command(position)
    assert block.kind == "sh"
    places = [block.text.find(word) for word in ("-m venv", "pip install")]
    assert -1 < places[0] < places[1]


def test_the_first_command_shows_the_demo() -> None:
    """A newcomer's first command ends with the demo."""
    assert "demo" in _command(0).text.split("pip install", 1)[1]


def test_the_second_command_runs_the_tests_and_is_the_one_ci_runs() -> None:
    """There is one command that checks the project, and it stands in the README."""
    block = _command(1)
    assert "pytest" in block.text.split("pip install", 1)[1]
    shown = subprocess.run(
        [ROOT / ".ci/run", "--show"], capture_output=True, text=True, check=True, timeout=30
    )
    assert shown.stdout.strip() == block.text.strip()


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_blocks_are_shell(block: Block) -> None:
    """Every command can be pasted: the shell reads it without an error."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    done = subprocess.run(
        [bash, "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_compile(block: Block) -> None:
    """Every python block is python, also one that is not to be run."""
    compiled(block.text, str(block))


@pytest.mark.parametrize("block", [block for block in PYTHON if not block.reason], ids=str)
async def test_python_blocks_run(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every python block runs as it stands against an emulated service."""
    lay_out_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    async with names_for() as names:
        monkeypatch.setenv("XIMILAR_TOKEN", "token")
        monkeypatch.setenv("XIMILAR_URL", names["emulator"].url)
        source = "\n" * (block.line - 1) + block.text
        await run_code(source, names, block.page)


async def test_a_block_that_fails_is_seen() -> None:
    """The runner hides no error: neither of awaiting code nor of a script."""
    for source in ("import asyncio\nawait asyncio.sleep(0)\n1 / 0", "1 / 0"):
        with pytest.raises(ZeroDivisionError):
            await run_code(source, {})


async def test_a_script_may_start_its_own_loop() -> None:
    """A block that is a whole program runs as a program does."""
    names: dict[str, object] = {}
    await run_code("import asyncio\nx = asyncio.run(asyncio.sleep(0, 5))", names)
    assert names["x"] == 5


def _anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    without_code = FENCE.sub("", text)
    headings = re.findall(r"^#+ +(.+?) *#*$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _leads_somewhere(link: str, page: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target.read_text(encoding="utf-8"))


def dead_links(text: str, page: Path) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    relative = (link for link in LINK.findall(FENCE.sub("", text)) if not re.match("[a-z]+:", link))
    return [link for link in relative if not _leads_somewhere(link, page)]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file, and a heading where it has an anchor."""
    assert dead_links(page.read_text(encoding="utf-8"), page) == []


def test_a_dead_link_is_seen() -> None:
    """A missing file or heading is found; addresses and code are left alone."""
    text = "# One two\n[a](README.md) [b](gone.md) [c](#one-two) [d](#three) [e](https://x.y/z)\n"
    text += "```python\nx[0](gone.py)\n```\n"
    page = ROOT / "README.md"
    assert dead_links(text, page)[0] == "gone.md"
    assert "https://x.y/z" not in dead_links(text, page)
    assert _anchors(text) == {"one-two"}


OURS = re.compile(r"(?:ximilar-async|python3? -m ximilar_async) +([^\n]+)")


def calls_of(text: str) -> list[list[str]]:
    """Return the words of every call of our command line in a shell block."""
    lines = "\n".join(re.sub(r"\\\n", " ", text).splitlines())
    return [_words(call) for call in OURS.findall(re.sub(r"(^|\s)#[^\n]*", "", lines))]


def _words(call: str) -> list[str]:
    """Split a command as the shell does, up to the first operator."""
    lexer = shlex.shlex(call, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(takewhile(lambda word: not set(word) <= set("&|;<>()"), lexer))


def test_calls_are_read_as_they_stand() -> None:
    """The reader joins lines, leaves comments out and stops at the shell's operators."""
    text = "cd x && ximilar-async insert \\\n  photos -c c1 | tail # all\n# ximilar-async gone\n"
    assert calls_of(text) == [["insert", "photos", "-c", "c1"]]


TYPED = [(str(block), block.text) for block in SHELL]
TYPED += [(str(block), command) for block in CONSOLE for command, _ in turns_of(block.text)]
CALLS = [(where, call) for where, text in TYPED for call in calls_of(text)]


@pytest.mark.parametrize(("where", "words"), CALLS, ids=lambda value: str(value)[:60])
def test_commands_and_options_exist(where: str, words: list[str]) -> None:
    """Every call of our command line names a command that there is, with options that it takes."""
    group: Any = typer.main.get_command(app)
    known = {"--help", *_options(group)}
    if not words[0].startswith("-"):
        assert words[0] in group.commands
        known |= _options(group.commands[words[0]])
    used = {word.split("=")[0] for word in words if re.match("--?[a-z]", word)}
    assert used <= known, where


def _options(command: Any) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
