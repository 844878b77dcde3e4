"""docs/sources.md tells the truth: its tables are run."""

from __future__ import annotations

import json
import re
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ximilar_async.sources import RecordMapping, load_mapping, parse_mapping
from ximilar_async.sources._conversions import TYPES, conversion
from ximilar_async.sources._open import FORMATS
from ximilar_async.sources._values import _RULES, plain

PAGE = (Path(__file__).parents[2] / "docs/sources.md").read_text(encoding="utf-8")
NAMES = {
    "Decimal": Decimal,
    "PRAGUE": timezone(timedelta(hours=1)),
    "UUID": uuid.UUID,
    "date": date,
    "datetime": datetime,
    "numpy": np,
    "time": time,
    "timedelta": timedelta,
}


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head; code unquoted."""
    below = PAGE.split(f"\n{heading}\n", 1)[1]
    found = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", below, re.MULTILINE)
    assert found is not None
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in found[1].splitlines()]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def code(cell: str) -> str:
    """Return what stands between backticks."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell[1:-1]


def value(cell: str) -> Any:
    return eval(code(cell), dict(NAMES))


VALUES = table("## Values that JSON has no form for")
KINDS = table("### Types")
ENTRIES = table("### Entries of --map")


@pytest.mark.parametrize(("given", "becomes", "_rule"), VALUES, ids=lambda cell: str(cell)[:40])
def test_each_value_becomes_what_the_page_says(given: str, becomes: str, _rule: str) -> None:
    """The rule of each type, as it is documented."""
    if becomes == "refused":
        with pytest.raises(ValueError, match="the value"):
            plain(value(given))
        return
    found, expected = plain(value(given)), json.loads(code(becomes))
    assert (found, type(found)) == (expected, type(expected))


def test_the_page_has_every_type() -> None:
    """A type with a rule has a line on the page."""
    shown = {type(value(row[0])) for row in VALUES}
    assert set(_RULES) <= shown


@pytest.mark.parametrize(("kind", "given", "becomes"), KINDS, ids=lambda cell: str(cell)[:40])
def test_each_type_of_a_mapping_does_what_the_page_says(
    kind: str, given: str, becomes: str
) -> None:
    """The types of a mapping, as they are documented."""
    convert = conversion(code(kind))
    if becomes == "refused":
        with pytest.raises(ValueError, match=r"^x"):
            convert(value(given), "x")
        return
    assert convert(value(given), "x") == json.loads(code(becomes))


def test_the_page_has_every_type_of_a_mapping() -> None:
    """No type is left out, and none is made up."""
    assert {code(row[0]) for row in KINDS} == {*TYPES, "list(|)"}


@pytest.mark.parametrize(("entry", "expected"), ENTRIES, ids=lambda cell: str(cell)[:40])
def test_each_entry_says_what_the_page_says(entry: str, expected: str) -> None:
    """The short notation and Python's, side by side."""
    assert parse_mapping([code(entry)]) == eval(code(expected), {"RecordMapping": RecordMapping})


def test_the_page_names_every_ending() -> None:
    """Formats are told by the endings that the page lists, and by no other."""
    cells = [row[1] for row in table("## What is read")]
    assert {found for cell in cells for found in re.findall(r"`(\.\w+)`", cell)} == set(FORMATS)


def test_the_file_says_the_same_as_python(tmp_path: Path) -> None:
    """The page's TOML and its first example are one mapping."""
    toml = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    python = re.search(r"mapping = (RecordMapping\(.*?\n\))", PAGE, re.DOTALL)
    assert toml is not None
    assert python is not None
    (tmp_path / "m.toml").write_text(toml[1], encoding="utf-8")
    expected = eval(python[1], {"RecordMapping": RecordMapping})
    assert load_mapping(tmp_path / "m.toml") == expected
