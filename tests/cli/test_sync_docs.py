"""docs/sync.md tells the truth: its commands are run in turn, and print what stands below them."""

from __future__ import annotations

import csv
import os
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

PAGE = Path(__file__).parents[2] / "docs/sync.md"
FENCE = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@frozen
class Step:
    """A block of commands, and what the last of them prints."""

    commands: list[str]
    prints: str = ""


def steps() -> Iterator[Step]:
    blocks = [*FENCE.findall(PAGE.read_text(encoding="utf-8")), ("sh", "")]
    for (kind, text), (after, words) in pairwise(blocks):
        if kind == "sh":
            lines = re.sub(r"\\\n", " ", text).splitlines()
            yield Step(lines, words if after == "text" else "")


def lay_out_catalogs(folder: Path) -> None:
    """Write the catalogs that the page speaks of."""
    monday: list[dict[str, Any]] = [
        {"sku": f"s{n}", "photo": f"https://shop/{n}.jpg", "price": n, "season": "winter"}
        for n in range(200)
    ]
    tuesday = [dict(row) for row in monday[3:]]
    for row in tuesday[7:37]:
        row["price"], row["season"] = row["price"] + 5, ""
    for row in tuesday[47:51]:
        row["photo"] += "?2"
    tuesday += [
        {"sku": f"s{n}", "photo": f"https://shop/{n}.jpg", "price": n, "season": ""}
        for n in range(200, 206)
    ]
    for name, rows in (("monday", monday), ("tuesday", tuesday), ("short", tuesday[:120])):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def same(text: str) -> str:
    """Return what a command prints with what differs from run to run made the same."""
    text = re.sub(r"in \d+\.\d s", "in … s", text)
    text = re.sub(r"'[^']*/elsewhere/", "'…/elsewhere/", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def test_the_pages_commands_print_what_it_says(
    told: Callable[..., Any],
    serve: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first sync to the guards, each command in turn, with its exit code."""
    lay_out_catalogs(tmp_path)
    told_last = None
    with serve() as url:
        monkeypatch.setenv("XIMILAR_URL", url)
        for step in steps():
            monkeypatch.chdir(tmp_path)
            for command in step.commands:
                if command.startswith("mkdir"):
                    (tmp_path / "elsewhere").mkdir()
                    os.chdir("elsewhere")  # undone by monkeypatch
                    continue
                words, _, remark = command.partition("#")
                told_last = told(*shlex.split(words)[1:])
                code = int(remark.split()[-1]) if remark else 0
                assert told_last.code == code, told_last.err
            if step.prints and told_last is not None:
                shown = told_last.out or told_last.err
                assert same(shown) == same(step.prints)
    assert told_last is not None
