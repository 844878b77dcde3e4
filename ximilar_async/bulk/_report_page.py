"""The page of a bulk run. Blocking: images and the rejects file are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async.pages import Fact, Step, Steps, Verdict, counted, render_page, seconds

from ._outcomes import GOOD, Outcome
from ._report import Stop
from ._report_parts import (
    anomalies_table,
    outcome_bars,
    periods_table,
    stop_step,
    time_charts,
    waits_bars,
    wanted_first,
    written_now,
)
from ._report_tables import record_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async.pages import Part

    from ._origin import Origin
    from ._report import Report


def run_page(report: Report, *, command: str = "", replay: str = "") -> str:
    """Return the page of a bulk run.

    Args:
        report: What it did.
        command: The command line that it was started with.
        replay: The command line that sends again what failed; empty for the call that does.
    """
    return render_page(
        f"{report.operation}: {report.origin.source or 'records'}",
        subtitle=f"{where_to(report.origin)} {written_now()}".strip(),
        verdict=verdict_of(report),
        facts=_facts(report),
        parts=list(_parts(report, command, replay)),
        footer=footer_of(command),
    )


def where_to(origin: Origin) -> str:
    """Return the collection in words; empty where it is not known."""
    if not origin.collection:
        return ""
    return f"Collection {origin.collection} of {origin.service}."


def footer_of(command: str) -> str:
    """Return what stands below a page of a run."""
    started = f"Started by: {command}. " if command else ""
    return f"{started}This page loads nothing and runs nothing."


def verdict_of(report: Report) -> Verdict:
    """Return what became of a run in one line."""
    if report.stop is not None:
        return Verdict(f"Ended early: {report.stop.value}: {report.stop_reason}", "bad")
    if report.dry_run:
        turned = f", {report.rejected:,} would be rejected" if report.rejected else ""
        words = f"Dry run: {counted(report.read, 'record')} read, nothing sent{turned}"
        return Verdict(words, "warn" if report.rejected else "good")
    left = report.rejected + report.failed + report.not_attempted
    if left:
        words = f"Read to the end; {counted(left, 'record')} not brought in"
        return Verdict(words, "bad" if report.failed or report.rejected else "warn")
    if report.pending:
        return Verdict(f"Under way: {counted(report.pending, 'record')} pending")
    return Verdict("Read to the end; every record is decided", "good")


def _facts(report: Report) -> list[Fact]:
    facts = [Fact("read", report.read)]
    for outcome, number in report.counts.items():
        if number and outcome in GOOD:
            facts.append(Fact(outcome.value.replace("_", " "), number, "good"))
    facts += [
        Fact(outcome.value.replace("_", " "), number, "warn")
        for outcome in (Outcome.ALREADY_PRESENT, Outcome.NEAR_DUPLICATE, Outcome.NOT_FOUND)
        if (number := report.counts.get(outcome, 0))
    ]
    for outcome in (Outcome.REJECTED, Outcome.FAILED, Outcome.NOT_ATTEMPTED):
        number = report.counts.get(outcome, 0)
        if number and not (report.dry_run and outcome is Outcome.NOT_ATTEMPTED):
            facts.append(Fact(outcome.value.replace("_", " "), number, "bad"))
    facts += [
        Fact("took", seconds(report.elapsed)),
        Fact("records a second", round(report.records_per_second)),
        Fact("requests", report.requests),
    ]
    if report.retries:
        facts.append(Fact("repeated", report.retries, "warn"))
    return facts


def _parts(report: Report, command: str, replay: str) -> Iterator[Part]:
    yield Steps(
        "What to do",
        tuple(steps_of(report, command, replay)),
        empty="Nothing: every record is decided.",
    )
    yield outcome_bars("Outcomes", wanted_first(report.counts), report.read, intro=_notes(report))
    yield time_charts(report)
    yield waits_bars(report)
    for part in (periods_table(report), anomalies_table(report)):
        if part is not None:
            yield part
    yield from record_parts({"": report})


def _notes(report: Report) -> str:
    notes = []
    if report.resumed:
        notes.append(f"{report.resumed:,} of them were decided by earlier runs of the journal.")
    if report.inferred:
        notes.append(
            f"{report.inferred:,} of them are inferred: an answer was lost, and what is stored "
            "does not tell whose work it is."
        )
    if report.left_out:
        notes.append(
            f"{report.left_out:,} records of the rejects file were left out, because sending them "
            "again can hardly help."
        )
    return " ".join(notes)


# --- what to do ---------------------------------------------------------------------------------


def steps_of(report: Report, command: str = "", replay: str = "") -> Iterator[Step]:
    """Yield what is left to do after a run.

    Args:
        report: What it did.
        command: The command line that it was started with.
        replay: The command line that sends again what failed; empty for the call that does.
    """
    origin = report.origin
    goes_on = (
        "With its journal it goes on where it ended."
        if origin.journal
        else "What is stored by then is found to be present."
    )
    yield from stop_step(report.stop, report.stop_reason, command, goes_on)
    if report.stop is None and report.not_attempted and not report.dry_run:
        words = f"{counted(report.not_attempted, 'record')} not sent: run it again. {goes_on}"
        yield Step(words, command)
    if report.failed or (report.stop is Stop.CAPACITY and report.rejected):
        yield _failed_step(report, command, replay)
    if report.rejected:
        words = (
            f"{counted(report.rejected, 'record')} rejected: mend what is said below in the "
            "source, and bring them in again."
        )
        yield Step(words)


def _failed_step(report: Report, command: str, replay: str) -> Step:
    failed = counted(report.failed, "record")
    if report.origin.rejects:
        no_room = " and those that found no room" if report.stop is Stop.CAPACITY else ""
        words = f"Send again what failed{no_room}: {failed} failed."
        return Step(words, replay or replay_call(report))
    kept = "bring in the whole source again, with a rejects file (--rejects, Options.rejects)"
    if report.origin.journal:
        return Step(f"{failed} failed: the same run tries them again.", command)
    return Step(f"{failed} failed, and no rejects file kept them: {kept}.", command)


_WRITING = frozenset({"insert", "near_dups_insert", "update", "delete"})


def replay_call(report: Report) -> str:
    """Return the Python call that sends again what a run could not bring in.

    Args:
        report: The run's.

    Example:
        >>> from ximilar_async.bulk import Report
        >>> from ximilar_async.bulk import Origin
        >>> origin = Origin(rejects="rejects.jsonl")
        >>> replay_call(Report(operation="insert", read=0, counts={}, origin=origin))
        "report = await bulk.replay(collection, 'rejects.jsonl')"
    """
    operation = report.operation if report.operation in _WRITING else "insert"
    named = "" if operation == "insert" else f", operation={operation!r}"
    return f"report = await bulk.replay(collection, {report.origin.rejects!r}{named})"
