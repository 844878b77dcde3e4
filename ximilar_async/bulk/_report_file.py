"""Reports as files."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import ConfigError
from ximilar_async.sinks import replaced

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION: Final = 1
"""Version of a report's JSON; members may be added without another one."""

_OF_THE_SYSTEM: Final = (("/", "dev"), ("/", "proc"))
"""What stands for something that is open already, such as stdout, even if that is a file."""

ENDINGS: Final = (".html", ".json")
"""What the name of a report may end in."""


def write_report(
    path: str | PathLike[str], facts: Callable[[], dict[str, Any]], page: Callable[[], str]
) -> None:
    """Write a report by the ending of its name, the whole of it or nothing; blocking.

    Args:
        path: The file.
        facts: Returns what the JSON is to hold.
        page: Returns the page.

    Raises:
        ConfigError: it ends otherwise, or is no path.
    """
    if not isinstance(path, (str, PathLike)):
        raise ConfigError(f"a report is written to a path, not {path!r:.40}")
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"a report is written as .html or .json, not {path.name!r}")
    if path.suffix.lower() == ".html":
        text = page()
    else:
        written = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"version": VERSION, "written": written, **facts()}, indent=2)
    write_whole(path, f"{text.rstrip()}\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it has its new content or its old one, and never a part; blocking.

    Args:
        path: The file; what is no regular one, such as /dev/stdout, is written to as it is, and so
            is one in a folder where no other may be made.
        text: What it is to hold.

    Raises:
        OSError: it cannot be written.
    """
    target = path.resolve()  # a link keeps leading to its file
    special = path.parts[:2] in _OF_THE_SYSTEM or (path.exists() and not path.is_file())
    if special or (path.exists() and not os.access(target.parent, os.W_OK)):
        path.write_text(text, encoding="utf-8")
        return
    with replaced(target) as file:
        file.write(text.encode())
