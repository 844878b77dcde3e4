"""The benchmark's results as people read them are those of its JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
DATA: dict[str, Any] = json.loads((BENCHMARKS / "results" / "bench.json").read_text("utf-8"))


@pytest.fixture
def readme(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script that renews the README; scripts import their neighbours by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    import readme as script  # noqa: PLC0415 - its folder is on the path from here on

    yield script
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_readme_tells_what_was_measured(readme: ModuleType) -> None:
    """The README's table is the one that the benchmark's JSON makes."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert readme.renewed(text, DATA) == text


def test_a_readme_without_a_place_for_the_table_is_refused(readme: ModuleType) -> None:
    """A table that cannot be put anywhere is not lost silently."""
    with pytest.raises(ValueError, match="no single block"):
        readme.renewed("# A page", DATA)


def test_the_page_tells_what_was_measured(readme: ModuleType) -> None:
    """Each figure of a target on the benchmark's page is that of its JSON."""
    page = (BENCHMARKS / "results" / "bench.md").read_text("utf-8")
    for row in readme.targets.rows(DATA):
        assert f"**{row['measured']:.{row['digits']}f}**" in page
