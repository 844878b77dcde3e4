"""Where words go: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.console import Console, ConsoleRenderable
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .options import Output


_WIDE: Final = 1000
"""Characters of a line in a pipe or a file, where nothing is to be cut or folded."""


def put(view: RenderableType) -> None:
    """Print data to stdout: as it fits on a terminal; whole lines anywhere else."""
    if not isinstance(view, ConsoleRenderable):
        view = Text(plain(view))
    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False).print(view)
        return
    console = Console(file=sys.stdout, highlight=False, width=_WIDE)
    with console.capture() as captured:
        console.print(view)
    for line in captured.get().splitlines():
        sys.stdout.write(f"{line.rstrip()}\n")


def err(words: Text) -> None:
    """Print a line to stderr."""
    console = Console(file=sys.stderr, highlight=False)
    with console.capture() as captured:
        console.print(words, soft_wrap=True)
    # Not by the console itself: a live picture takes what is written to sys.stderr above itself.
    sys.stderr.write(captured.get())


def is_live(output: Output) -> bool:
    """Tell whether somebody sees progress: stderr is a terminal, and quiet was not asked for."""
    return sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal and not output.quiet


def plain(value: object) -> str:
    r"""Return a value as text that cannot steer a terminal, on one line.

    Args:
        value: A text, perhaps of a record or of the service; anything else is shown as JSON.

    Example:
        >>> plain("red\x1b[31m"), plain(["a", 1])
        ('red?[31m', '["a",1]')
    """
    text = value if isinstance(value, str) else _as_json(value)
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


def say(words: str, output: Output) -> None:
    """Print a remark to stderr, unless quiet was asked for."""
    if not output.quiet:
        err(Text(plain(words)))


def complain(kind: str, words: str) -> None:
    """Print a line such as `error: …` to stderr."""
    style = "bold red" if kind == "error" else "bold yellow"
    err(Text.assemble((f"{kind}: ", style), plain(words)))


def put_json(value: Any) -> None:
    """Print a value as JSON to stdout; what is no UTF-8 in it, as in a file's name, as escapes."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        text = json.dumps(value, indent=2)
    sys.stdout.write(f"{text}\n")


def _as_json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(value)
