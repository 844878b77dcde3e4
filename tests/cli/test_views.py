"""What people read: reports, tables, progress, and what may not reach a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from rich.console import Console

from ximilar_async._models import Match
from ximilar_async.bulk import ExitCode, Outcome, Report, Result, Stop
from ximilar_async.cli.failures import UsageError, exit_code, message
from ximilar_async.cli.progress import Pace, run_view, share_done, time_left
from ximilar_async.cli.screen import plain
from ximilar_async.cli.tables import fields_to_show, matches_view, report_view
from ximilar_async.errors import (
    AccountingError,
    AnswerError,
    ApiError,
    AuthError,
    BulkAborted,
    CapacityError,
    ConfigError,
    ConnectError,
    ImageError,
    NotFoundError,
    RateLimitError,
    ServerError,
    SourceError,
    TimedOutError,
)

if TYPE_CHECKING:
    from rich.console import RenderableType


def shown(view: RenderableType, width: int = 100) -> str:
    """Return what a view looks like, without colours and trailing spaces."""
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def trouble(number: int, outcome: Outcome, reason: str, **more: Any) -> Result:
    return evolve(Result(number, f"line {number}", f"r{number}", outcome, reason), **more)


REPORT = Report(operation="insert", read=0, counts={}, requests=3, elapsed=2.0)


def test_a_report_shows_each_outcome_with_its_count() -> None:
    """Counts stand first, samples of trouble below, each with its reason."""
    near = (Match("old", 1.234), Match("older", 4.0))
    report = evolve(
        REPORT,
        read=1205,
        counts={Outcome.INSERTED: 1200, Outcome.NEAR_DUPLICATE: 1, Outcome.REJECTED: 4},
        samples={
            Outcome.NEAR_DUPLICATE: (trouble(7, Outcome.NEAR_DUPLICATE, "", near_duplicates=near),),
            Outcome.REJECTED: (
                trouble(8, Outcome.REJECTED, "AVIF is not supported"),
                trouble(9, Outcome.REJECTED, "line 9 has no image", id=None),
            ),
        },
    )
    assert shown(report_view(report)).splitlines() == [
        "insert: 1,205 records read in 2.0 s (602 a second), 3 requests",
        "  1,200    inserted",
        "      1    near duplicate",
        "      4    rejected",
        "near duplicate:",
        "  r7 (line 7): like old at distance 1.23, older at distance 4.00",
        "rejected (the first 2 of 4):",
        "  r8 (line 8): AVIF is not supported",
        "  line 9 has no image",
    ]


def test_one_reason_of_many_records_is_said_once() -> None:
    """After a stop the report does not repeat itself."""
    samples = tuple(trouble(n, Outcome.NOT_ATTEMPTED, "interrupted") for n in range(1, 11))
    report = evolve(
        REPORT,
        read=40,
        counts={Outcome.NOT_ATTEMPTED: 40},
        samples={Outcome.NOT_ATTEMPTED: samples},
    )
    text = shown(report_view(report))
    assert text.count("interrupted") == 1
    assert "r1 (line 1), r2 (line 2), r3 (line 3), …" in text


def test_a_dry_run_speaks_of_what_would_be_sent() -> None:
    """Nothing failed in a dry run: what was not attempted is ready."""
    sample = trouble(1, Outcome.NOT_ATTEMPTED, "dry run")
    report = evolve(
        REPORT,
        read=3,
        counts={Outcome.NOT_ATTEMPTED: 3},
        samples={Outcome.NOT_ATTEMPTED: (sample,)},
        dry_run=True,
    )
    assert shown(report_view(report)).splitlines() == [
        "dry run of insert: 3 records read in 2.0 s, 3 requests",
        "  3    ready to be sent",
    ]


def test_nothing_that_is_stored_can_steer_the_terminal() -> None:
    """Escape sequences of ids, fields and reasons arrive as harmless text, markup as it stands."""
    match = Match("\x1b]0;x\x07[red]id", 1.0, {"name": "a\x1b[2Jb\nc", "x": "[bold]y"})
    text = shown(matches_view([match]))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]id" in text
    assert "[bold]y" in text
    assert "a?[2Jb c" in text
    assert plain({"a": "\x1b"}) == '{"a":"\\u001b"}'


def test_a_table_has_a_few_simple_fields_or_those_asked_for() -> None:
    """Without a wish: simple values, not the service's own, at most four."""
    record = {"_id": "1", "_url": "u", "a": 1, "b": [1], "c": "x", "d": True, "e": 2.5, "f": 3}
    assert fields_to_show([record]) == ["a", "c", "d", "e"]
    assert fields_to_show([record], ["*"]) == ["_url", "a", "b", "c", "d", "e", "f"]
    assert fields_to_show([record], ["b", "gone"]) == ["b", "gone"]


