"""docs/report.md says what the JSON of reports holds: every member, its type, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bulk.test_report_page import run_of_all_kinds

from ximilar_async import Ximilar, bulk
from ximilar_async.bulk._series import Period, Timeline
from ximilar_async.emulator import Emulator
from ximilar_async.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
BESIDE = frozenset({"version", "written", "records", "command", "replay"})
"""What the file has, and not what is printed."""

TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "text or null": (str, type(None)),
    "whole number": (int,),
    "number": (int, float),
    "number or null": (int, float, type(None)),
    "yes or no": (bool,),
    "object": (dict,),
    "list of texts": (list,),
    "list of lists": (list,),
}


def table(heading: str) -> dict[str, str]:
    """Return the types of a table's members; the table is the first after these words."""
    after = PAGE[PAGE.index(heading) :]
    lines = after[after.index("|---") :].splitlines()[1:]
    rows = [re.match(r"\| `(\w+)` \| ([\w ]+) \|", line) for line in lines]
    end = rows.index(None) if None in rows else len(rows)
    return {row[1]: row[2] for row in rows[:end] if row}


def check(facts: dict[str, Any], heading: str, *, without: frozenset[str] = frozenset()) -> None:
    said = {name: kind for name, kind in table(heading).items() if name not in without}
    assert facts.keys() == said.keys()
    for name, kind in said.items():
        assert type(facts[name]) in TYPES[kind], name


async def test_every_member_of_a_run_is_described(tmp_path: Path) -> None:
    """Names and types, those of the timeline too."""
    report = await run_of_all_kinds(tmp_path)
    report.write(tmp_path / "r.json", command="c")
    facts = json.loads((tmp_path / "r.json").read_text())
    check(facts, "### A bulk run")
    assert facts["counts"].keys() == set(bulk.Outcome)
    assert set(facts["bottleneck"]) == set(re.findall(r"`(\w+)`", _row("bottleneck")))
    assert set(facts["latency"]) == set(re.findall(r"`(\w+)`", _row("latency")))
    (sample,) = facts["samples"]["near_duplicate"]
    (record,) = facts["records"]["near_duplicate"]
    said = PAGE[PAGE.index("A record has") : PAGE.index("### The timeline")]
    names = set(re.findall(r"`(\w+)`", said))
    assert sample.keys() | sample["near_duplicates"][0].keys() == names
    assert record == {name: sample[name] for name in sample if name != "seq"}
    assert facts["reasons"].keys() == facts["records"].keys() == facts["samples"].keys()
    points = facts["timeline"]["points"]
    check({name: values[-1] for name, values in points.items()}, "| member of `points`")
    assert len({len(values) for values in points.values()}) == 1
    pause = Timeline(periods=(Period("pause", 1.0, 2.0, 1.0),)).to_dict()
    check(pause["periods"][0], "| member of a period")


def _row(name: str) -> str:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` | object"))
    return line.split("|")[3]


async def test_every_member_of_a_sync_is_described(tmp_path: Path) -> None:
    """Names and types, those of its stages too."""
    records = [{"_id": "1", "_url": "https://example.com/1.jpg"}, {"_id": "2"}]
    async with Emulator() as emulator, Ximilar("t", transport=emulator.transport()) as client:
        report = await bulk.sync(client.collection("c"), records, state=tmp_path / "s")
    report.write(tmp_path / "r.json")
    facts = json.loads((tmp_path / "r.json").read_text())
    check(facts, "### A sync")
    for phase in facts["phases"].values():
        check(phase, "### A bulk run", without=BESIDE)


async def test_every_member_of_a_plan_is_described(tmp_path: Path) -> None:
    """Names and types of what a dry run of a sync writes."""
    records = [{"_id": "1", "_url": "https://example.com/1.jpg"}, {"_id": "2"}]
    async with Emulator() as emulator, Ximilar("t", transport=emulator.transport()) as client:
        with await bulk.plan_sync(client.collection("c"), records, state=tmp_path / "s") as plan:
            facts = json.loads(json.dumps(plan.to_dict()))
    beside = frozenset({"version", "written", "command", "apply"})
    check(facts, "### A plan", without=beside)
    assert beside < table("### A plan").keys()
    assert facts["rejects"][0][0] == "record 2"


@pytest.mark.parametrize("heading", ["### A bulk run", "### A sync", "### A plan"])
def test_the_tables_are_read(heading: str) -> None:
    """A table that is not found would agree with everything."""
    assert len(table(heading)) > 20


@pytest.mark.parametrize("path", [5, None, b"x.html"])
def test_what_is_no_path_is_refused_by_name(path: Any) -> None:
    """A report is written to a path; anything else is said to be none."""
    report = bulk.Report(operation="insert", read=0, counts={})
    with pytest.raises(ConfigError, match=r"a report is written to a path, not "):
        report.write(path)
