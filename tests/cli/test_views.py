"""What people read: reports, tables, progress, and what may not reach a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from rich.console import Console

from ximilar_async._models import Match
from ximilar_async.bulk import ExitCode, Origin, Outcome, Report, Result, Stop
from ximilar_async.cli.failures import UsageError, exit_code, message
from ximilar_async.cli.pace import Pace, share_done, time_left
from ximilar_async.cli.progress import Narrowed, Remarks, Watch, bar_view, run_view
from ximilar_async.cli.runs import unread_words
from ximilar_async.cli.screen import plain
from ximilar_async.cli.tables import fields_to_show, headline, matches_view, report_view
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


def test_what_earlier_runs_decided_counts_and_is_told_but_is_no_speed() -> None:
    """After a resume, and after a stop, the speed is what this run did; the rest has its place."""
    counts = {Outcome.INSERTED: 71, Outcome.REJECTED: 28, Outcome.FAILED: 1}
    origin = Origin(journal="run.journal", rejects="rej 2.jsonl")
    report = evolve(REPORT, read=100, counts=counts, resumed=100, origin=origin)
    assert shown(report_view(report)).splitlines() == [
        "insert: 100 records read in 2.0 s, 3 requests",
        "  71    inserted",
        "  28    rejected",
        "   1    failed",
        "100 of them were decided by earlier runs (run.journal)",
        "all that were rejected or failed are in rej 2.jsonl",
    ]
    stopped = {Outcome.INSERTED: 40, Outcome.NOT_ATTEMPTED: 630}
    report = evolve(REPORT, read=670, counts=stopped, origin=origin)
    assert headline(report) == "insert: 670 records read in 2.0 s (20 a second), 3 requests"
    assert "all that were" not in shown(report_view(report))


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
    assert "  3 ready to be sent" in shown(run_view("insert photos", report, 0.5, 350.0, 2.0))


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


WAITS = {"source": 0.004, "images": 0.17, "rate": 0.0, "gate": 0.02, "network": 0.806}


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_progress_is_three_lines_on_any_terminal(width: int) -> None:
    """Records, rate and time left, the outcomes so far, and what holds it up, all on one line each.

    The picture keeps its height whatever happens: nothing below it jumps.
    """
    counts = {Outcome.INSERTED: 700, Outcome.REJECTED: 2}
    report = evolve(REPORT, read=900, counts=counts, bottleneck=WAITS)
    outage = evolve(report, outage="no answer for 7 s: refused")
    for each in (REPORT, report, outage, evolve(outage, stop=Stop.ASKED)):
        lines = shown(run_view("insert a-catalog.jsonl", each, 0.5, 350.0, 2.0), width).split("\n")
        assert len(lines) == 3
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [80, 200])
def test_progress_says_how_it_goes_and_what_it_waits_for(width: int) -> None:
    """The most important comes first; what is hardly waited for is left out."""
    counts = {Outcome.INSERTED: 700, Outcome.REJECTED: 2}
    report = evolve(REPORT, read=900, counts=counts, bottleneck=WAITS)
    text = shown(run_view("insert photos", report, 0.5, 350.0, 2.0), width)
    assert "insert photos" in text
    assert "50% 900 records read, 350/s 0:02 left" in text
    assert "700 inserted, 2 rejected, 198 under way" in text
    waits = text.splitlines()[2]
    assert waits == "  waits for answers 81%, work on images 17%, free slots (--concurrency) 2%"


def test_the_least_wait_gives_way_where_there_is_no_room() -> None:
    """No share is cut: those that do not fit are left out, and the first one stays."""
    report = evolve(REPORT, read=900, bottleneck=WAITS)
    waits = {
        width: shown(run_view("insert photos", report, 0.5, 350.0, 2.0), width).splitlines()[2]
        for width in (80, 70, 40, 20)
    }
    assert waits[70] == "  waits for answers 81%, work on images 17%"
    assert waits[40] == "  waits for answers 81%"
    assert waits[80].startswith(waits[70])
    assert len(waits[20]) <= 20


@pytest.mark.parametrize("width", [35, 60, 80])
def test_a_picture_has_room_for_what_a_terminal_shows_of_ctrl_c(width: int) -> None:
    """`^C` behind its last line breaks none, or the picture would not be taken away whole."""
    report = evolve(REPORT, read=9 * 10**9, counts=dict.fromkeys(Outcome, 10**8), bottleneck=WAITS)
    for each in (report, evolve(report, outage="no answer " * 20)):
        view = Narrowed(run_view("insert a-catalog-of-shoes.jsonl", each, 0.5, 350.0, 2.0))
        lines = shown(view, width).split("\n")
        assert len(lines) == 3
        assert max(map(len, lines)) <= width - 3
    bar = shown(Narrowed(bar_view("sync a-catalog.jsonl", 0.5, 20.0, "900 records read")), width)
    assert len(bar) <= width - 3


@pytest.mark.parametrize(
    ("facts", "position", "words"),
    [
        ({"stop": Stop.ASKED}, (25, 100), "was not read to its end, but up to record 900 (25% of"),
        ({"stop": Stop.ASKED}, (100, 100), "what the source may have after record 900 was not"),
        ({"stop": Stop.OUTAGE}, (900, None), "what the source may have after record 900 was not"),
        ({}, (100, 100), ""),
        ({"stop": Stop.AUTH, "read": 0}, (0, 100), ""),
    ],
)
def test_an_early_end_says_how_far_the_source_was_read(
    facts: dict[str, Any], position: tuple[int, int | None], words: str
) -> None:
    """Nobody takes what was not looked at for done."""
    told = unread_words(evolve(REPORT, **{"read": 900, **facts}), position)
    assert words in told
    assert bool(words) == bool(told)


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ({"outage": "no answer for 7 s: refused"}, "  no answer for 7 s: refused"),
        ({"paused": "paused for 5 s: asked for"}, "  paused for 5 s: asked for"),
    ],
)
def test_progress_says_why_nothing_is_sent(closed: dict[str, str], words: str) -> None:
    """No time left is promised meanwhile, and no rate that dies away is shown."""
    report = evolve(REPORT, read=900, bottleneck=WAITS, **closed)
    text = shown(run_view("insert photos", report, 0.5, 350.0, 2.0))
    assert text.splitlines()[0].endswith("50% 900 records read waiting")
    assert text.splitlines()[2] == words


def test_progress_says_that_it_ends() -> None:
    """After Ctrl-C it is clear what is still waited for."""
    report = evolve(REPORT, read=900, stop=Stop.ASKED, stop_reason="interrupted by SIGINT")
    text = shown(run_view("insert photos", report, 0.5, 350.0, 2.0))
    assert "interrupted by SIGINT: finishing what is under way" in text


def test_the_time_left_is_not_spoilt_by_an_outage() -> None:
    """It is what the rest takes at the pace while the service answers."""
    watch = Watch("insert photos")
    for elapsed, outage, decided in [
        *((second, 0, 10 * second) for second in range(1, 11)),
        (310, 300, 100),
        (311, 300, 110),
    ]:
        report = evolve(
            REPORT,
            read=200,
            elapsed=float(elapsed),
            outage_seconds=float(outage),
            counts={Outcome.INSERTED: decided},
        )
        text = shown(watch.picture(report, (200, 200)))
    assert "55% 200 records read, 0/s 0:09 left" in text


def test_what_earlier_runs_decided_is_no_pace() -> None:
    """A resumed run does not begin with the speed of a whole catalog in no time."""
    watch = Watch("insert photos")
    watch.picture(evolve(REPORT, elapsed=0.1), (0, 100))
    for second in (1.0, 2.0):
        decided = 100_000 + round(10 * second)
        report = evolve(REPORT, read=decided, elapsed=second, counts={Outcome.INSERTED: decided})
        text = shown(watch.picture(report, (50, 100)))
    assert ", 10/s" in text


def test_remarks_are_few() -> None:
    """An outage is told when it begins and ends; a pause when it is long, not each one."""
    down = evolve(REPORT, outage="no answer for 1 s: refused")
    paused = [
        evolve(REPORT, elapsed=float(s), paused=f"paused for {9 - s} s: asked") for s in range(9)
    ]
    remarks = Remarks(is_live=False)
    said = [list(remarks.about(report)) for report in (REPORT, down, down, REPORT, *paused)]
    assert [words for words in said if words] == [
        ["no answer: refused; it is tried again, Ctrl-C ends that"],
        ["the service answers again"],
        ["paused for 7 s: asked"],
    ]
    seen = Remarks(is_live=True)
    assert [words for report in paused for words in seen.about(report)] == []


def test_a_report_says_where_the_time_went() -> None:
    """What was waited for, how long answers took, and when nothing was sent; nothing if unknown."""
    report = evolve(
        REPORT,
        read=5,
        counts={Outcome.INSERTED: 5},
        bottleneck=WAITS,
        latency={"p50": 0.0421, "p90": 0.2, "p99": 1.26, "max": 64.2},
        held=12.04,
        outage_seconds=3.5,
    )
    assert shown(report_view(report)).splitlines()[2:] == [
        "waited for: answers 81%, work on images 17%, free slots and pauses 2%",
        "answers after: p50 42 ms, p90 200 ms, p99 1.3 s, max 64 s",
        "paused: 12 s, because the service asked for it",
        "without an answer: 3.5 s",
    ]
    assert len(shown(report_view(evolve(REPORT, read=5))).splitlines()) == 2


def test_each_sample_names_its_record_and_its_place() -> None:
    """Also where the reason speaks of a file that is called like the record, and never twice."""
    reasons = {
        "`_file` 'shoe-r1.jpg': text": "r1 (line 1): `_file` 'shoe-r1.jpg': text",
        "line 1 has 9 bytes of JSON": "r1 (line 1) has 9 bytes of JSON",
        "line 1 (`_id` 'r1') has no image": "line 1 (`_id` 'r1') has no image",
        "line 12 is like it": "r1 (line 1): line 12 is like it",
    }
    for reason, words in reasons.items():
        report = evolve(
            REPORT,
            counts={Outcome.REJECTED: 1},
            samples={Outcome.REJECTED: (trouble(1, Outcome.REJECTED, reason),)},
        )
        assert shown(report_view(report)).splitlines()[-1] == f"  {words}"
    file = trouble(1, Outcome.REJECTED, "`_file` 'a.png': damaged", where="a.png", id="a.png")
    report = evolve(REPORT, counts={Outcome.REJECTED: 1}, samples={Outcome.REJECTED: (file,)})
    assert shown(report_view(report)).splitlines()[-1] == "  `_file` 'a.png': damaged"


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
