"""The first line of a page, and what it tells of answers that are odd: neither may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from bulk.test_report_page import written

from ximilar_async import bulk
from ximilar_async.bulk import Outcome, Stop

if TYPE_CHECKING:
    from pathlib import Path


def verdict(report: bulk.Report | bulk.SyncReport, folder: Path, **words: str) -> tuple[str, str]:
    """Return how a page's first line is shown, and what it says."""
    page = written(report, folder, **words)
    (shown,) = [p for p in page.all("p") if str(p.get("class")).startswith("verdict")]
    _, _, rest = page.text.partition(" UTC. ")
    return str(shown["class"]).removeprefix("verdict "), rest


def insert(**counts: int) -> bulk.Report:
    by_outcome = {Outcome(name): number for name, number in counts.items()}
    read = sum(counts.values())
    return bulk.Report(operation="insert", read=read, counts=by_outcome, requests=1)


@pytest.mark.parametrize(
    ("report", "tone", "words"),
    [
        (insert(inserted=5), "good", "Read to the end; every record is decided"),
        (insert(near_duplicate=5), "good", "Read to the end; every record is decided"),
        (insert(inserted=5, rejected=1), "bad", "Read to the end; 1 record not brought in"),
        (insert(inserted=5, failed=2), "bad", "Read to the end; 2 records not brought in"),
        (insert(rejected=1, failed=2), "bad", "Read to the end; 3 records not brought in"),
        (insert(not_attempted=2), "warn", "Read to the end; 2 records not brought in"),
        (insert(not_found=2), "warn", "Read to the end; 2 not found"),
        (evolve(insert(inserted=5), read=9), "", "Under way: 4 records pending"),
        (
            evolve(insert(rejected=1, not_attempted=2), dry_run=True),
            "warn",
            "Dry run: 3 records read, nothing sent, 1 would be rejected",
        ),
        (
            evolve(insert(inserted=5), stop=Stop.OUTAGE, stop_reason="no answer"),
            "bad",
            "Ended early: service unreachable: no answer",
        ),
        (
            evolve(insert(), requests=0, stop=Stop.AUTH, stop_reason="401"),
            "bad",
            "Not begun: 401. Nothing was sent",
        ),
    ],
)
def test_the_first_line_says_how_a_run_ended(
    tmp_path: Path, report: bulk.Report, tone: str, words: str
) -> None:
    """What is left is told in the line that everybody reads, and in its colour."""
    shown, said = verdict(report, tmp_path)
    assert (shown, said[: len(words)]) == (tone, words)


SYNC: dict[str, Any] = {"mode": "mirror", "read": 9, "requests": 1, "planned": {"insert": 9}}


@pytest.mark.parametrize(
    ("facts", "tone", "words"),
    [
        ({"unchanged": 9}, "good", "The collection is in line with the source"),
        (
            {"unchanged": 9, "notes": ("all lose `price`",)},
            "warn",
            "The collection is in line with the source; look at what is noted",
        ),
        (
            {"unchanged": 9, "gone": 4, "deletions_withheld": 4, "withheld": "2 lines are no JSON"},
            "bad",
            "Nothing was deleted: 2 lines are no JSON",
        ),
        (
            {"unchanged": 8, "rejected": 1, "not_restored": 1},
            "bad",
            "Read to the end; 2 records not brought in line",
        ),
        (
            {"unchanged": 9, "gone": 2, "deleted": 1, "deletions_failed": 1},
            "bad",
            "Read to the end; 1 record not brought in line",
        ),
        (
            {"unchanged": 7, "not_attempted": 2, "stop": Stop.ASKED, "stop_reason": "interrupted"},
            "bad",
            "Ended early: interrupted. 2 records not sent",
        ),
    ],
)
def test_the_first_line_says_how_a_sync_ended(
    tmp_path: Path, facts: dict[str, Any], tone: str, words: str
) -> None:
    """Deletions that were withheld are no success, nor is anything that is left."""
    shown, said = verdict(bulk.SyncReport(**SYNC, **facts), tmp_path)
    assert (shown, said[: len(words)]) == (tone, words)


def test_what_was_odd_is_on_the_page(tmp_path: Path) -> None:
    """What answers said that they should not is counted, named and not believed."""
    odd = {"an id that was not sent: '<b>x</b>'": 3, "an id twice": 1200}
    page = written(evolve(insert(inserted=5), anomalies=odd), tmp_path)
    _, _, table = page.text.partition("What was odd")
    assert "It was counted and not believed." in table
    assert "an id that was not sent: '<b>x</b>' 3" in table
    assert "an id twice 1,200" in table
    assert "What was odd" not in written(insert(inserted=5), tmp_path).text


def test_what_earlier_runs_decided_is_no_speed() -> None:
    """A run that goes on from a journal is as fast as what it did itself."""
    report = evolve(insert(inserted=900, not_attempted=50), resumed=800, elapsed=2.0)
    assert report.records_per_second == 50
    assert report.to_dict()["records_per_second"] == 50
