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


# --- what the words of README and documentation say of it ---------------------------------------

RESULTS = BENCHMARKS / "results"


def words(path: str) -> str:
    """Return a page's text, its lines as one."""
    return " ".join((ROOT / path).read_text("utf-8").split())


def result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / name).read_text("utf-8"))
    return found


def cells(line: str) -> list[str]:
    """Return the cells of a table's row."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_readme_tells_what_the_vendors_client_lost() -> None:
    """Each figure of the paragraph about faults is the one that was measured."""
    rows = result("faults_vendor.json")["rows"]
    theirs = {name: row["vendor's client"] for name, row in rows.items()}
    ours = [row["ximilar-async"] for row in rows.values()]
    text = words("README.md")
    assert f"answered 503 it lost {theirs['busy']['lost']} records" in text
    assert f"in an outage of 3 seconds {theirs['outage']['lost']:,}," in text
    assert f"429s with `Retry-After` {theirs['throttled']['lost']:,}," in text
    assert f"with 5 bad records {theirs['poison']['lost']};" in text
    assert f"answers lost {theirs['lost']['misreported']} stored records" in text
    assert f"in all {len(rows)} scenarios" in text
    assert {(row["lost"], row["misreported"]) for row in ours} == {(0, 0)}
    assert f"for {rows['busy']['ximilar-async']['requests']} requests instead of" in text
    assert f"and {rows['lost']['ximilar-async']['requests']} at 10 % lost answers" in text


def test_the_page_on_reliability_tells_what_was_measured() -> None:
    """Each row of its table of faults is one of the table that the benchmark wrote."""
    measured = {
        row[0]: row[1:5]
        for row in map(cells, (RESULTS / "faults_vendor.md").read_text("utf-8").splitlines())
        if len(row) > 5
    }
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    table = page.split("## The same faults, two clients")[1].split("[All 11 faults]")[0]
    rows = [cells(line) for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 5
    for row in rows:
        assert row[1:] == measured[row[0]]
    soak, million = result("soak.json"), result("million.json")
    assert f"{max(look['mib'] for look in soak['course']):.0f} MiB from" in page
    assert f"peaks at {million['with']['peak_mib']:.0f} MiB" in page
