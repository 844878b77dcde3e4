"""A sync's pictures and estimates: what people read while it goes on, and before."""

from __future__ import annotations

import json
import os
import pty
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from ximilar_async.bulk import Outcome, Report, Stop, SyncReport
from ximilar_async.bulk._sync.usual import usual_state
from ximilar_async.cli.sync_live import SyncWatch, plan_picture
from ximilar_async.cli.sync_options import in_options
from ximilar_async.cli.sync_samples import Change, changes_of, words_of
from ximilar_async.cli.sync_views import span, sync_view

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import RenderableType


def lines(view: RenderableType, width: int = 100) -> list[str]:
    """Return what a view looks like, line by line, without colours and bars."""
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(view)
    bare = captured.get().replace("━", "").replace("╸", "").replace("╺", "")
    return [" ".join(line.split()) for line in bare.splitlines()]


def at(stage: str, **fields: Any) -> SyncReport:
    return SyncReport(mode="mirror", stage=stage, **fields)


def phase(operation: str, read: int, **counts: int) -> Report:
    outcomes = {Outcome(name): number for name, number in counts.items()}
    return Report(operation=operation, read=read, counts=outcomes, elapsed=1.0)


def test_each_stage_is_named_with_its_share() -> None:
    """Reading goes by the source's own measure; a phase by the records that are decided."""
    watch = SyncWatch("sync shop.csv")
    watch.picture(at("reading the source", elapsed=1.0), (0, 1000))
    assert lines(watch.picture(at("reading the source", elapsed=3.0), (250, 1000))) == [
        "sync shop.csv",
        "reading the source 25% 0:06 left",
    ]
    report = at(
        "insert",
        elapsed=9.0,
        read=1000,
        unchanged=880,
        inserted=30,
        phases={"insert": phase("insert", 60, inserted=30)},
    )
    shown = lines(watch.picture(report, (60, 120)))
    assert shown[0] == "sync shop.csv: 880 unchanged"
    assert shown[1].startswith("insert 25% 60 records read")
    assert shown[2] == "30 inserted, 30 under way"


def test_replacing_is_one_stage_whose_end_nobody_knows() -> None:
    """Deleting and inserting take turns, slice by slice: a share of a slice would mislead."""
    watch = SyncWatch("sync shop.csv")
    for name in ("replace: delete", "replace: insert"):
        report = at(name, read=9, replaced=500, phases={name: phase("insert", 500, inserted=500)})
        shown = lines(watch.picture(report, (500, 500)))
        assert shown[0] == "sync shop.csv: 500 replaced"
        assert shown[1].startswith("replace 500 records read")
        assert "%" not in shown[1]


def test_a_sync_that_is_asked_to_stop_says_so_in_any_phase() -> None:
    """The reason stands where it says what is waited for."""
    report = at("update", stop=Stop.ASKED, stop_reason="interrupted by SIGINT", phases={
        "update": phase("update", 9, updated=1)
    })  # fmt: skip
    shown = lines(SyncWatch("sync shop.csv").picture(report, (9, 9)))
    assert shown[-1] == "interrupted by SIGINT: finishing what is under way"


def test_a_picture_fits_its_terminal() -> None:
    """However narrow, no line is folded."""
    report = at("update", read=9, unchanged=10**6, phases={"update": phase("update", 9, updated=1)})
    for width in (30, 60, 80, 110):
        picture = SyncWatch("sync a-very-long-name-of-a-catalog.jsonl").picture(report, (9, 90))
        console = Console(width=width, color_system=None)
        with console.capture() as captured:
            console.print(picture)
        assert all(len(line) <= width for line in captured.get().splitlines())
        assert len(captured.get().splitlines()) == 4


@pytest.mark.parametrize(
    ("position", "words"),
    [
        ((0, 100), "looking at what is stored"),
        ((30, 100), "reading the source"),
        ((100, 100), "comparing"),
        ((30, None), "reading the source"),
    ],
)
def test_a_plan_in_the_making_says_what_is_done(
    position: tuple[int, int | None], words: str
) -> None:
    """Before, while and after the source is read."""
    assert words in lines(plan_picture("sync shop.csv", position, 3.0))[0]


def test_a_report_tells_what_came_of_an_interrupted_sync() -> None:
    """What was restored, or could not be, stands beside what the source's records came to."""
    report = SyncReport(
        mode="upsert", read=3, unchanged=2, failed=1, restored=1, not_restored=2, images_unknown=4
    )
    shown = lines(sync_view(report))
    assert "1 inserted that an interrupted sync had deleted" in shown
    assert "2 deleted to be replaced, and not inserted" in shown
    assert any(line.startswith("4 stored images could not be compared") for line in shown)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "40 ms"), (7.0, "7.0 s"), (119, "119 s"), (300, "5 min"), (86_400, "24 h")],
)
def test_spans_are_told_as_exactly_as_an_estimate_is(seconds: float, words: str) -> None:
    """Minutes from two on, hours from two on."""
    assert span(seconds) == words


def test_changes_are_told_short() -> None:
    """Images are left aside, long values cut, and of many fields a few named."""
    stored = {"_id": "1", "_url": "a", "price": 20, "season": "winter"}
    sent = {"_id": "1", "_url": "b", "price": 25, "season": None, "text": "x" * 99, "n": 1}
    changes = changes_of(stored, sent)
    assert [change.field for change in changes] == ["price", "season", "text", "n"]
    assert words_of(changes) == f"price 20 → 25, season removed, text {'x' * 23}…, 1 more"
    assert Change("a\x1b[31m", "\x1b", 1).words == "a?[31m ? → 1"


def test_names_of_settings_become_options_and_nothing_else_does() -> None:
    """A file that is called like a setting keeps its name."""
    words = "allow_delete.csv: allow it (allow_delete), max_deletions=5"
    assert in_options("(allow_delete) (max_deletions)") == "(--allow-delete) (--max-deletions)"
    assert in_options(words).startswith("allow_delete.csv: allow it (--allow-delete)")
    assert str(usual_state("../a b")) == "ximilar-.._a_b.state"


def test_a_terminal_sees_the_phases(
    start: Callable[..., subprocess.Popen[str]], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """On a terminal's stderr the picture moves; stdout has the report alone."""
    source = tmp_path / "all.jsonl"
    rows = ({"_id": str(n), "_url": f"https://shop/{n}.jpg"} for n in range(300))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ours, theirs = pty.openpty()
    with serve("--latency", 0.05) as url:
        words = ("sync", source, "-c", "c1", "--url", url, "--concurrency", 2)
        settings = {"XIMILAR_TOKEN": "any", "TERM": "xterm", "COLUMNS": "100"}
        process = start(*words, stderr=theirs, **settings)
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:
            pass  # Linux's way to say that the other end is closed
        out, _ = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 0
    assert "300    inserted" in out
    assert b"sync all.jsonl" in seen
    assert b"insert" in seen
