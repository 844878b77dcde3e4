"""The commands take every format, from files, pipes and addresses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ximilar_async.cli.ids import IdLines, open_ids
from ximilar_async.errors import ConfigError
from ximilar_async.sources import CsvSource, JsonlSource

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "_id;_url;název\n1;https://shop.example/1.jpg;kůň\n2;https://shop.example/2.jpg;bota\n3\n"


def cli(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ximilar_async", *map(str, arguments)]
    env = {**os.environ, "XIMILAR_TOKEN": "any", "XIMILAR_COLLECTION": "c1"}
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=env)


@pytest.mark.parametrize("command", ["insert", "update", "delete"])
def test_a_command_reads_a_table_from_a_pipe(command: str) -> None:
    """In the format, encoding and with the delimiter that are named."""
    options = ("--format", "csv", "--encoding", "cp1250", "--delimiter", ";", "--dry-run", "--json")
    done = cli(command, "/dev/stdin", *options, stdin=ROWS.encode("cp1250"))
    report: dict[str, Any] = json.loads(done.stdout)
    assert (report["read"], report["counts"]["rejected"]) == (3, 1)


def test_ids_are_told_from_tables(tmp_path: Path) -> None:
    """A `.txt` holds ids as they stand, unless its format is named; others hold records."""
    path = tmp_path / "gone.txt"
    path.write_text("_id\n1\n")
    assert isinstance(open_ids(str(path)), IdLines)
    assert isinstance(open_ids(str(path), format="csv"), CsvSource)
    assert isinstance(open_ids("memory://shop/gone.jsonl.gz"), JsonlSource)
    with pytest.raises(ConfigError, match="encoding is an option of CSV"):
        open_ids("memory://shop/gone.jsonl", encoding="cp1250")