def test_the_share_counts_what_is_decided() -> None:
    """Half of a file read and half of that decided is a quarter; a bound on records counts too."""
    report = evolve(REPORT, read=100, counts={Outcome.INSERTED: 50})
    assert share_done(report, (500, 1000)) == 0.25
    assert share_done(report, (500, 1000), max_records=100) == 0.5
    assert share_done(report, (2000, 1000)) == 0.5
    assert share_done(report, (500, None)) is None
    assert share_done(evolve(REPORT, read=0), (0, 1000)) is None


def test_the_rate_forgets_what_was_long_ago() -> None:
    """A start that was slow does not drag the shown rate down for ever."""
    pace = Pace()
    for second in range(21):
        rate = pace.add(float(second), 0 if second < 10 else (second - 10) * 100)
    assert rate == 100
    assert Pace().add(5.0, 10) == 0


def test_time_left_needs_something_done() -> None:
    """Nobody knows at the beginning."""
    assert time_left(10, 0.0) is None
    assert time_left(10, None) is None
    assert time_left(10, 1.0) == 0


@pytest.mark.parametrize("width", [60, 80, 200])
def test_progress_fits_the_terminal_and_tells_of_an_outage(width: int) -> None:
    """Records, rate, outcomes so far and time left in three lines; and why nothing moves."""
    counts = {Outcome.INSERTED: 700, Outcome.REJECTED: 2}
    report = evolve(REPORT, read=900, counts=counts, outage="no answer for 7 s: refused")
    text = shown(run_view("insert photos", report, 0.5, 350.0), width)
    assert len(text.splitlines()) == 3
    assert "insert photos" in text
    assert "50%" in text
    assert "900 records read, 350/s" in text
    assert "0:02 left" in text
    assert "700 inserted, 2 rejected, 198 under way" in text
    assert "no answer for 7 s: refused" in text


STOPPED = evolve(REPORT, stop=Stop.OUTAGE, stop_reason="no answer for 900 s")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), ExitCode.USAGE),
        (FileNotFoundError(2, "No such file", "x"), ExitCode.USAGE),
        (ConfigError("x"), ExitCode.USAGE),
        (ImageError("x"), ExitCode.USAGE),
        (SourceError("x"), ExitCode.USAGE),
        (NotFoundError(404, 404, "x"), ExitCode.USAGE),
        (ApiError(400, 400, "x"), ExitCode.USAGE),
        (AuthError(401, 401, "x"), ExitCode.AUTH),
        (CapacityError(402, 402, "x"), ExitCode.CAPACITY),
        (ConnectError("x"), ExitCode.OUTAGE),
        (TimedOutError("x"), ExitCode.OUTAGE),
        (AnswerError("x"), ExitCode.OUTAGE),
        (RateLimitError(429, 429, "x"), ExitCode.OUTAGE),
        (ServerError(500, 500, "x"), ExitCode.OUTAGE),
        (AccountingError("x"), ExitCode.ACCOUNTING),
        (BulkAborted("x", STOPPED), ExitCode.OUTAGE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_error_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    """A script can tell what to do from the code alone."""
    assert exit_code(error) == code
    assert message(error)


def test_a_message_names_the_file_and_what_stopped_a_run() -> None:
    """Errors of the system name their file; an aborted run says why in its own words."""
    assert message(FileNotFoundError(2, "No such file", "a.txt")) == "a.txt: No such file"
    assert message(BulkAborted("x", STOPPED)) == "service unreachable: no answer for 900 s"
